//! `policy test`: the policy's own tests, for people and for programs.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use esbgate_config::{Miss, OfflinePlan, Problem, TestResult};
use esbgate_core::Metrics;
use futures_util::FutureExt as _;
use prometheus::Registry;
use serde_json::{Value, json};

use super::{
    annotation::{Annotation, Level, problem},
    explain,
    files::tested,
    policy_check::Format,
};

pub(super) fn run(policy: Option<&Path>, config: Option<&Path>, format: Format) -> ExitCode {
    match tested(policy, config).and_then(|plan| ran(&plan, format)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problems) => {
            if format == Format::Github {
                problems.iter().for_each(|one| println!("{}", problem(Level::Error, one)));
            }
            super::faulty(&problems);
            ExitCode::from(2)
        }
    }
}

/// Whether all tests pass.
fn ran(plan: &OfflinePlan, format: Format) -> Result<bool, Vec<Problem>> {
    let internal = |what: &str| vec![Problem::of_file("tests", what)];
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| internal("the counters cannot be made"))?;
    let all = plan.tests().len();
    let mut results = Vec::with_capacity(all);
    for (index, test) in plan.tests().iter().enumerate() {
        progress(index, all);
        // No port of a walk waits, so it is over the first time it is asked.
        let walk = plan.run_test(test, &metrics).now_or_never();
        let waits = || internal("a step waits for something that is not here");
        results.push(walk.ok_or_else(waits)?);
    }
    progress(all, all);
    match format {
        Format::Text => print!("{}", table(&results)),
        Format::Json => println!("{}", object(&results)),
        Format::Github => print!("{}", annotations(&results)),
    }
    Ok(results.iter().all(TestResult::passed))
}

/// How far a long run is, for somebody who waits for it; a pipeline's log is not filled with it.
fn progress(done: usize, all: usize) {
    const STEP: usize = 250;
    let mut error = std::io::stderr();
    if all > STEP && done.is_multiple_of(STEP) && error.is_terminal() {
        // What cannot be shown is missed by nobody.
        drop(write!(error, "\r{done} of {all} tests\x1b[K"));
    }
    if all > STEP && done == all && error.is_terminal() {
        drop(write!(error, "\r\x1b[K"));
    }
}

fn table(results: &[TestResult<'_>]) -> String {
    let mut out = String::new();
    for result in results {
        let verdict = if result.passed() { "pass" } else { "FAIL" };
        let test = result.test;
        out += &format!("{verdict}  {}  ({}:{})\n", test.name, test.file, test.line);
        if !result.passed() {
            out += &failure(result);
        }
    }
    let failed = results.iter().filter(|result| !result.passed()).count();
    out + &format!("{} passed, {failed} failed\n", results.len() - failed)
}

/// What was expected, what came of it, and the steps that led there.
fn failure(result: &TestResult<'_>) -> String {
    let misses = result.misses.iter().map(|miss| format!("      {}\n", sentence(miss)));
    let steps = explain::table(&result.explanation);
    let steps = steps.lines().map(|line| format!("      | {line}\n"));
    format!("      at {}\n", result.test.at) + &misses.chain(steps).collect::<String>()
}

fn sentence(miss: &Miss) -> String {
    format!("expected {}: {}; found {}", miss.what, miss.expected, miss.found)
}

fn object(results: &[TestResult<'_>]) -> Value {
    let tests: Vec<Value> = results
        .iter()
        .map(|result| {
            let test = result.test;
            let misses = result.misses.iter();
            let misses: Vec<Value> = misses
                .map(|miss| json!({"key": miss.what, "expected": miss.expected, "found": miss.found}))
                .collect();
            json!({
                "name": test.name,
                "file": test.file,
                "line": test.line,
                "column": test.column,
                "at": test.at.to_string(),
                "passed": result.passed(),
                "misses": misses,
                "explanation": explain::object(&result.explanation),
            })
        })
        .collect();
    let failed = results.iter().filter(|result| !result.passed()).count();
    json!({"good": failed == 0, "passed": results.len() - failed, "failed": failed, "tests": tests})
}

fn annotations(results: &[TestResult<'_>]) -> String {
    let mut out = String::new();
    for result in results.iter().filter(|result| !result.passed()) {
        let test = result.test;
        let misses: Vec<String> = result.misses.iter().map(sentence).collect();
        let told = Annotation {
            level: Level::Error,
            file: &test.file,
            line: test.line,
            column: test.column,
            title: &format!("test failed: {}", test.name),
            message: &misses.join("\n"),
        };
        out += &format!("{told}\n");
    }
    let failed = results.iter().filter(|result| !result.passed()).count();
    out + &format!("{} passed, {failed} failed\n", results.len() - failed)
}
