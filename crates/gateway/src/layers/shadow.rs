//! Shows calls to a next policy, if there is one, once they have their answer.

use std::task::{Context, Poll};

use esbgate_core::{Login, ReceivedRequest, Rejection};
use futures_util::future::Either;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;
use tower_service::Service;

use super::BoxFuture;
use crate::shadow::Shadow;

/// Shows calls to the next policy of a [`Shadow`].
#[derive(Debug, Clone)]
pub struct ShadowLayer<L> {
    shadow: Shadow,
    login: L,
    tasks: TaskTracker,
}

impl<L> ShadowLayer<L> {
    /// Looks at calls in `tasks`; of what their tokens stand for it takes only what `login` knows already.
    #[must_use]
    pub fn new(shadow: Shadow, login: L, tasks: TaskTracker) -> Self {
        Self { shadow, login, tasks }
    }
}

/// See [`ShadowLayer`].
#[derive(Debug, Clone)]
pub struct ShadowService<L, S> {
    layer: ShadowLayer<L>,
    inner: S,
}

impl<L: Clone, S> Layer<S> for ShadowLayer<L> {
    type Service = ShadowService<L, S>;

    fn layer(&self, inner: S) -> Self::Service {
        ShadowService { layer: self.clone(), inner }
    }
}

impl<L, S> Service<ReceivedRequest> for ShadowService<L, S>
where
    L: Login + Clone + Send + Sync + 'static,
    S: Service<ReceivedRequest, Error = Rejection, Response: Send, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Either<S::Future, BoxFuture<Result<S::Response, Rejection>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: ReceivedRequest) -> Self::Future {
        let Some(copied) = self.layer.shadow.copy(&request) else {
            return Either::Left(self.inner.call(request));
        };
        let live = request.trace.clone();
        let answer = self.inner.call(request);
        let ShadowLayer { shadow, login, tasks } = self.layer.clone();
        Either::Right(Box::pin(async move {
            let answer = answer.await;
            if let Err(rejection) = &answer {
                live.refuse(rejection);
            }
            tasks.spawn(async move { shadow.look(copied, login).await });
            answer
        }))
    }
}
