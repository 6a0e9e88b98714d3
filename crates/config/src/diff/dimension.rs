//! What a rule says, key by key, in words: for what is told, never for what is decided.

use esbgate_core::{AccountGrant, Allow, BusinessGrant, Grant, Quota, ScriptGrant, TargetGrant};
use esbgate_model::{CallbackPrefix, Component, ScriptLanguage};

use super::{networks::Networks, told};

/// What one key of a rule says.
pub(super) struct Dimension {
    pub(super) key: &'static str,
    pub(super) any: bool,
    pub(super) elements: Vec<String>,
    /// Whether more elements allow less.
    pub(super) inverse: bool,
}

fn list<T>(key: &'static str, allow: &Allow<T>, word: impl Fn(&T) -> String) -> Dimension {
    let (any, elements) = match allow {
        Allow::Any => (true, Vec::new()),
        Allow::Only(list) => (false, list.iter().map(word).collect()),
    };
    Dimension { key, any, elements, inverse: false }
}

/// A budget of a rule's own, which is none while it is only watched.
fn budget(key: &'static str, quota: Option<Quota>, watched: bool) -> Dimension {
    let said = |quota: &Quota| {
        let Quota { period, burst } = quota;
        format!("one each {:.3} s, burst {burst}", period.as_secs_f64())
    };
    Dimension {
        key,
        any: quota.is_none() || watched,
        elements: quota.iter().map(said).collect(),
        inverse: false,
    }
}

/// All keys of a rule.
pub(super) fn dimensions(rule: &Grant) -> Vec<Dimension> {
    let Grant {
        name: _,
        components,
        business,
        accounts,
        scripts,
        targets,
        callbacks,
        hours,
        limits,
    } = rule;
    let BusinessGrant { ids, sets, tenant_sets } = business;
    let AccountGrant { aliases, ids: account_ids } = accounts;
    let ScriptGrant { content, sha256, ids: script_ids, versions } = scripts;
    let TargetGrant { ips, except, clouds, host_ids, groups, topology, hosts } = targets;
    let elements =
        |key, elements: Vec<String>, inverse| Dimension { key, any: false, elements, inverse };
    let number = |id: &i64| id.to_string();
    // A hash of a script is no secret, and as long as a line; its beginning tells it apart.
    let hash =
        |hash: &[u8; 32]| format!("{:02x}{:02x}{:02x}{:02x}…", hash[0], hash[1], hash[2], hash[3]);
    vec![
        list("components", components, |one: &Component| one.name().to_owned()),
        list("business.ids", ids, number),
        list("business.sets", sets, number),
        list("business.tenant_sets", tenant_sets, number),
        list("accounts.aliases", aliases, |text| text.to_string()),
        list("accounts.ids", account_ids, number),
        list("scripts.content", content, |one: &ScriptLanguage| one.as_str().to_owned()),
        elements("scripts.sha256", sha256.iter().map(hash).collect(), false),
        list("scripts.ids", script_ids, |text| text.to_string()),
        list("scripts.versions", versions, number),
        list("targets.ips", ips, |net| net.to_string()),
        elements("targets.except", except.iter().map(ToString::to_string).collect(), true),
        list("targets.clouds", clouds, number),
        Dimension {
            key: "targets.hosts",
            any: hosts.is_none(),
            elements: hosts.iter().map(ToString::to_string).collect(),
            inverse: false,
        },
        list("targets.groups", groups, |text| text.to_string()),
        list("targets.topology", topology, |node| format!("{} {}", node.node_type, node.id)),
        list("targets.host_ids", host_ids, number),
        elements(
            "callbacks",
            callbacks.iter().map(|one| CallbackPrefix::as_str(one).to_owned()).collect(),
            false,
        ),
        Dimension {
            key: "hours",
            any: hours.is_none(),
            elements: hours.iter().map(ToString::to_string).collect(),
            inverse: false,
        },
        budget("calls", limits.calls, limits.shadow.calls),
        budget("hosts by minute", limits.host_runs, limits.shadow.hosts),
        budget("hosts by day", limits.hosts_per_day, limits.shadow.hosts),
        Dimension {
            key: "hosts.per_call",
            any: limits.hosts_per_call.is_none() || limits.shadow.hosts,
            elements: limits.hosts_per_call.iter().map(ToString::to_string).collect(),
            inverse: false,
        },
    ]
}

impl Dimension {
    /// What it says.
    pub(super) fn said(&self) -> Option<String> {
        let says = self.any || !self.elements.is_empty();
        says.then(|| format!("{}: {}", self.key, self.value()))
    }

    fn value(&self) -> String {
        if self.any { "any".into() } else { told(&self.elements) }
    }

    /// What `self` allows and `other` does not, in words.
    pub(super) fn beyond(&self, other: &Self) -> Option<String> {
        let missing = |one: &Self, other: &Self| -> Vec<String> {
            let known = |element: &&String| !other.elements.contains(*element);
            one.elements.iter().filter(known).cloned().collect()
        };
        if self.key == "targets.hosts" {
            return self.more_hosts(other);
        }
        if self.inverse {
            let less = missing(other, self);
            return (!less.is_empty()).then(|| format!("without {}", told(&less)));
        }
        match (self.any, other.any) {
            (_, true) => None,
            (true, false) => Some("any".into()),
            (false, false) => {
                let mut more = missing(self, other);
                if self.key == "targets.ips" {
                    let inside = Networks::of(&nets(&other.elements));
                    more.retain(|net| {
                        !Networks::of(&nets(std::slice::from_ref(net))).within(&inside)
                    });
                }
                (!more.is_empty()).then(|| told(&more))
            }
        }
    }

    fn more_hosts(&self, other: &Self) -> Option<String> {
        let number = |one: &Self| one.elements.first().and_then(|most| most.parse::<u64>().ok());
        let more = match (number(self), number(other)) {
            (None, Some(_)) => true,
            (Some(own), Some(other)) => own > other,
            (_, None) => false,
        };
        more.then(|| if self.any { "as many as a call may have".into() } else { self.value() })
    }
}

fn nets(texts: &[String]) -> Vec<ipnet::Ipv4Net> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
