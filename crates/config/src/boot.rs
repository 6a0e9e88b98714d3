//! From `esbgate.yaml` to typed start-up values, with every named file and secret resolved.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use esbgate_model::{
    Name, Secret,
    dialect::{Credential, Dialect},
};
use http::Uri;
use ipnet::IpNet;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{
    document::{Faults, Problem, read},
    lookup::{FileSource, Lookup, Source, beside, secret, text},
    policy_spec::spec,
    units::{Size, Span},
};

spec! {
    /// The whole file.
    BootSpec {
        /// 1.
        version: Spanned<u32>,
        /// Where calls arrive.
        listen: Spanned<Vec<ListenSpec>>,
        /// Accepted `Host` values.
        hosts: Spanned<Vec<Spanned<String>>>,
        /// Probes and metrics.
        monitor: MonitorSpec,
        /// Ceilings of the whole process.
        #[serde(default)] limits: LimitsSpec,
        /// Proxies whose `X-Forwarded-For` is believed.
        #[serde(default)] trusted_proxies: Vec<Spanned<String>>,
        /// Peers whose `X-Bkapi-JWT` is read.
        #[serde(default)] trusted_peers: Vec<Spanned<String>>,
        /// The ESB.
        upstream: UpstreamSpec,
        /// Where `bk_token` is checked.
        login: Option<LoginSpec>,
        /// What applications act as, by name.
        #[serde(default)] credentials: BTreeMap<String, Spanned<CredentialSpec>>,
        /// The journal.
        journal: JournalSpec,
        /// The policy file.
        policy: Spanned<String>,
    }
}
spec! {
    /// One listener.
    ListenSpec {
        /// Address and port.
        address: Spanned<String>,
        /// TLS.
        tls: Option<TlsSpec>,
        /// Why plain HTTP off loopback is right here.
        insecure: Option<Spanned<String>>,
    }
}
spec! {
    /// TLS of a listener.
    TlsSpec {
        /// The chain.
        certificate: FileSource,
        /// Its key.
        key: FileSource,
        /// Who signs client certificates.
        client_ca: Option<FileSource>,
    }
}
spec! {
    /// Probes and metrics.
    MonitorSpec {
        /// Address and port.
        address: Spanned<String>,
    }
}
spec! {
    /// Ceilings of the whole process.
    #[derive(Default)]
    LimitsSpec {
        /// One body.
        body: Option<Size>,
        /// One head.
        headers: Option<Size>,
        /// Until a head is whole.
        header_time: Option<Span>,
        /// Until a body is whole.
        body_time: Option<Span>,
        /// Calls at once.
        in_flight: Option<Spanned<u32>>,
        /// All bodies at once.
        body_bytes: Option<Size>,
        /// Connections at once.
        connections: Option<Spanned<u32>>,
    }
}
/// The dialect.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KindSpec {
    /// The current ESB.
    Esb,
    /// bk-paas 2.x.
    EsbLegacy,
}
spec! {
    /// The ESB.
    UpstreamSpec {
        /// Its dialect.
        kind: KindSpec,
        /// Its addresses.
        endpoints: Spanned<Vec<Spanned<String>>>,
        /// Who signs its certificate.
        ca: Option<FileSource>,
        /// How long to wait.
        #[serde(default)] timeouts: TimeoutsSpec,
    }
}
spec! {
    /// How long to wait for the ESB.
    #[derive(Default)]
    TimeoutsSpec {
        /// For a connection.
        connect: Option<Span>,
        /// For an answer.
        answer: Option<Span>,
    }
}
spec! {
    /// Where `bk_token` is checked.
    LoginSpec {
        /// `is_login`.
        url: Spanned<String>,
        /// For an answer.
        timeout: Option<Span>,
        /// How long a valid token is remembered.
        valid: Option<Span>,
        /// How long an invalid one is.
        invalid: Option<Span>,
        /// How long a valid token outlives its time while login is down.
        stale_if_error: Option<Span>,
    }
}
spec! {
    /// What applications act as.
    CredentialSpec {
        /// `bk_app_code`.
        bk_app_code: Spanned<String>,
        /// `bk_app_secret`.
        bk_app_secret: SecretSpec,
    }
}
spec! {
    /// A secret.
    SecretSpec {
        /// The one in use.
        current: Source,
    }
}
/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On the disk.
    #[default]
    Synced,
    /// With the operating system.
    Written,
}
/// What happens without a record.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeSpec {
    /// No execution.
    #[default]
    Strict,
}
spec! {
    /// The journal.
    JournalSpec {
        /// Its folder.
        dir: Spanned<String>,
        /// When a record counts as kept.
        #[serde(default)] durability: Durability,
        /// What happens without a record.
        #[serde(default, rename = "mode")] _mode: ModeSpec,
        /// Keys the hashes in records.
        hmac_key: Source,
        /// The name of this gateway in records.
        node: Option<Spanned<String>>,
    }
}

