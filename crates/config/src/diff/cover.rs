//! Whether the rules of one policy cover all that a rule of another allows.

use esbgate_core::{Grant, GrantLimits, Quota, RiskAction, RiskRules, Weights};
use esbgate_model::{Component, Reach};

use super::{
    atom::{Atom, atoms},
    target::{as_many, each_within, targets_within},
};

/// Most steps that are taken to prove that a rule is covered. What takes more is told as not proved.
const STEPS: usize = 50_000;

/// The rules that something is held against, and what else decides with them.
pub(super) struct Side<'a> {
    pub(super) rules: &'a [Grant],
    /// Whether content of a hash that a rule names is worth more than other content: a risk rule lets it alone pass, or
    /// it weighs less.
    pub(super) review: bool,
}

impl<'a> Side<'a> {
    pub(super) fn new(rules: &'a [Grant], risks: &RiskRules, weights: &Weights) -> Self {
        let passes = risks.list().iter().any(|rule| rule.action() == RiskAction::ReviewedOnly);
        let review = passes || weights.heaviest(true, |_| false) > 1;
        Self { rules, review }
    }
}

/// What of a rule others cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// All of it.
    Whole,
    /// Not all of it.
    Part,
    /// Each part of it, but not provably the whole.
    Unproved,
}

/// How much of `rule` the rules of `side` cover. `most` is what one call of the rule's application may name.
pub(super) fn cover(rule: &Grant, most: u64, side: &Side<'_>) -> Cover {
    let mut steps = STEPS;
    let mut found = Cover::Whole;
    for component in allowed(rule) {
        let runs = component == Component::fast_execute_script();
        let of: Vec<&Grant> =
            side.rules.iter().filter(|one| covers(one, component, rule)).collect();
        let lists = atoms(rule, component);
        // All targets of a call together, or each of them for itself.
        let unseen = component.reach() == Reach::Hosts;
        let together = |one: &&&Grant| {
            let (inner, outer) = (&rule.targets, &one.targets);
            if runs { targets_within(inner, outer, most) } else { !unseen || as_many(inner, outer) }
        };
        let whole: Vec<&Grant> = of.iter().filter(together).copied().collect();
        let any = |rules: &[&Grant]| !rules.is_empty();
        if joint(&lists, &whole, side.review, &any, &mut steps) == Some(true) {
            continue;
        }
        let each = |rules: &[&Grant]| {
            let targets: Vec<_> = rules.iter().map(|one| &one.targets).collect();
            any(rules) && (!runs || each_within(&rule.targets, &targets, most))
        };
        if joint(&lists, &of, side.review, &each, &mut steps) == Some(false) {
            return Cover::Part;
        }
        found = Cover::Unproved;
    }
    found
}

/// The components whose calls a rule can cover.
fn allowed(rule: &Grant) -> impl Iterator<Item = Component> {
    Component::all().filter(|component| opens(rule, *component))
}

fn opens(rule: &Grant, component: Component) -> bool {
    let runs = component == Component::fast_execute_script();
    rule.components.covers(|known| *known == component) && (runs || rule.reaches(component.reach()))
}

/// Whether `outer` covers a component of `inner` as far as no list of atoms and no target says it. A condition that a rule
/// gets has to be held here, unless it has one of those.
fn covers(outer: &Grant, component: Component, inner: &Grant) -> bool {
    let Grant {
        name: _,
        components: _,
        business: _,
        accounts: _,
        scripts: _,
        targets: _,
        callbacks: _,
        hours,
        limits: _,
    } = inner;
    let hours = match (hours, &outer.hours) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.within(outer),
    };
    opens(outer, component) && hours && budgeted(outer, inner)
}

/// Whether the budgets of `outer` let pass what those of `inner` do. A budget is a rule's own: another rule with the same
/// numbers is a second budget, so only a rule of the same name can stand for it.
fn budgeted(outer: &Grant, inner: &Grant) -> bool {
    !is_budgeted(outer) || (outer.name == inner.name && tighter(&inner.limits, &outer.limits))
}

/// Whether a rule has a limit of its own that is enforced.
pub(super) fn is_budgeted(rule: &Grant) -> bool {
    let GrantLimits { calls, host_runs, hosts_per_day, hosts_per_call, shadow } = &rule.limits;
    let hosts = host_runs.is_some() || hosts_per_day.is_some() || hosts_per_call.is_some();
    (calls.is_some() && !shadow.calls) || (hosts && !shadow.hosts)
}

/// Whether each limit of `inner` lets through at most what that of `outer` does.
pub(super) fn tighter(inner: &GrantLimits, outer: &GrantLimits) -> bool {
    let GrantLimits { calls, host_runs, hosts_per_day, hosts_per_call, shadow } = inner;
    let less = |inner: &Option<Quota>, outer: &Option<Quota>| match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.period >= outer.period && inner.burst <= outer.burst,
    };
    let per_call = match (hosts_per_call, outer.hosts_per_call) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => *inner <= outer,
    };
    let hosts =
        less(host_runs, &outer.host_runs) && less(hosts_per_day, &outer.hosts_per_day) && per_call;
    let enforced = |inner: bool, outer: bool| !inner || outer;
    less(calls, &outer.calls)
        && hosts
        && enforced(shadow.calls, outer.shadow.calls)
        && enforced(shadow.hosts, outer.shadow.hosts)
}

/// Whether for each choice of one atom of each list the rules that allow it are `enough`; none where that takes too long
/// to say.
fn joint(
    lists: &[Vec<Atom<'_>>],
    rules: &[&Grant],
    review: bool,
    enough: &dyn Fn(&[&Grant]) -> bool,
    steps: &mut usize,
) -> Option<bool> {
    let work: usize = lists.iter().map(Vec::len).sum::<usize>().saturating_mul(rules.len());
    let left = steps.checked_sub(work.max(1));
    *steps = left.unwrap_or_default();
    left?;
    let all = |rule: &&Grant| lists.iter().flatten().all(|atom| atom.within(rule, review));
    let of_all: Vec<&Grant> = rules.iter().copied().filter(all).collect();
    if enough(&of_all) {
        return Some(true);
    }
    // Where a list is empty there is no such call.
    let Some((first, rest)) = lists.split_first() else { return Some(false) };
    for atom in first {
        let of: Vec<&Grant> =
            rules.iter().copied().filter(|rule| atom.within(rule, review)).collect();
        if !joint(rest, &of, review, enough, steps)? && rest.iter().all(|list| !list.is_empty()) {
            return Some(false);
        }
    }
    Some(true)
}
