//! Tower plumbing: everything between a step and its neighbour. Decides nothing.

mod apart;
mod bracket;
mod catch_panic;
mod detach;
mod gather;
mod observe;
mod respond;
mod shadow;
mod shed;
mod stage;

pub(crate) use self::apart::run_apart;
pub use self::{
    apart::{ApartLayer, ApartService, apart},
    bracket::{BracketLayer, BracketService, bracket},
    catch_panic::{CatchPanic, CatchPanicLayer},
    detach::{Detach, DetachLayer},
    gather::{GatherLayer, GatherService, gather},
    observe::{Observe, ObserveLayer, Telemetry},
    respond::{Respond, RespondLayer},
    shadow::{ShadowLayer, ShadowService},
    shed::{Shed, ShedLayer},
    stage::{StageLayer, StageService, stage},
};

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tower_service::Service;

/// The one box of a layer that waits.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Calls a clone of `service` once that is ready.
///
/// A layer that waits holds the rest of the stack behind an `Arc`, so that a request clones each layer once and not
/// once for every layer above it.
async fn call<S: Service<R> + Clone, R>(service: &S, request: R) -> Result<S::Response, S::Error> {
    let mut service = service.clone();
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// No layer of this stack makes a caller wait for its turn; each refuses instead.
fn ready<E>() -> Poll<Result<(), E>> {
    Poll::Ready(Ok(()))
}
