//! Shared state of the stand-in behind one lock.
//!
//! A test double may lock where the gateway may not: what it keeps must be exact, and it is never on the
//! gateway's own request path.
#![expect(clippy::disallowed_types, reason = "a test double, not the gateway's request path")]

use std::sync::{Mutex, PoisonError};

/// A value that is only reached inside a closure, so that no guard outlives a statement.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Runs `body` alone; a panic elsewhere does not take the value away.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
