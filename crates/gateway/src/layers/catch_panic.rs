//! One panic hurts one request: it becomes a 500 and a count, and the process lives.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use esbgate_core::{Metrics, Rejection};
use futures_util::FutureExt as _;
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, call, ready};

/// Turns panics of everything further in into [`Rejection::Internal`].
#[derive(Debug, Clone)]
pub struct CatchPanicLayer(Arc<Metrics>);

impl CatchPanicLayer {
    /// Counts panics in `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        // Shared, because the stack is cloned for each request and the families are many.
        Self(Arc::new(metrics))
    }
}

/// See [`CatchPanicLayer`].
#[derive(Debug, Clone)]
pub struct CatchPanic<S> {
    metrics: Arc<Metrics>,
    inner: Arc<S>,
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { metrics: Arc::clone(&self.0), inner: Arc::new(inner) }
    }
}

impl<R, S> Service<R> for CatchPanic<S>
where
    R: Send + 'static,
    S: Service<R, Error = Rejection, Future: Send> + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = BoxFuture<Result<S::Response, Rejection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        ready()
    }

    fn call(&mut self, request: R) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let metrics = Arc::clone(&self.metrics);
        Box::pin(async move {
            // A broken half of a request is dropped here and never looked at again.
            let outcome = AssertUnwindSafe(async move { call(&*inner, request).await });
            outcome.catch_unwind().await.unwrap_or_else(|_| {
                metrics.panicked();
                Err(Rejection::Internal)
            })
        })
    }
}
