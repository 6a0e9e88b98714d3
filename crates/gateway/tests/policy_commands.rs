//! `esbgate policy explain` as a shell and a pipeline see it.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn policy(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.arg("policy").args(arguments).current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn call() -> Value {
    let text = std::fs::read_to_string(repository().join("config/examples/call.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What is said of a call under the shipped policy at a time when its keys and exemptions hold.
fn explain_at(call: &Value, at: &str) -> (Option<i32>, Value) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("call.json");
    std::fs::write(&file, call.to_string()).unwrap();
    let file = file.display().to_string();
    let output = policy(&repository(), &["explain", &file, "--at", at, "--format", "json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn explain(call: &Value) -> (Option<i32>, Value) {
    explain_at(call, "2027-01-04T10:00+08:00")
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut call = call();
    *call.pointer_mut(pointer).unwrap() = value;
    call
}

#[test]
fn a_call_that_is_allowed_names_its_rule_and_every_step() {
    let (status, said) = explain(&call());
    assert_eq!((status, &said["allowed"]), (Some(0), &true.into()), "{said}");
    assert_eq!((&said["rule"], &said["host_runs"]), (&"restart the web tier".into(), &1.into()));
    assert_eq!(said["calls"], json!({"burst": 10, "remaining": 9}));
    // Ad-hoc content weighs 2 there.
    assert_eq!((&said["charged"], &said["shadowed"]), (&2.into(), &json!([])));
    let charge = "1 host(s), charged as 2; rule_calls 2; rule_hosts_per_call 50; rule_hosts_per_minute 300; rule_hosts_per_day 400; hosts_per_call 50; hosts_per_minute 300; hosts_per_day 4000";
    assert_eq!(said["steps"][9]["detail"], charge);
    let steps = said["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let all =
        "Parse MatchRoute ProveApp Admit Interpret Introspect Authenticate Once Authorize Charge";
    assert_eq!(names.join(" "), all);
    assert!(steps.iter().all(|step| step["passed"] == true), "{said}");
    assert_eq!(
        said["steps"][6]["detail"],
        "user svc_deploy, by exemption until 2027-01-31T16:00:00Z"
    );
}

#[test]
fn a_refused_call_exits_1_with_the_code_that_the_gateway_would_answer() {
    let many: Vec<Value> =
        (0..51).map(|n| json!({"bk_cloud_id": 0, "ip": format!("10.1.2.{n}")})).collect();
    for (pointer, value, code, step) in [
        ("/app", json!("stranger"), "APP_VERIFY_FAILED", "ProveApp"),
        ("/user", json!("mallory"), "USER_NOT_EXEMPT", "Authenticate"),
        ("/app", json!("no name"), "INVALID_ARGS", "Parse"),
        ("/body/bk_biz_id", json!(3), "BUSINESS_NOT_ALLOWED", "Authorize"),
        ("/body/bk_biz_id", json!("two"), "INVALID_ARGS", "Interpret"),
        ("/body/account_alias", json!("root"), "ACCOUNT_NOT_ALLOWED", "Authorize"),
        ("/body/script_language", json!(2), "SCRIPT_NOT_ALLOWED", "Authorize"),
        ("/body/target_server/ip_list/0/ip", json!("10.0.0.1"), "TARGET_NOT_ALLOWED", "Authorize"),
        ("/body/target_server/ip_list", json!(many), "TARGET_NOT_ALLOWED", "Authorize"),
    ] {
        let call = changed(pointer, value);
        let (status, said) = explain(&call);
        assert_eq!(status, Some(1), "{pointer}: {said}");
        assert_eq!((&said["allowed"], &said["rule"]), (&false.into(), &Value::Null));
        assert_eq!(said["refused"]["code_name"], code, "{pointer}: {said}");
        let last = said["steps"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["step"], &last["passed"]), (&step.into(), &false.into()), "{said}");
    }
}

#[test]
fn a_component_that_no_rule_names_is_refused_by_every_rule() {
    let times = json!({"bk_biz_id": 2, "create_time_start": 1, "create_time_end": 2});
    let mut call = changed("/body", times);
    call["component"] = "get_job_instance_list".into();
    let (status, said) = explain(&call);
    assert_eq!((status, &said["steps"][1]["detail"]), (Some(1), &"get_job_instance_list".into()));
    assert_eq!(said["refused"]["code_name"], "APP_NO_PERMISSION", "{said}");
    assert_eq!(said["rules"][0]["code_name"], "APP_NO_PERMISSION", "{said}");
}

#[test]
fn each_rule_says_the_first_thing_that_it_does_not_cover() {
    let (_, said) = explain(&changed("/body/target_server/ip_list/0/ip", json!("10.0.0.1")));
    let rule = &said["rules"][0];
    assert_eq!((&rule["rule"], &rule["covers"]), (&"restart the web tier".into(), &false.into()));
    assert_eq!(rule["code_name"], "TARGET_NOT_ALLOWED");
    assert_eq!(rule["faults"][0]["path"], "target_server.ip_list[0].ip");
}

#[test]
fn keys_and_exemptions_end_when_they_say() {
    let (_, said) = explain_at(&call(), "2027-02-01T00:00+08:00");
    assert_eq!(said["refused"]["code_name"], "EXEMPTION_EXPIRED", "{said}");
    // A Sunday night: the exemption still holds, the rule does not.
    let (status, said) = explain_at(&call(), "2027-01-31T23:59:59+08:00");
    assert_eq!((status, &said["refused"]["code_name"]), (Some(1), &"OUTSIDE_HOURS".into()));
}

#[test]
fn a_rule_outside_its_hours_says_when_it_holds_next() {
    for (at, hint) in [
        ("2027-01-04T08:59+08:00", "granted again from 2027-01-04 09:00 Asia/Shanghai"),
        // A Sunday, and an evening.
        ("2027-01-31T10:00+08:00", "granted again from 2027-02-01 09:00 Asia/Shanghai"),
        ("2027-01-28T19:00+08:00", "granted again from 2027-01-29 09:00 Asia/Shanghai"),
    ] {
        let (status, said) = explain_at(&call(), at);
        let rule = &said["rules"][0];
        assert_eq!((status, &rule["code_name"]), (Some(1), &"OUTSIDE_HOURS".into()), "{said}");
        let places = [&rule["faults"][0]["hint"], &said["refused"]["faults"][0]["hint"]];
        assert_eq!(places, [hint, hint]);
    }
    // A Saturday that is worked.
    assert_eq!(explain_at(&call(), "2027-01-30T10:00+08:00").0, Some(0));
}

#[test]
fn where_nothing_but_keys_prove_an_application_its_calls_end_with_the_last_key() {
    let folder = TempDir::new().unwrap();
    let text = r#"version: 1
apps:
  deploy_bot:
    owner: ops@example.com
    proofs:
      - key: {sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", expires: "2027-01-01T00:00Z"}
      - key: {sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", expires: "2027-02-01T00:00Z"}
    users: {token: true}
    acts_as: ops
"#;
    std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
    std::fs::write(folder.path().join("call.json"), call().to_string()).unwrap();
    for (at, code) in
        [("2027-01-31T23:59:59Z", "APP_NO_PERMISSION"), ("2027-02-01T00:00:00Z", "KEY_EXPIRED")]
    {
        let asked = ["explain", "call.json", "--policy", "policy.yaml", "--at", at];
        let output = policy(folder.path(), &asked);
        assert!(out(&output).contains(&format!("refused: {code} ")), "{}", out(&output));
    }
}

#[test]
fn a_user_with_a_token_needs_no_exemption() {
    let mut call = changed("/user", json!("mallory"));
    call["proof"] = "token".into();
    let (status, said) = explain(&call);
    assert_eq!(
        (status, &said["steps"][6]["detail"]),
        (Some(0), &"user mallory, by bk_token".into())
    );
}

#[test]
fn a_limit_in_shadow_mode_that_would_refuse_is_named() {
    let folder = TempDir::new().unwrap();
    let shipped = std::fs::read_to_string(repository().join("config/policy.yaml")).unwrap();
    let own = "hosts: {per_call: 50, per_minute: 60,";
    assert!(shipped.contains(own));
    let text = shipped.replace(own, "hosts: {per_call: 1, per_minute: 60,");
    let text = text.replace("day_burst: 400, shadow: false}", "day_burst: 400, shadow: true}");
    std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
    let two: Vec<Value> =
        (0..2).map(|n| json!({"bk_cloud_id": 0, "ip": format!("10.1.2.{n}")})).collect();
    let call = changed("/body/target_server/ip_list", json!(two));
    std::fs::write(folder.path().join("call.json"), call.to_string()).unwrap();
    let at = "2027-01-04T10:00+08:00";
    let asked = ["explain", "call.json", "--policy", "policy.yaml", "--at", at, "--format", "json"];
    let output = policy(folder.path(), &asked);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["allowed"], &said["charged"]), (&true.into(), &4.into()), "{said}");
    assert_eq!(said["shadowed"], json!(["rule_hosts_per_call"]));
    let detail = said["steps"][9]["detail"].as_str().unwrap();
    assert!(detail.contains("rule_hosts_per_call 1 (shadow: passed over)"), "{detail}");
}

#[test]
fn the_pattern_that_vouched_for_a_user_is_named() {
    let (status, said) = explain(&changed("/user", json!("svc_ci_nightly")));
    let detail = "user svc_ci_nightly, by exemption of the pattern \"svc_ci_[a-z]+\" until 2027-01-31T16:00:00Z";
    assert_eq!((status, &said["steps"][6]["detail"]), (Some(0), &detail.into()));
    for user in ["svc_ci_", "svc_ci_a1", "xsvc_ci_a"] {
        let (_, said) = explain(&changed("/user", json!(user)));
        assert_eq!(said["refused"]["code_name"], "USER_NOT_EXEMPT", "{user}");
    }
}

#[test]
fn people_get_a_table_with_what_to_do() {
    let file = TempDir::new().unwrap();
    let call = changed("/body/bk_biz_id", json!(3));
    let path = file.path().join("call.json");
    std::fs::write(&path, call.to_string()).unwrap();
    let path = path.display().to_string();
    let output = policy(&repository(), &["explain", &path, "--at", "2027-01-04T10:00+08:00"]);
    let said = out(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("Authenticate  passed   user svc_deploy"), "{said}");
    assert!(
        said.contains("  rule \"restart the web tier\": BUSINESS_NOT_ALLOWED, bk_biz_id: "),
        "{said}"
    );
    assert!(said.contains("refused: BUSINESS_NOT_ALLOWED (1649011)"), "{said}");
    assert!(said.contains("what to do: "), "{said}");
}

#[test]
fn what_is_no_call_or_no_policy_is_wrong_use_and_shows_no_value() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), "version: 1\n").unwrap();
    for text in [
        "{",
        r#"{"app": "a", "user": "u", "body": {}, "bk_token": "hunter2"}"#,
        r#"{"app": "a", "user": "u"}"#,
        r#"{"app": "a", "user": "u", "body": {}, "proof": "hunter2"}"#,
        r#"{"app": "a", "user": "u", "body": {}, "component": "fast_execute_scrip"}"#,
    ] {
        std::fs::write(folder.path().join("call.json"), text).unwrap();
        let output = policy(folder.path(), &["explain", "call.json", "--policy", "policy.yaml"]);
        let said = std::str::from_utf8(&output.stderr).unwrap();
        assert_eq!((output.status.code(), out(&output)), (Some(2), ""), "{text}");
        assert!(said.starts_with("call.json") && !said.contains("hunter2"), "{said}");
    }
    for arguments in
        [["explain", "absent.json"].as_slice(), &["explain"], &["explain", "a", "--at", "noon"]]
    {
        assert_eq!(policy(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_schemas_of_the_files_are_printed_as_they_are_published() {
    for (arguments, name) in [
        (&[][..], "policy"),
        (&["policy"], "policy"),
        (&["tests"], "tests"),
        (&["esbgate"], "esbgate"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_esbgate"));
        let printed = command.args(["policy", "schema"]).args(arguments).output().unwrap();
        assert!(printed.status.success());
        let path = format!("{}/../../config/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert!(printed.stdout == std::fs::read(path).unwrap(), "{name}");
    }
}
