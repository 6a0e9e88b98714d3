//! Whether a rule reaches anything under the switches of its application.

use esbgate_model::Scope;
use ipnet::Ipv4Net;

use crate::{
    node::Spanned,
    policy_spec::{FieldsSpec, GrantSpec, TargetsSpec},
    problem::Faults,
    units::ListOrAny,
};

/// Reports what a rule names and can never match; `per_call` is the smallest that is enforced.
pub(crate) fn reach(
    rule: &GrantSpec,
    fields: &FieldsSpec,
    per_call: Option<u64>,
    path: &str,
    faults: &mut Faults<'_>,
) {
    let dynamic = !rule.targets.groups.is_none() || !rule.targets.topology.is_none();
    if let (Some(hosts), Some(most)) = (&rule.targets.hosts, per_call)
        && dynamic
        && hosts.value > most
    {
        let hint = Some("lower targets.hosts, or raise hosts.per_call".into());
        let message = format!(
            "groups and nodes can never match: each counts as {} hosts, over hosts.per_call {most}",
            hosts.value
        );
        faults.hinted(hosts, path, message, hint);
    }
    // `any` promises no host; components whose hosts are not seen need it.
    if let ListOrAny::List(ids) = &rule.targets.host_ids
        && !ids.is_empty()
        && !fields.host_id_list
    {
        let hint = Some("add fields: {host_id_list: true} to the application".into());
        let message = "host_ids can never match while the application's host_id_list is off";
        faults.hinted(&rule.name, path, message, hint);
    }
    excepted(&rule.name, &rule.targets, path, faults);
    if let ListOrAny::List(ids) = &rule.business.ids
        && let Some(id) = ids.iter().find(|id| Scope::BUSINESS_SETS.contains(*id))
    {
        let message = format!("{id} is a business set: bk_biz_id matches it under business.sets");
        faults.warn(&rule.name, path, message);
    }
}

fn excepted(name: &Spanned<String>, targets: &TargetsSpec, path: &str, faults: &mut Faults<'_>) {
    let ListOrAny::List(ips) = &targets.ips else { return };
    let nets = |list: &[Spanned<String>]| -> Vec<Ipv4Net> {
        list.iter().filter_map(|text| text.value.parse().ok()).collect()
    };
    let (ips, except) = (nets(ips), nets(&targets.except));
    if !ips.is_empty() && ips.iter().all(|net| except.iter().any(|out| out.contains(net))) {
        faults.add(name, path, "targets.ips can never match: targets.except takes all of it out");
    }
}
