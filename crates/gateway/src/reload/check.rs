//! The checks that a policy passes before it has an effect, each the same for every way in.

use std::{collections::HashMap, sync::Arc};

use esbgate_config::{Grounds, Plan, Problem, Warning};
use esbgate_core::Metrics;
use esbgate_model::dialect::Credential;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use prometheus::Registry;

use super::source::{PolicySource, PolicyTexts};
use crate::{
    sources::{Recording, Seen},
    test_files::add_tests,
};

/// What the start-up file gives a policy; as it was at the start.
#[derive(Debug, Clone)]
pub(crate) struct PolicyGrounds {
    pub(crate) credentials: HashMap<Box<str>, Arc<Credential>>,
    pub(crate) login: bool,
}

impl PolicyGrounds {
    fn grounds(&self) -> Grounds<'_> {
        Grounds { credentials: &self.credentials, login: self.login }
    }
}

/// A policy that has been looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) found: Result<(Plan, Vec<Warning>), Vec<Problem>>,
    /// The files that it names, and what was in them.
    pub(crate) seen: Seen,
}

/// Which of its tests a policy must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    /// None: a process starts, or it was in force once. Neither a restart nor a way back may fail on one.
    Skipped,
    /// Its own and those beside it: somebody has changed it.
    All,
}

/// Checks a policy, and has it pass its tests. Blocks on the disk and takes its time.
pub(crate) fn check(
    source: &PolicySource,
    texts: &PolicyTexts,
    grounds: &PolicyGrounds,
    now: Timestamp,
    tests: Tests,
) -> Checked {
    let recording = Recording::default();
    let document = source.document(texts).and_then(|mut document| {
        if tests == Tests::All {
            add_tests(source.path(), &mut document, &recording)?;
        }
        Ok(document)
    });
    let found = document.and_then(|document| document.check(grounds.grounds(), &recording, now));
    let found = found.and_then(|(plan, warnings)| match tests {
        Tests::Skipped => Ok((plan, warnings)),
        Tests::All => passes(&plan).map(|()| (plan, warnings)),
    });
    Checked { found, seen: recording.seen() }
}

/// The policy's tests, each at its own time, by a walk that changes nothing.
fn passes(plan: &Plan) -> Result<(), Vec<Problem>> {
    let internal = |what: &str| vec![Problem::of_file("tests", what)];
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| internal("the counters cannot be made"))?;
    // No port of a walk waits, so it is over the first time it is asked.
    let results = plan.run_tests(&metrics).now_or_never();
    let results = results.ok_or_else(|| internal("a step waits for something that is not here"))?;
    let failed: Vec<Problem> = results
        .iter()
        .flat_map(|result| result.misses.iter().map(|miss| (result.test, miss)))
        .map(|(test, miss)| {
            let (what, expected, found) = (miss.what, &miss.expected, &miss.found);
            let message = format!(
                "the test {:?} fails: {what}: expected {expected}, found {found}",
                test.name
            );
            let hint = Some("esbgate policy test shows each step".into());
            let at = Problem::of_file(&test.file, message);
            Problem { line: test.line, column: test.column, hint, ..at }
        })
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}
