//! Ships the journal: every sink reads on from its own cursor and gives what it reads to somebody else, in order and
//! at least once.
//!
//! Each sink has a thread of its own, with everything that it waits for: a journal's disk, a collector's file, a peer
//! that hangs. Nothing of a call ever waits for a sink; a sink that is slow or dead stands where it stands in the
//! journal, which is its queue.

mod backoff;
mod batch;
mod calls;
mod cursor;
mod lines_file;
mod options;
mod postgres;
mod reader;
mod shipper;
mod sinks;
mod syslog;
mod syslog_frame;
mod target;
mod tls;
mod witness;

pub use self::{
    batch::Record,
    options::{
        Confirm, FileOptions, PostgresHost, PostgresOptions, Rotation, SinkOptions, SyslogAddress,
        SyslogOptions, TargetOptions, TlsPeer,
    },
    postgres::table_sql,
    shipper::{Pass, Shipper},
    sinks::Sinks,
    target::DeliverError,
    tls::{TlsError, client_tls},
};