/// A start-up file that has the right shape.
#[derive(Debug)]
pub struct BootDocument {
    file: Box<str>,
    text: Box<str>,
    spec: BootSpec,
}

/// Everything the process starts with.
#[derive(Debug)]
pub struct Boot {
    /// Where calls arrive.
    pub listeners: Vec<Listener>,
    /// Accepted `Host` values, in lower case.
    pub hosts: Vec<Box<str>>,
    /// Probes and metrics.
    pub monitor: SocketAddr,
    /// Ceilings.
    pub limits: Limits,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Peers whose `X-Bkapi-JWT` is read.
    pub trusted_peers: Vec<IpNet>,
    /// The ESB's dialect.
    pub dialect: Dialect,
    /// The ESB's addresses.
    pub endpoints: Vec<Uri>,
    /// PEM of who signs the ESB's certificate.
    pub upstream_ca: Option<String>,
    /// For a connection to the ESB.
    pub connect_timeout: Duration,
    /// For its answer.
    pub answer_timeout: Duration,
    /// Where `bk_token` is checked.
    pub login: Option<LoginOptions>,
    /// What applications act as.
    pub credentials: HashMap<Box<str>, Arc<Credential>>,
    /// The journal.
    pub journal: JournalOptions,
    /// The policy file, seen from where the start-up file's own path is seen.
    pub policy: Box<str>,
}

/// One listener.
#[derive(Debug)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// None for plain HTTP.
    pub tls: Option<ListenTls>,
}

/// PEM texts of a listener.
#[derive(Debug)]
pub struct ListenTls {
    /// The chain.
    pub certificate: String,
    /// Its key.
    pub key: Secret,
    /// Who signs client certificates.
    pub client_ca: Option<String>,
}

/// Ceilings of the whole process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One body, in bytes.
    pub body: u64,
    /// One head, in bytes.
    pub headers: u64,
    /// Until a head is whole.
    pub header_time: Duration,
    /// Until a body is whole.
    pub body_time: Duration,
    /// Calls at once.
    pub in_flight: u32,
    /// All bodies at once, in bytes.
    pub body_bytes: u64,
    /// Connections at once.
    pub connections: u32,
}

/// Where `bk_token` is checked, and how long its answers hold.
#[derive(Debug, Clone)]
pub struct LoginOptions {
    /// `is_login`.
    pub url: Uri,
    /// For an answer.
    pub timeout: Duration,
    /// How long a valid token is remembered.
    pub valid: Duration,
    /// How long an invalid one is.
    pub invalid: Duration,
    /// How long a valid token outlives its time while login is down.
    pub stale_if_error: Duration,
}

/// The journal.
#[derive(Debug)]
pub struct JournalOptions {
    /// Its folder.
    pub dir: Box<str>,
    /// When a record counts as kept.
    pub durability: Durability,
    /// Keys the hashes in records.
    pub hmac_key: Secret,
    /// The name of this gateway in records.
    pub node: Option<Box<str>>,
}

