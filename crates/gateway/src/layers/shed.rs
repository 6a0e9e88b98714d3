//! Refuses a request when too many are already inside, before any work is done for it.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use esbgate_core::{Rejection, Room, Rooms};
use futures_util::future::Either;
use tower_layer::Layer;
use tower_service::Service;

/// Lets at most `limit` requests in.
#[derive(Debug, Clone)]
pub struct ShedLayer {
    limit: u64,
    inside: Rooms,
}

impl ShedLayer {
    /// Lets at most `limit` requests in, counted in `inside`.
    #[must_use]
    pub fn new(limit: u64, inside: Rooms) -> Self {
        Self { limit, inside }
    }
}

/// See [`ShedLayer`].
#[derive(Debug, Clone)]
pub struct Shed<S> {
    layer: ShedLayer,
    inner: S,
}

pin_project_lite::pin_project! {
    /// Response future of [`Shed`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        inside: Room,
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { layer: self.clone(), inner }
    }
}

impl<R, S> Service<R> for Shed<S>
where
    S: Service<R, Error = Rejection>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Either<Ready<Result<S::Response, Rejection>>, ResponseFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.layer.inside.take(self.layer.limit) {
            Some(inside) => {
                Either::Right(ResponseFuture { inner: self.inner.call(request), inside })
            }
            None => Either::Left(ready(Err(Rejection::NoRoom))),
        }
    }
}
