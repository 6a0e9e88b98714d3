//! What `esbgate.yaml` comes to: typed start-up values, with every named file and secret resolved.

use std::{collections::HashMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use esbgate_model::{
    Secret,
    dialect::{Credential, Dialect},
};
use http::Uri;
use ipnet::IpNet;

use crate::{
    boot_check::boot,
    boot_spec::{BootSpec, Durability, JournalMode},
    lookup::{Lookup, beside},
    policy_document::Grounds,
    problem::{Faults, Problem},
    sink::Sink,
    texts::Texts,
    yaml,
};

/// A start-up file that has the right shape.
#[derive(Debug)]
pub struct BootDocument {
    file: Box<str>,
    texts: Texts,
    spec: BootSpec,
    /// Values that their keys do not allow.
    pub(crate) unfit: Vec<Problem>,
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
    /// Applications with series of their own.
    pub named_apps: usize,
    /// The admin socket's file.
    pub admin: Option<Box<str>>,
    /// Threads that carry calls; as many as there are cores if absent.
    pub threads: Option<u32>,
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
    /// How long a connection to the ESB waits for another call; without it every call has its own.
    pub keep_alive: Option<Duration>,
    /// Where `bk_token` is checked.
    pub login: Option<LoginOptions>,
    /// What applications act as.
    pub credentials: HashMap<Box<str>, Arc<Credential>>,
    /// The journal.
    pub journal: JournalOptions,
    /// Where the journal is shipped to, by name.
    pub sinks: Vec<Sink>,
    /// The folder of what is remembered over a restart.
    pub state: Box<str>,
    /// The policy file, seen from where the start-up file's own path is seen.
    pub policy: Box<str>,
}

/// One listener.
#[derive(Debug)]
pub struct Listener {
    /// Where.
    pub address: ListenAddress,
    /// None for plain HTTP.
    pub tls: Option<ListenTls>,
}

/// Where calls arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// At an address and a port.
    Tcp(SocketAddr),
    /// At a socket file, by its absolute path.
    Unix(Box<str>),
    /// At a socket that systemd opened and named (`FileDescriptorName=`).
    Systemd(Box<str>),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// PEM texts of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// All bodies at once, and what is kept of calls in their place, in bytes.
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
    /// What happens without a record.
    pub mode: JournalMode,
    /// Keys the hashes in records.
    pub hmac_key: Secret,
    /// The keys before it.
    pub previous_keys: Vec<Secret>,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// The time of a segment.
    pub segment_time: Duration,
    /// How long records are held.
    pub retain_time: Duration,
    /// Bytes of all segments.
    pub retain_bytes: u64,
    /// The file of the witness.
    pub witness: Option<Box<str>>,
    /// The name of this gateway in records.
    pub node: Option<Box<str>>,
}

impl Boot {
    /// What a policy stands on.
    #[must_use]
    pub fn grounds(&self) -> Grounds<'_> {
        Grounds { credentials: &self.credentials, login: self.login.is_some() }
    }
}

impl BootDocument {
    /// Reads the shape of a start-up file.
    pub fn read(file_name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let texts = Texts::one(file_name, text);
        let roots = yaml::read(&texts)?;
        let mut faults = Faults::new(&texts);
        let spec = roots.first().and_then(|root| faults.spec(root, ""));
        let Some(spec) = spec else { return Err(faults.problems) };
        Ok(Self { file: file_name.into(), unfit: faults.problems, texts, spec })
    }

    /// Checks what it means and resolves what it names; reports every fault at once.
    pub fn check(&self, port: &dyn Lookup) -> Result<Boot, Vec<Problem>> {
        let mut faults = Faults::new(&self.texts);
        faults.problems.clone_from(&self.unfit);
        let boot = boot(&self.spec, port, &mut faults);
        // Without a fault there is a value, and the other way round.
        match faults.end(boot)? {
            (Some(boot), _) => Ok(boot),
            (None, _) => Err(vec![Problem::of_file(&self.file, "the file does not add up")]),
        }
    }

    /// The admin socket's file, known even where something else is wrong.
    #[must_use]
    pub fn admin(&self) -> Option<&str> {
        self.spec.admin.as_ref().map(|admin| admin.socket.value.as_str())
    }

    /// The policy file that it names, known even where something else is wrong.
    #[must_use]
    pub fn policy(&self) -> String {
        beside(&self.file, &self.spec.policy.value)
    }
}
