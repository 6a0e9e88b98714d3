//! `policy diff`: who gains and loses which right, for people and for programs.

use std::{path::Path, process::ExitCode};

use clap::ValueEnum;
use esbgate_config::{Change, Effect, OfflinePlan, PolicyDocument, Problem};
use esbgate_core::Clock as _;
use serde_json::{Value, json};

use super::{
    annotation::{Annotation, Level, problem},
    policy_check::Format,
};
use crate::{SystemClock, sources::Sources};

/// What makes a difference a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A change that allows somebody more, or of which it cannot be proved that it does not.
    Widening,
}

pub(super) fn run(old: &Path, new: &Path, format: Format, fail_on: Option<FailOn>) -> ExitCode {
    let (before, after) = match (read(old), read(new)) {
        (Ok(before), Ok(after)) => (before, after),
        (before, after) => {
            let problems = [before.err(), after.err()].into_iter().flatten().flatten();
            let problems: Vec<Problem> = problems.collect();
            if format == Format::Github {
                problems.iter().for_each(|one| println!("{}", problem(Level::Error, one)));
            }
            super::faulty(&problems);
            return ExitCode::from(2);
        }
    };
    let changes = before.plan.diff(&after.plan);
    let fails = fail_on == Some(FailOn::Widening) && widenings(&changes) > 0;
    match format {
        Format::Text => print!("{}", table(&changes)),
        Format::Json => println!("{}", object(&changes)),
        Format::Github => print!("{}", annotations(&changes, new, &after.document, fails)),
    }
    ExitCode::from(u8::from(fails))
}

/// A policy and what it means.
struct Side {
    document: PolicyDocument,
    plan: OfflinePlan,
}

fn read(policy: &Path) -> Result<Side, Vec<Problem>> {
    let document = super::files::read(policy)?;
    let now = SystemClock::start().now().wall;
    let (plan, _) = document.check_alone(&Sources, now)?;
    Ok(Side { document, plan })
}

fn widenings(changes: &[Change]) -> usize {
    changes.iter().filter(|change| change.effect.is_widening()).count()
}

fn mark(effect: Effect) -> &'static str {
    match effect {
        Effect::Widens => "+ widens    ",
        Effect::MayWiden => "+ may widen ",
        Effect::Narrows => "- narrows   ",
        Effect::Changes => "~ changes   ",
    }
}

/// What changed, in the words of one line.
fn sentence(change: &Change) -> String {
    let rule = change.rule.as_ref().map(|name| format!("rule {name:?}: "));
    format!("{}{}: {}", rule.unwrap_or_default(), change.key, change.text)
}

fn table(changes: &[Change]) -> String {
    let mut out = String::new();
    let mut of: Option<&Option<Box<str>>> = None;
    for change in changes {
        if of != Some(&change.app) {
            out += &format!("{}\n", change.app.as_deref().unwrap_or("(all applications)"));
            of = Some(&change.app);
        }
        out += &format!("  {}{}\n", mark(change.effect), sentence(change));
    }
    out + &counted(changes)
}

fn counted(changes: &[Change]) -> String {
    let count = |effect| changes.iter().filter(|change| change.effect == effect).count();
    format!(
        "{} widen, {} may widen, {} narrow, {} change nothing that is allowed\n",
        count(Effect::Widens),
        count(Effect::MayWiden),
        count(Effect::Narrows),
        count(Effect::Changes)
    )
}

fn object(changes: &[Change]) -> Value {
    let list: Vec<Value> = changes
        .iter()
        .map(|change| {
            json!({
                "effect": change.effect.as_str(),
                "app": change.app,
                "rule": change.rule,
                "key": change.key,
                "text": change.text,
            })
        })
        .collect();
    json!({"widens": widenings(changes) > 0, "changes": list})
}

/// Each change at the application or the rule of the new policy; what is gone stands at the file.
fn annotations(changes: &[Change], new: &Path, document: &PolicyDocument, fails: bool) -> String {
    let whole = new.display().to_string();
    let mut out = String::new();
    for change in changes {
        let place = change.app.as_deref();
        let place = place.and_then(|app| document.place(app, change.rule.as_deref()));
        let (file, line, column) = place.unwrap_or((&whole, 0, 0));
        let app = change.app.as_deref().unwrap_or("all applications");
        let level = match (change.effect.is_widening(), fails) {
            (true, true) => Level::Error,
            (true, false) => Level::Warning,
            (false, _) => Level::Notice,
        };
        let title = format!("{app}: {}", change.effect.as_str().replace('_', " "));
        let message = sentence(change);
        let told = Annotation { level, file, line, column, title: &title, message: &message };
        out += &format!("{told}\n");
    }
    out + &counted(changes)
}
