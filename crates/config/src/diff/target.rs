//! Targets as sets of hosts, groups and nodes. All of a call's targets must be covered by one rule.

use esbgate_core::{Allow, TargetGrant};

use super::networks::Networks;

/// The addresses that a rule allows in the clouds that it allows.
pub(super) fn addresses(targets: &TargetGrant) -> Networks {
    if matches!(&targets.clouds, Allow::Only(clouds) if clouds.is_empty()) {
        return Networks::default();
    }
    let ips = match &targets.ips {
        Allow::Any => Networks::all(),
        Allow::Only(nets) => Networks::of(nets),
    };
    ips.without(&Networks::of(&targets.except))
}

/// Whether all that one dimension allows is allowed by another.
pub(super) fn within<T: PartialEq>(inner: &Allow<T>, outer: &Allow<T>) -> bool {
    match (inner, outer) {
        (_, Allow::Any) => true,
        (Allow::Any, Allow::Only(_)) => false,
        (Allow::Only(inner), Allow::Only(outer)) => inner.iter().all(|one| outer.contains(one)),
    }
}

fn is_none<T>(allow: &Allow<T>) -> bool {
    matches!(allow, Allow::Only(list) if list.is_empty())
}

/// Whether every target of a call that `inner` allows, together, is allowed by `outer`. `most` is what the application
/// may name in one call whatever the rule says.
pub(super) fn targets_within(inner: &TargetGrant, outer: &TargetGrant, most: u64) -> bool {
    let TargetGrant { ips: _, except: _, clouds, host_ids, groups, topology, hosts } = inner;
    let addressed = addresses(inner);
    let dynamic = !is_none(groups) || !is_none(topology);
    let ceiling = hosts.unwrap_or(u64::MAX).min(most);
    (addressed.is_empty() || (addressed.within(&addresses(outer)) && within(clouds, &outer.clouds)))
        && within(host_ids, &outer.host_ids)
        && within(groups, &outer.groups)
        && within(topology, &outer.topology)
        && outer.hosts.is_none_or(|outer| ceiling <= outer)
        && !(dynamic && (outer.hosts.is_none() || !as_many(inner, outer)))
}

/// Whether what nobody can count is counted as at least as many hosts by `inner`: as fewer, it would spend less.
pub(super) fn as_many(inner: &TargetGrant, outer: &TargetGrant) -> bool {
    inner.hosts >= outer.hosts
}

/// Whether each single target that `inner` allows is allowed by one or other of `outer`.
pub(super) fn each_within(inner: &TargetGrant, outer: &[&TargetGrant], most: u64) -> bool {
    let TargetGrant { ips: _, except: _, clouds, host_ids, groups, topology, hosts } = inner;
    let ceiling = hosts.unwrap_or(u64::MAX).min(most);
    let addressed = addresses(inner);
    let near = outer.iter().filter(|one| within(clouds, &one.clouds));
    let all = near.fold(Networks::default(), |all, one| all.and(&addresses(one)));
    addressed.within(&all)
        && apart(host_ids, outer.iter().map(|one| &one.host_ids))
        && apart(groups, outer.iter().map(|one| &one.groups))
        && apart(topology, outer.iter().map(|one| &one.topology))
        && outer.iter().any(|one| one.hosts.is_none_or(|outer| ceiling <= outer))
}

/// Whether each element is in one or other of the sets.
fn apart<'g, T: PartialEq + 'g>(
    inner: &Allow<T>,
    mut outer: impl Iterator<Item = &'g Allow<T>> + Clone,
) -> bool {
    match inner {
        Allow::Any => outer.any(Allow::is_any),
        Allow::Only(list) => {
            list.iter().all(|one| outer.clone().any(|set| set.covers(|known| known == one)))
        }
    }
}
