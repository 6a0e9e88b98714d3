//! Checks of one rule: every name is known, and some call could match it.

use esbgate_core::{AccountGrant, Allow, Grant, ScriptGrant, TargetGrant};
use esbgate_model::{
    CallbackPrefix, Component, Extent, Reach, ScriptLanguage, TopologyNode, sha256_from_hex,
};
use ipnet::Ipv4Net;

use crate::{
    budget_check::grant_limits,
    business_check::business,
    hours_check::Calendar,
    node::Spanned,
    policy_spec::{GrantSpec, ScriptsSpec, TargetsSpec},
    problem::{Faults, nearest},
    units::ListOrAny,
};

/// Compiles one rule; what is wrong is in `faults`, and its place in the result is empty.
pub(crate) fn grant(
    spec: &Spanned<GrantSpec>,
    calendar: &Calendar,
    path: &str,
    faults: &mut Faults<'_>,
) -> Grant {
    let rule = &spec.value;
    let components = each(&rule.components, |name| {
        let found = Component::named(&name.value);
        if found.is_none() {
            let known = Component::all().map(Component::name);
            faults.hinted(name, path, "unknown component", nearest(&name.value, known));
        }
        found
    });
    can_match(rule, &components, path, faults);
    let grant = Grant {
        name: rule.name.value.as_str().into(),
        components,
        business: business(&rule.business, path, faults),
        accounts: AccountGrant {
            aliases: texts(&rule.accounts.aliases),
            ids: copied(&rule.accounts.ids),
        },
        scripts: scripts(&rule.scripts, path, faults),
        targets: targets(&rule.name, &rule.targets, path, faults),
        callbacks: callbacks(&rule.callbacks, path, faults),
        limits: grant_limits(&rule.calls, &rule.hosts, path, faults),
        hours: rule.hours.as_ref().and_then(|hours| calendar.hours(hours, path, faults)),
    };
    reaches(rule, &grant, path, faults);
    grant
}

fn callbacks(
    texts: &[Spanned<String>],
    path: &str,
    faults: &mut Faults<'_>,
) -> Vec<CallbackPrefix> {
    let read = |text: &Spanned<String>| {
        CallbackPrefix::read(&text.value)
            .map_err(|fault| faults.add(text, path, format!("bad callback: {}", fault.text().en)))
            .ok()
    };
    texts.iter().filter_map(read).collect()
}

/// A component whose calls do not show what they bring about is named only in a rule that says `any`
/// there; the judge holds `components: any` to the same.
fn reaches(rule: &GrantSpec, grant: &Grant, path: &str, faults: &mut Faults<'_>) {
    let ListOrAny::List(names) = &rule.components else { return };
    for name in names {
        let Some(component) = Component::named(&name.value) else { continue };
        if grant.reaches(component.reach()) {
            continue;
        }
        let hint = match component.reach() {
            Reach::Nothing => continue,
            Reach::Scripts => "write scripts: {content: any, ids: any, versions: any}",
            Reach::Hosts => {
                "write any for content, ids and versions of scripts, aliases and ids of accounts, and \
                 ips, clouds, host_ids, groups and topology of targets, no except, and how many hosts \
                 a call counts as"
            }
        };
        let message =
            format!("what {} brings about cannot be held against this rule", component.name());
        faults.hinted(name, path, message, Some(hint.into()));
    }
}

