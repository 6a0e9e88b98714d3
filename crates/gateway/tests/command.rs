//! The commands as a shell sees them: what they print, and how they exit.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, missing_docs, reason = "a module of several test binaries")]

#[path = "gate/secret_grep.rs"]
mod secret_grep;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Output, Stdio},
};

use esbgate_model::sha256_hex;
use serde_json::Value;

fn esbgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esbgate")).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_demo_succeeds_and_ends_with_the_callers_answer() {
    let output = esbgate(&["demo", "--once"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = out(&output);
    for step in ["proved", "asked", "granted", "charged", "journaled", "sent", "settled"] {
        assert!(text.contains(step), "{step} is not in {text}");
    }
    let answer: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(answer["result"], true);
    assert!(answer["data"]["job_instance_id"].is_i64());
}

#[test]
fn a_new_key_comes_with_the_line_that_knows_it_by_its_hash() {
    let text = out(&esbgate(&["policy", "new-key"]));
    let key = text.split("esbgate_").nth(1).unwrap().lines().next().unwrap();
    let hash = sha256_hex(format!("esbgate_{key}").as_bytes());
    assert!(text.contains(&format!("- key: {{sha256: \"{hash}\"}}")), "{text}");
    assert_ne!(text, out(&esbgate(&["policy", "new-key"])));
}

#[test]
fn a_wrong_file_is_refused_with_its_place_and_exit_status_1() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("esbgate.yaml");
    std::fs::write(&file, "version: 1\nlisten: [{address: \"127.0.0.1:0\"}]\nhostz: [a]\n")
        .unwrap();
    let file = file.to_str().unwrap();
    for arguments in
        [["policy", "check", "--config", file].as_slice(), &["serve", "--config", file]]
    {
        let output = esbgate(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("esbgate.yaml:3:1") && said.contains("hosts"), "{said}");
    }
}

#[test]
fn every_command_has_help_with_an_example_and_wrong_use_exits_2() {
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["demo", "--help"],
        &["policy", "check", "--help"],
        &["policy", "new-key", "--help"],
    ] {
        let output = esbgate(command);
        assert!(
            output.status.success() && out(&output).contains("Example: esbgate "),
            "{command:?}"
        );
    }
    assert_eq!(esbgate(&["serve"]).status.code(), Some(2));
    assert_eq!(esbgate(&["nonsense"]).status.code(), Some(2));
}

const BOOT: &str = r#"version: 1
listen: [{address: "127.0.0.1:0"}]
hosts: [127.0.0.1]
monitor: {address: "127.0.0.1:0"}
upstream: {kind: esb, endpoints: ["http://127.0.0.1:1"]}
login: {url: "http://127.0.0.1:1/login/accounts/is_login/"}
credentials:
  ops: {bk_app_code: ops, bk_app_secret: {current: {file: esb.secret}}}
journal: {dir: journal, durability: written, hmac_key: {file: hmac.key}}
policy: policy.yaml
"#;

fn policy() -> String {
    let key = sha256_hex(b"key-canary-1");
    format!(
        r#"version: 1
apps:
  team_app:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{key}"}}}}]
    users: {{token: true}}
    acts_as: ops
    allow: []
"#
    )
}

/// Sends one request with a key and a token in header and body; gives the status line.
fn send(address: &str) -> String {
    let header =
        r#"{"bk_app_code":"team_app","bk_app_secret":"key-canary-1","bk_token":"token-canary-1"}"#;
    let body = r#"{"bk_biz_id":1,"script_content":"ZWNobyBzY3JpcHQtY2FuYXJ5","script_language":1,"script_param":"cGFyYW0tY2FuYXJ5LTE=","account_alias":"root","target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /api/c/compapi/v2/jobv3/fast_execute_script/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Bkapi-Authorization: {header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[test]
fn a_served_gateway_logs_no_secret_even_at_trace_and_stops_when_told() {
    let folder = secret_grep::Folder::new();
    for (name, text) in [
        ("esbgate.yaml", BOOT),
        ("policy.yaml", &policy()),
        ("esb.secret", "esb-secret-canary-1"),
        ("hmac.key", "hmac-key-canary-0123456789abcdef"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(["serve", "--config", "esbgate.yaml"])
        .current_dir(folder.path())
        .env("RUST_LOG", "trace,hyper=trace,hyper::proto=trace,rustls=trace")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut all = String::new();
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "{all}");
        all.push_str(&line);
        let record: Value = serde_json::from_str(&line).unwrap();
        if record["fields"]["message"] == "serving" {
            let addresses = record["fields"]["addresses"].as_str().unwrap().to_owned();
            break addresses.trim_matches(['[', ']']).to_owned();
        }
    };
    // The login service of this gateway does not exist.
    assert_eq!(send(&address), "HTTP/1.1 503 Service Unavailable");
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    log.read_to_string(&mut all).unwrap();
    assert!(child.wait().unwrap().success(), "{all}");
    assert!(all.contains("LOGIN_UNAVAILABLE") && all.contains("\"stopping\""), "{all}");
    secret_grep::clean("the log", all.as_bytes());
}
