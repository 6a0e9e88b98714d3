//! Orders about the policy, its own tests, and the next policy: as an admin meets them.

use std::path::Path;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::Command,
    time::timeout,
};

use crate::support::*;

pub fn files() -> Files {
    Files {
        boot_extra: "admin: {socket: FOLDER/admin.sock}\n".into(),
        policy: allowing(1),
        ..Files::default()
    }
}

pub fn allowing(business: u64) -> String {
    policy("", &ALLOW.replace("ids: [1, 2]", &format!("ids: [{business}]")))
}

pub async fn order(folder: &Path, operation: Value) -> Value {
    let mut stream = BufReader::new(UnixStream::connect(folder.join("admin.sock")).await.unwrap());
    let line = format!("{}\n", json!({"v": 1, "operation": operation}));
    stream.get_mut().write_all(line.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_line(&mut answer)).await.unwrap().unwrap();
    serde_json::from_str(&answer).unwrap()
}

pub async fn command(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.args(words).arg("--socket").arg(folder.join("admin.sock"));
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Waits for what another task is about to do.
async fn until(reached: impl Fn() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

async fn allowed(gate: &Gate, business: u64) -> bool {
    gate.call(&call_with(json!({"bk_biz_id": business}))).await.status == 200
}

#[tokio::test]
async fn an_admin_reloads_and_rolls_back_and_each_is_on_record_with_who_asked() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    std::fs::write(folder.join("policy.yaml"), allowing(2)).unwrap();
    let (status, said, _) = command(folder, &["admin", "reload"]).await;
    assert!(status == Some(0) && said.starts_with("generation 2 "), "{said}");
    assert!(allowed(&gate, 2).await && !allowed(&gate, 1).await);
    let (status, said, _) = command(folder, &["policy", "rollback"]).await;
    assert!(status == Some(0) && said.contains("a rollback holds it"), "{said}");
    assert!(allowed(&gate, 1).await && !allowed(&gate, 2).await);
    let told = order(folder, json!("status")).await;
    let told = &told["done"]["status"];
    assert_eq!(
        (&told["generation"], &told["held"], &told["problems"]),
        (&3.into(), &1.into(), &0.into())
    );
    let unknown = order(folder, json!({"rollback": {"to": 99}})).await;
    assert_eq!(unknown["refused"]["code"], "refused", "{unknown}");
    let deeds: Vec<Value> = gate
        .records("admin")
        .iter()
        .map(|one| {
            assert!(one["uid"].is_u64());
            json!([one["operation"], one["result"], one["arguments"]["to"]])
        })
        .collect();
    assert_eq!(
        deeds,
        [
            json!(["reload", "done", null]),
            json!(["rollback", "done", null]),
            json!(["status", "done", null]),
            json!(["rollback", "refused", "99"]),
        ]
    );
}

#[tokio::test]
async fn a_policy_that_fails_its_own_tests_or_those_beside_it_is_not_taken() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let test = |expect: &str| {
        format!(
            "tests:\n  - name: strangers stay out\n    at: \"2026-01-04T10:00+08:00\"\n    call: {{app: team_app, user: mallory}}\n    expect: {{{expect}}}\n"
        )
    };
    let failing = allowing(2) + "\n" + &test("allowed: true");
    std::fs::write(folder.join("policy.yaml"), failing).unwrap();
    let refused = order(folder, json!("reload")).await;
    let message = refused["refused"]["message"].as_str().unwrap();
    assert!(
        message.contains("strangers stay out") && message.contains("policy.yaml:"),
        "{message}"
    );
    assert!(allowed(&gate, 1).await && !allowed(&gate, 2).await);
    std::fs::create_dir(folder.join("tests")).unwrap();
    std::fs::write(folder.join("tests/a.yaml"), test("allowed: true")).unwrap();
    std::fs::write(folder.join("policy.yaml"), allowing(2)).unwrap();
    let refused = order(folder, json!("reload")).await;
    assert!(refused["refused"]["message"].as_str().unwrap().contains("a.yaml:"), "{refused}");
    std::fs::write(folder.join("tests/a.yaml"), test("refused: USER_NOT_EXEMPT")).unwrap();
    let taken = order(folder, json!("reload")).await;
    assert_eq!(taken["done"]["in_force"]["generation"], 2, "{taken}");
    assert!(allowed(&gate, 2).await && !allowed(&gate, 1).await);
}

#[tokio::test]
async fn a_next_policy_beside_the_policy_is_evaluated_told_and_never_in_force() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let none = command(folder, &["policy", "shadow"]).await;
    assert!(none.0 == Some(0) && none.1.contains("there is no policy.next.yaml"), "{none:?}");
    let next = folder.join("policy.next.yaml");
    std::fs::write(&next, allowing(2)).unwrap();
    // The files are looked at, and the next policy with them.
    order(folder, json!("reload")).await;
    until(|| gate.running.shadow().report().is_some()).await;
    assert!(allowed(&gate, 1).await && !allowed(&gate, 2).await);
    let judged = async || {
        let report = order(folder, json!("shadow")).await["done"]["shadow"].clone();
        report["would_refuse"].as_u64().unwrap() + report["would_allow"].as_u64().unwrap()
    };
    // Calls are looked at after their answers.
    timeout(PATIENCE, async {
        while judged().await < 2 {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
    let (status, said, _) = command(folder, &["policy", "shadow"]).await;
    let rows: Vec<Vec<&str>> =
        said.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(status, Some(0));
    assert!(
        rows.iter().any(|row| row[1..6]
            == [
                "would_refuse",
                "team_app",
                "fast_execute_script",
                "allowed",
                "BUSINESS_NOT_ALLOWED"
            ]),
        "{said}"
    );
    assert!(
        rows.iter().any(|row| row[1..6]
            == [
                "would_allow",
                "team_app",
                "fast_execute_script",
                "BUSINESS_NOT_ALLOWED",
                "allowed"
            ]),
        "{said}"
    );
    assert_eq!(order(folder, json!("status")).await["done"]["status"]["generation"], 1);
    // A broken one is not evaluated, and one that is taken away is not either.
    std::fs::write(&next, "version: 1\nnonsense: true\n").unwrap();
    order(folder, json!("reload")).await;
    until(|| gate.running.shadow().report().is_none()).await;
    std::fs::write(&next, allowing(1)).unwrap();
    order(folder, json!("reload")).await;
    until(|| gate.running.shadow().report().is_some()).await;
    std::fs::remove_file(&next).unwrap();
    order(folder, json!("reload")).await;
    until(|| gate.running.shadow().report().is_none()).await;
}
