//! `policy replay`: which calls on record another policy would decide otherwise.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use esbgate_audit::{Ending, Head, Journal};
use esbgate_config::{OfflinePlan, Problem, Replay, Replayed};
use esbgate_core::{Clock as _, Metrics, RecordedVerdict};
use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use serde_json::{Value, json};

use super::{
    columns::columns,
    files::{alone, checked},
    shape::Shape,
};
use crate::SystemClock;

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The policy as it shall be.
    #[arg(long, value_name = "NEW")]
    policy: PathBuf,
    /// The start-up file, which names the journal's folder and is checked as well.
    #[arg(long, value_name = "FILE", required_unless_present = "journal")]
    config: Option<PathBuf>,
    /// The journal's folder.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    journal: Option<PathBuf>,
    /// Calls from here on: so long ago, such as 7d or 12h, or a time with zone.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = moment)]
    since: Moment,
    /// Calls before this; else all.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Calls of this application alone.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// How it is told.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Ago(SignedDuration),
    At(Timestamp),
}

impl Moment {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    let hours = [("d", 24), ("h", 1)].into_iter().find_map(|(unit, hours)| {
        let number: u16 = text.strip_suffix(unit)?.parse().ok()?;
        Some(SignedDuration::from_hours(i64::from(number) * hours))
    });
    match (hours, text.parse()) {
        (Some(span), _) => Ok(Moment::Ago(span)),
        (None, Ok(at)) => Ok(Moment::At(at)),
        (None, Err(_)) => Err("expected 7d, 12h or a time with zone".into()),
    }
}

/// One kind of difference: application, the rule that paid, and what becomes of the call.
type Kind = (String, String, String);

#[derive(Debug)]
struct Difference {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    request_id: String,
}

/// What a replay found.
#[derive(Debug, Default)]
struct Found {
    same: u64,
    differences: BTreeMap<Kind, Difference>,
    untold: BTreeMap<String, u64>,
    unreadable: u64,
}

pub(super) fn run(asked: &Asked) -> ExitCode {
    match replayed(asked) {
        Ok(found) => {
            match asked.format {
                Shape::Text => print!("{}", found.table()),
                Shape::Json => println!("{}", found.object()),
            }
            ExitCode::from(u8::from(!found.differences.is_empty()))
        }
        Err(problems) => super::faulty(&problems),
    }
}

fn replayed(asked: &Asked) -> Result<Found, Vec<Problem>> {
    let (plan, dir): (OfflinePlan, PathBuf) = match (&asked.config, &asked.journal) {
        (Some(config), _) => {
            let checked = checked(config, Some(&asked.policy))?;
            let dir = PathBuf::from(&*checked.boot.journal.dir);
            (checked.plan.into(), dir)
        }
        (None, journal) => (alone(&asked.policy)?.0, journal.clone().unwrap_or_default()),
    };
    let problem = |text: String| vec![Problem::of_file(&dir.display().to_string(), text)];
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| problem("the counters cannot be made".into()))?;
    let replay = plan.replay(&metrics);
    let now = SystemClock::start().now().wall;
    let since = asked.since.at(now);
    let until = asked.until.map_or(Timestamp::MAX, |until| until.at(now));
    let wanted = |app: &str, at: Timestamp| {
        (since..until).contains(&at) && asked.app.as_deref().is_none_or(|only| only == app)
    };
    read(&dir, &replay, &wanted)
        .map_err(|error| problem(format!("the journal cannot be read: {error}")))
}

fn read(
    dir: &Path,
    replay: &Replay,
    wanted: &dyn Fn(&str, Timestamp) -> bool,
) -> io::Result<Found> {
    let mut found = Found::default();
    let segments = Journal::open(dir)?.segments()?;
    for (index, segment) in segments.iter().enumerate() {
        progress(index, segments.len());
        let Ok(mut lines) = segment.lines() else {
            found.unreadable += 1;
            continue;
        };
        loop {
            match lines.read_line() {
                Ok(Some(line)) if line.is_filler() => {}
                Ok(Some(line)) if line.ending == Ending::Whole => {
                    found.add(replay, line.bytes, wanted);
                }
                // Torn, too long, or bytes that no decoder takes.
                Ok(Some(_)) => found.unreadable += 1,
                Ok(None) => break,
                Err(_) => {
                    found.unreadable += 1;
                    break;
                }
            }
        }
    }
    progress(segments.len(), segments.len());
    Ok(found)
}

/// How far a long run is, for somebody who waits for it.
fn progress(done: usize, all: usize) {
    let mut error = io::stderr();
    if all > 1 && error.is_terminal() {
        let text = if done == all { String::new() } else { format!("{done} of {all} segments") };
        // What cannot be shown is missed by nobody.
        drop(write!(error, "\r{text}\x1b[K"));
    }
}

