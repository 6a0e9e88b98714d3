//! Calls are found by values that are on record as keyed hashes alone, over a change of the key, and nobody learns more.

use std::{os::unix::fs::MetadataExt as _, path::Path, process::Output, time::Duration};

use esbgate_model::Needles;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    admin::{again, files, order},
    budgets::Later,
    catalog::EVERYTHING,
    log::Log,
    served::Served,
    support::*,
};

/// The parameters of [`call`].
const PARAM: &str = "param-canary-1";

async fn lookup(folder: &Path, field: &str, value: &str, more: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(["audit", "lookup"])
        .arg(folder.join("journal"))
        .args(["--value-from-stdin", "--field", field, "--socket"])
        .arg(folder.join("admin.sock"))
        .args(more)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A command that was used wrongly reads nothing.
    child.stdin.take().unwrap().write_all(value.as_bytes()).await.ok();
    child.wait_with_output().await.unwrap()
}

/// The numbers of the intents that are found.
async fn found(folder: &Path, field: &str, value: &str) -> Vec<u64> {
    let output = lookup(folder, field, value, &["--format", "json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let seq = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    let mut seqs: Vec<u64> =
        lines.lines().map(|line| seq(line)["intent"]["seq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    seqs
}

/// Makes a call and gives the number of its intent.
async fn intent(gate: &Gate, call: &Value) -> u64 {
    assert_eq!(gate.call(call).await.body["executed"], "yes");
    gate.records("intent").last().unwrap()["seq"].as_u64().unwrap()
}

fn rotate(gate: &Gate) {
    let folder = gate.folder.path();
    let boot = std::fs::read_to_string(folder.join("esbgate.yaml")).unwrap();
    let keys = "hmac_key: {current: {file: new.key}, previous: [{file: hmac.key}]}";
    std::fs::write(folder.join("new.key"), "hmac-key-canary-2-0123456789abcdef").unwrap();
    let rotated = boot.replace("hmac_key: {file: hmac.key}", keys);
    assert_ne!(boot, rotated);
    std::fs::write(folder.join("esbgate.yaml"), rotated).unwrap();
}

#[tokio::test]
async fn a_value_is_found_in_calls_from_before_and_after_a_change_of_the_key() {
    let gate = Gate::with(files()).await;
    let old = intent(&gate, &call()).await;
    let old_key = gate.records("intent")[0]["script_param"]["key_id"].clone();
    rotate(&gate);
    let gate = again(gate).await;
    let other = call_with(json!({"script_param": "b3RoZXItY2FuYXJ5"}));
    let (new, other) = (intent(&gate, &call()).await, intent(&gate, &other).await);
    let new_key = gate.records("intent")[0]["script_param"]["key_id"].clone();
    assert_ne!(old_key, new_key);
    let folder = gate.folder.path();
    assert_eq!(found(folder, "script_param", PARAM).await, [old, new]);
    assert_eq!(found(folder, "script_param", &format!("{PARAM}\n")).await, [old, new]);
    assert_eq!(found(folder, "script_param", "other-canary").await, [other]);
    // Equal values of two fields cannot be told to be equal.
    assert!(found(folder, "token", PARAM).await.is_empty());
    let lookups = gate.records("lookup");
    assert_eq!(lookups.len(), 4);
    assert_eq!(lookups[0]["field"], "script_param");
    assert_eq!(lookups[0]["key_ids"], json!([new_key, old_key]));
    assert_eq!(lookups[0]["result"], "done");
    assert_eq!(lookups[0]["uid"], std::fs::metadata(folder).unwrap().uid());
}

#[tokio::test]
async fn each_field_that_is_on_record_as_a_keyed_hash_is_found_by_its_value() {
    let switches = "    fields: {host_password_list: true}\n";
    let policy = policy(switches, EVERYTHING);
    let gate = Gate::with(Files { policy, ..files() }).await;
    let host =
        json!({"bk_cloud_id": 0, "ip": "10.0.0.1", "encrypted_password": "password-canary-1"});
    let second =
        json!({"bk_cloud_id": 0, "ip": "10.0.0.2", "encrypted_password": "password-canary-2"});
    let run = call_with(json!({
        "callback_url": "https://ci.example.com/job/?t=query-canary-1",
        "host_password_list": [host, second],
        "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}, {"bk_cloud_id": 0, "ip": "10.0.0.2"}]},
    }));
    let run = intent(&gate, &run).await;
    let with_token = authorization("bk_token", TOKEN);
    let answer = gate.send(&[("X-Bkapi-Authorization", &with_token)], &call().to_string()).await;
    assert_eq!(answer.body["executed"], "yes");
    let token = gate.records("intent").last().unwrap()["seq"].as_u64().unwrap();
    let asked = |component: &str, body: Value| {
        let body = body.to_string();
        let path = PATH.replace("fast_execute_script", component);
        let head =
            post(&[("X-Bkapi-Authorization", &authorization("bk_username", "svc_deploy"))], &body);
        head.replacen(PATH, &path, 1)
    };
    let variables = json!([{"name": "x", "value": "variable-canary-1"}]);
    let plan = json!({"bk_biz_id": 2, "job_plan_id": 1, "global_var_list": variables});
    gate.raw(asked("execute_job_plan", plan).as_bytes()).await;
    let plan = gate.records("intent").last().unwrap()["seq"].as_u64().unwrap();
    let credential = json!({"bk_biz_id": 2, "name": "n", "type": "PASSWORD", "credential_password": "password-canary-3"});
    gate.raw(asked("create_credential", credential).as_bytes()).await;
    let credential = gate.records("intent").last().unwrap()["seq"].as_u64().unwrap();
    assert_eq!(gate.records("intent").len(), 4);
    let folder = gate.folder.path();
    for (field, value, seq) in [
        ("callback_query", "?t=query-canary-1", run),
        ("callback_query", "t=query-canary-1", run),
        ("host_password_list", "password-canary-1\npassword-canary-2\n", run),
        ("token", TOKEN, token),
        ("global_var_list", r#"[ {"name": "x", "value": "variable-canary-1"} ]"#, plan),
        ("credential_password", "password-canary-3", credential),
    ] {
        assert_eq!(found(folder, field, value).await, [seq], "{field}");
    }
    assert!(
        found(folder, "host_password_list", "password-canary-2\npassword-canary-1")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn the_value_of_a_look_up_is_in_nothing_that_is_put_out() {
    let log = Log::start();
    let gate = Gate::with(files()).await;
    intent(&gate, &call()).await;
    let folder = gate.folder.path();
    let needles = Needles::new([PARAM, "unknown-canary-1", "hmac-key-canary"]);
    let mut said = Vec::new();
    for format in ["table", "json", "csv"] {
        let output = lookup(folder, "script_param", PARAM, &["--format", format]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stdout.len() > 80, "the call is told: {output:?}");
        said.push(format!("{output:?}"));
    }
    for operation in [
        json!({"lookup": {"field": "script_param", "value": "unknown-canary-1"}}),
        json!({"lookup": {"field": "unknown-canary-1", "value": PARAM}}),
        json!({"lookup": {"field": "token", "value": PARAM, "unknown-canary-1": 1}}),
        json!({"lookup": {"field": "token", "value": [PARAM]}}),
    ] {
        said.push(order(folder, operation).await.to_string());
    }
    assert!(said[4].contains("unknown_field") && said[5].contains("unreadable"), "{said:?}");
    said.push(gate.metrics().await);
    let lookups = gate.records("lookup");
    assert_eq!((lookups.len(), &lookups[4]["field"]), (5, &Value::Null));
    assert_eq!(lookups[4]["result"], "unknown_field");
    said.extend(gate.journal_files().iter().map(|path| std::fs::read_to_string(path).unwrap()));
    let log = log.text();
    assert!(log.contains("look-up of an admin"));
    said.push(log);
    for text in said {
        assert!(!needles.found_in(&text), "{text}");
    }
}

#[tokio::test]
async fn look_ups_are_limited_and_those_beyond_are_on_record_too() {
    let clock = Later::start();
    let gate = Gate::by_clock(files(), world(), clock.clone()).await;
    let folder = gate.folder.path();
    let ask = || order(folder, json!({"lookup": {"field": "token", "value": TOKEN}}));
    for _ in 0..10 {
        assert_eq!(ask().await["done"]["hashed"].as_array().unwrap().len(), 1);
    }
    assert_eq!(ask().await["refused"]["code"], "limited");
    let output = lookup(folder, "token", TOKEN, &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("limited")
    );
    clock.wait(Duration::from_secs(6));
    assert!(ask().await["done"].is_object());
    assert_eq!(ask().await["refused"]["code"], "limited");
    let results: Vec<_> =
        gate.records("lookup").iter().map(|record| record["result"].to_string()).collect();
    let done = results.iter().filter(|result| *result == "\"done\"").count();
    assert_eq!((done, results.len()), (11, 14));
}

#[tokio::test]
async fn without_a_record_nothing_is_looked_up() {
    let gate = Served::with(files()).await;
    let ask = || order(gate.folder.path(), json!({"lookup": {"field": "token", "value": TOKEN}}));
    gate.limit_files("0").await;
    let said = ask().await;
    assert_eq!(said["refused"]["code"], "unrecorded", "{said}");
    gate.limit_files("unlimited").await;
    assert!(ask().await["done"].is_object());
}

#[tokio::test]
async fn wrong_use_asks_no_gateway_and_repeats_no_value() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    for (field, value, more, said) in [
        ("script_param", "", &[][..], "has no value"),
        ("script_content_", PARAM, &[], "global_var_list"),
        ("token", PARAM, &["--since", "yesterday"], "yesterday"),
    ] {
        let output = lookup(folder, field, value, more).await;
        let told = format!("{output:?}");
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(said) && !told.contains(PARAM), "{told}");
    }
    assert!(gate.records("lookup").is_empty());
}
