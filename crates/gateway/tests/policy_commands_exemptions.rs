//! `esbgate policy exemptions` as a shell and a pipeline see it.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const POLICY: &str = r#"version: 1
apps:
  a:
    owner: team
    proofs:
      - certificate: {dns: a}
      - key: {sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
      - key: {sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", expires: "2026-03-01T00:00Z"}
    users:
      exemptions:
        - {users: [late], owner: o1, reason: "nightly restart", ticket: T-1, expires: "2026-03-20T12:00Z"}
        - {users: [soon, never], owner: o2, reason: "import", ticket: T-2, expires: "2026-02-10T00:00Z"}
        - {users: [gone], owner: o3, reason: "old", ticket: T-3, expires: "2026-01-31T00:00Z"}
    acts_as: ops
"#;

fn exemptions(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let at = ["policy.yaml", "--at", "2026-02-01T00:00Z"];
    let command = command.args(["policy", "exemptions"]).args(at).args(arguments);
    command.current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// A folder with the policy and a journal of two starts.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let line = |time: &str, app: &str, user: &str, proof: &str| {
        let intent = json!({"v": 1, "time": time, "kind": "intent", "app": app, "user": user, "user_proof": proof});
        format!("{intent}\n")
    };
    for (boot, lines) in [
        (
            "1",
            vec![
                json!({"v": 1, "time": "2025-12-01T00:00:00Z", "kind": "start"}).to_string() + "\n",
                line("2026-01-05T08:00:00Z", "a", "late", "exemption"),
                line("2026-01-06T08:00:00Z", "a", "late", "bk_token"),
                line("2026-01-07T08:00:00Z", "b", "late", "exemption"),
            ],
        ),
        (
            "2",
            vec![
                line("2026-01-04T08:00:00Z", "a", "late", "exemption"),
                line("2026-01-20T08:00:00Z", "a", "soon", "exemption"),
                "{\"v\":1,".into(),
            ],
        ),
    ] {
        let boot = folder.path().join("journal").join(boot);
        std::fs::create_dir_all(&boot).unwrap();
        std::fs::write(boot.join("00000001.jsonl"), lines.concat()).unwrap();
    }
    folder
}

#[test]
fn a_table_tells_the_next_end_first() {
    let folder = folder();
    let output = exemptions(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        out(&output),
        "APP  USERS       OWNER  TICKET  EXPIRES               DAYS  STATE     REASON\n\
         a    gone        o3     T-3     2026-01-31T00:00:00Z  -1    expired   old\n\
         a    soon,never  o2     T-2     2026-02-10T00:00:00Z  9     expiring  import\n\
         a    late        o1     T-1     2026-03-20T12:00:00Z  47    active    nightly restart\n"
    );
    let output = exemptions(folder.path(), &["--within", "48d"]);
    assert_eq!(out(&output).matches("expiring").count(), 2, "{}", out(&output));
}

#[test]
fn the_journal_tells_who_is_still_named_without_a_token() {
    let folder = folder();
    let said = exemptions(folder.path(), &["--journal", "journal"]);
    let said = out(&said);
    let row = |word: &str| said.lines().find(|line| line.contains(word)).unwrap();
    assert!(row("T-1").contains("2026-01-05") && row("T-2").contains("2026-01-20"), "{said}");
    assert!(row("T-3").contains("not since 2025-12-01"), "{said}");
    assert!(said.ends_with("note: 1 line(s) of the journal are no records\n"), "{said}");
    let output = exemptions(folder.path(), &["--journal", "journal", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let users = json!([{"user": "soon", "last_used": "2026-01-20T08:00:00Z"}, {"user": "never", "last_used": null}]);
    assert_eq!(said["exemptions"][1]["users"], users);
    assert_eq!(
        said["journal"],
        json!({"since": "2025-12-01T00:00:00Z", "intents": 5, "unreadable": 1})
    );
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let empty = exemptions(folder.path(), &["--journal", "empty"]);
    assert_eq!(out(&empty).matches("no records").count(), 3, "{}", out(&empty));
}

#[test]
fn keys_are_told_by_their_number_and_never_by_their_hash() {
    let folder = folder();
    let output = exemptions(folder.path(), &["--keys"]);
    let said = out(&output);
    assert!(said.ends_with("a    2    2026-03-01T00:00:00Z  28    expiring\na    1    never                       active\n"), "{said}");
    let output = exemptions(folder.path(), &["--keys", "--format", "json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["keys"][0]["days_left"], &said["journal"]), (&28.into(), &Value::Null));
    assert!(!said.to_string().contains("60303ae2"));
}

#[test]
fn what_cannot_be_read_is_wrong_use() {
    let folder = folder();
    for arguments in [&["--journal", "absent"][..], &["--within", "30"], &["--within", "x"]] {
        assert_eq!(exemptions(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let broken = POLICY.replace("2026-01-31T00:00Z", "soon");
    std::fs::write(folder.path().join("policy.yaml"), broken).unwrap();
    let output = exemptions(folder.path(), &[]);
    assert_eq!((output.status.code(), out(&output)), (Some(2), ""));
    assert!(String::from_utf8_lossy(&output.stderr).contains("policy.yaml:13:"));
}
