//! The commands as a shell sees them: what they print, and how they exit.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::process::{Command, Output};

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
    let hash = esbgate_model::sha256(format!("esbgate_{key}").as_bytes());
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    assert!(text.contains(&format!("- key: {{sha256: \"{hex}\"}}")), "{text}");
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
