//! What a replay found, and how it is told.

use std::{collections::BTreeMap, path::Path};

use esbgate_config::{PolicyDocument, Replayed, ReplayedRefusal, RiskChange};
use esbgate_core::RecordedVerdict;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::command::{
    annotation::{Annotation, Level},
    columns::columns,
};

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Refused(&'static str),
    OtherRule(String),
    /// It matched a risk rule that does something else now: the rule, what it did, and what it does.
    Risk(String, String, &'static str),
}

impl Change {
    fn told(&self) -> String {
        match self {
            Self::Refused(code) => format!("refused: {code}"),
            Self::OtherRule(rule) => format!("other rule pays: {rule}"),
            Self::Risk(rule, was, now) => format!("risk rule {rule}: {was} becomes {now}"),
        }
    }
}

/// One kind of difference: application, the rule that paid, and what becomes of the call.
type Kind = (String, String, Change);

#[derive(Debug)]
struct Difference {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    request_id: String,
}

/// What a replay found.
#[derive(Debug, Default)]
pub(super) struct Found {
    same: u64,
    differences: BTreeMap<Kind, Difference>,
    risk: BTreeMap<Kind, Difference>,
    refused_again: u64,
    untold: BTreeMap<String, u64>,
    /// Lines that are no record, or one that nobody can read.
    pub(super) unreadable: u64,
}

impl Found {
    /// Takes an intent.
    pub(super) fn intent(&mut self, call: &Replayed<'_>) {
        for RiskChange { rule, was, now } in &call.risk {
            let now = now.map_or("absent", |now| now.as_str());
            let change = Change::Risk((*rule).into(), (*was).into(), now);
            note(&mut self.risk, call, change);
        }
        let change = match &call.verdict {
            Ok(RecordedVerdict::Allowed(rule)) if **rule == *call.rule => {
                self.same += 1;
                return;
            }
            Ok(RecordedVerdict::Allowed(rule)) => Change::OtherRule(rule.to_string()),
            Ok(RecordedVerdict::Refused(code)) => Change::Refused(code.name()),
            Ok(RecordedVerdict::Untold(why)) => return self.untold(why.as_str(), 1),
            Err(why) => return self.untold(why, 1),
        };
        note(&mut self.differences, call, change);
    }

    /// Takes a refusal. Its record holds no call, so nobody can say that it would be allowed; that it would be refused
    /// again can sometimes be said.
    pub(super) fn refusal(&mut self, call: &ReplayedRefusal<'_>) {
        match call.refused {
            Some(_) => self.refused_again += call.count,
            None => {
                self.untold(&format!("refusal record holds no call: {}", call.code), call.count);
            }
        }
    }

    fn untold(&mut self, why: &str, count: u64) {
        *self.untold.entry(why.to_owned()).or_default() += count;
    }

    /// Whether anything is done otherwise.
    pub(super) fn differs(&self) -> bool {
        !self.differences.is_empty() || !self.risk.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = (&Kind, &Difference)> {
        self.differences.iter().chain(&self.risk)
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let rows = self.all().map(|((app, rule, change), one)| {
            let (first, last) = (one.first.to_string(), one.last.to_string());
            let (count, id) = (one.count.to_string(), one.request_id.clone());
            vec![app.clone(), rule.clone(), change.told(), count, first, last, id]
        });
        let mut out = String::new();
        if self.differs() {
            let head = ["APP", "RULE", "CHANGE", "CALLS", "FIRST", "LAST", "EXAMPLE"];
            out += &columns(&head, rows.collect());
        }
        out + &self.notes()
    }

    /// What is not told of single kinds, and the sums.
    fn notes(&self) -> String {
        let mut out = String::new();
        for (why, count) in &self.untold {
            out += &format!("cannot be told, {count}: {}\n", why.replace(char::is_control, " "));
        }
        if self.unreadable > 0 {
            out += &format!("note: {} line(s) of the journal cannot be read\n", self.unreadable);
        }
        if self.refused_again > 0 {
            let refused = self.refused_again;
            out += &format!("{refused} refused call(s) are refused again, whatever they were\n");
        }
        let differ: u64 = self.differences.values().map(|one| one.count).sum();
        let untold: u64 = self.untold.values().sum();
        let same = self.same;
        out + &format!("{same} decided as before, {differ} otherwise, {untold} cannot be told\n")
    }

    /// For programs.
    pub(super) fn object(&self) -> Value {
        let list = |of: &BTreeMap<Kind, Difference>| {
            let told = |((app, rule, change), one): (&Kind, &Difference)| {
                json!({
                    "app": app,
                    "rule": rule,
                    "change": change.told(),
                    "count": one.count,
                    "first_at": one.first.to_string(),
                    "last_at": one.last.to_string(),
                    "request_id": one.request_id,
                })
            };
            of.iter().map(told).collect::<Vec<_>>()
        };
        let untold = self.untold.iter();
        let untold = untold.map(|(why, count)| json!({"reason": why, "count": count}));
        json!({
            "same": self.same,
            "differences": list(&self.differences),
            "risk": list(&self.risk),
            "refused_again": self.refused_again,
            "untold": untold.collect::<Vec<_>>(),
            "unreadable": self.unreadable,
        })
    }

    /// Each difference at its rule in the new policy; what is gone stands at the application, or the file.
    pub(super) fn annotations(&self, policy: &Path, document: &PolicyDocument) -> String {
        let whole = policy.display().to_string();
        let mut out = String::new();
        for ((app, rule, change), one) in self.all() {
            let (file, line, column) = document.place(app, Some(rule)).unwrap_or((&whole, 0, 0));
            let level = match change {
                Change::Refused(_) => Level::Warning,
                Change::OtherRule(_) | Change::Risk(..) => Level::Notice,
            };
            let title = format!("{app}: {} recorded call(s)", one.count);
            let Difference { first, last, request_id, .. } = one;
            let message = format!(
                "rule {rule:?}: {}; from {first} to {last}, such as request {request_id}",
                change.told()
            );
            let told = Annotation { level, file, line, column, title: &title, message: &message };
            out += &format!("{told}\n");
        }
        out + &self.notes()
    }
}

fn note(all: &mut BTreeMap<Kind, Difference>, call: &Replayed<'_>, change: Change) {
    let kind = (call.app.to_owned(), call.rule.to_owned(), change);
    let known = all.entry(kind).or_insert_with(|| Difference {
        count: 0,
        first: call.at,
        last: call.at,
        request_id: call.request_id.to_owned(),
    });
    known.count += 1;
    known.first = known.first.min(call.at);
    known.last = known.last.max(call.at);
}
