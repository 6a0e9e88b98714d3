//! The shape of `esbgate.yaml`. Unknown keys are refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    lookup::{FileSource, Source},
    node::Spanned,
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
        /// What the gateway remembers over a restart.
        #[serde(default)] state: StateSpec,
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
        body: Option<Spanned<Size>>,
        /// One head.
        headers: Option<Size>,
        /// Until a head is whole.
        header_time: Option<Span>,
        /// Until a body is whole.
        body_time: Option<Span>,
        /// Calls at once.
        in_flight: Option<Spanned<u32>>,
        /// All bodies at once, and what is kept of calls in their place.
        body_bytes: Option<Spanned<Size>>,
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
        #[serde(default)] mode: ModeSpec,
        /// Keys the hashes in records.
        hmac_key: Source,
        /// The name of this gateway in records.
        node: Option<Spanned<String>>,
    }
}
spec! {
    /// What the gateway remembers over a restart.
    #[derive(Default)]
    StateSpec {
        /// Its folder. Default: the folder `state` beside `journal.dir`. Made with mode 0700 where it is not there; each
        /// gateway has its own.
        dir: Option<Spanned<String>>,
    }
}
