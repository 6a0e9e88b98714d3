//! Checks of the start-up file.

use std::{path::Path, sync::Arc, time::Duration};

use esbgate_core::NAMED_APPS;
use esbgate_model::{
    Name, Secret,
    dialect::{AppSecrets, Credential, Dialect},
};
use http::Uri;
use ipnet::IpNet;

use crate::{
    boot::{Boot, JournalOptions, Limits, LoginOptions},
    boot_spec::{BootSpec, CredentialSpec, JournalSpec, KindSpec, LimitsSpec, LoginSpec},
    listen_check::{listeners, socket_file, tcp},
    lookup::{Lookup, Source, beside, secret, text},
    node::Spanned,
    problem::Faults,
    sink_check::sinks,
    units::{Size, Span},
};

/// Checks the meaning of the file; what is wrong is in `faults`.
pub(crate) fn boot(spec: &BootSpec, port: &dyn Lookup, faults: &mut Faults<'_>) -> Option<Boot> {
    let listeners = listeners(&spec.listen.value, port, faults);
    let monitor = tcp(&spec.monitor.address, "monitor.address", faults);
    let admin = spec.admin.as_ref().and_then(|said| admin(&said.socket, spec, faults));
    let named_apps = spec.monitor.apps.as_ref().and_then(|apps| usize::try_from(apps.value).ok());
    let limits = limits(&spec.limits, faults);
    let trusted_proxies = networks(&spec.trusted_proxies, "trusted_proxies", faults);
    let trusted_peers = networks(&spec.trusted_peers, "trusted_peers", faults);
    let endpoints = spec.upstream.endpoints.value.iter();
    let endpoints = endpoints.filter_map(|text| url(text, "upstream.endpoints", faults)).collect();
    let ca = spec.upstream.ca.as_ref();
    let upstream_ca = ca.and_then(|source| text(source, port, "upstream.ca", faults));
    let login = spec.login.as_ref().map(|login| login_options(login, faults));
    if ca.is_none() {
        let urls = spec.upstream.endpoints.value.iter().chain(spec.login.iter().map(|it| &it.url));
        for url in urls.filter(|url| url.value.starts_with("https:")) {
            let hint = Some("add upstream.ca: {file: …}, who signs its certificate".into());
            faults.hinted(url, "upstream.ca", "an https address needs upstream.ca", hint);
        }
    }
    let credentials = spec.credentials.iter();
    let credentials = credentials.filter_map(|(name, one)| credential(name, one, port, faults));
    let credentials = credentials.collect();
    let journal = journal(&spec.journal, port, faults);
    let folder = beside(faults.texts.name(spec.journal.dir.place), &spec.journal.dir.value);
    let sinks = sinks(&spec.sinks, &folder, port, faults);
    let state = state(spec, faults);
    let wait =
        |span: Option<Span>, seconds| span.map_or(Duration::from_secs(seconds), |span| span.0);
    Some(Boot {
        listeners,
        hosts: spec.hosts.value.iter().map(|host| host.value.to_lowercase().into()).collect(),
        monitor: monitor?,
        named_apps: named_apps.unwrap_or(NAMED_APPS),
        admin,
        threads: spec.threads.as_ref().map(|number| number.value),
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
        keep_alive: spec.upstream.keep_alive.map(|span| span.0),
        login: login.flatten(),
        credentials,
        journal: journal?,
        sinks,
        state: state?,
        policy: beside(faults.texts.name(spec.policy.place), &spec.policy.value).into(),
    })
}

fn admin(socket: &Spanned<String>, spec: &BootSpec, faults: &mut Faults<'_>) -> Option<Box<str>> {
    let path = socket_file(&socket.value, socket, "admin.socket", faults)?;
    let taken = |address: &str| address.strip_prefix("unix:") == Some(path);
    if spec.listen.value.iter().any(|listener| taken(&listener.address.value)) {
        return faults.none(socket, "admin.socket", "a listener for callers has this path");
    }
    Some(path.into())
}