fn can_match(rule: &GrantSpec, components: &Allow<Component>, path: &str, faults: &mut Faults<'_>) {
    // Where no known component is named, the rule is held to what most rules need.
    let named = |wanted: fn(Component) -> bool| match components {
        Allow::Any => true,
        Allow::Only(known) => known.is_empty() || known.iter().any(|one| wanted(*one)),
    };
    let runs_script = named(|component| component == Component::fast_execute_script());
    let names_business = named(|component| component.extent() == Extent::Business);
    let scripts = &rule.scripts;
    let targets = &rule.targets;
    let no_ip = targets.ips.is_none() || targets.clouds.is_none();
    let missing = [
        ("component", rule.components.is_none()),
        (
            "business",
            names_business
                && rule.business.ids.is_none()
                && rule.business.sets.is_none()
                && rule.business.tenant_sets.is_none()
                && rule.business.scopes.is_empty(),
        ),
        ("account", runs_script && rule.accounts.aliases.is_none() && rule.accounts.ids.is_none()),
        (
            "script",
            runs_script
                && scripts.content.is_none()
                && scripts.ids.is_none()
                && scripts.versions.is_none()
                && scripts.sha256.is_empty(),
        ),
        (
            "target (an IP needs ips and clouds)",
            runs_script
                && no_ip
                && targets.host_ids.is_none()
                && targets.groups.is_none()
                && targets.topology.is_none(),
        ),
    ];
    for (what, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        let hint = Some("name what is meant, or write any".into());
        let message = format!("this rule can never match: it allows no {what}");
        faults.hinted(&rule.name, path, message, hint);
    }
}

fn scripts(spec: &ScriptsSpec, path: &str, faults: &mut Faults<'_>) -> ScriptGrant {
    let content = each(&spec.content, |name| {
        let found = ScriptLanguage::ALL.into_iter().find(|known| known.as_str() == name.value);
        if found.is_none() {
            let known = ScriptLanguage::ALL.iter().map(|known| known.as_str());
            faults.hinted(name, path, "unknown script language", nearest(&name.value, known));
        }
        found
    });
    ScriptGrant {
        content,
        sha256: spec.sha256.iter().filter_map(|text| sha256(text, path, faults)).collect(),
        ids: texts(&spec.ids),
        versions: copied(&spec.versions),
    }
}

fn targets(
    name: &Spanned<String>,
    spec: &TargetsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> TargetGrant {
    let dynamic = !spec.groups.is_none() || !spec.topology.is_none();
    if dynamic && spec.hosts.is_none() {
        faults.add(name, path, "groups and topology need targets.hosts");
    }
    TargetGrant {
        ips: each(&spec.ips, |text| network(text, path, faults)),
        except: spec.except.iter().filter_map(|text| network(text, path, faults)).collect(),
        clouds: copied(&spec.clouds),
        host_ids: copied(&spec.host_ids),
        groups: texts(&spec.groups),
        topology: each(&spec.topology, |node| {
            Some(TopologyNode { id: node.id, node_type: node.node_type.as_str().into() })
        }),
        hosts: spec.hosts.as_ref().map(|hosts| hosts.value),
    }
}

fn network(text: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<Ipv4Net> {
    let single = || text.value.parse::<std::net::Ipv4Addr>().map(Ipv4Net::from).ok();
    match text.value.parse::<Ipv4Net>().ok().or_else(single) {
        Some(net) if net.trunc() == net => Some(net),
        Some(net) => {
            let hint = Some(format!("did you mean `{}`?", net.trunc()));
            faults.hinted(text, path, "the network has bits beyond its mask", hint);
            None
        }
        None => faults.none(text, path, "expected an IPv4 network such as 10.0.0.0/8"),
    }
}

/// Reads a SHA-256 in hex. The text itself is never repeated.
pub(crate) fn sha256(
    text: &Spanned<String>,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<[u8; 32]> {
    let hash = sha256_from_hex(&text.value);
    hash.or_else(|| faults.none(text, path, "sha256 must be 64 hex digits"))
}

fn each<S, T>(list: &ListOrAny<S>, read: impl FnMut(&S) -> Option<T>) -> Allow<T> {
    match list {
        ListOrAny::Any => Allow::Any,
        ListOrAny::List(list) => Allow::Only(list.iter().filter_map(read).collect()),
    }
}

pub(crate) fn copied(list: &ListOrAny<i64>) -> Allow<i64> {
    each(list, |id| Some(*id))
}

fn texts(list: &ListOrAny<String>) -> Allow<Box<str>> {
    each(list, |text| Some(text.as_str().into()))
}
