//! Sinks against real receivers: files, sockets, TLS and a PostgreSQL of the machine's own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![expect(unreachable_pub, reason = "the modules of a test are its own")]

mod bk_audit;
mod database;
mod files;
mod follow;
mod journal;
mod postgres;
mod syslog;
mod syslog_hangs;
mod threads;
mod witness;
