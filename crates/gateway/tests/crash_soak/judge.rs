//! What must hold of three histories: what clients were told, what the far side saw, and what is on record.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    path::Path,
};

use esbgate_audit::{Ending, Journal};
use esbgate_standin::History;
use serde_json::Value;

use crate::clients::Called;

/// An outcome on record.
#[derive(PartialEq, Eq)]
struct Outcome {
    executed: String,
    job: Option<i64>,
    by_recovery: bool,
}

#[derive(Default)]
pub struct Judge {
    told: Vec<Called>,
    calls: usize,
    answered: usize,
    /// The boot that was the newest at the last look: earlier ones have been read whole.
    newest: String,
    /// `task_name` of each intent, by its number.
    intents: BTreeMap<u64, String>,
    by_name: HashMap<String, u64>,
    outcomes: HashMap<u64, Outcome>,
    records: u64,
    /// Torn ends that were cut, by where. A start that is killed before it cuts leaves the next one to say it again.
    cut: HashSet<String>,
    boots: HashSet<String>,
    segments: usize,
    /// What the far side saw, by name.
    seen: HashSet<String>,
}

impl Judge {
    /// Takes what clients of one run know.
    pub fn told(&mut self, calls: Vec<Called>) {
        self.told.extend(calls);
    }

    /// Reads what came since the last time, and says what does not hold.
    pub fn violations(&mut self, journal: &Path, history: &History) -> Vec<String> {
        let mut violations = Vec::new();
        self.read(journal, &mut violations);
        self.open_intents(&mut violations);
        self.far_side(history, &mut violations);
        self.clients(&mut violations);
        violations
    }

    fn read(&mut self, journal: &Path, violations: &mut Vec<String>) {
        let segments = Journal::open(journal).unwrap().segments().unwrap();
        let newest = segments.last().unwrap().id().boot.to_string();
        let last = std::mem::replace(&mut self.newest, newest.clone());
        self.segments = segments.len();
        for segment in segments.iter().filter(|one| *one.id().boot >= *last) {
            self.boots.insert(segment.id().boot.to_string());
            let mut lines = segment.lines().unwrap();
            while let Some(line) = lines.read_line().unwrap() {
                if line.is_filler() {
                    continue;
                }
                let own = *segment.id().boot == *newest;
                if line.ending != Ending::Whole {
                    // The gateway that runs may be in the middle of a line; what is left by others is cut.
                    let torn = format!("{} line {} is torn", segment.id(), line.number);
                    violations.extend((!own).then_some(torn));
                    continue;
                }
                self.record(&serde_json::from_slice(line.bytes).unwrap(), violations);
            }
        }
    }

    /// Takes a record; it may be known already.
    fn record(&mut self, record: &Value, violations: &mut Vec<String>) {
        let seq = record["seq"].as_u64().unwrap();
        self.records = self.records.max(seq);
        match record["kind"].as_str().unwrap() {
            "intent" => {
                let name = record["task_name"].as_str().unwrap().to_owned();
                if self.by_name.insert(name.clone(), seq).is_some_and(|before| before != seq) {
                    violations.push(format!("{name} has two intents"));
                }
                self.intents.insert(seq, name);
            }
            "outcome" => {
                let outcome = Outcome {
                    executed: record["executed"].as_str().unwrap().into(),
                    job: record["job_instance_id"].as_i64(),
                    by_recovery: record["closed_by"] == "recovery",
                };
                let intent = record["intent"].as_u64().unwrap();
                if self.outcomes.get(&intent).is_some_and(|before| *before != outcome) {
                    violations.push(format!("intent {intent} has two outcomes"));
                }
                self.outcomes.insert(intent, outcome);
            }
            "repair" if record["reason"].is_null() => {
                let place = ["of_boot", "segment", "at"].map(|name| &record[name]);
                self.cut.insert(format!("{place:?}"));
            }
            "repair" | "loss" => violations.push(format!("a kill alone does not bring {record}")),
            _ => {}
        }
    }

    /// A start has closed all that it found open.
    fn open_intents(&self, violations: &mut Vec<String>) {
        for (seq, name) in &self.intents {
            if !self.outcomes.contains_key(seq) {
                violations.push(format!("{name} has an intent and no outcome"));
            }
        }
    }

    fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.get(self.by_name.get(name)?)
    }

    fn far_side(&mut self, history: &History, violations: &mut Vec<String>) {
        for request in history.requests().iter().skip(self.seen.len()) {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let name = body["task_name"].as_str().unwrap().to_owned();
            match self.outcome(&name) {
                None => violations.push(format!("the far side saw {name}, which has no intent")),
                Some(outcome) if outcome.executed == "no" => {
                    violations.push(format!("the far side saw {name}, on record as not executed"));
                }
                Some(_) => {}
            }
            if !self.seen.insert(name.clone()) {
                violations.push(format!("the far side saw {name} twice"));
            }
        }
        let (connections, intents) = (history.connection_count(), self.intents.len());
        // Also of those whose request broke off before it could be read.
        if connections > intents {
            violations.push(format!("{connections} connections for {intents} intents"));
        }
        for (name, seq) in &self.by_name {
            let yes = self.outcomes.get(seq).is_some_and(|outcome| outcome.executed == "yes");
            if yes && !self.seen.contains(name) {
                violations.push(format!("{name} is on record as executed, and nobody saw it"));
            }
        }
    }

    fn clients(&mut self, violations: &mut Vec<String>) {
        for Called { name, answer } in std::mem::take(&mut self.told) {
            self.calls += 1;
            let Some(answer) = answer else { continue };
            self.answered += 1;
            if (answer.status, answer.body["executed"].as_str()) != (200, Some("yes")) {
                violations.push(format!("{name} was answered {}", answer.body));
                continue;
            }
            let job = answer.body["data"]["job_instance_id"].as_i64();
            let right = self.outcome(&name).is_some_and(|outcome| {
                outcome.executed == "yes" && outcome.job == job && !outcome.by_recovery
            });
            if !right {
                violations.push(format!("{name} was told its success, which is not on record"));
            }
        }
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes.values().filter(|outcome| which(outcome)).count()
    }

    /// A soak in which kills never met a call proves nothing.
    pub fn saw_something(&self, runs: u64, torn: u64) {
        assert_eq!(self.cut.len() as u64, torn, "each torn end was cut, and that is on record");
        let runs = usize::try_from(runs).unwrap();
        assert!(self.answered >= runs, "{} answers in {runs} runs", self.answered);
        let recovered = self.count(|outcome| outcome.by_recovery);
        assert!(recovered * 3 >= runs, "{recovered} calls were met by {runs} kills");
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in [
            ("starts", self.boots.len()),
            ("segments", self.segments),
            ("records", usize::try_from(self.records).unwrap()),
            ("calls", self.calls),
            ("… answered with a success", self.answered),
            ("requests that the far side saw", self.seen.len()),
            ("intents", self.intents.len()),
            ("… executed", self.count(|outcome| outcome.executed == "yes")),
            ("… closed by a start", self.count(|outcome| outcome.by_recovery)),
            ("torn ends that were cut", self.cut.len()),
        ] {
            writeln!(f, "{what:<34}{count:>8}")?;
        }
        Ok(())
    }
}
