//! `esbgate policy check` as a shell and a pipeline see it.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const BOOT: &str = r#"version: 1
listen: [{address: "127.0.0.1:0"}]
hosts: [127.0.0.1]
monitor: {address: "127.0.0.1:0"}
upstream: {kind: esb, endpoints: ["http://127.0.0.1:1"]}
credentials:
  ops: {bk_app_code: ops, bk_app_secret: {current: {file: esb.secret}}}
journal: {dir: journal, durability: written, hmac_key: {file: hmac.key}}
policy: policy.yaml
"#;

const POLICY: &str = r#"version: 1
apps:
  team_app:
    owner: team@example.com
    proofs: [{certificate: {dns: team.example.com}}]
    acts_as: ops
    allow: []
"#;

/// A folder with both files and what they name.
fn folder(boot: &str, policy: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("esbgate.yaml", boot),
        ("policy.yaml", policy),
        ("esb.secret", "esb-secret-canary-1"),
        ("hmac.key", "hmac-key-canary-0123456789abcdef"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.args(["policy", "check"]).args(arguments).current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn good_files_exit_0_and_without_a_start_up_file_a_note_says_what_was_not_checked() {
    let folder = folder(BOOT, &POLICY.replace("acts_as: ops", "acts_as: other"));
    let output = check(folder.path(), &["policy.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(
        out(&output),
        "note: without --config the names in acts_as are not checked\ngood, 0 warning(s)\n"
    );
    std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let output = check(folder.path(), &["--config", "esbgate.yaml"]);
    assert_eq!((output.status.code(), out(&output)), (Some(0), "good, 0 warning(s)\n"));
}

#[test]
fn the_shipped_policy_is_what_is_checked_where_nothing_is_named() {
    let output = check(&repository(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("warning: config/policy.yaml:"), "{}", out(&output));
}

#[test]
fn the_example_of_the_help_works() {
    let help = check(&repository(), &["--help"]);
    let example = out(&help).split_once("Example: esbgate ").unwrap().1.trim();
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let output = command.args(example.split(' ')).current_dir(repository()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{example}: {}", err(&output));
}

#[test]
fn a_named_policy_is_checked_against_the_credentials_of_the_start_up_file() {
    let folder = folder(BOOT, POLICY);
    let other = POLICY.replace("acts_as: ops", "acts_as: opps");
    std::fs::write(folder.path().join("next.yaml"), other).unwrap();
    let output = check(folder.path(), &["next.yaml", "--config", "esbgate.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        err(&output),
        "next.yaml:6:14: apps.team_app: unknown credential\n  |     acts_as: opps\n  |              ^\n  \
         hint: did you mean `ops`?\nesbgate: 1 problem(s)\n"
    );
}

#[test]
fn problems_of_both_files_come_at_once_as_json_too() {
    let boot = BOOT.replace("\"127.0.0.1:0\"}]", "nowhere}]");
    let policy = POLICY.replace("owner: team@example.com", "owner: []");
    let folder = folder(&boot, &policy.replace("allow: []", "allow: [{name: x}]"));
    let output = check(folder.path(), &["--config", "esbgate.yaml", "--format", "json"]);
    assert_eq!((output.status.code(), err(&output)), (Some(1), ""));
    let said = object(&output);
    assert_eq!((&said["good"], &said["note"]), (&false.into(), &Value::Null));
    let problems = said["problems"].as_array().unwrap();
    let place = |one: &Value| (one["file"].clone(), one["line"].as_u64().unwrap());
    let places: Vec<(Value, u64)> = problems.iter().map(place).collect();
    assert_eq!(&places[..2], &[("esbgate.yaml".into(), 2), ("policy.yaml".into(), 4)], "{said}");
    assert!(
        places[2..].iter().all(|place| *place == ("policy.yaml".into(), 7)) && places.len() > 2
    );
    let mut names: Vec<_> = problems[0].as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(names, ["column", "file", "hint", "line", "message", "path", "severity"]);
    assert_eq!(problems[0]["severity"], "error");
}

#[test]
fn warnings_leave_the_exit_status_at_0() {
    let proof = r#"{key: {sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", expires: "2020-01-01T00:00Z"}}"#;
    let folder = folder(BOOT, &POLICY.replace("{certificate: {dns: team.example.com}}", proof));
    let output = check(folder.path(), &["--config", "esbgate.yaml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let said = object(&output);
    assert_eq!(
        (&said["good"], &said["problems"][0]["severity"]),
        (&true.into(), &"warning".into())
    );
    assert!(!said.to_string().contains("9f86d081"), "{said}");
}

#[test]
fn certificates_that_a_start_would_refuse_are_refused_here() {
    let tls = "listen: [{address: \"127.0.0.1:0\", tls: {certificate: {file: hmac.key}, key: {file: esb.secret}}}]";
    let boot = BOOT.replace("listen: [{address: \"127.0.0.1:0\"}]", tls);
    let folder = folder(&boot, POLICY);
    let output = check(folder.path(), &["--config", "esbgate.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("esbgate.yaml: listen"), "{}", err(&output));
    assert!(!err(&output).contains("canary"), "{}", err(&output));
}

#[test]
fn an_application_with_tokens_needs_a_login_service_and_one_without_does_not() {
    let folder = folder(BOOT, &POLICY.replace("    allow", "    users: {token: true}\n    allow"));
    let output = check(folder.path(), &["--config", "esbgate.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    assert!(said.starts_with("policy.yaml:7:20: apps.team_app.users.token: "), "{said}");
    let boot = format!("{BOOT}login: {{url: \"http://127.0.0.1:1/login/\"}}\n");
    std::fs::write(folder.path().join("esbgate.yaml"), boot).unwrap();
    assert_eq!(check(folder.path(), &["--config", "esbgate.yaml"]).status.code(), Some(0));
}

#[test]
fn a_file_that_is_not_there_exits_1_and_wrong_use_exits_2() {
    let folder = folder(BOOT, POLICY);
    let output = check(folder.path(), &["absent.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("absent.yaml: the file cannot be read: "), "{}", err(&output));
    for arguments in [["--format", "xml"].as_slice(), &["a", "b"], &["--config"]] {
        assert_eq!(check(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

/// Files of a folder `policy` with one application each.
fn policy_folder(names: &[&str]) -> TempDir {
    let folder = folder(BOOT, POLICY);
    std::fs::create_dir(folder.path().join("policy")).unwrap();
    for (index, name) in names.iter().enumerate() {
        let app = format!("app_{index}");
        let text = POLICY.replace("team_app", &app).replace("team.example", &format!("{app}.test"));
        std::fs::write(folder.path().join("policy").join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_folder_of_files_is_one_policy_alone_and_as_the_start_up_file_names_it() {
    let folder = policy_folder(&["a.yaml", "b.yaml"]);
    std::fs::write(folder.path().join("esbgate.yaml"), BOOT.replace("policy.yaml", "policy"))
        .unwrap();
    for arguments in [&["policy"][..], &["--config", "esbgate.yaml"]] {
        let good = check(folder.path(), arguments);
        assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    }
    std::fs::write(folder.path().join("policy/c.yaml"), POLICY.replace("team_app", "app_1"))
        .unwrap();
    for arguments in [&["policy"][..], &["--config", "esbgate.yaml"]] {
        let bad = check(folder.path(), arguments);
        assert_eq!(bad.status.code(), Some(1), "{}", out(&bad));
        let told = err(&bad);
        assert!(told.contains("policy/c.yaml:3:3: apps.app_1: "), "{told}");
        assert!(told.contains("stands in policy/b.yaml:3 already"), "{told}");
        assert!(told.contains("  |   app_1:"), "{told}");
    }
}

#[test]
fn hidden_files_other_files_and_the_next_policy_are_no_part_of_a_folders_policy() {
    let folder = policy_folder(&["a.yaml"]);
    for name in [".b.yaml", ".a.yaml.swp", "policy.next.yaml", "README.md", "c.yml", "d.yaml~"] {
        std::fs::write(folder.path().join("policy").join(name), "no policy").unwrap();
    }
    std::fs::create_dir(folder.path().join("policy/..data")).unwrap();
    let good = check(folder.path(), &["policy"]);
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
}

#[test]
fn links_to_files_are_read_as_a_mounted_configmap_has_them_and_links_to_nothing_are_told() {
    let folder = policy_folder(&[]);
    let policy = folder.path().join("policy");
    std::fs::create_dir(policy.join("..2027")).unwrap();
    std::fs::write(policy.join("..2027/a.yaml"), POLICY).unwrap();
    std::os::unix::fs::symlink("..2027", policy.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/a.yaml", policy.join("a.yaml")).unwrap();
    let good = check(folder.path(), &["policy"]);
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    std::os::unix::fs::symlink("..data/b.yaml", policy.join("b.yaml")).unwrap();
    let bad = check(folder.path(), &["policy"]);
    assert!(err(&bad).contains("policy/b.yaml: the file cannot be read"), "{}", err(&bad));
}

#[test]
fn a_folder_without_a_policy_or_with_what_is_no_regular_file_is_a_problem() {
    let folder = policy_folder(&[]);
    let empty = check(folder.path(), &["policy"]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(err(&empty).contains("policy: there is no *.yaml in the policy's folder"));
    std::fs::create_dir(folder.path().join("policy/a.yaml")).unwrap();
    let pipe = folder.path().join("policy/b.yaml");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let told = check(folder.path(), &["policy"]);
    for (name, what) in [("a", "a folder"), ("b", "no regular file")] {
        let expected = format!("policy/{name}.yaml: the file cannot be read: it is {what}");
        assert!(err(&told).contains(&expected), "{}", err(&told));
    }
}
