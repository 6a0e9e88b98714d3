//! `/livez`, `/readyz` and `/metrics`, on a listener of their own.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use esbgate_core::{BodyBudget, Clock, Metrics, PolicyHandle, Rooms, SinkMetrics};
use esbgate_journal::FileJournal;
use esbgate_server::{Downstream, Server};
use http::{HeaderValue, Method, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// What the monitor looks at.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    pub(crate) metrics: Metrics,
    pub(crate) journal: FileJournal,
    pub(crate) stopping: CancellationToken,
    pub(crate) inside: Rooms,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) callers: Server,
    pub(crate) sinks: Arc<[SinkMetrics]>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: PolicyHandle,
}

impl Service<Downstream> for Monitor {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, downstream: Downstream) -> Self::Future {
        let request = &downstream.request;
        let response = if request.method() != Method::GET && request.method() != Method::HEAD {
            text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n")
        } else {
            match request.uri().path() {
                "/livez" => text(StatusCode::OK, "ok\n"),
                "/readyz" => self.ready(),
                "/metrics" => self.scrape(),
                _ => text(StatusCode::NOT_FOUND, "/livez /readyz /metrics\n"),
            }
        };
        std::future::ready(Ok(response))
    }
}

impl Monitor {
    fn ready(&self) -> Response<Bytes> {
        if self.stopping.is_cancelled() {
            text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        } else if !self.journal.takes_calls() {
            text(StatusCode::SERVICE_UNAVAILABLE, "journal takes no records\n")
        } else {
            text(StatusCode::OK, "ok\n")
        }
    }

    fn scrape(&self) -> Response<Bytes> {
        self.metrics.sample(self.inside.taken(), self.bodies.held(), self.callers.connections());
        let now = self.clock.now().wall;
        self.sinks.iter().for_each(|sink| sink.sample(now));
        self.metrics.standing.stands(self.policy.standing(now));
        match self.metrics.encode() {
            Ok(metrics) => {
                let mut response = Response::new(Bytes::from(metrics));
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written\n"),
        }
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
