//! The checks that a policy passes before it has an effect, each the same for every way in.

use std::{collections::HashMap, sync::Arc};

use esbgate_config::{Grounds, Plan, Problem, Warning};
use esbgate_model::dialect::Credential;
use jiff::Timestamp;

use super::source::{PolicySource, PolicyTexts};
use crate::sources::{Recording, Seen};

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

/// Checks a policy, and has it pass its own tests. Blocks on the disk and takes its time.
pub(crate) fn check(
    source: &PolicySource,
    texts: &PolicyTexts,
    grounds: &PolicyGrounds,
    now: Timestamp,
) -> Checked {
    let recording = Recording::default();
    let found = source
        .document(texts)
        .and_then(|document| document.check(grounds.grounds(), &recording, now))
        .and_then(|(plan, warnings)| own_tests(&plan).map(|()| (plan, warnings)));
    Checked { found, seen: recording.seen() }
}

/// The policy's own tests, each at its own time. A policy has none: `tests` is refused by its reader.
fn own_tests(_: &Plan) -> Result<(), Vec<Problem>> {
    Ok(())
}
