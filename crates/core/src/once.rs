//! Establishes that the call is not a repetition of one that was already made.
//!
//! A call without `Idempotency-Key` is always new. A keyed one is promised to run once, which takes a
//! ledger that survives a restart; without one the promise is refused rather than half kept.

use crate::{AuthenticatedCall, Bracket, Rejection, SettledAnswer};

/// A call that was not made before.
#[derive(Debug)]
pub struct FreshCall {
    authenticated: AuthenticatedCall,
}

impl FreshCall {
    /// The authenticated call.
    #[must_use]
    pub fn authenticated(&self) -> &AuthenticatedCall {
        &self.authenticated
    }

    pub(crate) fn into_authenticated(self) -> AuthenticatedCall {
        self.authenticated
    }
}

/// The bracket that makes a [`FreshCall`].
#[derive(Debug, Clone, Copy)]
pub struct Once;

impl Bracket for Once {
    type In = AuthenticatedCall;
    type Out = FreshCall;
    type Inner = SettledAnswer;
    type Outer = SettledAnswer;

    async fn enter(&self, authenticated: AuthenticatedCall) -> Result<FreshCall, Rejection> {
        let parsed = authenticated.call().admitted().app_call().routed().parsed();
        if parsed.has_idempotency_key() {
            return Err(Rejection::Keyed);
        }
        Ok(FreshCall { authenticated })
    }

    async fn leave(&self, answer: SettledAnswer) -> SettledAnswer {
        answer
    }
}
