//! Checks of the numbers of applications and of their rules.

use std::{num::NonZeroU32, time::Duration};

use esbgate_core::{GrantLimits, Limits, Quota, Shadow, Weights};

use crate::{
    node::{Place, Spanned},
    policy_spec::{
        DefaultsSpec, GrantCallsSpec, GrantHostsSpec, HEAVIEST, WeightSpec, WeightsSpec,
    },
    problem::Faults,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Number = Option<Spanned<u32>>;

/// The numbers of `own`, else of `defaults`, else our own.
pub(crate) fn limits(
    defaults: &DefaultsSpec,
    own: &DefaultsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<(Limits, Weights)> {
    let number = |own: &Number, default: &Number, ours: u32| {
        NonZeroU32::new(own.as_ref().or(default.as_ref()).map_or(ours, |said| said.value))
    };
    let (calls, hosts) = (&own.calls, &own.hosts);
    let per_second = number(&calls.per_second, &defaults.calls.per_second, 10);
    let calls_burst = number(&calls.burst, &defaults.calls.burst, 20);
    let in_flight = number(&calls.in_flight, &defaults.calls.in_flight, 16);
    let per_call = number(&hosts.per_call, &defaults.hosts.per_call, 100);
    let per_minute = number(&hosts.per_minute, &defaults.hosts.per_minute, 600);
    let hosts_burst = number(&hosts.burst, &defaults.hosts.burst, 600);
    let or = |own: &Number, default: &Number| own.clone().or_else(|| default.clone());
    let per_day = or(&hosts.per_day, &defaults.hosts.per_day);
    let day_burst = or(&hosts.day_burst, &defaults.hosts.day_burst);
    let hosts_per_day = quota(("per_day", &per_day), ("day_burst", &day_burst), DAY, path, faults);
    let weights = hosts.weights.as_ref().or(defaults.hosts.weights.as_ref());
    let weights = weights.map_or_else(Weights::default, |said| read(&said.value));
    let on = |own: &Option<Spanned<bool>>, default: &Option<Spanned<bool>>| {
        own.as_ref().or(default.as_ref()).is_some_and(|said| said.value)
    };
    let limits = Limits {
        calls: Quota::new(per_second?, SECOND, calls_burst?),
        in_flight: in_flight?.get().into(),
        host_runs: Quota::new(per_minute?, MINUTE, hosts_burst?),
        hosts_per_day,
        hosts_per_call: per_call?.get().into(),
        shadow: Shadow {
            calls: on(&calls.shadow, &defaults.calls.shadow),
            hosts: on(&hosts.shadow, &defaults.hosts.shadow),
        },
    };
    fits(&limits, &weights, own, path, faults);
    Some((limits, weights))
}

/// Reports the largest call if a budget can never pay it.
fn fits(
    limits: &Limits,
    weights: &Weights,
    own: &DefaultsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) {
    let (calls, hosts) = (&own.calls, &own.hosts);
    let place = |numbers: [&Number; 2]| numbers.into_iter().flatten().map(|said| said.place).next();
    let at = place([&calls.burst, &calls.per_second]);
    sound(limits.calls, at, path, faults);
    let at = place([&hosts.burst, &hosts.per_minute]);
    sound(limits.host_runs, at, path, faults);
    let (per_call, weight) = (limits.hosts_per_call, weights.heaviest(true, |_| true));
    let day = limits.hosts_per_day.map(|quota| ("day_burst", quota, &hosts.day_burst));
    for (name, quota, burst) in
        [Some(("burst", limits.host_runs, &hosts.burst)), day].into_iter().flatten()
    {
        let numbers = [&hosts.per_call, burst].into_iter().flatten().map(|said| said.place);
        let place = numbers.chain(hosts.weights.iter().map(|said| said.place)).next();
        // What is inherited whole is told where it stands.
        let Some(place) = place else { continue };
        let times = if weight > 1 { format!(" × weight {weight}") } else { String::new() };
        let burst = quota.burst;
        if per_call.saturating_mul(weight) > burst.get().into() {
            let message = format!("hosts.per_call {per_call}{times} is over hosts.{name} {burst}");
            let hint = format!("lower hosts.per_call or what weighs most, or raise hosts.{name}");
            faults.hinted(&Spanned { place, value: () }, path, message, Some(hint));
        }
    }
}

/// The numbers of a rule; each budget is whole or absent.
pub(crate) fn grant_limits(
    calls: &GrantCallsSpec,
    hosts: &GrantHostsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> GrantLimits {
    let on = |said: &Option<Spanned<bool>>| said.as_ref().is_some_and(|said| said.value);
    let (rate, burst) = (("per_second", &calls.per_second), ("burst", &calls.burst));
    let own_calls = quota(rate, burst, SECOND, path, faults);
    let (rate, burst) = (("per_minute", &hosts.per_minute), ("burst", &hosts.burst));
    let host_runs = quota(rate, burst, MINUTE, path, faults);
    let (rate, burst) = (("per_day", &hosts.per_day), ("day_burst", &hosts.day_burst));
    let hosts_per_day = quota(rate, burst, DAY, path, faults);
    let hosts_per_call = hosts.per_call.as_ref().map(|said| said.value.into());
    let shadow = Shadow { calls: on(&calls.shadow), hosts: on(&hosts.shadow) };
    let watches = [
        (&calls.shadow, shadow.calls && own_calls.is_none()),
        (
            &hosts.shadow,
            shadow.hosts
                && host_runs.is_none()
                && hosts_per_day.is_none()
                && hosts_per_call.is_none(),
        ),
    ];
    for (said, nothing) in watches {
        if let Some(at) = said.as_ref().filter(|_| nothing) {
            faults.warn(at, path, "there is no limit of this rule that could be watched");
        }
    }
    GrantLimits { calls: own_calls, host_runs, hosts_per_day, hosts_per_call, shadow }
}

/// A rate and its burst, which come together or not at all.
fn quota(
    (rate_name, rate): (&str, &Number),
    (burst_name, burst): (&str, &Number),
    window: Duration,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<Quota> {
    match (rate, burst) {
        (Some(rate), Some(burst)) => {
            let burst_number = NonZeroU32::new(burst.value)?;
            let quota = Quota::new(NonZeroU32::new(rate.value)?, window, burst_number);
            sound(quota, Some(burst.place), path, faults);
            Some(quota)
        }
        (Some(rate), None) => faults.none(
            rate,
            path,
            format!("{rate_name} needs {burst_name}: how much may come at once"),
        ),
        (None, Some(burst)) => {
            faults.none(burst, path, format!("{burst_name} needs {rate_name}: how much comes back"))
        }
        (None, None) => None,
    }
}

/// Reports a budget that takes longer than a century to come back.
fn sound(quota: Quota, place: Option<Place>, path: &str, faults: &mut Faults<'_>) {
    if let Some(place) = place.filter(|_| !quota.is_sound()) {
        let at = Spanned { place, value: () };
        faults.add(&at, path, "at this rate the burst takes more than 100 years to come back");
    }
}

fn read(spec: &WeightsSpec) -> Weights {
    // What is out of bounds is told, and shall not make more of a fuss.
    let weight = |said: &Spanned<WeightSpec>| {
        let weight = NonZeroU32::new(said.value.0).filter(|weight| weight.get() <= HEAVIEST);
        weight.unwrap_or(NonZeroU32::MIN)
    };
    let content = spec.content.as_ref().map_or(NonZeroU32::MIN, weight);
    let accounts = spec.accounts.iter();
    let accounts = accounts.map(|(name, said)| (name.as_str().into(), weight(said)));
    Weights::new(content, accounts.collect())
}
