//! What a sink needs to know.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use esbgate_model::Secret;
use rustls::ClientConfig;

/// One sink.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Its name: a label of metrics, and the cursor's file name.
    pub name: Box<str>,
    /// The kinds of records that it gets; all without it.
    pub kinds: Option<BTreeSet<Box<str>>>,
    /// How long one batch may take, from a connection to what confirms it.
    pub timeout: Duration,
    /// Where records go.
    pub target: TargetOptions,
}

/// Where records go.
#[derive(Debug, Clone)]
pub enum TargetOptions {
    /// Records as they are, appended to a file.
    File(FileOptions),
    /// Calls as events of the Audit Center, appended to a file.
    BkAudit(FileOptions),
    /// Records as syslog messages.
    Syslog(SyslogOptions),
    /// Records as rows of a table.
    Postgres(PostgresOptions),
}

/// A file that a collector reads.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// The file.
    pub path: PathBuf,
    /// None where somebody else rotates it.
    pub rotation: Option<Rotation>,
}

/// When a file is put aside, and how many are kept.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// Most bytes of a file; a batch that alone is longer has a file of its own.
    pub bytes: u64,
    /// How many files are kept besides the one that is written.
    pub keep: u32,
}

/// A receiver of syslog.
#[derive(Debug, Clone)]
pub struct SyslogOptions {
    /// Where it is.
    pub address: SyslogAddress,
    /// When a batch counts as delivered over TCP.
    pub confirm: Confirm,
    /// The facility, 0 to 23.
    pub facility: u8,
    /// APP-NAME.
    pub app_name: Box<str>,
    /// The private enterprise number of the structured data.
    pub enterprise: u32,
    /// Most bytes of a datagram.
    pub datagram: usize,
}

/// Where a receiver of syslog is.
#[derive(Debug, Clone)]
pub enum SyslogAddress {
    /// TCP with octet counting (RFC 6587 §3.4.1), with TLS as RFC 5425 has it.
    Tcp {
        /// A name or an address.
        host: Box<str>,
        /// The port.
        port: u16,
        /// None in clear.
        tls: Option<TlsPeer>,
    },
    /// A Unix datagram socket.
    Unix(PathBuf),
}

/// When a batch counts as delivered over TCP, which itself confirms nothing to who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// When the peer has read to our end and closed its own: a connection for each batch.
    Close,
    /// When the system has taken all bytes and the connection still stands.
    Sent,
}

/// How a peer proves itself.
#[derive(Debug, Clone)]
pub struct TlsPeer(pub Arc<ClientConfig>);

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where it is.
    pub host: PostgresHost,
    /// The port, which also names the socket file.
    pub port: u16,
    /// The database.
    pub database: Box<str>,
    /// The role.
    pub user: Box<str>,
    /// Its password.
    pub password: Option<Secret>,
    /// The table, with its schema if it has one.
    pub table: Box<str>,
    /// Makes the table where it is not there.
    pub create: bool,
}

/// Where a database is.
#[derive(Debug, Clone)]
pub enum PostgresHost {
    /// At a name or an address, in clear only on loopback.
    Tcp(Box<str>, Option<TlsPeer>),
    /// In the folder of its Unix socket.
    Unix(PathBuf),
}
