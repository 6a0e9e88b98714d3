//! A policy's own tests: each a call at a time of its own, and what must become of it.
//!
//! Judged by the walk of `explain`, so by the gateway's own steps.

use std::collections::BTreeSet;

use esbgate_core::Metrics;
use esbgate_model::{Code, Faults};
use jiff::Timestamp;

use crate::{
    call::Call,
    explain::Explanation,
    plan::{OfflinePlan, Plan},
};

/// One test, ready to run.
#[derive(Debug, Clone)]
pub struct PolicyTest {
    /// Its name.
    pub name: Box<str>,
    /// The file that it stands in.
    pub file: Box<str>,
    /// Counts from 1.
    pub line: u64,
    /// Counts from 1.
    pub column: u64,
    /// When the call comes.
    pub at: Timestamp,
    /// The call.
    pub call: Call,
    /// What must become of it.
    pub expect: Expect,
}

/// What must become of a call.
#[derive(Debug, Clone)]
pub struct Expect {
    /// Whether it is allowed, and by what.
    pub verdict: ExpectedVerdict,
    /// The paths of the refusal's faults.
    pub faults: Option<BTreeSet<String>>,
    /// How many hosts it counts as.
    pub host_runs: Option<u64>,
    /// The risk rules that it matches.
    pub risk: Option<BTreeSet<String>>,
}

/// Whether a call must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// By any rule.
    Allowed,
    /// By this rule.
    AllowedBy(Box<str>),
    /// With this code.
    Refused(Code),
}

/// One thing that was to be so and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The key of `expect`.
    pub what: &'static str,
    /// What it says.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// What became of a test.
#[derive(Debug)]
pub struct TestResult<'p> {
    /// The test.
    pub test: &'p PolicyTest,
    /// What became of its call.
    pub explanation: Explanation,
    /// What is not as expected; empty where the test passes.
    pub misses: Vec<Miss>,
}

impl TestResult<'_> {
    /// Whether everything is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.misses.is_empty()
    }
}

impl Plan {
    /// The policy's own tests, in the order of its files.
    #[must_use]
    pub fn tests(&self) -> &[PolicyTest] {
        &self.tests
    }

    /// Runs one test. `metrics` count what its steps count, so they should be nobody else's.
    pub async fn run_test<'p>(&self, test: &'p PolicyTest, metrics: &Metrics) -> TestResult<'p> {
        let explanation = self.explain(&test.call, test.at, metrics).await;
        let misses = test.expect.misses(&explanation);
        TestResult { test, explanation, misses }
    }

    /// Runs all tests, in their order; see [`Self::run_test`].
    pub async fn run_tests(&self, metrics: &Metrics) -> Vec<TestResult<'_>> {
        let mut results = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            results.push(self.run_test(test, metrics).await);
        }
        results
    }
}

impl OfflinePlan {
    /// See [`Plan::tests`].
    #[must_use]
    pub fn tests(&self) -> &[PolicyTest] {
        self.0.tests()
    }

    /// See [`Plan::run_test`].
    pub async fn run_test<'p>(&self, test: &'p PolicyTest, metrics: &Metrics) -> TestResult<'p> {
        self.0.run_test(test, metrics).await
    }

    /// See [`Plan::run_tests`].
    pub async fn run_tests(&self, metrics: &Metrics) -> Vec<TestResult<'_>> {
        self.0.run_tests(metrics).await
    }
}

impl Expect {
    fn misses(&self, found: &Explanation) -> Vec<Miss> {
        let mut misses: Vec<Miss> = self.verdict.miss(found).into_iter().collect();
        if let Some(paths) = &self.faults {
            let faults = found.refused.as_ref().and_then(|rejection| rejection.faults());
            let told: BTreeSet<String> = faults
                .map(Faults::list)
                .unwrap_or_default()
                .iter()
                .map(|f| f.path.clone())
                .collect();
            differ("faults", paths, &told, &mut misses);
        }
        if let Some(hosts) = self.host_runs.filter(|hosts| *hosts != found.host_runs) {
            let (expected, found) = (hosts.to_string(), found.host_runs.to_string());
            misses.push(Miss { what: "host_runs", expected, found });
        }
        if let Some(rules) = &self.risk {
            let matched = found.risk.iter().map(|one| one.rule.to_string()).collect();
            differ("risk", rules, &matched, &mut misses);
        }
        misses
    }
}

fn differ(
    what: &'static str,
    expected: &BTreeSet<String>,
    found: &BTreeSet<String>,
    misses: &mut Vec<Miss>,
) {
    let list = |set: &BTreeSet<String>| match set.len() {
        0 => "none".to_owned(),
        _ => set.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    if expected != found {
        misses.push(Miss { what, expected: list(expected), found: list(found) });
    }
}

impl ExpectedVerdict {
    fn miss(&self, found: &Explanation) -> Option<Miss> {
        let (what, expected, holds) = match self {
            Self::Allowed => ("allowed", "true".to_owned(), found.refused.is_none()),
            Self::AllowedBy(rule) => {
                let holds = found.refused.is_none() && found.rule.as_ref() == Some(rule);
                ("allowed", rule.to_string(), holds)
            }
            Self::Refused(code) => {
                let holds = found.refused.as_ref().is_some_and(|found| found.code() == *code);
                ("refused", code.name().to_owned(), holds)
            }
        };
        if holds {
            return None;
        }
        let found = match (&found.refused, &found.rule) {
            (Some(rejection), _) => format!("refused: {}", rejection.code().name()),
            (None, rule) => format!("allowed: {}", rule.as_deref().unwrap_or_default()),
        };
        Some(Miss { what, expected, found })
    }
}
