//! `esbgate policy test`, and annotations, as a shell and a pipeline see them.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
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

const POLICY: &str = r#"version: 1
apps:
  team_app:
    owner: team@example.com
    proofs: [{certificate: {dns: team.example.com}}]
    users: {token: true}
    acts_as: ops
"#;

/// A folder with a policy, and files of tests beside it.
fn folder(tests: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    for (name, text) in tests {
        std::fs::write(folder.path().join("tests").join(name), text).unwrap();
    }
    folder
}

fn one(name: &str, expect: &str) -> String {
    format!(
        "tests:\n  - name: {name}\n    at: 2027-01-04T10:00+08:00\n    call: {{app: team_app, user: u}}\n    expect: {{{expect}}}\n"
    )
}

#[test]
fn the_shipped_tests_pass_by_their_policy_or_by_the_start_up_file_that_names_it() {
    let output = policy(&repository(), &["test", "config/policy.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("pass  the nightly restart runs  (config/policy.yaml:"));
    assert!(out(&output).ends_with("6 passed, 0 failed\n"), "{}", out(&output));
    let output = policy(&repository(), &["test", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["good"], &said["passed"], &said["failed"]),
        (&true.into(), &6.into(), &0.into())
    );
    assert_eq!(said["tests"][5]["file"], "config/tests/deploy_bot.yaml");
    assert_eq!(said["tests"][1]["explanation"]["rule"], "restart the web tier");
}

#[test]
fn a_failing_test_shows_what_was_expected_what_was_found_and_the_steps() {
    let right = one("right", "refused: APP_NO_PERMISSION");
    let folder =
        folder(&[("b.yaml", &right), ("a.yaml", &one("wrong", "allowed: true")), ("x.txt", "no")]);
    let output = policy(folder.path(), &["test", "policy.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = out(&output);
    assert!(
        said.starts_with("FAIL  wrong  (tests/a.yaml:2)\n      at 2027-01-04T02:00:00Z\n"),
        "{said}"
    );
    assert!(
        said.contains("      expected allowed: true; found refused: APP_NO_PERMISSION\n"),
        "{said}"
    );
    assert!(said.contains("      | Authorize     refused  "), "{said}");
    assert!(said.ends_with("pass  right  (tests/b.yaml:2)\n1 passed, 1 failed\n"), "{said}");
    let output = policy(folder.path(), &["test", "policy.yaml", "--format", "github"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        out(&output),
        "::error file=tests/a.yaml,line=2,col=5,title=test failed%3A wrong::expected allowed: true; found refused: APP_NO_PERMISSION\n1 passed, 1 failed\n"
    );
    let output = policy(folder.path(), &["test", "policy.yaml", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["good"], &said["tests"][0]["misses"][0]["key"]),
        (&false.into(), &"allowed".into())
    );
}

#[test]
fn a_file_with_a_problem_is_no_failed_test() {
    for (text, words) in [
        (one("x", "refused: NO_SUCH_CODE"), "tests/a.yaml:5:23: tests: unknown code"),
        ("tests: {".to_owned(), "tests/a.yaml:"),
        ("apps: {}".to_owned(), "unknown key `apps`"),
    ] {
        let folder = folder(&[("a.yaml", &text)]);
        let output = policy(folder.path(), &["test", "policy.yaml"]);
        let said = std::str::from_utf8(&output.stderr).unwrap();
        assert_eq!((output.status.code(), out(&output)), (Some(2), ""), "{said}");
        assert!(said.contains(words), "{said}");
        let output = policy(folder.path(), &["test", "policy.yaml", "--format", "github"]);
        assert!(out(&output).starts_with("::error file=tests/a.yaml,line="), "{}", out(&output));
    }
    let empty = TempDir::new().unwrap();
    assert_eq!(policy(empty.path(), &["test"]).status.code(), Some(2));
}

#[test]
fn problems_and_warnings_become_annotations_at_their_lines() {
    let folder = TempDir::new().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
        policy(folder.path(), &["check", "policy.yaml", "--format", "github"])
    };
    let output = check(&POLICY.replace("owner", "ownr"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        out(&output),
        "::error file=policy.yaml,line=4,col=5,title=apps.team_app::unknown key `ownr`%0Ahint: did you mean `owner`?\n"
    );
    let ended = "[{key: {sha256: \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", expires: \"2020-01-01T00:00Z\"}}]";
    let output = check(&POLICY.replace("[{certificate: {dns: team.example.com}}]", ended));
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).starts_with("::warning file=policy.yaml,line=5,col="), "{}", out(&output));
    let output = check(POLICY);
    assert_eq!((output.status.code(), out(&output)), (Some(0), ""));
}

#[test]
fn a_verdict_becomes_an_annotation_at_the_file_of_the_call() {
    let at = ["--at", "2027-01-04T10:00+08:00", "--format", "github"];
    let output =
        policy(&repository(), &[&["explain", "config/examples/call.json"][..], &at].concat());
    let start =
        "::notice file=config/examples/call.json,title=allowed%3A restart the web tier::Parse";
    assert!(
        out(&output).starts_with(start) && out(&output).lines().count() == 1,
        "{}",
        out(&output)
    );
}
