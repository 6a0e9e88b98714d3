//! The loader of policies.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use esbgate_config::{Grounds, Lookup, OfflinePlan, PolicyDocument, PolicyText, Problem};
use esbgate_core::{Binding, Ledger, Metrics, Policy};
use esbgate_model::{
    Name,
    dialect::{AppSecrets, Credential},
};
use futures_util::FutureExt as _;
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

/// What cuts an input into texts: a line of its own, and behind it what the text is.
const CUT: &str = "\n=== ";

/// The texts of an input: files of a policy, tests beside it, and the same of the policy that takes its place.
#[derive(Default)]
struct Input {
    files: Vec<PolicyText>,
    tests: Vec<PolicyText>,
}

/// The old policy and, where the input has one, the new one.
fn inputs(text: &str) -> (Input, Option<Input>) {
    let mut pieces = text.split(CUT);
    let (mut old, mut new) = (Input::default(), None);
    old.files.extend(pieces.next().map(|text| named("policy.yaml".into(), text)));
    for (index, piece) in pieces.enumerate() {
        let (kind, text) = piece.split_once('\n').unwrap_or((piece, ""));
        match kind {
            "tests" => {
                let input = new.as_mut().unwrap_or(&mut old);
                input.tests.push(named(format!("tests/{index}.yaml"), text));
            }
            "new" => new
                .get_or_insert_with(Input::default)
                .files
                .push(named(format!("new{index}.yaml"), text)),
            _ => {
                let input = new.as_mut().unwrap_or(&mut old);
                input.files.push(named(format!("{index}.yaml"), text));
            }
        }
    }
    (old, new)
}

fn named(name: String, text: &str) -> PolicyText {
    PolicyText { name: name.into(), text: text.into() }
}

/// A policy of one file or of several loads and passes or fails its tests, or each problem has a place in its text and
/// tells no secret; what another one changes is told, and nothing where it is the same.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (old, new) = inputs(text);
    let (old, new) = (whole(&old, text), new.and_then(|new| whole(&new, text)));
    if let Some(old) = &old {
        assert!(old.diff(old).is_empty(), "a policy differs from itself");
    }
    if let (Some(old), Some(new)) = (old, new) {
        compared(&old, &new);
    }
}

/// How many changes there are.
fn compared(old: &OfflinePlan, new: &OfflinePlan) -> usize {
    let (there, back) = (old.diff(new), new.diff(old));
    assert!(there.is_empty() == back.is_empty(), "{there:?} one way, {back:?} the other");
    for change in there.iter().chain(&back) {
        assert!(!change.key.is_empty() && !change.text.is_empty(), "{change:?}");
        assert!(!change.text.contains(FOUND), "{change:?}");
    }
    there.len()
}

/// Loads a policy and runs its tests; what is wrong with it has its place.
fn whole(input: &Input, text: &str) -> Option<OfflinePlan> {
    let told = |problems: &[Problem]| {
        for problem in problems {
            let files = || input.files.iter().chain(&input.tests);
            let file = files().find(|file| file.name == problem.file);
            placed(
                problem,
                &file.unwrap_or_else(|| panic!("no such file: {problem:?}")).text,
                text,
            );
        }
    };
    let loaded = read(input).and_then(|document| {
        let (_, warnings) = bound(&document)?;
        let (plan, _) = document.check_alone(&Everything, AT.wall)?;
        Ok((plan, warnings))
    });
    let (plan, warnings) = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            told(&problems);
            return None;
        }
    };
    told(&warnings);
    let results = plan.run_tests(&METRICS).now_or_never().unwrap();
    assert_eq!(results.len(), plan.tests().len());
    for result in results {
        let misses = result.misses.iter().map(|miss| format!("{} {}", miss.expected, miss.found));
        assert!(!misses.collect::<String>().contains(FOUND), "{:?}", result.misses);
        assert_eq!(result.passed(), result.misses.is_empty());
        let mut files = input.files.iter().chain(&input.tests);
        assert!(files.any(|file| file.name == result.test.file), "{:?}", result.test);
    }
    Some(plan)
}

fn read(input: &Input) -> Result<PolicyDocument, Vec<Problem>> {
    let mut document = PolicyDocument::read(&input.files)?;
    for tests in &input.tests {
        document.add_tests(&tests.name, &tests.text)?;
    }
    Ok(document)
}

/// Reads, checks and binds.
pub(crate) fn load(text: &str) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    bound(&PolicyDocument::read(&[named("policy.yaml".into(), text)])?)
}

fn bound(document: &PolicyDocument) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let code = Name::new("ops_gateway").unwrap();
    let credential = Credential::new(code, AppSecrets::one(SECRET));
    let credentials = HashMap::from([("ops_gateway".into(), Arc::new(credential))]);
    let grounds = Grounds { credentials: &credentials, login: true };
    let (plan, warnings) = document.check(grounds, &Everything, AT.wall)?;
    let mut ledger = Ledger::default();
    let policy = plan.bind(Binding { generation: 1, ledger: &mut ledger, metrics: &METRICS });
    Ok((policy, warnings.into_iter().map(|warning| warning.0).collect()))
}

/// A problem of one text of an input.
fn placed(problem: &Problem, text: &str, input: &str) {
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
    assert!(input.contains(SECRET) || !told.contains(SECRET), "{told}");
    // The shape of a hash or a key, wherever it was written by mistake; a name of an app is no secret.
    for run in input.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 64) {
        assert!(!problem.message.contains(run) && !said(&problem.hint).contains(run), "{told}");
        assert!(!said(&problem.snippet).contains(run), "{told}");
    }
}

fn said(text: &Option<Box<str>>) -> &str {
    text.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(seed: &str) -> (Option<OfflinePlan>, Option<OfflinePlan>) {
        let (old, new) = inputs(seed);
        (whole(&old, seed), new.and_then(|new| whole(&new, seed)))
    }

    #[test]
    fn the_seeds_get_as_far_as_they_are_meant_to() {
        let (one, none) = loaded(include_str!("../corpus/policy/two_files"));
        assert!(one.is_some_and(|plan| plan.tests().is_empty()) && none.is_none());
        let (one, _) = loaded(include_str!("../corpus/policy/tests_beside"));
        let plan = one.unwrap();
        let results = plan.run_tests(&METRICS).now_or_never().unwrap();
        let passed: Vec<bool> = results.iter().map(|result| result.passed()).collect();
        assert_eq!(passed, [true, false]);
        let (old, new) = loaded(include_str!("../corpus/policy/another_policy"));
        assert!(compared(&old.unwrap(), &new.unwrap()) >= 3);
        for refused in [
            include_str!("../corpus/policy/two_files_with_one_name"),
            include_str!("../corpus/policy/tests_beside_without_their_shape"),
            include_str!("../corpus/policy/values_out_of_bounds"),
        ] {
            assert!(loaded(refused).0.is_none(), "{refused}");
        }
    }
}
