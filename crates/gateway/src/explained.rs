//! What would become of a call, as it is told: offline, and by a running gateway over its admin socket.

use esbgate_config::{Explanation, RuleVerdict, Step};
use esbgate_core::Rejection;
use esbgate_model::{Fault, Faults, Language};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An explanation. It says the places of faults, and nothing that stands there.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explained {
    /// Whether the call is allowed.
    pub allowed: bool,
    /// What it was held against, where a running gateway explains.
    pub in_force: Option<InForce>,
    /// The rule that allows it.
    pub rule: Option<String>,
    /// How many hosts it counts as.
    pub host_runs: u64,
    /// What that is charged as: each host by its weight.
    pub charged: u64,
    /// The limits that would have refused it, and are in shadow mode.
    pub shadowed: Vec<String>,
    /// The budget of calls after it.
    pub calls: Option<CallsLeft>,
    /// The steps up to the one that refuses it, or all of them.
    pub steps: Vec<ToldStep>,
    /// The application's rules, where the call came so far.
    pub rules: Vec<ToldRule>,
    /// Why it is refused.
    pub refused: Option<ToldRefusal>,
}

/// What of a running gateway an explanation stands on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct InForce {
    /// The generation of policy.
    pub generation: u64,
    /// When the call is taken to come.
    pub at: Timestamp,
    /// How many freezes of an admin it was held against.
    pub admin_freezes: usize,
}

/// A budget of calls.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallsLeft {
    /// Calls that may come at once.
    pub burst: u32,
    /// Calls that may still come.
    pub remaining: u32,
}

/// What a step says.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToldStep {
    /// Its name.
    pub step: String,
    /// Whether the call may go on.
    pub passed: bool,
    /// What it found.
    pub detail: String,
}

/// What a rule says.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToldRule {
    /// Its name.
    pub rule: String,
    /// Whether it covers the whole call.
    pub covers: bool,
    /// How many hosts the call counts as, where it is covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_runs: Option<u64>,
    /// The code of what is not covered first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_name: Option<String>,
    /// Where that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<Place>>,
    /// How many places more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_faults: Option<usize>,
}

/// Why a call is refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToldRefusal {
    /// The code.
    pub code: u32,
    /// Its name.
    pub code_name: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Where.
    pub faults: Vec<Place>,
}

/// A place in a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    /// The JSON path.
    pub path: String,
    /// The rule that it breaks.
    pub rule: String,
    /// What to do about it.
    pub hint: String,
}

impl Explained {
    /// An explanation, and what it stands on where a running gateway gives it.
    #[must_use]
    pub fn new(explanation: &Explanation, in_force: Option<InForce>) -> Self {
        Self {
            allowed: explanation.refused.is_none(),
            in_force,
            rule: explanation.rule.as_deref().map(Into::into),
            host_runs: explanation.host_runs,
            charged: explanation.charged,
            shadowed: explanation.shadowed.iter().map(|limit| (*limit).into()).collect(),
            calls: explanation
                .calls
                .map(|left| CallsLeft { burst: left.limit, remaining: left.remaining }),
            steps: explanation.steps.iter().map(step).collect(),
            rules: explanation.rules.iter().map(rule).collect(),
            refused: explanation.refused.as_ref().map(refusal),
        }
    }

    /// For people, in lines.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = self.in_force.as_ref().map(head).unwrap_or_default();
        for step in &self.steps {
            let verdict = if step.passed { "passed" } else { "refused" };
            out += &format!("{:<13} {verdict:<8} {}\n", step.step, step.detail);
            if step.step == "Authorize" {
                self.rules.iter().for_each(|rule| out += &rule.line());
            }
        }
        let Some(refused) = &self.refused else {
            let rule = self.rule.as_deref().unwrap_or_default();
            return out + &format!("allowed by rule {rule:?}\n");
        };
        let ToldRefusal { code, code_name, message, hint, faults } = refused;
        out += &format!("refused: {code_name} ({code}): {message}\n");
        for Place { path, hint, .. } in faults {
            out += &format!("  {path}: {hint}\n");
        }
        out + &format!("  what to do: {hint}\n")
    }
}

fn head(held: &InForce) -> String {
    let InForce { generation, at, admin_freezes } = held;
    format!(
        "held against generation {generation} and {admin_freezes} freeze(s) of an admin, at {at}\n\
         budgets are taken as full and slots as free; nothing is charged, asked or sent\n"
    )
}

impl ToldRule {
    fn line(&self) -> String {
        /// Most places that a line names.
        const NAMED: usize = 3;
        let Self { rule, host_runs, code_name, faults, more_faults, .. } = self;
        if self.covers {
            let hosts = host_runs.unwrap_or_default();
            return format!("  rule {rule:?}: allows it, {hosts} host-run(s)\n");
        }
        let faults = faults.as_deref().unwrap_or_default();
        let named = faults.iter().take(NAMED);
        let named = named.map(|place| format!("{}: {}", place.path, place.rule));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match faults.len().saturating_sub(NAMED) + more_faults.unwrap_or_default() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("  rule {rule:?}: {}, {named}{more}\n", code_name.as_deref().unwrap_or_default())
    }
}

fn step(step: &Step) -> ToldStep {
    ToldStep { step: step.name.into(), passed: step.passed, detail: step.detail.clone() }
}

fn rule(told: &RuleVerdict) -> ToldRule {
    let rule = told.rule.as_ref().into();
    match &told.verdict {
        Ok(hosts) => ToldRule {
            rule,
            covers: true,
            host_runs: Some(*hosts),
            code_name: None,
            faults: None,
            more_faults: None,
        },
        Err((code, faults)) => ToldRule {
            rule,
            covers: false,
            host_runs: None,
            code_name: Some(code.name().into()),
            faults: Some(places(faults)),
            more_faults: Some(faults.more()),
        },
    }
}

fn refusal(rejection: &Rejection) -> ToldRefusal {
    let code = rejection.code();
    ToldRefusal {
        code: code.number(),
        code_name: code.name().into(),
        message: code.message().en.into(),
        hint: code.hint().en.into(),
        faults: rejection.faults().map(places).unwrap_or_default(),
    }
}

fn places(faults: &Faults) -> Vec<Place> {
    let place = |fault: &Fault| Place {
        path: fault.path.clone(),
        rule: fault.rule.name().into(),
        hint: fault.rule.hint(Language::En),
    };
    faults.list().iter().map(place).collect()
}
