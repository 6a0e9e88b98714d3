//! Establishes that there is room for the call: a slot, and a call of the application's budget.
//!
//! Before the login service is asked, so that a flood of one application does not reach it.

use std::num::NonZeroU32;

use crate::{
    AppCall, Bracket, ParsedCall, Rejection, SettledAnswer,
    bucket::Refused,
    room::Room,
    trace::{BudgetLeft, note},
};

/// A call there is room for.
#[derive(Debug)]
pub struct AdmittedCall {
    call: AppCall,
    slot: Room,
}

impl AdmittedCall {
    /// The call of a proved application.
    #[must_use]
    pub fn app_call(&self) -> &AppCall {
        &self.call
    }

    pub(crate) fn parsed_mut(&mut self) -> &mut ParsedCall {
        self.call.routed_mut().parsed_mut()
    }

    pub(crate) fn into_parts(self) -> (AppCall, Room) {
        (self.call, self.slot)
    }
}

/// The bracket that makes an [`AdmittedCall`].
#[derive(Debug, Clone, Copy)]
pub struct Admit;

impl Bracket for Admit {
    type In = AppCall;
    type Out = AdmittedCall;
    type Inner = SettledAnswer;
    type Outer = SettledAnswer;

    async fn enter(&self, call: AppCall) -> Result<AdmittedCall, Rejection> {
        let app = call.app();
        let slot = app.state.slots.take(app.limits.in_flight).ok_or(Rejection::SlotsTaken)?;
        let parsed = call.routed().parsed();
        let taken = app.state.calls.take(NonZeroU32::MIN, parsed.received_at().monotonic);
        let (mut charge, left) = taken.map_err(|refused| match refused {
            Refused::Wait(retry_after) => Rejection::CallsSpent { retry_after },
            // A burst is at least one.
            Refused::Never => Rejection::Internal,
        })?;
        // A call that is refused further in has still been a call.
        charge.keep();
        let budget = BudgetLeft {
            limit: app.limits.calls.burst.get(),
            remaining: left.remaining,
            reset_seconds: left.reset.as_secs() + u64::from(left.reset.subsec_nanos() > 0),
        };
        note(&parsed.trace().budget, budget);
        Ok(AdmittedCall { call, slot })
    }

    async fn leave(&self, mut answer: SettledAnswer) -> SettledAnswer {
        answer.give_slot_back();
        answer
    }
}
