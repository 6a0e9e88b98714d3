//! The accept loop: takes connections while there is room, outlives every failed one, and drains.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{Clock, Rooms};
use http::Response;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::{
    Core, Downstream, Listener, ListenerTls,
    connection::{Connection, Http},
    listener::{Accepted, Moving},
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

    /// Serves a listener on the caller's own runtime; after the drain began, returns when the last connection has
    /// ended. Dropping the future cuts every connection that is still open.
    pub async fn serve<S>(&self, listener: Listener, tls: Option<ListenerTls>, service: S)
    where
        S: Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.serve_on(vec![(Core::here(), service)], listener, tls).await;
    }

    /// The same on cores, each with its own clone of the service: a connection stays on the core that has the fewest
    /// when it is opened.
    pub async fn serve_on<S>(
        &self,
        cores: Vec<(Core, S)>,
        listener: Listener,
        tls: Option<ListenerTls>,
    ) where
        S: Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let http = Http::new(&self.limits);
        let connection = |service| {
            Arc::new(Connection {
                service,
                tls: tls.clone(),
                limits: self.limits,
                clock: Arc::clone(&self.clock),
                drain: self.drain.clone(),
                http: http.clone(),
            })
        };
        let cores: Vec<_> =
            cores.into_iter().map(|(core, service)| (core, connection(service))).collect();
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
                    let least = cores.iter().min_by_key(|(core, _)| core.connections());
                    let Some((core, connection)) = least else { continue };
                    let (place, connection) = (core.place(), Arc::clone(connection));
                    let serving = async move {
                        connection.run(accepted).await;
                        drop((room, place));
                    };
                    open.spawn_on(serving, core.runtime());
                }
            }
        }
        drop(listener);
        while let Some(ended) = open.join_next().await {
            note(ended);
        }
    }
}

async fn accept(listener: &Listener) -> Moving {
    loop {
        match listener.accept().await.and_then(Accepted::moving) {
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
