//! `esbgate admin` as a shell sees it: what it prints, how it exits, and what it says where there is no gateway.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, missing_docs, reason = "a module of several test binaries")]

#[path = "gate/secret_grep.rs"]
mod secret_grep;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use esbgate_model::sha256_hex;
use serde_json::Value;
use tempfile::TempDir;

fn boot(folder: &Path) -> String {
    format!(
        r#"version: 1
listen: [{{address: "127.0.0.1:0"}}]
hosts: [127.0.0.1]
monitor: {{address: "127.0.0.1:0"}}
admin: {{socket: {}/admin.sock}}
upstream: {{kind: esb, endpoints: ["http://127.0.0.1:1"]}}
login: {{url: "http://127.0.0.1:1/login/accounts/is_login/"}}
credentials:
  ops: {{bk_app_code: ops, bk_app_secret: {{current: {{file: esb.secret}}}}}}
journal: {{dir: journal, durability: written, hmac_key: {{file: hmac.key}}}}
policy: policy.yaml
"#,
        folder.display()
    )
}

struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    folder: secret_grep::Folder,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}

fn serve() -> Served {
    let folder = secret_grep::Folder::new();
    let key = sha256_hex(b"key");
    let policy = format!(
        "version: 1\napps:\n  team_app: {{owner: t, proofs: [{{key: {{sha256: \"{key}\"}}}}], users: {{token: true}}, acts_as: ops}}\n"
    );
    for (name, text) in [
        ("esbgate.yaml", boot(folder.path())),
        ("policy.yaml", policy),
        ("esb.secret", "esb-secret-canary-1".into()),
        ("hmac.key", "hmac-key-canary-0123456789abcdef".into()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(["serve", "--config", "esbgate.yaml"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"serving\"") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it does not serve");
    }
    Served { child, log, folder }
}

fn admin(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .arg("admin")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_running_gateway_is_frozen_looked_at_and_drained_by_commands() {
    let mut served = serve();
    let folder = served.folder.path();
    let by_config = ["--config", "esbgate.yaml"];
    let run = |arguments: &[&str], input: &str| {
        told(&admin(folder, &[arguments, &by_config].concat(), input))
    };
    let (status, none, _) = run(&["freezes"], "");
    assert!(status == Some(0) && none.starts_with("no freezes"), "{none}");
    let until = "2999-01-01T00:00+08:00";
    let asked = ["freeze", "--app", "team_app", "--reason", "INC-77 \u{202e}", "--until", until];
    let (status, frozen, said) = run(&asked, "");
    assert_eq!((status, &*said), (Some(0), ""));
    let id = frozen.strip_prefix("frozen: ").unwrap().trim_end().to_owned();
    let (_, table, _) = run(&["freezes"], "");
    let rows: Vec<_> = table.lines().collect();
    assert!(rows.len() == 2 && rows[0].starts_with("ID") && rows[1].starts_with(&id), "{table}");
    assert!(rows[1].contains("app team_app") && rows[1].ends_with("INC-77 ?"), "{table}");
    assert_eq!(rows[0].find("UNTIL"), rows[1].find("2998-12-31T16:00:00Z"), "{table}");
    let (status, json, _) = run(&["status", "--format", "json"], "");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &json["done"]["status"]["admin_freezes"]), (Some(0), &1.into()));
    assert!(run(&["status"], "").1.contains("freezes of an admin    1"));
    let (status, _, said) = run(&["freeze", "--app", "nobody", "--reason", "r"], "");
    assert_eq!(status, Some(1));
    assert!(said.contains("no application of this code (unknown_app)"), "{said}");
    let purged = run(&["purge", "--token-stdin"], "token-canary-1\n");
    assert_eq!(purged, (Some(0), "purged\n".into(), String::new()));
    assert_eq!(run(&["unfreeze", &id], "").1, format!("unfrozen: {id}\n"));
    let (status, drained, _) = run(&["drain"], "");
    assert!(status == Some(0) && drained.starts_with("draining"), "{drained}");
    assert!(served.child.wait().unwrap().success());
    let mut log = String::new();
    served.log.read_to_string(&mut log).unwrap();
    assert!(log.contains("an admin asks for a stop"), "{log}");
    secret_grep::clean("the log", log.as_bytes());
    let (status, _, said) = run(&["status"], "");
    assert!(status == Some(1) && said.contains("is the gateway running"), "{said}");
}

#[test]
fn wrong_use_exits_2_and_every_order_has_an_example() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("bare.yaml"), boot(folder.path()).replace("admin:", "#"))
        .unwrap();
    for arguments in [
        &["freeze", "--reason", "r"][..],
        &["freeze", "--app", "a", "--everything", "--reason", "r"],
        &["freeze", "--app", "a"],
        &["freeze", "--app", "a", "--reason", "r", "--until", "tomorrow"],
        &["unfreeze"],
        &["purge", "--token-stdin"],
        &["status", "--config", "absent.yaml"],
        &["status", "--config", "bare.yaml"],
        &["status", "--config", "bare.yaml", "--socket", "x"],
        &["nonsense"],
    ] {
        let (status, out, said) = told(&admin(folder.path(), arguments, ""));
        assert_eq!((status, &*out), (Some(2), ""), "{arguments:?}: {said}");
    }
    for order in ["freeze", "unfreeze", "freezes", "purge", "drain", "status"] {
        let (status, help, _) = told(&admin(folder.path(), &[order, "--help"], ""));
        assert!(status == Some(0) && help.contains("Example: esbgate admin "), "{order}");
    }
}

#[test]
fn a_socket_that_nobody_listens_at_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (status, _, said) = told(&admin(folder.path(), &["status", "--socket", "dead.sock"], ""));
    assert!(status == Some(1) && said.contains("start it again"), "{said}");
}
