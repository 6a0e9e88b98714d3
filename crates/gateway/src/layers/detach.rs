//! From here on a tracked task owns the call, not the caller's connection: a caller who leaves cancels
//! nothing and frees nothing, and a stop waits for the task.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use esbgate_core::{AuthenticatedCall, Metrics, Rejection};
use tokio_util::task::TaskTracker;
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, ready};

/// Hands calls over to tasks of `tasks`.
#[derive(Debug, Clone)]
pub struct DetachLayer {
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
}

impl DetachLayer {
    /// Hands calls over to tasks of `tasks`, and counts their panics in `metrics`.
    #[must_use]
    pub fn new(tasks: TaskTracker, metrics: Metrics) -> Self {
        // Shared, because the stack is cloned for each request and the families are many.
        Self { tasks, metrics: Arc::new(metrics) }
    }
}

/// See [`DetachLayer`].
#[derive(Debug, Clone)]
pub struct Detach<S> {
    layer: DetachLayer,
    inner: Arc<S>,
}

impl<S> Layer<S> for DetachLayer {
    type Service = Detach<S>;

    fn layer(&self, inner: S) -> Detach<S> {
        Detach { layer: self.clone(), inner: Arc::new(inner) }
    }
}

impl<S> Service<AuthenticatedCall> for Detach<S>
where
    S: Service<AuthenticatedCall, Error = Rejection, Response: Send, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = BoxFuture<Result<S::Response, Rejection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        ready()
    }

    fn call(&mut self, call: AuthenticatedCall) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let trace = call.trace().clone();
        let metrics = Arc::clone(&self.layer.metrics);
        let noted = trace.clone();
        let task = self.layer.tasks.spawn(async move {
            let answer = super::call(&*inner, call).await;
            if let Err(rejection) = &answer {
                noted.refuse(rejection);
            }
            answer
        });
        Box::pin(async move {
            match task.await {
                Ok(answer) => answer,
                Err(ended) => {
                    if ended.is_panic() {
                        metrics.panicked();
                    }
                    // Whether a byte had left decides what the caller is told.
                    Err(if trace.departed() { Rejection::Aborted } else { Rejection::Internal })
                }
            }
        })
    }
}
