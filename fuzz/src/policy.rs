//! The loader of policies.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use esbgate_config::{Grounds, Lookup, PolicyDocument, PolicyText, Problem};
use esbgate_core::{Binding, Ledger, Metrics, Policy};
use esbgate_model::{
    Name,
    dialect::{AppSecrets, Credential},
};
use prometheus::Registry;

use crate::head::AT;

/// What every variable and file holds.
pub(crate) const FOUND: &str = "looked-up-secret-canary-0123456789";

/// The secret of the credential that applications act as.
const SECRET: &str = "esb-secret-canary-1";

static METRICS: LazyLock<Metrics> =
    LazyLock::new(|| Metrics::register(&Registry::new(), "0").unwrap());

struct Everything;

impl Lookup for Everything {
    fn env(&self, _: &str) -> Option<String> {
        Some(FOUND.into())
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Ok(FOUND.into())
    }
}

/// A policy loads, or each problem has a place in its text and tells no secret.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match load(text) {
        Ok((_, warnings)) => warnings.iter().for_each(|warning| placed(warning, text)),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            problems.iter().for_each(|problem| placed(problem, text));
        }
    }
}

/// Reads, checks and binds.
pub(crate) fn load(text: &str) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let code = Name::new("ops_gateway").unwrap();
    let credential = Credential::new(code, AppSecrets::one(SECRET));
    let credentials = HashMap::from([("ops_gateway".into(), Arc::new(credential))]);
    let document =
        PolicyDocument::read(&[PolicyText { name: "policy.yaml".into(), text: text.into() }])?;
    let grounds = Grounds { credentials: &credentials, login: true };
    let (plan, warnings) = document.check(grounds, &Everything, AT.wall)?;
    let mut ledger = Ledger::default();
    let policy = plan.bind(Binding { generation: 1, ledger: &mut ledger, metrics: &METRICS });
    Ok((policy, warnings.into_iter().map(|warning| warning.0).collect()))
}

fn placed(problem: &Problem, text: &str) {
    // YAML takes each of `\r\n`, `\n` and `\r` for the end of a line.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.split('\n').count() as u64 + 1;
    assert!(problem.line <= lines, "line {} of {lines}", problem.line);
    let line = problem.line.checked_sub(1).and_then(|line| text.split('\n').nth(line as usize));
    let columns = line.map_or(0, |line| line.chars().count()) as u64 + 1;
    assert!(problem.column <= columns, "column {} of {columns}: {problem:?}", problem.column);
    assert!(!problem.message.is_empty());
    let told = problem.to_string();
    assert!(!told.contains(FOUND), "{told}");
    // A text may call an application so: then it is a name, and names are told.
    assert!(text.contains(SECRET) || !told.contains(SECRET), "{told}");
    // The shape of a hash or a key, wherever it was written by mistake; a name of an app is no secret.
    for run in text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 64) {
        assert!(!problem.message.contains(run) && !said(&problem.hint).contains(run), "{told}");
        assert!(!said(&problem.snippet).contains(run), "{told}");
    }
}

fn said(text: &Option<Box<str>>) -> &str {
    text.as_deref().unwrap_or_default()
}
