//! Tells what each step said of the sample call, from what can be checked: the journal, the stand-ins
//! and the answer.

use esbgate_standin::Standin;
use serde_json::Value;

use super::{Answer, Problem};
use crate::Running;

/// Prints the account and the answer; says whether the call succeeded.
pub(super) fn print(
    answer: &Answer,
    running: &Running,
    standin: &Standin,
) -> Result<bool, Problem> {
    let records = records(running)?;
    let record = |kind: &str| records.iter().find(|record| record["kind"] == kind);
    let line = |step: &str, said: String| println!("  {step:<10} {said}");
    let body: Value = serde_json::from_str(&answer.body)?;
    println!("the document's sample call, step by step:");
    if let Some(intent) = record("intent") {
        let text = |name: &str| intent[name].as_str().unwrap_or("?").to_owned();
        line("proved", format!("application {} by {}", text("app"), intent["app_proofs"]));
        line("asked", format!("login service, {} time(s)", standin.history().login_count()));
        line("user", format!("{} by {}", text("user"), text("user_proof")));
        line("granted", format!("by the rule \"{}\"", text("grant")));
        line("charged", format!("{} host-runs", intent["host_runs"]));
        line("journaled", format!("intent, record {}", intent["seq"]));
    } else {
        line("refused", body["code_name"].to_string());
    }
    for request in standin.history().requests() {
        if let Some(resolved) = request.resolved()
            && let Some(identity) = &resolved.identity
        {
            line("sent", format!("once, as {} for {}", identity.app, identity.user));
        }
    }
    if let Some(outcome) = record("outcome") {
        let (what, seq) = (&outcome["outcome"], &outcome["seq"]);
        line(
            "settled",
            format!("outcome {what}, job {}, record {seq}", outcome["job_instance_id"]),
        );
    }
    let status = answer.head.lines().next().unwrap_or_default();
    println!("the caller's answer ({status}):\n{}", answer.body);
    let started = body["data"]["job_instance_id"].is_i64();
    Ok(body["result"] == Value::Bool(true) && started)
}

fn records(running: &Running) -> Result<Vec<Value>, Problem> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(running.journal_path())? {
        for line in std::fs::read_to_string(entry?.path())?.lines() {
            records.push(serde_json::from_str(line)?);
        }
    }
    Ok(records)
}
