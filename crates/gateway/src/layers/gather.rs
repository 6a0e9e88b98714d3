//! Runs a [`Gather`] as a tower layer.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use esbgate_core::{Gather, Rejection};
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, call, ready};

/// Lays `step` over the rest of the stack.
pub fn gather<K: Gather + Clone>(step: K) -> GatherLayer<K> {
    GatherLayer(step)
}

/// See [`gather`].
#[derive(Debug, Clone, Copy)]
pub struct GatherLayer<K>(K);

/// See [`gather`].
#[derive(Debug, Clone)]
pub struct GatherService<K, S> {
    step: K,
    inner: Arc<S>,
}

impl<K, S> Layer<S> for GatherLayer<K>
where
    K: Gather + Clone,
    S: Service<K::Out, Error = Rejection>,
{
    type Service = GatherService<K, S>;

    fn layer(&self, inner: S) -> Self::Service {
        GatherService { step: self.0.clone(), inner: Arc::new(inner) }
    }
}

impl<K, S> Service<K::In> for GatherService<K, S>
where
    K: Gather<In: Send, Out: Send> + Clone + Send + Sync + 'static,
    S: Service<K::Out, Error = Rejection, Future: Send> + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = BoxFuture<Result<S::Response, Rejection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        ready()
    }

    fn call(&mut self, input: K::In) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let step = self.step.clone();
        Box::pin(async move { call(&*inner, step.run(input).await?).await })
    }
}
