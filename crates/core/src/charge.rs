//! Establishes that the call's host-runs are paid. Given back if nothing is sent. A call that runs on no
//! host pays nothing.

use std::num::NonZeroU32;

use crate::{
    Bracket, GrantedCall, Rejection, SettledAnswer,
    bucket::{Charge as Paid, Refused},
    trace::note,
};

/// A call that is paid for.
#[derive(Debug)]
pub struct ChargedCall {
    granted: GrantedCall,
    paid: Option<Paid>,
}

impl ChargedCall {
    /// The granted call.
    #[must_use]
    pub fn granted(&self) -> &GrantedCall {
        &self.granted
    }

    /// Ends the call as if it were sent: what it paid is not given back.
    pub fn depart(mut self) {
        if let Some(paid) = &mut self.paid {
            paid.keep();
        }
    }

    pub(crate) fn into_parts(self) -> (GrantedCall, Option<Paid>) {
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
        let app_call = granted.fresh().authenticated().call().admitted().app_call();
        let app = app_call.app();
        let (hosts, limit) = (granted.host_runs(), app.limits.hosts_per_call);
        if hosts == 0 {
            return Ok(ChargedCall { granted, paid: None });
        }
        let units = u32::try_from(hosts).ok().and_then(NonZeroU32::new);
        let Some(units) = units.filter(|_| hosts <= limit) else {
            return Err(Rejection::TooManyHosts { hosts, limit });
        };
        let parsed = app_call.routed().parsed();
        let taken = app.state.host_runs.take(units, parsed.received_at().monotonic);
        let (paid, _) = taken.map_err(|refused| match refused {
            Refused::Wait(retry_after) => Rejection::HostRunsSpent { retry_after },
            Refused::Never => {
                Rejection::TooManyHosts { hosts, limit: app.limits.host_runs.burst.get().into() }
            }
        })?;
        note(&parsed.trace().host_runs, hosts);
        Ok(ChargedCall { granted, paid: Some(paid) })
    }

    async fn leave(&self, mut answer: SettledAnswer) -> SettledAnswer {
        answer.settle_charge();
        answer
    }
}
