//! Risk rules: a script that one refuses runs nowhere, and every match is on record without what was matched.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::*;

const SCRIPT: &str = "echo start\nsh -c 'echo canary-word; rm -rf /'\n";

fn rules(action: &str) -> String {
    format!(
        r"risks:
  - id: wipe-root
    languages: [shell]
    match: '\brm\s+-\w*r\w*\s+/(\s|$|\*)'
    action: {action}
    hint: name the directory
    examples: {{match: [rm -rf /], pass: [rm -rf /srv]}}
apps:"
    )
}

async fn gate(action: &str, sha256: &str) -> Gate {
    let content = "content: [shell, python]";
    let allow = ALLOW.replace(content, &format!("{content}, sha256: [{sha256}]"));
    let policy = policy("", &allow).replace("apps:", &rules(action));
    Gate::with(Files { policy, ..Files::default() }).await
}

fn risky() -> Value {
    call_with(json!({"script_content": STANDARD.encode(SCRIPT)}))
}

fn counted(action: &str, times: u32) -> String {
    format!("esbgate_risk_matches_total{{action=\"{action}\",rule=\"wipe-root\"}} {times}\n")
}

#[tokio::test]
async fn a_script_that_a_rule_denies_runs_nowhere_and_its_refusal_names_rule_and_place() {
    // A hash pins nothing against `deny`.
    let gate = gate("deny", &format!("\"{}\"", sha256(SCRIPT))).await;
    let answer = gate.call(&risky()).await;
    answer.is(403, "SCRIPT_AT_RISK", "no");
    let hint = "risk rule `wipe-root` matches at line 2 column 1: name the directory";
    let fault = json!([{"path": "script_content", "rule": "risk", "hint": hint}]);
    assert_eq!(answer.body["faults"], fault);
    assert_eq!(gate.counts(), (0, 0, 0));
    assert!(gate.metrics().await.contains(&counted("deny", 1)));
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let path = gate.running.journal_path();
    let (_, _standin, _folder) = gate.stop().await;
    let records = journal(&path);
    let of_kind = |kind| records.iter().find(|record| record["kind"] == kind).unwrap();
    let found = json!([{"rule": "wipe-root", "action": "deny", "field": "script_content", "line": 2,
        "column": 1, "nesting": 0}]);
    assert_eq!(of_kind("refusal")["risk"], found);
    assert_eq!(of_kind("intent")["risk"], json!([]));
    assert!(!json!(records).to_string().contains("canary-word"));
}

#[tokio::test]
async fn parameters_are_read_too_even_those_of_a_script_that_is_not_here() {
    let gate = gate("deny", "").await;
    let param = STANDARD.encode("-x \"rm -rf /\"");
    let of_version = json!({"script_param": param, "script_version_id": 7,
        "script_content": null, "script_language": null});
    for change in [json!({"script_param": param}), of_version] {
        let answer = gate.call(&call_with(change)).await;
        answer.is(403, "SCRIPT_AT_RISK", "no");
        assert_eq!(answer.body["faults"][0]["path"], "script_param");
    }
    assert_eq!(gate.counts(), (0, 0, 0));
}

#[tokio::test]
async fn a_rule_that_warns_tells_the_caller_and_the_record_and_lets_the_script_run() {
    let gate = gate("warn", "").await;
    let answer = gate.call(&risky()).await;
    assert_eq!((answer.status, &answer.body["executed"]), (200, &json!("yes")));
    assert!(answer.head.contains("x-esbgate-risk: wipe-root;line=2"), "{}", answer.head);
    assert_eq!(gate.records("intent")[0]["risk"][0]["action"], "warn");
    assert!(gate.metrics().await.contains(&counted("warn", 1)));
}

#[tokio::test]
async fn a_rule_that_observes_tells_the_record_alone() {
    let gate = gate("observe", "").await;
    let answer = gate.call(&risky()).await;
    assert_eq!(answer.body["executed"], "yes");
    assert!(!answer.head.contains("x-esbgate-risk"), "{}", answer.head);
    assert_eq!(gate.records("intent")[0]["risk"][0]["rule"], "wipe-root");
    assert!(gate.metrics().await.contains(&counted("observe", 1)));
}

#[tokio::test]
async fn a_rule_for_reviewed_scripts_lets_through_content_whose_hash_the_grant_names() {
    let gate = gate("reviewed_only", "").await;
    gate.call(&risky()).await.is(403, "SCRIPT_AT_RISK", "no");
    assert_eq!(gate.counts(), (0, 0, 0));
    let gate = self::gate("reviewed_only", &format!("\"{}\"", sha256(SCRIPT))).await;
    assert_eq!(gate.call(&risky()).await.body["executed"], "yes");
    let other = call_with(json!({"script_content": STANDARD.encode(format!("{SCRIPT}ls"))}));
    gate.call(&other).await.is(403, "SCRIPT_AT_RISK", "no");
    assert_eq!(gate.counts(), (1, 1, 1));
}
