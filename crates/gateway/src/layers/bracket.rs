//! Runs a [`Bracket`] as a tower layer: the way in, the rest of the stack, the way out.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use esbgate_core::{Bracket, Rejection};
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, call, ready};

/// Lays `step` around the rest of the stack.
pub fn bracket<K: Bracket + Clone>(step: K) -> BracketLayer<K> {
    BracketLayer(step)
}

/// See [`bracket`].
#[derive(Debug, Clone, Copy)]
pub struct BracketLayer<K>(K);

/// See [`bracket`].
#[derive(Debug, Clone)]
pub struct BracketService<K, S> {
    step: K,
    inner: Arc<S>,
}

impl<K, S> Layer<S> for BracketLayer<K>
where
    K: Bracket + Clone,
    S: Service<K::Out, Response = K::Inner, Error = Rejection>,
{
    type Service = BracketService<K, S>;

    fn layer(&self, inner: S) -> Self::Service {
        BracketService { step: self.0.clone(), inner: Arc::new(inner) }
    }
}

impl<K, S> Service<K::In> for BracketService<K, S>
where
    K: Bracket<In: Send, Out: Send, Inner: Send, Outer: Send> + Clone + Send + Sync + 'static,
    S: Service<K::Out, Response = K::Inner, Error = Rejection, Future: Send>,
    S: Clone + Send + Sync + 'static,
{
    type Response = K::Outer;
    type Error = Rejection;
    type Future = BoxFuture<Result<K::Outer, Rejection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        ready()
    }

    fn call(&mut self, input: K::In) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let step = self.step.clone();
        Box::pin(async move {
            let answer = call(&*inner, step.enter(input).await?).await?;
            Ok(step.leave(answer).await)
        })
    }
}
