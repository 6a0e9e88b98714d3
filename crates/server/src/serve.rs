//! The accept loop: takes connections while there is room, outlives every failed one, and drains.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{Clock, Rooms};
use http::Response;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::{
    Downstream, Listener, ListenerTls,
    connection::{self, Connection},
    listener::Accepted,
};

/// How long to wait after a failed accept: file descriptors come back only when connections end.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What a peer may take before anything is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// For a TLS handshake, and for a head from its first byte on (the first head: from the opening).
    pub header_time: Duration,
    /// For a connection without a request in progress; an answer must be taken within it too.
    pub idle_time: Duration,
    /// Bytes of a head; HTTP/1.1 takes at least 8 KiB.
    pub headers: usize,
    /// Connections open at once.
    pub connections: u64,
}

/// What all listeners of a process share.
#[derive(Debug, Clone)]
pub struct Server {
    limits: ServerLimits,
    clock: Arc<dyn Clock>,
    connections: Rooms,
    drain: CancellationToken,
}

impl Server {
    /// A server that drains when `drain` is cancelled.
    #[must_use]
    pub fn new(limits: ServerLimits, clock: Arc<dyn Clock>, drain: CancellationToken) -> Self {
        Self { limits, clock, connections: Rooms::default(), drain }
    }

    /// Connections open now, over all listeners.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.taken()
    }

    /// Serves a listener; after the drain began, returns when the last connection has ended.
    /// Dropping the future cuts every connection that is still open.
    pub async fn serve<S>(&self, listener: Listener, tls: Option<ListenerTls>, service: S)
    where
        S: Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let connection = Arc::new(Connection {
            service,
            tls,
            limits: self.limits,
            clock: Arc::clone(&self.clock),
            drain: self.drain.clone(),
            http: connection::http(&self.limits),
        });
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.drain.cancelled() => break,
                Some(ended) = open.join_next() => note(ended),
                accepted = accept(&listener) => {
                    let Some(room) = self.connections.take(self.limits.connections) else {
                        tracing::warn!("connection refused: too many are open");
                        continue;
                    };
                    let connection = Arc::clone(&connection);
                    open.spawn(async move {
                        connection.run(accepted).await;
                        drop(room);
                    });
                }
            }
        }
        drop(listener);
        while let Some(ended) = open.join_next().await {
            note(ended);
        }
    }
}

async fn accept(listener: &Listener) -> Accepted {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "connection task failed");
    }
}
