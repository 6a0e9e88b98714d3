//! Bytes in: from a listening socket to a whole request under its limits.
//!
//! Everything a stranger can stretch or withhold is bounded here, before any step of a call runs:
//! connections, handshakes, heads, idleness, and the size, the time and the memory of bodies.

mod activity;
mod body;
mod certificate;
mod connection;
mod cores;
mod heads;
mod inherited;
mod listener;
mod local;
mod raw_head;
mod serve;
mod tls;
mod watched;

use std::sync::Arc;

use esbgate_core::{HeadFault, Peer, ReceivedAt, Room, Trace};
use hyper::body::Incoming;

pub use body::ReadBody;
pub use cores::{Core, Cores};
pub use inherited::Inherited;
pub use listener::{BindError, Listener, bind};
pub use local::{LocalListener, LocalPeer};
pub use serve::{Server, ServerLimits};
pub use tls::{ListenerTls, TlsError, tls_config};

/// A request whose head is complete and whose body is still on the wire.
#[derive(Debug)]
pub struct Downstream {
    /// The head, and the body to come.
    pub request: http::Request<Incoming>,
    /// The other end of the connection.
    pub peer: Peer,
    /// When the head was complete.
    pub received_at: ReceivedAt,
    /// Why its head, as it came, is to be refused; the request shows what was made of it.
    pub head_fault: Option<HeadFault>,
}

/// A request that the log and the metrics follow.
#[derive(Debug)]
pub struct TracedRequest {
    /// The request.
    pub downstream: Downstream,
    /// What the log and the metrics will say.
    pub trace: Arc<Trace>,
}

/// A request that there is room for.
#[derive(Debug)]
pub struct EnteredRequest {
    /// The request.
    pub traced: TracedRequest,
    /// Its place among the requests inside; the call takes it along.
    pub inside: Room,
}
