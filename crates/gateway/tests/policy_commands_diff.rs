//! `esbgate policy diff` as a shell and a pipeline see it.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const POLICY: &str = include_str!("../../../config/policy.yaml");

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn diff(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let command = command.args(["policy", "diff"]).args(arguments).current_dir(folder);
    // What only the gateway's machine has is a warning there, and no difference here.
    command.env_remove("SSO_SECRET").output().unwrap()
}

/// A folder with the shipped policy as `old.yaml` and an edited one as `new.yaml`.
fn folder(edits: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("old.yaml"), POLICY).unwrap();
    let edited = edits.iter().fold(POLICY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    std::fs::write(folder.path().join("new.yaml"), edited).unwrap();
    folder
}

const WIDER: (&str, &str) = ("ips: [10.0.0.0/8]", "ips: [10.0.0.0/8, 11.0.0.0/8]");
const NARROWER: (&str, &str) = ("token: true ", "token: false ");

#[test]
fn people_see_who_gains_and_who_loses_what() {
    let folder = folder(&[WIDER, NARROWER]);
    let output = diff(folder.path(), &["old.yaml", "new.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        out(&output),
        "deploy_bot\n  - narrows   users.token: is switched off\n  + widens    rule \"restart the web tier\": targets.ips: gains 11.0.0.0/8\n1 widen, 0 may widen, 1 narrow, 0 change nothing that is allowed\n"
    );
}

#[test]
fn a_pipeline_can_fail_on_a_widening_and_on_nothing_else() {
    let fail = ["old.yaml", "new.yaml", "--fail-on", "widening"];
    for (edits, status) in [
        (&[WIDER][..], 1),
        (&[NARROWER], 0),
        (&[], 0),
        (&[("acts_as: ops_gateway ", "acts_as: other_gateway ")], 1),
        (
            &[
                ("restart the web tier\n        comp", "another name\n        comp"),
                ("{allowed: restart the web tier,", "{allowed: another name,"),
            ],
            // Its budget is its own: under another name it begins full.
            1,
        ),
        (
            &[(
                "        calls: {per_second: 1, burst: 2,",
                "        calls: {per_second: 1, burst: 1,",
            )],
            0,
        ),
    ] {
        let folder = folder(edits);
        let output = diff(folder.path(), &fail);
        assert_eq!(output.status.code(), Some(status), "{edits:?}: {}", out(&output));
    }
}

#[test]
fn programs_get_one_object_and_pull_requests_get_annotations() {
    let folder = folder(&[WIDER]);
    let output = diff(folder.path(), &["old.yaml", "new.yaml", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let change = json!({"effect": "widens", "app": "deploy_bot", "rule": "restart the web tier", "key": "targets.ips", "text": "gains 11.0.0.0/8"});
    assert_eq!(said, json!({"widens": true, "changes": [change]}));
    let line =
        POLICY.lines().position(|line| line.contains("- name: restart the web tier")).unwrap() + 1;
    for (fail, level) in [(&[][..], "warning"), (&["--fail-on", "widening"], "error")] {
        let output =
            diff(folder.path(), &[&["old.yaml", "new.yaml", "--format", "github"], fail].concat());
        let start = format!(
            "::{level} file=new.yaml,line={line},col=15,title=deploy_bot%3A widens::rule \"restart the web tier\": targets.ips: gains 11.0.0.0/8\n"
        );
        assert!(out(&output).starts_with(&start), "{}", out(&output));
    }
}

#[test]
fn a_faulty_file_and_wrong_use_exit_2_and_both_files_are_told() {
    let folder = folder(&[("acts_as: ops_gateway", "#")]);
    std::fs::write(folder.path().join("old.yaml"), POLICY.replace("owner: ops@", "ownr: ops@"))
        .unwrap();
    let output = diff(folder.path(), &["old.yaml", "new.yaml", "--format", "github"]);
    let said = std::str::from_utf8(&output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("old.yaml:")
            && said.contains("new.yaml:")
            && out(&output).contains("::error file=new.yaml")
    );
    for arguments in
        [&["old.yaml"][..], &["absent.yaml", "new.yaml"], &["a", "b", "--fail-on", "x"]]
    {
        assert_eq!(diff(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
