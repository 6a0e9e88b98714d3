//! Where a batch goes, whatever it is.

use std::{io, path::PathBuf};

use crate::{
    batch::Record,
    lines_file::LinesFile,
    options::TargetOptions,
    postgres::{self, Postgres},
    syslog::Syslog,
};

/// Why a batch was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The receiver of syslog.
    #[error("syslog: {0}")]
    Syslog(#[source] io::Error),
    /// The peer did not confirm what it was sent.
    #[error("syslog: the peer ended the connection before it had read everything: {0}")]
    Unconfirmed(#[source] io::Error),
    /// The database.
    #[error("postgres: {}", postgres::said(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// Another record stands where this one belongs.
    #[error(
        "postgres: the table has another record as {node}/{seq}: two gateways have one name, or a journal was begun anew under an old one"
    )]
    Conflict {
        /// The node.
        node: String,
        /// The number.
        seq: i64,
    },
    /// It took longer than the sink's `timeout`.
    #[error("no end within the timeout")]
    Timeout,
}

/// What became of a batch that was delivered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Records whose text was left out because it was too long.
    pub(crate) shortened: u64,
    /// Records that the target cannot hold.
    pub(crate) unfit: u64,
}

/// Where a batch goes.
#[derive(Debug)]
pub(crate) enum Target {
    File(LinesFile),
    Syslog(Box<Syslog>),
    Postgres(Box<Postgres>),
}

impl Target {
    pub(crate) fn new(name: &str, options: TargetOptions) -> Self {
        match options {
            TargetOptions::File(file) | TargetOptions::BkAudit(file) => {
                Self::File(LinesFile::new(file))
            }
            TargetOptions::Syslog(syslog) => Self::Syslog(Box::new(Syslog::new(syslog))),
            TargetOptions::Postgres(postgres) => {
                Self::Postgres(Box::new(Postgres::new(name, postgres)))
            }
        }
    }

    /// Delivers all of them in their order; on an error some may have been delivered.
    pub(crate) async fn deliver(&mut self, records: &[Record]) -> Result<Delivered, DeliverError> {
        match self {
            Self::File(file) => file.append(records),
            Self::Syslog(syslog) => syslog.send(records).await,
            Self::Postgres(postgres) => postgres.insert(records).await,
        }
    }

    /// Lets go of what may be half done.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::File(file) => file.reset(),
            Self::Syslog(syslog) => syslog.reset(),
            Self::Postgres(postgres) => postgres.reset(),
        }
    }
}
