//! `policy replay`: which calls on record another policy would decide otherwise.

mod found;

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use esbgate_audit::{Ending, Head, Journal};
use esbgate_config::{PolicyDocument, Problem, Replay};
use esbgate_core::{Clock as _, Metrics};
use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use serde_json::Value;

use self::found::Found;
use super::{
    annotation::{Level, problem},
    files::checked,
    policy_check::Format,
};
use crate::{
    Shelf, Sources, SystemClock,
    reload::{PolicySource, PolicyTexts},
};

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
    /// A policy by which calls were judged, for what its risk rules matched. May be given again; the new policy and what
    /// the start-up file and its state folder have are looked at anyhow.
    #[arg(long, value_name = "OLD")]
    was: Vec<PathBuf>,
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
    format: Format,
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

pub(super) fn run(asked: &Asked) -> ExitCode {
    match replayed(asked) {
        Ok((found, document)) => {
            match asked.format {
                Format::Text => print!("{}", found.table()),
                Format::Json => println!("{}", found.object()),
                Format::Github => print!("{}", found.annotations(&asked.policy, &document)),
            }
            ExitCode::from(u8::from(found.differs()))
        }
        Err(problems) => {
            if asked.format == Format::Github {
                problems.iter().for_each(|one| println!("{}", problem(Level::Error, one)));
            }
            super::faulty(&problems)
        }
    }
}

fn replayed(asked: &Asked) -> Result<(Found, PolicyDocument), Vec<Problem>> {
    let now = SystemClock::start().now().wall;
    let source = PolicySource::new(&*asked.policy);
    let texts = source.read()?;
    let document = source.document(&texts)?;
    let (mut judged, mut dir) = (vec![(source, texts)], asked.journal.clone().unwrap_or_default());
    let plan = match &asked.config {
        Some(config) => {
            let checked = checked(config, Some(&asked.policy))?;
            dir = PathBuf::from(&*checked.boot.journal.dir);
            judged.extend(in_force(&checked.boot.policy, &checked.boot.state));
            checked.plan.into()
        }
        None => document.check_alone(&Sources, now)?.0,
    };
    for was in &asked.was {
        let source = PolicySource::new(&**was);
        let texts = source.read()?;
        judged.push((source, texts));
    }
    let problem = |text: String| vec![Problem::of_file(&dir.display().to_string(), text)];
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| problem("the counters cannot be made".into()))?;
    let mut replay = plan.replay(&metrics);
    for (source, texts) in &judged {
        // One that is faulty today tells nothing; what it judged is counted as what cannot be told.
        let checked = source.document(texts).and_then(|it| it.check_alone(&Sources, now));
        if let Ok((plan, _)) = checked {
            replay.judged_by(texts.sha256(), &plan);
        }
    }
    let since = asked.since.at(now);
    let until = asked.until.map_or(Timestamp::MAX, |until| until.at(now));
    let wanted = |app: &str, at: Timestamp| {
        (since..until).contains(&at) && asked.app.as_deref().is_none_or(|only| only == app)
    };
    let found = read(&dir, &replay, &wanted)
        .map_err(|error| problem(format!("the journal cannot be read: {error}")))?;
    Ok((found, document))
}

/// The policy that a start-up file names, and those that were in force before it, as far as they can be read.
fn in_force(policy: &str, state: &str) -> Vec<(PolicySource, PolicyTexts)> {
    let own = || PolicySource::new(policy);
    let mut all: Vec<_> = own().read().into_iter().map(|texts| (own(), texts)).collect();
    if let Ok(shelf) = Shelf::look(Path::new(state)) {
        let numbers = shelf.numbers().unwrap_or_default().into_iter();
        all.extend(numbers.filter_map(|number| Some((own(), shelf.load(number).ok()?.texts))));
    }
    all
}

/// Which policies judged in a boot, as its records say.
#[derive(Debug, Default)]
struct Boot {
    name: String,
    /// Whether this version wrote it: another may find other things in a script.
    ours: bool,
    /// SHA-256 by generation.
    policies: HashMap<u64, String>,
}

impl Boot {
    fn enter(&mut self, name: &str) {
        if self.name != name {
            *self = Self { name: name.into(), ..Self::default() };
        }
    }

    fn start(&mut self, record: &Value) {
        self.ours = record["version"] == env!("CARGO_PKG_VERSION");
    }

    fn reload(&mut self, record: &Value) {
        let (number, sha256) = (record["generation"].as_u64(), record["sha256"].as_str());
        if let (Some(number), Some(sha256)) = (number, sha256) {
            self.policies.insert(number, sha256.into());
        }
    }

    fn judge_of(&self, intent: &Value) -> Option<&str> {
        let generation = intent["generation"].as_u64().filter(|_| self.ours)?;
        self.policies.get(&generation).map(String::as_str)
    }
}

fn read(
    dir: &Path,
    replay: &Replay,
    wanted: &dyn Fn(&str, Timestamp) -> bool,
) -> io::Result<Found> {
    let mut found = Found::default();
    let mut boot = Boot::default();
    let segments = Journal::open(dir)?.segments()?;
    for (index, segment) in segments.iter().enumerate() {
        progress(index, segments.len());
        boot.enter(&segment.id().boot);
        let Ok(mut lines) = segment.lines() else {
            found.unreadable += 1;
            continue;
        };
        loop {
            match lines.read_line() {
                Ok(Some(line)) if line.is_filler() => {}
                Ok(Some(line)) if line.ending == Ending::Whole => {
                    let told = one(&mut found, &mut boot, replay, line.bytes, wanted);
                    found.unreadable += u64::from(told.is_none());
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

/// Takes one line; none where it cannot be read.
fn one(
    found: &mut Found,
    boot: &mut Boot,
    replay: &Replay,
    line: &[u8],
    wanted: &dyn Fn(&str, Timestamp) -> bool,
) -> Option<()> {
    let head = Head::read(line)?;
    let record = || serde_json::from_slice::<Value>(line).ok();
    match &*head.kind {
        "start" => boot.start(&record()?),
        "reload" => boot.reload(&record()?),
        "intent" => {
            let record = record()?;
            let call = replay.intent(&record, boot.judge_of(&record))?;
            if wanted(call.app, call.at) {
                found.intent(&call);
            }
        }
        "refusal" => {
            let record = record()?;
            let call = replay.refusal(&record)?;
            if wanted(call.app.unwrap_or_default(), call.at) {
                found.refusal(&call);
            }
        }
        _ => {}
    }
    Some(())
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
