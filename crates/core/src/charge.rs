//! Establishes that the call is paid for: a call of its rule's budget, and its host-runs of the budgets of its rule and
//! its application. Given back if nothing is sent. A call that runs on no host pays no host-runs.
//!
//! The rule's budgets come before the application's, whose calls alone were charged before anybody knew the rule.

use std::num::NonZeroU32;

use crate::{
    Bracket, GrantedCall, Limit, LimitSet, Rejection, SettledAnswer,
    toll::{Paid, Toll},
    trace::note,
};

/// A call that is paid for.
#[derive(Debug)]
pub struct ChargedCall {
    granted: GrantedCall,
    paid: Paid,
    charge: u64,
    shadowed: LimitSet,
}

impl ChargedCall {
    /// The granted call.
    #[must_use]
    pub fn granted(&self) -> &GrantedCall {
        &self.granted
    }

    /// What its hosts are charged as: each by its weight.
    #[must_use]
    pub fn charge(&self) -> u64 {
        self.charge
    }

    /// The limits that would have refused it, and are in shadow mode.
    #[must_use]
    pub fn shadowed(&self) -> LimitSet {
        self.shadowed
    }

    /// Ends the call as if it were sent: what it paid is not given back.
    pub fn depart(mut self) {
        self.paid.keep();
    }

    pub(crate) fn into_parts(self) -> (GrantedCall, Paid) {
        (self.granted, self.paid)
    }
}

/// The bracket that makes a [`ChargedCall`].
#[derive(Debug, Clone, Copy)]
pub struct Charge;

impl Bracket for Charge {
    type In = GrantedCall;
    type Out = ChargedCall;
    type Inner = SettledAnswer;
    type Outer = SettledAnswer;

    async fn enter(&self, granted: GrantedCall) -> Result<ChargedCall, Rejection> {
        let call = granted.fresh().authenticated().call();
        let app_call = call.admitted().app_call();
        let parsed = app_call.routed().parsed();
        let hosts = granted.host_runs();
        // A rule that the application has, with the state that was made for it.
        let (rule, state) = granted.rule().ok_or(Rejection::Internal)?;
        let app = app_call.app();
        let charge = hosts.saturating_mul(app.weights.of(call.asked(), rule));
        let (own, limits) = (&rule.limits, &app.limits);
        let at = parsed.received_at().monotonic;
        let mut toll = Toll::new(&app.metrics, at, hosts, call.admitted().shadowed());
        let one = Some(NonZeroU32::MIN);
        toll.pay(Limit::RuleCalls, state.calls.as_ref(), one, own.shadow.calls)?;
        if hosts > 0 {
            let units = u32::try_from(charge).ok().and_then(NonZeroU32::new);
            let shadow = own.shadow.hosts;
            toll.within(Limit::RuleHostsPerCall, own.hosts_per_call, shadow)?;
            toll.pay(Limit::RuleHostsPerMinute, state.host_runs.as_ref(), units, shadow)?;
            toll.pay(Limit::RuleHostsPerDay, state.hosts_per_day.as_ref(), units, shadow)?;
            let (state, shadow) = (&app.state, limits.shadow.hosts);
            toll.within(Limit::HostsPerCall, Some(limits.hosts_per_call), shadow)?;
            toll.pay(Limit::HostsPerMinute, Some(&state.host_runs), units, shadow)?;
            toll.pay(Limit::HostsPerDay, state.hosts_per_day.as_ref(), units, shadow)?;
            note(&parsed.trace().host_runs, hosts);
        }
        let (paid, shadowed) = toll.into_parts();
        Ok(ChargedCall { granted, paid, charge, shadowed })
    }

    async fn leave(&self, mut answer: SettledAnswer) -> SettledAnswer {
        answer.settle_charge();
        answer
    }
}