impl BootDocument {
    /// Reads the shape of a start-up file.
    pub fn read(file_name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let spec = read(file_name, text)?;
        Ok(Self { file: file_name.into(), text: text.into(), spec })
    }

    /// Checks what it means and resolves what it names; reports every fault at once.
    pub fn check(&self, port: &dyn Lookup) -> Result<Boot, Vec<Problem>> {
        let mut faults = Faults::new(&self.file, &self.text);
        let boot = boot(&self.spec, port, &mut faults);
        boot.filter(|_| faults.problems.is_empty()).ok_or(faults.problems)
    }
}

fn boot(spec: &BootSpec, port: &dyn Lookup, faults: &mut Faults<'_>) -> Option<Boot> {
    if spec.version.value != 1 {
        faults.add(&spec.version, "version", "only version 1 is known");
    }
    if spec.listen.value.is_empty() {
        faults.add(&spec.listen, "listen", "name at least one listener");
    }
    if spec.hosts.value.is_empty() {
        faults.add(&spec.hosts, "hosts", "name at least one host");
    }
    if spec.upstream.endpoints.value.is_empty() {
        faults.add(&spec.upstream.endpoints, "upstream", "name at least one endpoint");
    }
    let listeners = spec.listen.value.iter().filter_map(|one| listener(one, port, faults));
    let listeners = listeners.collect();
    let monitor = address(&spec.monitor.address, "monitor.address", faults);
    let limits = limits(&spec.limits, faults);
    let trusted_proxies = networks(&spec.trusted_proxies, "trusted_proxies", faults);
    let trusted_peers = networks(&spec.trusted_peers, "trusted_peers", faults);
    let endpoints = spec.upstream.endpoints.value.iter();
    let endpoints = endpoints.filter_map(|text| url(text, "upstream.endpoints", faults)).collect();
    let ca = spec.upstream.ca.as_ref();
    let upstream_ca = ca.and_then(|source| text(source, port, "upstream.ca", faults));
    let login = spec.login.as_ref().map(|login| login_options(login, faults));
    let credentials = spec.credentials.iter();
    let credentials = credentials.filter_map(|(name, one)| credential(name, one, port, faults));
    let credentials = credentials.collect();
    let journal = journal(&spec.journal, port, faults);
    let wait =
        |span: Option<Span>, seconds| span.map_or(Duration::from_secs(seconds), |span| span.0);
    Some(Boot {
        listeners,
        hosts: spec.hosts.value.iter().map(|host| host.value.to_lowercase().into()).collect(),
        monitor: monitor?,
        limits,
        trusted_proxies,
        trusted_peers,
        dialect: match spec.upstream.kind {
            KindSpec::Esb => Dialect::Esb,
            KindSpec::EsbLegacy => Dialect::EsbLegacy,
        },
        endpoints,
        upstream_ca,
        connect_timeout: wait(spec.upstream.timeouts.connect, 2),
        answer_timeout: wait(spec.upstream.timeouts.answer, 95),
        login: login.flatten(),
        credentials,
        journal: journal?,
        policy: beside(faults.file, &spec.policy.value).into(),
    })
}

fn listener(spec: &ListenSpec, port: &dyn Lookup, faults: &mut Faults<'_>) -> Option<Listener> {
    let address = address(&spec.address, "listen.address", faults)?;
    let why = spec.insecure.as_ref().is_some_and(|why| !why.value.trim().is_empty());
    if spec.tls.is_none() && !address.ip().is_loopback() && !why {
        let hint = Some("add tls, or insecure: \"why\"".into());
        faults.hinted(&spec.address, "listen", "plain HTTP off loopback", hint);
    }
    let tls = match &spec.tls {
        None => None,
        Some(tls) => {
            let certificate = text(&tls.certificate, port, "listen.tls.certificate", faults);
            let key = text(&tls.key, port, "listen.tls.key", faults);
            let ca = tls.client_ca.as_ref();
            let client_ca =
                ca.and_then(|source| text(source, port, "listen.tls.client_ca", faults));
            Some(ListenTls { certificate: certificate?, key: Secret::new(key?), client_ca })
        }
    };
    Some(Listener { address, tls })
}

