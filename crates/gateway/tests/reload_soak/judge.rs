//! What must hold of all that happened.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Seen,
    files::{Replaced, Version},
    load::{Called, Came},
};

pub struct Judged<'a> {
    pub calls: &'a [Called],
    pub seen: &'a [Seen],
    pub versions: &'a BTreeMap<u64, Version>,
    pub reloads: &'a [Value],
    pub intents: &'a [Value],
    pub outcomes: usize,
    pub refusals: &'a [Value],
    pub ran: usize,
}

/// A policy, and the longest time that it may have been in force: from its record to when the next was seen.
struct Reign {
    business: u64,
    from: Timestamp,
    to: Timestamp,
}

impl Judged<'_> {
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let taken = self.taken(&mut violations);
        self.records(&taken, &mut violations);
        let reigns = self.reigns(&taken);
        for call in self.calls {
            let during =
                reigns.iter().filter(|reign| reign.from <= call.ended && call.began <= reign.to);
            let mut decisions = during.map(|reign| reign.business == call.business);
            let right = match &call.came {
                Came::Allowed => decisions.any(|allowed| allowed),
                Came::Refused => decisions.any(|allowed| !allowed),
                Came::Lost(why) => {
                    violations.push(format!("a call was dropped: {why}"));
                    continue;
                }
            };
            if !right {
                violations
                    .push(format!("a call of {} was decided by no policy of its time", call.began));
            }
        }
        violations
    }

    /// The version of each generation; none but good ones.
    fn taken(&self, violations: &mut Vec<String>) -> BTreeMap<u64, (&Version, Timestamp)> {
        let by_hash: BTreeMap<&str, &Version> =
            self.versions.values().map(|version| (version.sha256.as_str(), version)).collect();
        let mut taken = BTreeMap::new();
        for reload in self.reloads.iter().filter(|reload| reload["result"] == "taken") {
            let at = reload["time"].as_str().unwrap().parse().unwrap();
            match by_hash.get(reload["sha256"].as_str().unwrap()) {
                Some(version) => {
                    taken.insert(reload["generation"].as_u64().unwrap(), (*version, at));
                }
                None => violations.push(format!("a broken file took effect: {reload}")),
            }
        }
        taken
    }

    /// What is on record of each call agrees with the generation that it names, and with what was answered.
    fn records(&self, taken: &BTreeMap<u64, (&Version, Timestamp)>, violations: &mut Vec<String>) {
        let version = |record: &Value| taken.get(&record["generation"].as_u64()?).map(|one| one.0);
        for intent in self.intents {
            let right = version(intent).is_some_and(|version| {
                intent["scope_id"] == version.business
                    && intent["grant"] == format!("version {}", version.number)
            });
            if !right {
                violations.push(format!("an intent is not what its generation says: {intent}"));
            }
        }
        for refusal in self.refusals.iter().filter(|refusal| version(refusal).is_none()) {
            violations.push(format!("a refusal has a generation that was never taken: {refusal}"));
        }
        let count =
            |came: fn(&Came) -> bool| self.calls.iter().filter(|call| came(&call.came)).count();
        let allowed = count(|came| matches!(came, Came::Allowed));
        let refused = count(|came| matches!(came, Came::Refused));
        let recorded = (self.intents.len(), self.outcomes, self.ran, self.refusals.len());
        if recorded != (allowed, allowed, allowed, refused) {
            violations.push(format!(
                "{allowed} allowed and {refused} refused, but (intents, outcomes, runs, refusals) are {recorded:?}"
            ));
        }
    }

    fn reigns(&self, taken: &BTreeMap<u64, (&Version, Timestamp)>) -> Vec<Reign> {
        let end = |generation: u64| {
            let next = self.seen.iter().find(|seen| seen.generation > generation);
            next.map_or(Timestamp::MAX, |seen| seen.at)
        };
        let reign = |(generation, (version, from)): (&u64, &(&Version, Timestamp))| Reign {
            business: version.business,
            from: *from,
            to: end(*generation),
        };
        taken.iter().map(reign).collect()
    }
}

fn at(sorted: &[Duration], share: f64) -> String {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).map_or("-".into(), |took| format!("{:.1} ms", took.as_secs_f64() * 1000.0))
}

/// The run, to be read.
pub fn table(calls: &[Called], replaced: &Replaced, reloads: &[Value]) -> String {
    let mut took: Vec<_> = calls.iter().map(|call| call.took).collect();
    took.sort();
    let result = |word: &str| reloads.iter().filter(|reload| reload["result"] == word).count();
    let came = |came: fn(&Came) -> bool| calls.iter().filter(|call| came(&call.came)).count();
    let mut out = String::new();
    for (name, count) in &replaced.kinds {
        out += &format!("{name:<40} {count:>6}\n");
    }
    let late = replaced.took.iter().filter(|took| **took > Duration::from_millis(100)).count();
    for (name, value) in [
        ("files", replaced.kinds.values().sum::<u64>().to_string()),
        ("good files that stayed", replaced.took.len().to_string()),
        ("… in force after, median", at(&replaced.took, 0.5)),
        ("… in force after, 99 %", at(&replaced.took, 0.99)),
        ("… in force after, longest", at(&replaced.took, 1.0)),
        ("… in force later than 100 ms", late.to_string()),
        ("policies taken", result("taken").to_string()),
        ("policies refused", result("refused").to_string()),
        ("calls", calls.len().to_string()),
        ("… allowed", came(|came| matches!(came, Came::Allowed)).to_string()),
        ("… refused", came(|came| matches!(came, Came::Refused)).to_string()),
        ("… dropped", came(|came| matches!(came, Came::Lost(_))).to_string()),
        ("… answered after, median", at(&took, 0.5)),
        ("… answered after, 99 %", at(&took, 0.99)),
        ("… answered after, longest", at(&took, 1.0)),
    ] {
        out += &format!("{name:<40} {value:>12}\n");
    }
    out
}
