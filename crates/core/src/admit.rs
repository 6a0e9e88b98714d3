//! Establishes that there is room for the call: a slot, and a call of the application's budget.
//!
//! Before the login service is asked, so that a flood of one application does not reach it.

use std::num::NonZeroU32;

use crate::{
    AppCall, Bracket, Limit, LimitSet, ParsedCall, Rejection, SettledAnswer,
    bucket::Refused,
    room::Room,
    toll::spent,
    trace::{BudgetLeft, note},
};

/// A call there is room for.
#[derive(Debug)]
pub struct AdmittedCall {
    call: AppCall,
    slot: Room,
    shadowed: LimitSet,
}

impl AdmittedCall {
    /// The call of a proved application.
    #[must_use]
    pub fn app_call(&self) -> &AppCall {
        &self.call
    }

    /// The limits that would have refused it, and are in shadow mode.
    pub(crate) fn shadowed(&self) -> LimitSet {
        self.shadowed
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
        let (slots, shadow) = (&app.state.slots, app.limits.shadow.calls);
        let mut shadowed = LimitSet::default();
        let mut pass_over = |limit: Limit| {
            app.metrics.shadowed(limit);
            shadowed.insert(limit);
        };
        let slot = match slots.take(app.limits.in_flight) {
            None if shadow => {
                pass_over(Limit::InFlight);
                slots.take(u64::MAX)
            }
            slot => slot,
        };
        let slot = slot.ok_or(Rejection::SlotsTaken)?;
        let parsed = call.routed().parsed();
        match app.state.calls.take(NonZeroU32::MIN, parsed.received_at().monotonic) {
            Ok((mut charge, left)) => {
                // A call that is refused further in has still been a call.
                charge.keep();
                let budget = BudgetLeft {
                    limit: app.limits.calls.burst.get(),
                    remaining: left.remaining,
                    reset_seconds: left.reset.as_secs() + u64::from(left.reset.subsec_nanos() > 0),
                };
                note(&parsed.trace().budget, budget);
            }
            Err(_) if shadow => pass_over(Limit::Calls),
            Err(Refused::Wait(retry_after)) => return Err(spent(Limit::Calls, retry_after)),
            // A burst is at least one.
            Err(Refused::Never) => return Err(Rejection::Internal),
        }
        Ok(AdmittedCall { call, slot, shadowed })
    }

    async fn leave(&self, mut answer: SettledAnswer) -> SettledAnswer {
        answer.give_slot_back();
        answer
    }
}