fn limits(spec: &LimitsSpec, faults: &mut Faults<'_>) -> Limits {
    let size = |said: &Option<Spanned<Size>>, ours: u64| said.as_ref().map_or(ours, |s| s.value.0);
    let (body, body_bytes) = (size(&spec.body, 1 << 20), size(&spec.body_bytes, 256 << 20));
    if body > body_bytes
        && let Some(at) = spec.body_bytes.as_ref().or(spec.body.as_ref())
    {
        faults.add(at, "limits", "body_bytes, for all bodies, is under body, for one");
    }
    let time = |said: Option<Span>, ours| said.map_or(Duration::from_secs(ours), |span| span.0);
    Limits {
        body,
        headers: spec.headers.map_or(32 << 10, |size| size.0),
        header_time: time(spec.header_time, 5),
        body_time: time(spec.body_time, 30),
        in_flight: spec.in_flight.as_ref().map_or(1024, |number| number.value),
        body_bytes,
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
    let said = &spec.value.bk_app_secret;
    let current = secret(&said.current, port, &path, faults).map(Secret::new);
    let next = said.next.as_ref().map(|next| secret(next, port, &path, faults).map(Secret::new));
    let (current, next) = match (current, next) {
        (Some(current), None) => (current, None),
        // Where an exchange is over and both name one value, a second try would repeat the first.
        (Some(current), Some(Some(next))) => {
            let next = Some(next).filter(|next| *next != current);
            (current, next)
        }
        (None, _) | (_, Some(None)) => return None,
    };
    let secrets = AppSecrets { current, next };
    Some((name.into(), Arc::new(Credential::new(app_code.ok()?, secrets))))
}

fn journal(
    spec: &JournalSpec,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<JournalOptions> {
    let (key, previous) = hmac_keys(spec, port, faults)?;
    let size = |said: &Option<Spanned<Size>>, ours: u64| said.as_ref().map_or(ours, |s| s.value.0);
    let segment_bytes = size(&spec.segment.bytes, 128 << 20);
    let retain_bytes = size(&spec.retain.bytes, 50 << 30);
    if retain_bytes / 4 < segment_bytes
        && let Some(at) = spec.retain.bytes.as_ref().or(spec.segment.bytes.as_ref())
    {
        let why = "retain.bytes is under four times segment.bytes: closed segments alone make room";
        faults.add(at, "journal", why);
    }
    let time = spec.segment.time.map_or(Duration::from_secs(3600), |span| span.0);
    if time.is_zero() {
        faults.add(&spec.dir, "journal.segment.time", "the time must not be 0");
    }
    let days = spec.retain.days.as_ref().map_or(400, |days| days.value);
    if let Some(at) = spec.retain.days.as_ref().filter(|it| !(1..=MOST_DAYS).contains(&it.value)) {
        faults.add(at, "journal.retain.days", format!("expected 1 to {MOST_DAYS} days"));
    }
    let dir = beside(faults.texts.name(spec.dir.place), &spec.dir.value);
    let witness =
        spec.witness.as_ref().map(|said| beside(faults.texts.name(said.place), &said.value));
    Some(JournalOptions {
        dir: dir.into(),
        durability: spec.durability,
        mode: spec.mode,
        hmac_key: key,
        previous_keys: previous,
        segment_bytes,
        segment_time: time,
        retain_time: Duration::from_secs(u64::from(days) * 86_400),
        retain_bytes,
        witness: witness.map(Into::into),
        node: spec.node.as_ref().map(|node| node.value.as_str().into()),
    })
}

/// A hundred years.
const MOST_DAYS: u32 = 36_500;

/// The key in use and those before it.
fn hmac_keys(
    spec: &JournalSpec,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<(Secret, Vec<Secret>)> {
    const PATH: &str = "journal.hmac_key";
    let said = &spec.hmac_key;
    let short = |name: &Spanned<String>| Spanned { place: name.place, value: name.value.clone() };
    let env = said.env.as_ref().map(|name| Source::Env(short(name)));
    let file = said.file.as_ref().map(|name| Source::File(short(name)));
    let current = match (env, file, &said.current) {
        (Some(short), None, None) | (None, Some(short), None) => key(&short, spec, port, faults),
        (None, None, Some(current)) => key(current, spec, port, faults),
        (None, None, None) => faults.none(&spec.dir, PATH, "name a key: {file: PATH}"),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            faults.none(&spec.dir, PATH, "name one key in use: env, file or current")
        }
    };
    let previous = said.previous.iter().map(|source| key(source, spec, port, faults));
    let previous: Vec<_> = previous.collect();
    Some((current?, previous.into_iter().collect::<Option<_>>()?))
}

fn key(
    source: &Source,
    spec: &JournalSpec,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<Secret> {
    let key = secret(source, port, "journal.hmac_key", faults)?;
    if key.len() < 32 {
        return faults.none(&spec.dir, "journal.hmac_key", "hmac_key has fewer than 32 bytes");
    }
    Some(Secret::new(key))
}

/// The folder of what is remembered; not within the journal, where each folder is a start.
fn state(spec: &BootSpec, faults: &mut Faults<'_>) -> Option<Box<str>> {
    let journal = beside(faults.texts.name(spec.journal.dir.place), &spec.journal.dir.value);
    let Some(said) = &spec.state.dir else {
        let beside = Path::new(&journal).parent().unwrap_or(Path::new("")).join("state");
        return Some(beside.display().to_string().into());
    };
    let state = beside(faults.texts.name(said.place), &said.value);
    if Path::new(&state).starts_with(&journal) {
        return faults.none(said, "state.dir", "the folder must not be within journal.dir");
    }
    Some(state.into())
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