fn limits(spec: &LimitsSpec, faults: &mut Faults<'_>) -> Limits {
    for number in [&spec.in_flight, &spec.connections].into_iter().flatten() {
        if number.value == 0 {
            faults.add(number, "limits", "the number must be at least 1");
        }
    }
    let size = |said: Option<Size>, ours: u64| said.map_or(ours, |size| size.0);
    let time = |said: Option<Span>, ours| said.map_or(Duration::from_secs(ours), |span| span.0);
    Limits {
        body: size(spec.body, 1 << 20),
        headers: size(spec.headers, 32 << 10),
        header_time: time(spec.header_time, 5),
        body_time: time(spec.body_time, 30),
        in_flight: spec.in_flight.as_ref().map_or(1024, |number| number.value),
        body_bytes: size(spec.body_bytes, 256 << 20),
        connections: spec.connections.as_ref().map_or(4096, |number| number.value),
    }
}

fn login_options(spec: &LoginSpec, faults: &mut Faults<'_>) -> Option<LoginOptions> {
    let time = |said: Option<Span>, ours| said.map_or(Duration::from_secs(ours), |span| span.0);
    Some(LoginOptions {
        url: url(&spec.url, "login.url", faults)?,
        timeout: time(spec.timeout, 3),
        valid: time(spec.valid, 60),
        invalid: time(spec.invalid, 5),
        stale_if_error: time(spec.stale_if_error, 0),
    })
}

fn credential(
    name: &str,
    spec: &Spanned<CredentialSpec>,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<(Box<str>, Arc<Credential>)> {
    let path = format!("credentials.{name}");
    let code = &spec.value.bk_app_code;
    let app_code =
        Name::new(&code.value).map_err(|fault| faults.add(code, &path, fault.to_string()));
    let app_secret = secret(&spec.value.bk_app_secret.current, port, &path, faults)?;
    let credential = Credential { app_code: app_code.ok()?, app_secret: Secret::new(app_secret) };
    Some((name.into(), Arc::new(credential)))
}

fn journal(
    spec: &JournalSpec,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<JournalOptions> {
    let key = secret(&spec.hmac_key, port, "journal.hmac_key", faults)?;
    if key.len() < 32 {
        return faults.none(&spec.dir, "journal.hmac_key", "hmac_key has fewer than 32 bytes");
    }
    Some(JournalOptions {
        dir: beside(faults.file, &spec.dir.value).into(),
        durability: spec.durability,
        hmac_key: Secret::new(key),
        node: spec.node.as_ref().map(|node| node.value.as_str().into()),
    })
}

fn address(text: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<SocketAddr> {
    let read = text.value.parse().ok();
    read.or_else(|| faults.none(text, path, "expected an address such as 127.0.0.1:8443"))
}

fn url(text: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<Uri> {
    let read: Option<Uri> = text.value.parse().ok();
    let web =
        |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let plain = |uri: &Uri| uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    let read = read.filter(|uri| web(uri) && plain(uri));
    read.or_else(|| faults.none(text, path, "expected a URL such as https://esb.example.com"))
}

fn networks(list: &[Spanned<String>], path: &str, faults: &mut Faults<'_>) -> Vec<IpNet> {
    let network = |text: &Spanned<String>| {
        let read = text.value.parse::<IpNet>().ok().filter(|net| net.trunc() == *net);
        read.or_else(|| faults.none(text, path, "expected a network such as 10.0.0.0/8"))
    };
    list.iter().filter_map(network).collect()
}
