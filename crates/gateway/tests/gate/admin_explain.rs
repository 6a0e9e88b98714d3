//! A running gateway says what would become of a call, and makes nothing of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    admin_policy::{allowing, command, files, order},
    support::*,
};

/// A call as the file of the command has it.
fn described(change: Value) -> Value {
    json!({"app": "team_app", "user": "svc_deploy", "body": call_with(change)})
}

fn write(folder: &Path, call: &Value) -> String {
    let path = folder.join("call.json");
    std::fs::write(&path, format!("{call:#}")).unwrap();
    path.display().to_string()
}

/// What the command prints as an object, and its exit status.
async fn explained(folder: &Path, call: &Value, more: &[&str]) -> (Option<i32>, Value) {
    let file = write(folder, call);
    let words = [&["policy", "explain", &file, "--format", "json"], more].concat();
    let (status, said, error) = command(folder, &words).await;
    (status, serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}")))
}

fn step<'v>(said: &'v Value, name: &str) -> &'v Value {
    let steps = said["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn a_call_is_held_against_the_generation_in_force_and_not_against_the_files() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    std::fs::write(folder.join("policy.yaml"), "nonsense: true\n").unwrap();
    let one = described(json!({"bk_biz_id": 1}));
    let (status, said) = explained(folder, &one, &[]).await;
    assert_eq!((status, &said["allowed"]), (Some(0), &true.into()), "{said}");
    assert_eq!(said["in_force"]["generation"], 1);
    std::fs::write(folder.join("policy.yaml"), allowing(2)).unwrap();
    assert_eq!(order(folder, json!("reload")).await["done"]["in_force"]["generation"], 2);
    let (status, said) = explained(folder, &one, &[]).await;
    assert_eq!((status, &said["in_force"]["generation"]), (Some(1), &2.into()), "{said}");
    assert_eq!(said["refused"]["code_name"], "BUSINESS_NOT_ALLOWED");
    assert_eq!(step(&said, "Authorize")["passed"], false);
    assert_eq!(said["rules"][0]["code_name"], "BUSINESS_NOT_ALLOWED");
    // Offline, the same file says the same.
    let (file, policy) = (write(folder, &one), folder.join("policy.yaml").display().to_string());
    let words = ["policy", "explain", &file, "--format", "json", "--policy", &policy];
    let program = env!("CARGO_BIN_EXE_esbgate");
    let output = tokio::process::Command::new(program).args(words).output().await.unwrap();
    let mut offline: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(offline["in_force"].is_null());
    offline["in_force"] = said["in_force"].clone();
    assert_eq!(offline, said);
}

#[tokio::test]
async fn what_an_admin_has_frozen_counts_as_long_as_it_is_frozen() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let one = described(json!({"bk_biz_id": 1}));
    let until = "2999-01-01T00:00:00Z";
    let subject = json!({"business": {"id": 1}});
    let order_of =
        json!({"freeze": {"subject": subject, "reason": "INC-77 canary", "until": until}});
    let frozen = order(folder, order_of).await;
    let file = write(folder, &one);
    let (status, said, _) = command(folder, &["policy", "explain", &file]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("held against generation 1 and 1 freeze(s) of an admin, at "));
    assert!(said.contains("refused: FROZEN (") && said.contains("INC-77 canary"), "{said}");
    let (status, said) = explained(folder, &one, &["--at", until]).await;
    assert_eq!((status, &said["in_force"]["admin_freezes"]), (Some(1), &0.into()), "{said}");
    assert_ne!(said["refused"]["code_name"], "FROZEN", "{said}");
    let id = &frozen["done"]["frozen"]["id"];
    order(folder, json!({"unfreeze": {"id": id}})).await;
    let (status, said, _) = command(folder, &["admin", "explain", &file]).await;
    assert!(status == Some(0) && said.contains("allowed by rule"), "{said}");
}

