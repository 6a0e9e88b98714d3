//! Orders of an admin to the running gateway: over a socket file, one JSON object a line.
//!
//! What makes the gateway stricter takes effect whatever the journal says; what makes it laxer is on record first.

mod connection;
mod desk;
mod explain;
mod keep;
mod lookup;
pub mod protocol;
mod server;

pub use self::keep::KeepError;
pub(crate) use self::{
    desk::{Desk, View},
    keep::Keep,
    server::serve,
};
