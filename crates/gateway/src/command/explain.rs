//! `policy explain`: what would become of a call, for people and for programs.

use std::{path::Path, process::ExitCode};

use esbgate_config::{Call, Explanation, Problem};
use esbgate_core::{Clock as _, Metrics};
use esbgate_model::{Faults, Language};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::{Value, json};

use super::{
    annotation::{Annotation, Level},
    files::{offline, text},
    policy_check::Format,
};
use crate::SystemClock;

pub(super) fn run(
    call: &Path,
    policy: Option<&Path>,
    config: Option<&Path>,
    at: Option<Timestamp>,
    format: Format,
) -> ExitCode {
    let at = at.unwrap_or_else(|| SystemClock::start().now().wall);
    match explained(call, policy, config, at) {
        Ok(explanation) => {
            match format {
                Format::Text => print!("{}", table(&explanation)),
                Format::Json => println!("{}", object(&explanation)),
                Format::Github => println!("{}", annotated(call, &explanation)),
            }
            ExitCode::from(u8::from(explanation.refused.is_some()))
        }
        // A verdict has the status 1, so that what keeps one from being given has another.
        Err(problems) => {
            super::faulty(&problems);
            ExitCode::from(2)
        }
    }
}

fn explained(
    call: &Path,
    policy: Option<&Path>,
    config: Option<&Path>,
    at: Timestamp,
) -> Result<Explanation, Vec<Problem>> {
    let name = call.display().to_string();
    let call = Call::read(&name, &text(&name)?)?;
    let plan = offline(policy, config)?;
    let internal = |what: &str| vec![Problem::of_file(&name, what)];
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| internal("the counters cannot be made"))?;
    // No port of a walk waits, so it is over the first time it is asked.
    let walk = plan.explain(&call, at, &metrics).now_or_never();
    walk.ok_or_else(|| internal("a step waits for something that is not here"))
}

pub(super) fn table(explanation: &Explanation) -> String {
    let mut out = String::new();
    for step in &explanation.steps {
        let verdict = if step.passed { "passed" } else { "refused" };
        out += &format!("{:<13} {verdict:<8} {}\n", step.name, step.detail);
        if step.name == "Authorize" {
            for rule in &explanation.rules {
                out += &match &rule.verdict {
                    Ok(hosts) => {
                        format!("  rule {:?}: allows it, {hosts} host-run(s)\n", rule.rule)
                    }
                    Err((code, faults)) => {
                        format!("  rule {:?}: {}, {faults}\n", rule.rule, code.name())
                    }
                };
            }
        }
    }
    let Some(refused) = &explanation.refused else {
        let rule = explanation.rule.as_deref().unwrap_or_default();
        return out + &format!("allowed by rule {rule:?}\n");
    };
    let code = refused.code();
    out += &format!("refused: {} ({}): {}\n", code.name(), code.number(), code.message().en);
    for fault in refused.faults().map(Faults::list).unwrap_or_default() {
        out += &format!("  {}: {}\n", fault.path, fault.rule.hint(Language::En));
    }
    out + &format!("  what to do: {}\n", code.hint().en)
}

/// The verdict at the file of the call.
fn annotated(call: &Path, explanation: &Explanation) -> String {
    let refused = explanation.refused.as_ref().map(|rejection| rejection.code().name());
    let rule = explanation.rule.as_deref().unwrap_or_default();
    Annotation {
        level: if refused.is_some() { Level::Error } else { Level::Notice },
        file: &call.display().to_string(),
        line: 0,
        column: 0,
        title: &refused.map_or(format!("allowed: {rule}"), |code| format!("refused: {code}")),
        message: &table(explanation),
    }
    .to_string()
}

pub(super) fn object(explanation: &Explanation) -> Value {
    let steps = explanation.steps.iter();
    let steps: Vec<Value> = steps
        .map(|step| json!({"step": step.name, "passed": step.passed, "detail": step.detail}))
        .collect();
    let rules = explanation.rules.iter();
    let rules: Vec<Value> = rules
        .map(|rule| match &rule.verdict {
            Ok(hosts) => json!({"rule": rule.rule, "covers": true, "host_runs": hosts}),
            Err((code, faults)) => {
                json!({"rule": rule.rule, "covers": false, "code_name": code.name(), "faults": places(faults)})
            }
        })
        .collect();
    let refused = explanation.refused.as_ref().map(|rejection| {
        let code = rejection.code();
        json!({
            "code": code.number(),
            "code_name": code.name(),
            "message": code.message().en,
            "hint": code.hint().en,
            "faults": rejection.faults().map(places).unwrap_or_default(),
        })
    });
    json!({
        "allowed": refused.is_none(),
        "rule": explanation.rule,
        "host_runs": explanation.host_runs,
        "charged": explanation.charged,
        "shadowed": explanation.shadowed,
        "calls": explanation.calls.map(|left| json!({"burst": left.limit, "remaining": left.remaining})),
        "steps": steps,
        "rules": rules,
        "refused": refused,
    })
}

fn places(faults: &Faults) -> Vec<Value> {
    let faults = faults.list().iter();
    faults
        .map(|fault| json!({"path": fault.path, "rule": fault.rule.name(), "hint": fault.rule.hint(Language::En)}))
        .collect()
}