#[tokio::test]
async fn explaining_charges_nothing_asks_nobody_and_counts_nothing() {
    let one_call = allowing(1).replace(
        "calls: {per_second: 1000, burst: 1000, in_flight: 100}",
        "calls: {per_second: 1, burst: 1, in_flight: 1}",
    );
    let gate = Gate::with(Files { policy: one_call, ..files() }).await;
    let folder = gate.folder.path();
    let before = gate.metrics().await;
    let mut one = described(json!({"bk_biz_id": 1}));
    one["proof"] = "token".into();
    for _ in 0..3 {
        let (status, said) = explained(folder, &one, &[]).await;
        assert_eq!(status, Some(0), "{said}");
        assert_eq!(said["calls"], json!({"burst": 1, "remaining": 0}));
    }
    let counted = |text: &str| {
        let lines = text.lines().filter(|line| {
            ["esbgate_app_", "esbgate_requests", "esbgate_risk", "esbgate_login", "esbgate_rej"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (counted(&before), counted(&gate.metrics().await));
    assert!(!before.is_empty());
    assert_eq!(before, after);
    assert_eq!((gate.standin.history().login_count(), gate.counts()), (0, (0, 0, 0)));
    gate.call(&call_with(json!({"bk_biz_id": 1}))).await.is(200, "", "yes");
}

#[tokio::test]
async fn it_is_on_record_who_asked_about_which_application_and_nothing_that_the_call_says() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let mut known = described(json!({"bk_biz_id": 1, "task_name": "content-canary"}));
    known["user"] = "user-canary".into();
    known["peer"] = "192.0.2.77".into();
    explained(folder, &known, &["--at", "2027-01-04T10:00+08:00"]).await;
    let mut unknown = known.clone();
    unknown["app"] = "app-canary".into();
    assert_eq!(explained(folder, &unknown, &[]).await.0, Some(1));
    order(folder, json!({"explain": {"call": "{\"app\": \"text-canary\"}"}})).await;
    let deeds: Vec<Value> = gate
        .records("admin")
        .iter()
        .map(|one| {
            assert!(one["uid"].is_u64());
            json!([one["operation"], one["result"], one["arguments"]])
        })
        .collect();
    let (generation, component) = ("1", "fast_execute_script");
    let at = "2027-01-04T02:00:00Z";
    assert_eq!(
        deeds,
        [
            json!(["explain", "done", {"generation": generation, "at": at, "app": "team_app", "component": component}]),
            json!(["explain", "done", {"generation": generation, "component": component}]),
            json!(["explain", "invalid", {"generation": generation}]),
        ]
    );
    for file in gate.journal_files() {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("canary") && !text.contains("192.0.2.77"), "{text}");
    }
}

#[tokio::test]
async fn a_call_as_large_as_a_gateway_takes_is_explained_and_other_orders_stay_short() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let large = json!({"bk_biz_id": 1, "script_content": "IyMj".repeat(200 << 10)});
    let (status, said) = explained(folder, &described(large), &[]).await;
    assert_eq!(status, Some(0), "{}", said["refused"]);
    let long = "x".repeat(65 << 10);
    let refused = order(folder, json!({"unfreeze": {"id": long}})).await;
    assert_eq!(refused["refused"]["code"], "too_long");
    let larger = json!({"script_content": "IyMj".repeat(700 << 10)});
    let file = write(folder, &described(larger));
    let (status, _, error) = command(folder, &["policy", "explain", &file]).await;
    assert!(status == Some(2) && error.contains("offline, with --policy"), "{error}");
}

#[tokio::test]
async fn what_keeps_a_verdict_from_being_given_says_what_to_do_and_has_a_status_of_its_own() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let path = folder.join("call.json");
    std::fs::write(&path, "{\"app\": \"secret-canary\"\n}").unwrap();
    let file = path.display().to_string();
    let (status, said, error) = command(folder, &["policy", "explain", &file]).await;
    assert!(status == Some(2) && said.is_empty() && error.contains("call.json:2:"), "{error}");
    let refused =
        order(folder, json!({"explain": {"call": "{\"app\": \"secret-canary\"\n}"}})).await;
    let refused = &refused["refused"];
    assert_eq!(refused["code"], "invalid");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("call:2:") && !message.contains("canary"), "{message}");
    let file = write(folder, &described(json!({})));
    std::fs::remove_file(folder.join("admin.sock")).unwrap();
    let (status, _, error) = command(folder, &["policy", "explain", &file]).await;
    assert!(status == Some(2) && error.contains("is the gateway running"), "{error}");
}
