//! The shape of `esbgate.yaml`. Unknown keys are refused.

use std::collections::BTreeMap;

use serde::Deserialize;

#[cfg(test)]
use crate::form;
use crate::{
    constraint::{known_version, says},
    lookup::{FileSource, Source},
    node::Spanned,
    policy_spec::spec,
    sink_spec::SinkSpec,
    units::{Size, Span},
};

/// More than any machine has cores: a slip.
const MOST_THREADS: u32 = 4096;

/// More series than a Prometheus should be asked to keep for one gateway.
const MOST_NAMED_APPS: u32 = 100_000;

spec! {
    /// The whole file.
    BootSpec {
        /// The version of the file's form.
        #[cfg_attr(test, schemars(extend("const" = 1)))]
        #[garde(custom(known_version))]
        version: Spanned<u32>,
        /// Where callers come in, at least one.
        #[garde(length(min = 1))]
        listen: Spanned<Vec<ListenSpec>>,
        /// `Host` values that are accepted, without a port, at least one.
        #[garde(length(min = 1))]
        hosts: Spanned<Vec<Spanned<String>>>,
        /// Where probes and Prometheus come in.
        #[garde(dive)]
        monitor: MonitorSpec,
        /// Where an admin gives orders to the running gateway.
        admin: Option<AdminSpec>,
        /// Threads that carry calls, each with its share of the connections; as many as there are cores if absent.
        #[garde(range(min = 1, max = MOST_THREADS))]
        threads: Option<Spanned<u32>>,
        /// Ceilings of the whole process.
        #[garde(dive)]
        #[serde(default)] limits: LimitsSpec,
        /// Peers whose `X-Forwarded-For` is believed.
        #[cfg_attr(test, schemars(with = "Vec<form::Network>"))]
        #[serde(default)] trusted_proxies: Vec<Spanned<String>>,
        /// Peers whose `X-Bkapi-JWT` is read.
        #[cfg_attr(test, schemars(with = "Vec<form::Network>"))]
        #[serde(default)] trusted_peers: Vec<Spanned<String>>,
        /// The ESB.
        #[garde(dive)]
        upstream: UpstreamSpec,
        /// The login service; needed as soon as an application has `users.token: true`.
        login: Option<LoginSpec>,
        /// What applications act as, by a name of your own.
        #[serde(default)] credentials: BTreeMap<String, Spanned<CredentialSpec>>,
        /// The journal.
        journal: JournalSpec,
        /// Where the journal is shipped to, by a name of your own of `a-z 0-9 -`; see [sinks.md](sinks.md).
        #[serde(default)] sinks: BTreeMap<String, Spanned<SinkSpec>>,
        /// What the gateway remembers over a restart.
        #[garde(dive)]
        #[serde(default)] state: StateSpec,
        /// The policy: a file or a [folder](#a-policy-of-several-files), relative to this file's folder.
        #[cfg_attr(test, schemars(with = "form::Path"))]
        policy: Spanned<String>,
    }
}
spec! {
    /// One listener.
    ListenSpec {
        /// `127.0.0.1:8443`, `unix:/run/esbgate/gate.sock` or `systemd:NAME`.
        address: Spanned<String>,
        /// TLS; without it the listener speaks plain HTTP.
        tls: Option<TlsSpec>,
        /// Why plain HTTP is right where the address is neither loopback nor `unix:`.
        insecure: Option<Spanned<String>>,
    }
}
spec! {
    /// TLS of a listener.
    TlsSpec {
        /// The chain, PEM.
        certificate: FileSource,
        /// Its key, PEM.
        key: FileSource,
        /// Who signs client certificates, PEM; needed for proofs by certificate.
        client_ca: Option<FileSource>,
    }
}
spec! {
    /// Probes and metrics.
    MonitorSpec {
        /// `/livez`, `/readyz` and `/metrics`, in clear.
        #[cfg_attr(test, schemars(with = "form::Address"))]
        address: Spanned<String>,
        /// Applications with series of their own, the first by code; the others share `app="other"`. Who has them keeps
        /// them until a restart.
        #[cfg_attr(test, schemars(extend("default" = 1000)))]
        #[garde(range(max = MOST_NAMED_APPS))]
        apps: Option<Spanned<u32>>,
    }
}
spec! {
    /// Where an admin gives orders.
    AdminSpec {
        /// The socket file: an absolute path of at most 107 bytes. Made with mode 0660; its group and its folder's decide
        /// who is an admin.
        #[cfg_attr(test, schemars(with = "form::Path"))]
        socket: Spanned<String>,
    }
}
spec! {
    /// Ceilings of the whole process.
    #[derive(Default)]
    LimitsSpec {
        /// One body.
        #[cfg_attr(test, schemars(extend("default" = "1MiB")))]
        body: Option<Spanned<Size>>,
        /// One head.
        #[cfg_attr(test, schemars(extend("default" = "32KiB")))]
        headers: Option<Size>,
        /// Until a head is whole; also how long a connection may idle.
        #[cfg_attr(test, schemars(extend("default" = "5s")))]
        header_time: Option<Span>,
        /// Until a body is whole.
        #[cfg_attr(test, schemars(extend("default" = "30s")))]
        body_time: Option<Span>,
        /// Requests inside at once.
        #[cfg_attr(test, schemars(extend("default" = 1024)))]
        #[garde(range(min = 1))]
        in_flight: Option<Spanned<u32>>,
        /// All bodies at once, and what calls that are not sent yet take beyond theirs.
        #[cfg_attr(test, schemars(extend("default" = "256MiB")))]
        body_bytes: Option<Spanned<Size>>,
        /// Connections at once.
        #[cfg_attr(test, schemars(extend("default" = 4096)))]
        #[garde(range(min = 1))]
        connections: Option<Spanned<u32>>,
    }
}
/// The dialect.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
        /// `esb` sends the credential in a header; `esb-legacy` (bk-paas 2.x) in the body, which that ESB logs.
        kind: KindSpec,
        /// The ESB's addresses, at least one, without userinfo.
        #[cfg_attr(test, schemars(with = "Vec<form::Url>"))]
        #[garde(length(min = 1))]
        endpoints: Spanned<Vec<Spanned<String>>>,
        /// Who signs the ESB's and the login service's certificates, PEM; needed for `https`.
        ca: Option<FileSource>,
        /// How long to wait.
        #[serde(default)] timeouts: TimeoutsSpec,
        /// How long a connection waits for another call; shorter than the upstream waits, or calls become `unknown`.
        /// Without it every call has a connection of its own.
        keep_alive: Option<Span>,
    }
}
spec! {
    /// How long to wait for the ESB.
    #[derive(Default)]
    TimeoutsSpec {
        /// For a connection.
        #[cfg_attr(test, schemars(extend("default" = "2s")))]
        connect: Option<Span>,
        /// For an answer; the ESB may legally take about 90 s.
        #[cfg_attr(test, schemars(extend("default" = "95s")))]
        answer: Option<Span>,
    }
}
spec! {
    /// Where `bk_token` is checked.
    LoginSpec {
        /// `is_login`, without a query.
        #[cfg_attr(test, schemars(with = "form::Url"))]
        url: Spanned<String>,
        /// For an answer.
        #[cfg_attr(test, schemars(extend("default" = "3s")))]
        timeout: Option<Span>,
        /// How long a valid token is remembered; 0s asks each time.
        #[cfg_attr(test, schemars(extend("default" = "60s")))]
        valid: Option<Span>,
        /// How long an invalid one is.
        #[cfg_attr(test, schemars(extend("default" = "5s")))]
        invalid: Option<Span>,
        /// How much longer a valid token serves while the service is down.
        #[cfg_attr(test, schemars(extend("default" = "0s")))]
        stale_if_error: Option<Span>,
    }
}
spec! {
    /// What applications act as.
    CredentialSpec {
        /// The application at the ESB.
        #[cfg_attr(test, schemars(with = "form::AppName"))]
        bk_app_code: Spanned<String>,
        /// Its secret at the ESB.
        bk_app_secret: SecretSpec,
    }
}
spec! {
    /// A secret that can be exchanged while calls go on.
    SecretSpec {
        /// The one in use.
        current: Source,
        /// The one that takes its place: a call is sent once more with it where the ESB turns `current` down.
        next: Option<Source>,
    }
}
/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On the disk.
    #[default]
    Synced,
    /// With the operating system.
    Written,
}
/// What happens without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// No execution.
    #[default]
    Strict,
    /// Execution all the same; what is on no record is counted.
    BestEffort,
}
spec! {
    /// The journal.
    JournalSpec {
        /// Its folder; one folder below it for each start.
        #[cfg_attr(test, schemars(with = "form::Path"))]
        dir: Spanned<String>,
        /// When a record counts as kept: on the disk, or with the operating system.
        #[cfg_attr(test, schemars(extend("default" = "synced")))]
        #[serde(default)] durability: Durability,
        /// Without a record nothing is executed; `best_effort` executes all the same, and counts what is on no record.
        #[cfg_attr(test, schemars(extend("default" = "strict")))]
        #[serde(default)] mode: JournalMode,
        /// Keys the hashes in records: `{env: NAME}` or `{file: PATH}` of at least 32 bytes, or `current` and `previous`.
        hmac_key: HmacKeySpec,
        /// This gateway's name in records; without it the machine's.
        node: Option<Spanned<String>>,
        /// When a segment is closed and followed by another.
        #[serde(default)] segment: SegmentSpec,
        /// How much is held.
        #[serde(default)] retain: RetainSpec,
        /// The file that says how far the journal goes, on another disk for example; without it `HEAD` in `dir`.
        #[cfg_attr(test, schemars(with = "Option<form::Path>"))]
        witness: Option<Spanned<String>>,
    }
}
spec! {
    /// Keys of the hashes in records, at least 32 bytes each.
    HmacKeySpec {
        /// The one in use, in an environment variable.
        env: Option<Spanned<String>>,
        /// The one in use, in a file.
        file: Option<Spanned<String>>,
        /// The one in use, where there are others.
        current: Option<Source>,
        /// Those before it: values are looked up under them too.
        #[serde(default)] previous: Vec<Source>,
    }
}
spec! {
    /// When a segment of the journal is closed.
    #[derive(Default)]
    SegmentSpec {
        /// Once it holds as many bytes.
        #[cfg_attr(test, schemars(extend("default" = "128MiB")))]
        bytes: Option<Spanned<Size>>,
        /// Once its first record is as old.
        #[cfg_attr(test, schemars(extend("default" = "1h")))]
        time: Option<Span>,
    }
}
spec! {
    /// How much of the journal is held.
    #[derive(Default)]
    RetainSpec {
        /// Segments whose records are all older are removed.
        #[cfg_attr(test, schemars(range(min = 1, max = 36500), extend("default" = 400)))]
        days: Option<Spanned<u32>>,
        /// The bound of all segments, at least four times `segment.bytes`; the oldest are removed to stay below.
        #[cfg_attr(test, schemars(extend("default" = "50GiB")))]
        bytes: Option<Spanned<Size>>,
    }
}
spec! {
    /// What the gateway remembers over a restart.
    #[derive(Default)]
    StateSpec {
        /// Its folder, made with mode 0700; each gateway has its own, and not within `journal.dir`.
        #[cfg_attr(test, schemars(with = "Option<form::NamedPath>", extend("default" = "the folder `state` beside `journal.dir`")))]
        #[garde(custom(says))]
        dir: Option<Spanned<String>>,
    }
}