impl Found {
    fn add(&mut self, replay: &Replay, line: &[u8], wanted: &dyn Fn(&str, Timestamp) -> bool) {
        let kind = Head::read(line).map(|head| head.kind.into_owned());
        match kind.as_deref() {
            Some("intent" | "refusal") => {}
            Some(_) => return,
            None => {
                self.unreadable += 1;
                return;
            }
        }
        let Ok(record) = serde_json::from_slice::<Value>(line) else {
            self.unreadable += 1;
            return;
        };
        if kind.as_deref() == Some("refusal") {
            self.refusal(&record, wanted);
            return;
        }
        match replay.intent(&record) {
            Some(call) if wanted(call.app, call.at) => self.intent(&call),
            Some(_) => {}
            None => self.unreadable += 1,
        }
    }

    fn intent(&mut self, call: &Replayed<'_>) {
        let change = match &call.verdict {
            Ok(RecordedVerdict::Allowed(rule)) if **rule == *call.rule => {
                self.same += 1;
                return;
            }
            Ok(RecordedVerdict::Allowed(rule)) => format!("other rule pays: {rule}"),
            Ok(RecordedVerdict::Refused(code)) => format!("refused: {}", code.name()),
            Ok(RecordedVerdict::Untold(why)) => return self.untold(why.as_str(), 1),
            Err(why) => return self.untold(why, 1),
        };
        let kind = (call.app.to_owned(), call.rule.to_owned(), change);
        let known = self.differences.entry(kind).or_insert_with(|| Difference {
            count: 0,
            first: call.at,
            last: call.at,
            request_id: call.request_id.to_owned(),
        });
        known.count += 1;
        known.first = known.first.min(call.at);
        known.last = known.last.max(call.at);
    }

    /// A refusal on record holds no call, so nobody can say that it would be allowed.
    fn refusal(&mut self, record: &Value, wanted: &dyn Fn(&str, Timestamp) -> bool) {
        let at = record.get("received_at").or_else(|| record.get("last_at"));
        let at = at.and_then(Value::as_str).and_then(|at| at.parse().ok());
        let app = record.get("app").and_then(Value::as_str);
        match at {
            Some(at) if wanted(app.unwrap_or_default(), at) => {
                let count = record.get("count").and_then(Value::as_u64).unwrap_or(1);
                let code = record.get("code_name").and_then(Value::as_str).unwrap_or_default();
                self.untold(&format!("refusal record holds no call: {code}"), count);
            }
            Some(_) => {}
            None => self.unreadable += 1,
        }
    }

    fn untold(&mut self, why: &str, count: u64) {
        *self.untold.entry(why.to_owned()).or_default() += count;
    }

    fn table(&self) -> String {
        let rows = self.differences.iter().map(|((app, rule, change), one)| {
            let (first, last) = (one.first.to_string(), one.last.to_string());
            let (count, id) = (one.count.to_string(), one.request_id.clone());
            vec![app.clone(), rule.clone(), change.clone(), count, first, last, id]
        });
        let mut out = String::new();
        if !self.differences.is_empty() {
            let head = ["APP", "RULE", "CHANGE", "CALLS", "FIRST", "LAST", "EXAMPLE"];
            out += &columns(&head, rows.collect());
        }
        for (why, count) in &self.untold {
            out += &format!("cannot be told, {count}: {}\n", why.replace(char::is_control, " "));
        }
        if self.unreadable > 0 {
            out += &format!("note: {} line(s) of the journal cannot be read\n", self.unreadable);
        }
        let (differ, untold) = self.sums();
        out + &format!(
            "{} decided as before, {differ} otherwise, {untold} cannot be told\n",
            self.same
        )
    }

    fn sums(&self) -> (u64, u64) {
        (self.differences.values().map(|one| one.count).sum(), self.untold.values().sum())
    }

    fn object(&self) -> Value {
        let differences = self.differences.iter().map(|((app, rule, change), one)| {
            json!({
                "app": app,
                "rule": rule,
                "change": change,
                "count": one.count,
                "first_at": one.first.to_string(),
                "last_at": one.last.to_string(),
                "request_id": one.request_id,
            })
        });
        let untold = self.untold.iter();
        let untold = untold.map(|(why, count)| json!({"reason": why, "count": count}));
        json!({
            "same": self.same,
            "differences": differences.collect::<Vec<_>>(),
            "untold": untold.collect::<Vec<_>>(),
            "unreadable": self.unreadable,
        })
    }
}
