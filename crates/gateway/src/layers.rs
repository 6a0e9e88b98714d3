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

use std::{future::Future, pin::Pin};

/// The one box of a layer that waits.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Takes the service that was polled ready and leaves a clone, which waits for its own turn.
fn take_ready<S: Clone>(inner: &mut S) -> S {
    let next = inner.clone();
    std::mem::replace(inner, next)
}
