//! Whether the numbers of a rule and of its application agree: the smaller one wins, and what can never bind or never
//! be paid is told.

use esbgate_core::{GrantLimits, Limits, Quota, Weights};

use crate::{
    node::Spanned,
    policy_spec::{GrantSpec, HostsSpec},
    problem::Faults,
    units::ListOrAny,
};

/// Most hosts that a call of this rule can have, and what they can weigh, against the budgets of the rule.
pub(crate) fn ceilings(
    rule: &GrantSpec,
    own: &GrantLimits,
    (limits, weights): (&Limits, &Weights),
    path: &str,
    faults: &mut Faults<'_>,
) {
    let hosts = &rule.hosts;
    if let Some(said) = hosts.per_call.as_ref()
        && u64::from(said.value) > limits.hosts_per_call
    {
        let most = limits.hosts_per_call;
        let message = format!("the application's hosts.per_call {most} is smaller, and wins");
        faults.warn(said, path, message);
    }
    redundant(rule, own, limits, path, faults);
    let ceilings = [Some(limits.hosts_per_call), own.hosts_per_call];
    let ceilings = ceilings.into_iter().chain([rule.targets.hosts.as_ref().map(|said| said.value)]);
    let Some(most) = ceilings.flatten().min() else { return };
    let weight = heaviest(rule, weights);
    let budgets = [
        ("burst", &hosts.burst, own.host_runs),
        ("day_burst", &hosts.day_burst, own.hosts_per_day),
    ];
    for (name, said, quota) in budgets {
        let (Some(said), Some(quota)) = (said, quota) else { continue };
        if most.saturating_mul(weight) > quota.burst.get().into() {
            let hint = Some("lower hosts.per_call of the rule, or raise the burst".into());
            let message = format!(
                "a call of {most} hosts × weight {weight} is over the rule's hosts.{name} {}",
                quota.burst
            );
            faults.hinted(said, path, message, hint);
        }
    }
}

/// Tells the budgets of the rule that never bind.
fn redundant(
    rule: &GrantSpec,
    own: &GrantLimits,
    limits: &Limits,
    path: &str,
    faults: &mut Faults<'_>,
) {
    let hosts = &rule.hosts;
    let calls = (&rule.calls.per_second, own.calls);
    wider(calls, Some(limits.calls), "calls", path, faults);
    let minute = (&hosts.per_minute, own.host_runs);
    wider(minute, Some(limits.host_runs), "hosts.per_minute", path, faults);
    let day = (&hosts.per_day, own.hosts_per_day);
    wider(day, limits.hosts_per_day, "hosts.per_day", path, faults);
}

/// A budget that lets more through than the application's in every way never binds.
fn wider(
    (said, own): (&Option<Spanned<u32>>, Option<Quota>),
    app: Option<Quota>,
    name: &str,
    path: &str,
    faults: &mut Faults<'_>,
) {
    let (Some(said), Some(own), Some(app)) = (said, own, app) else { return };
    if own.period <= app.period && own.burst >= app.burst {
        let message = format!("this budget never binds: the application's {name} is not larger");
        faults.warn(said, path, message);
    }
}

/// The largest weight of a call that the rule covers.
fn heaviest(rule: &GrantSpec, weights: &Weights) -> u64 {
    weights.heaviest(!rule.scripts.content.is_none(), |name| covers(rule, name))
}

/// Whether the rule covers an account of this alias, or of the id that these digits are.
fn covers(rule: &GrantSpec, name: &str) -> bool {
    let (accounts, id) = (&rule.accounts, name.parse::<i64>().ok());
    let alias = match &accounts.aliases {
        ListOrAny::Any => true,
        ListOrAny::List(list) => list.iter().any(|known| known == name),
    };
    alias
        || match &accounts.ids {
            ListOrAny::Any => id.is_some(),
            ListOrAny::List(list) => list.iter().any(|known| Some(*known) == id),
        }
}

/// Warns of an account of the application's own weights that no rule covers: misspelled, it would weigh nothing.
pub(crate) fn weighed_accounts(
    spec: &HostsSpec,
    rules: &[Spanned<GrantSpec>],
    path: &str,
    faults: &mut Faults<'_>,
) {
    let accounts = spec.weights.iter().flat_map(|weights| &weights.value.accounts);
    for (name, weight) in accounts {
        if !rules.iter().any(|rule| covers(&rule.value, name)) {
            faults.warn(weight, path, "no rule of the application covers this account");
        }
    }
}
