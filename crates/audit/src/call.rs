//! A call as the journal tells it: the intent, and the outcome if there is one.

use std::{borrow::Cow, collections::BTreeMap, net::Ipv4Addr};

use esbgate_model::Component;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The members of a record.
pub type Members = Map<String, Value>;

/// An intent joined with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// All members of the intent.
    pub intent: Members,
    /// All members of the outcome; none while it is open.
    pub outcome: Option<Members>,
}

impl Call {
    /// The number of the intent.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.intent.get("seq").and_then(Value::as_u64).unwrap_or(0)
    }

    /// A text of the intent; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.intent.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member of the outcome.
    #[must_use]
    pub fn came(&self, name: &str) -> Option<&Value> {
        self.outcome.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    /// What came of it; `open` while nothing is on record.
    #[must_use]
    pub fn outcome(&self) -> &str {
        self.came("outcome").and_then(Value::as_str).unwrap_or("open")
    }

    /// The hosts in words: those that are named, then what else was aimed at.
    #[must_use]
    pub fn hosts(&self) -> String {
        let target = self.intent.get("target");
        let list = |name: &str| target.and_then(|target| target.get(name));
        let mut parts = Vec::new();
        for (name, count) in [("ip_list", "hosts"), ("host_id_list", "host_ids")] {
            match list(name) {
                Some(Value::Array(named)) => {
                    let texts = named.iter().filter_map(Value::as_str).map(str::to_owned);
                    parts.extend(texts);
                }
                Some(Value::Object(_)) => {
                    let many = list(count).and_then(Value::as_u64).unwrap_or(0);
                    parts.push(format!("{many} {count}"));
                }
                _ => {}
            }
        }
        for name in ["groups", "nodes"] {
            let many = list(name).and_then(Value::as_u64).unwrap_or(0);
            if many > 0 {
                parts.push(format!("{many} {name}"));
            }
        }
        parts.join(" ")
    }
}

/// The term of a keyed hash.
pub(crate) const HMAC: &str = "hmac";

/// A short text, or what stands for a long one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Whole(#[serde(borrow)] Cow<'a, str>),
    Long {},
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum List<'a> {
    Whole(#[serde(borrow)] Vec<Cow<'a, str>>),
    Long {},
}

#[derive(Debug, Deserialize)]
struct Target<'a> {
    #[serde(default)]
    groups: u64,
    #[serde(default)]
    nodes: u64,
    #[serde(borrow)]
    host_id_list: List<'a>,
    #[serde(borrow)]
    ip_list: List<'a>,
}

#[derive(Debug, Deserialize)]
struct Script<'a> {
    #[serde(borrow, default)]
    sha256: Option<Cow<'a, str>>,
}

/// What stands for a value that is not written in clear.
#[derive(Debug, Deserialize)]
struct Keyed<'a> {
    #[serde(borrow, default)]
    hmac: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Callback<'a> {
    #[serde(borrow, default)]
    query: Option<Keyed<'a>>,
}

#[derive(Debug, Deserialize)]
struct Passwords<'a> {
    #[serde(borrow, default)]
    value: Option<Keyed<'a>>,
}

/// What of an intent can be asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked<'a> {
    #[serde(borrow)]
    request_id: Text<'a>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    component: Cow<'a, str>,
    #[serde(default)]
    scope_id: Option<i64>,
    #[serde(borrow, default)]
    script: Option<Script<'a>>,
    #[serde(borrow, default)]
    target: Option<Target<'a>>,
    #[serde(borrow, default)]
    token: Option<Keyed<'a>>,
    #[serde(borrow, default)]
    script_param: Option<Keyed<'a>>,
    #[serde(borrow, default)]
    callback: Option<Callback<'a>>,
    #[serde(borrow, default)]
    host_passwords: Option<Passwords<'a>>,
    #[serde(borrow, default)]
    sealed: Option<BTreeMap<Cow<'a, str>, Keyed<'a>>>,
}

/// What an intent says of its hosts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    Told {
        addresses: Vec<Ipv4Addr>,
        ids: Vec<i64>,
    },
    /// Some are not named one by one.
    Untold,
}

impl Asked<'_> {
    /// Each field that can be asked for by its value.
    pub(crate) fn terms(&self, mut see: impl FnMut(&str, &str)) {
        see("app", &self.app);
        see("user", &self.user);
        if let Text::Whole(id) = &self.request_id {
            see("request_id", id);
        }
        if let Some(business) = self.scope_id {
            see("business", &business.to_string());
        }
        if let Some(sha) = self.script.as_ref().and_then(|script| script.sha256.as_ref()) {
            see("script_sha", sha);
        }
        self.hmacs().for_each(|hmac| see(HMAC, hmac));
    }

    /// Its keyed hashes of single values.
    fn hmacs(&self) -> impl Iterator<Item = &str> {
        let query = self.callback.as_ref().and_then(|callback| callback.query.as_ref());
        let passwords = self.host_passwords.as_ref().and_then(|all| all.value.as_ref());
        let own = [self.token.as_ref(), self.script_param.as_ref(), query, passwords];
        let sealed = self.sealed.iter().flat_map(BTreeMap::values);
        own.into_iter().flatten().chain(sealed).filter_map(|keyed| keyed.hmac.as_deref())
    }

    /// The hosts that it names.
    pub(crate) fn hosts(&self) -> Hosts {
        let Some(target) = &self.target else {
            // The hosts of a plan are JOB's own.
            let runs = |one: Component| one.runs_on_hosts() || one.kind().tells_executed();
            let runs = Component::named(&self.component).is_none_or(runs);
            let none = || Hosts::Told { addresses: vec![], ids: vec![] };
            return if runs { Hosts::Untold } else { none() };
        };
        let (List::Whole(ids), List::Whole(hosts)) = (&target.host_id_list, &target.ip_list) else {
            return Hosts::Untold;
        };
        let ids: Option<Vec<i64>> = ids.iter().map(|id| id.parse().ok()).collect();
        let address = |host: &Cow<'_, str>| host.rsplit(':').next()?.parse().ok();
        let addresses: Option<Vec<Ipv4Addr>> = hosts.iter().map(address).collect();
        match (addresses, ids) {
            (Some(addresses), Some(ids)) if target.groups == 0 && target.nodes == 0 => {
                Hosts::Told { addresses, ids }
            }
            _ => Hosts::Untold,
        }
    }

    /// The hosts that are named although others are not.
    pub(crate) fn named(&self) -> (Vec<Ipv4Addr>, Vec<i64>) {
        let Some(target) = &self.target else { return (vec![], vec![]) };
        let texts = |list: &List<'_>| match list {
            List::Whole(all) => all.iter().map(|one| one.to_string()).collect(),
            List::Long {} => Vec::new(),
        };
        let hosts = texts(&target.ip_list);
        let addresses =
            hosts.iter().filter_map(|host| host.rsplit(':').next()?.parse().ok()).collect();
        let ids = texts(&target.host_id_list).iter().filter_map(|id| id.parse().ok()).collect();
        (addresses, ids)
    }
}

/// What of an outcome can be asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Came<'a> {
    pub(crate) intent: Option<u64>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(default)]
    job_instance_id: Option<i64>,
}

impl Came<'_> {
    pub(crate) fn terms(&self, mut see: impl FnMut(&str, &str)) {
        see("outcome", &self.outcome);
        if let Some(job) = self.job_instance_id {
            see("job", &job.to_string());
        }
    }
}
