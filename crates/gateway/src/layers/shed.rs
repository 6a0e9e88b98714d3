//! Refuses a request when too many are already inside, before any work is done for it.
//!
//! The place goes inward with the request and is held by the call, not by the caller's connection: a caller
//! who leaves makes no room while its call goes on.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use esbgate_core::{Rejection, Rooms};
use esbgate_server::{EnteredRequest, TracedRequest};
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

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { layer: self.clone(), inner }
    }
}

impl<S> Service<TracedRequest> for Shed<S>
where
    S: Service<EnteredRequest, Error = Rejection>,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Either<Ready<Result<S::Response, Rejection>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, traced: TracedRequest) -> Self::Future {
        match self.layer.inside.take(self.layer.limit) {
            Some(inside) => Either::Right(self.inner.call(EnteredRequest { traced, inside })),
            None => Either::Left(ready(Err(Rejection::NoRoom))),
        }
    }
}
