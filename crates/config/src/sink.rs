//! Where the journal is shipped to, as the start-up file says it.

use std::{collections::BTreeSet, time::Duration};

use esbgate_model::Secret;

/// One sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: Box<str>,
    /// The kinds of records that it gets; all without it.
    pub kinds: Option<BTreeSet<Box<str>>>,
    /// For one batch.
    pub timeout: Duration,
    /// Where records go.
    pub target: SinkTarget,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTarget {
    /// To a file, as they are.
    File(SinkFile),
    /// To a file, as events of the Audit Center.
    BkAudit(SinkFile),
    /// To a receiver of syslog.
    Syslog(SinkSyslog),
    /// To a table.
    Postgres(SinkPostgres),
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkFile {
    /// Its path, seen from where the start-up file's own path is seen.
    pub path: Box<str>,
    /// Most bytes, and how many files are kept besides; none where somebody else rotates it.
    pub rotation: Option<(u64, u32)>,
}

/// A receiver of syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSyslog {
    /// Where it is.
    pub address: SinkAddress,
    /// Its TLS.
    pub tls: Option<PeerTls>,
    /// Whether a batch counts only once the peer has closed.
    pub confirm_by_close: bool,
    /// The facility's number.
    pub facility: u8,
    /// APP-NAME.
    pub app_name: Box<str>,
    /// The private enterprise number.
    pub enterprise: u32,
    /// Most bytes of a datagram.
    pub datagram: u64,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkAddress {
    /// At a name or an address, and a port.
    Tcp(Box<str>, u16),
    /// At a socket file, or in the folder of one.
    Unix(Box<str>),
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkPostgres {
    /// Where it is.
    pub address: SinkAddress,
    /// The port.
    pub port: u16,
    /// Its TLS.
    pub tls: Option<PeerTls>,
    /// The database.
    pub database: Box<str>,
    /// The role.
    pub user: Box<str>,
    /// Its password.
    pub password: Option<Secret>,
    /// The table.
    pub table: Box<str>,
    /// Whether it is made.
    pub create: bool,
}

/// PEM texts of a connection to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// Who signs the peer's certificate.
    pub ca: String,
    /// Our chain and its key.
    pub own: Option<(String, Secret)>,
}
