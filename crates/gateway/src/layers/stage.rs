//! Runs a [`Stage`] as a tower layer; a stage knows nothing of tower.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use esbgate_core::{Rejection, Stage};
use futures_util::future::Either;
use tower_layer::Layer;
use tower_service::Service;

/// Lays `stage` over the rest of the stack.
pub fn stage<K: Stage + Clone>(stage: K) -> StageLayer<K> {
    StageLayer(stage)
}

/// See [`stage`].
#[derive(Debug, Clone, Copy)]
pub struct StageLayer<K>(K);

/// See [`stage`].
#[derive(Debug, Clone)]
pub struct StageService<K, S> {
    pub(super) stage: K,
    pub(super) inner: S,
}

// Bounded here, not only on `Service`, so that stages in the wrong order fail where the stack is
// composed.
impl<K, S> Layer<S> for StageLayer<K>
where
    K: Stage + Clone,
    S: Service<K::Out, Error = Rejection>,
{
    type Service = StageService<K, S>;

    fn layer(&self, inner: S) -> Self::Service {
        StageService { stage: self.0.clone(), inner }
    }
}

impl<K, S> Service<K::In> for StageService<K, S>
where
    K: Stage,
    S: Service<K::Out, Error = Rejection>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Either<Ready<Result<S::Response, Rejection>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, input: K::In) -> Self::Future {
        match self.stage.run(input) {
            Ok(next) => Either::Right(self.inner.call(next)),
            Err(rejection) => Either::Left(ready(Err(rejection))),
        }
    }
}
