//! What a call pays on its way in, limit by limit. The narrowest comes first; what a later limit refuses is given back
//! to the earlier ones, because the toll is dropped.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::{
    AppMetrics, Limit, LimitSet, Rejection,
    bucket::{Bucket, Charge, Refused},
};

/// Most charges of one call: calls, host-runs and the day's of the rule, host-runs and the day's of the application.
const MOST: usize = 5;

/// What a call has paid; given back on drop unless it is kept.
#[derive(Debug, Default)]
pub(crate) struct Paid([Option<Charge>; MOST]);

impl Paid {
    /// The charges stand: what they paid for may have happened.
    pub(crate) fn keep(&mut self) {
        self.0.iter_mut().flatten().for_each(Charge::keep);
    }

    /// The charges do not stand after all: nothing happened.
    pub(crate) fn release(&mut self) {
        self.0.iter_mut().flatten().for_each(Charge::release);
    }

    fn add(&mut self, charge: Charge) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(charge);
        }
    }
}

/// A call before its limits.
#[derive(Debug)]
pub(crate) struct Toll<'c> {
    app: &'c AppMetrics,
    /// When the call arrived.
    at: Duration,
    hosts: u64,
    paid: Paid,
    shadowed: LimitSet,
}

impl<'c> Toll<'c> {
    /// Nothing is paid yet; `shadowed` are limits that were passed over before.
    pub(crate) fn new(app: &'c AppMetrics, at: Duration, hosts: u64, shadowed: LimitSet) -> Self {
        Self { app, at, hosts, paid: Paid::default(), shadowed }
    }

    /// What was paid, and the limits that a shadow kept from refusing.
    pub(crate) fn into_parts(self) -> (Paid, LimitSet) {
        (self.paid, self.shadowed)
    }

    /// Holds the hosts of the call against a ceiling.
    pub(crate) fn within(
        &mut self,
        limit: Limit,
        most: Option<u64>,
        shadow: bool,
    ) -> Result<(), Rejection> {
        match most.filter(|most| self.hosts > *most) {
            Some(_) if shadow => self.pass_over(limit),
            Some(most) => return Err(self.too_many(limit, most)),
            None => {}
        }
        Ok(())
    }

    /// Takes `units` from a budget; None is more than any budget has.
    pub(crate) fn pay(
        &mut self,
        limit: Limit,
        budget: Option<&Arc<Bucket>>,
        units: Option<NonZeroU32>,
        shadow: bool,
    ) -> Result<(), Rejection> {
        let Some(budget) = budget else { return Ok(()) };
        let taken = units.map_or(Err(Refused::Never), |units| budget.take(units, self.at));
        match taken {
            Ok((charge, _)) => self.paid.add(charge),
            Err(_) if shadow => self.pass_over(limit),
            Err(Refused::Wait(retry_after)) => return Err(spent(limit, retry_after)),
            Err(Refused::Never) => {
                return Err(self.too_many(limit, budget.quota().burst.get().into()));
            }
        }
        Ok(())
    }

    fn pass_over(&mut self, limit: Limit) {
        self.app.shadowed(limit);
        self.shadowed.insert(limit);
    }

    fn too_many(&self, reached: Limit, limit: u64) -> Rejection {
        Rejection::TooManyHosts { reached, hosts: self.hosts, limit, faults: reached.faults() }
    }
}

/// A budget that is spent for now.
pub(crate) fn spent(reached: Limit, retry_after: Duration) -> Rejection {
    let faults = reached.faults();
    match reached {
        Limit::Calls | Limit::RuleCalls | Limit::InFlight => {
            Rejection::CallsSpent { reached, retry_after, faults }
        }
        Limit::HostsPerCall
        | Limit::HostsPerMinute
        | Limit::HostsPerDay
        | Limit::RuleHostsPerCall
        | Limit::RuleHostsPerMinute
        | Limit::RuleHostsPerDay => Rejection::HostRunsSpent { reached, retry_after, faults },
    }
}

#[cfg(test)]
mod tests;
