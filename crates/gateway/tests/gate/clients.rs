//! The real clients work unchanged but for URL and key, and understand a refusal as they expect it.

use std::{path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::*;

fn python() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/venv");
    let venv = std::env::var("ESBGATE_TEST_VENV").unwrap_or_else(|_| default.into());
    let python = PathBuf::from(venv).join("bin/python");
    assert!(python.exists(), "{} is missing: `make test` installs it", python.display());
    python
}

async fn output(command: &mut Command) -> String {
    let run = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

async fn script(gate: &Gate, name: &str, arguments: [&str; 4]) -> Value {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let endpoint = format!("http://{}", gate.running.addresses()[0]);
    let text = output(Command::new(python()).arg(path).arg(endpoint).args(arguments)).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text:?}"))
}

#[tokio::test]
async fn the_sdk_reads_a_success_and_raises_on_a_refusal() {
    let gate = Gate::start().await;
    let said = script(&gate, "sdk.py", ["team_app", KEY, "svc_deploy", "2"]).await;
    assert_eq!(
        (&said["answer"]["result"], &said["answer"]["executed"]),
        (&json!(true), &json!("yes"))
    );
    assert!(said["answer"]["data"]["job_instance_id"].is_i64());
    let said = script(&gate, "sdk.py", ["team_app", KEY, "svc_deploy", "3"]).await;
    assert_eq!((&said["error"], &said["status"]), (&json!("1649011"), &json!(403)));
    let said = script(&gate, "sdk.py", ["team_app", "wrong", "svc_deploy", "2"]).await;
    assert_eq!((&said["error"], &said["status"]), (&json!("1640101"), &json!(401)));
    assert_eq!(gate.standin.history().run_count(), 1);
}

#[tokio::test]
async fn the_generated_sdk_reads_a_success_and_a_refusal() {
    let gate = Gate::start().await;
    let said = script(&gate, "generated_sdk.py", ["team_app", KEY, TOKEN, "2"]).await;
    assert_eq!((&said["status"], &said["answer"]["result"]), (&json!(200), &json!(true)), "{said}");
    let said = script(&gate, "generated_sdk.py", ["team_app", KEY, TOKEN, "3"]).await;
    let answer = &said["answer"];
    assert_eq!((&answer["result"], &answer["code"]), (&json!(false), &json!(1_649_011)));
    assert!(answer["message"].is_string() && answer.get("data").is_some());
}

#[tokio::test]
async fn curl_is_served_over_http_1_and_http_2() {
    let gate = Gate::start().await;
    let url = format!("http://{}{PATH}", gate.running.addresses()[0]);
    let header = format!("X-Bkapi-Authorization: {}", authorization("bk_username", "svc_deploy"));
    for (version, expected) in
        [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2"), ("--http2", "1.1")]
    {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "20", version, "-w", "\n%{http_version}", "-H", &header]);
        curl.args(["-H", "Content-Type: application/json", "-d", &call().to_string(), &url]);
        let text = output(&mut curl).await;
        let (body, spoken) = text.rsplit_once('\n').unwrap();
        assert_eq!(spoken, expected, "{version}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["executed"], "yes", "{text}");
    }
}
