//! `esbgate audit` as a shell and a pipeline see it.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use esbgate_audit::testing::{Sample, Writer};
use serde_json::Value;
use tempfile::TempDir;

fn command(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.args(["audit", arguments[0]]).arg(dir).args(&arguments[1..]);
    command
}

fn audit(arguments: &[&str], dir: &Path) -> Output {
    command(arguments, dir).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn written(dir: &Path) -> Writer {
    let mut writer = Writer::new(dir, 20_000).unwrap();
    for n in 0..60 {
        let mut sample = Sample::of(n);
        if n == 59 {
            sample.user = "=cmd()".into();
            sample.app = "\u{202e}app".into();
        }
        writer.call(&sample).unwrap();
    }
    writer.stop().unwrap();
    writer
}

#[test]
fn verify_exits_0_for_a_whole_journal_3_for_a_tail_and_1_with_the_place_of_a_fault() {
    let folder = TempDir::new().unwrap();
    let mut writer = written(folder.path());
    let key = writer.public_key();
    let whole = audit(&["verify", "--public-key", &key], folder.path());
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    assert!(out(&whole).starts_with("whole\n") && whole.stderr.is_empty(), "{whole:?}");
    writer.start().unwrap();
    writer.call(&Sample::of(70)).unwrap();
    writer.flush().unwrap();
    let tail = audit(&["verify", "--format", "json"], folder.path());
    let said: Value = serde_json::from_str(out(&tail)).unwrap();
    assert_eq!((tail.status.code(), &said["tail"]), (Some(3), &2.into()), "{said}");
    let path = writer.path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"user\":\"user", "\"user\":\"root", 1)).unwrap();
    let changed = audit(&["verify"], folder.path());
    assert_eq!(changed.status.code(), Some(1));
    assert!(out(&changed).starts_with("changed: "), "{}", out(&changed));
    assert!(out(&changed).contains("00000001.jsonl:2 (record"), "{}", out(&changed));
    let other = "00".repeat(32);
    let other = audit(&["verify", "--public-key", &other], folder.path());
    assert_eq!(other.status.code(), Some(1));
}

#[test]
fn wrong_use_exits_2_and_names_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    for (arguments, dir, said) in [
        (vec!["verify"], folder.path().join("none"), "none"),
        (vec!["verify", "--public-key", "12"], folder.path().to_owned(), "64 hexadecimal digits"),
        (vec!["query", "--host", "example.com"], folder.path().to_owned(), "host id"),
        (vec!["query", "--since", "yesterday"], folder.path().to_owned(), "yesterday"),
    ] {
        let output = audit(&arguments, &dir);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[test]
fn query_and_export_tell_each_call_once_and_let_nothing_be_computed() {
    let folder = TempDir::new().unwrap();
    written(folder.path());
    let all = audit(&["query", "--format", "json"], folder.path());
    assert_eq!(out(&all).lines().count(), 60);
    let newest: Value = serde_json::from_str(out(&all).lines().next().unwrap()).unwrap();
    assert_eq!(newest["intent"]["user"], "=cmd()");
    let csv = audit(&["query", "--user", "=cmd()", "--format", "csv"], folder.path());
    assert!(out(&csv).contains("\"'=cmd()\""), "{}", out(&csv));
    let table = audit(&["query", "--limit", "1"], folder.path());
    assert!(!out(&table).contains('\u{202e}') && out(&table).starts_with("TIME"), "{table:?}");
    assert!(String::from_utf8_lossy(&table.stderr).contains("--limit 1"));
    for format in ["jsonl", "bk_audit"] {
        let all = audit(&["export", "--format", format], folder.path());
        assert_eq!(out(&all).lines().count(), 60, "{format}");
        assert!(out(&all).lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    }
    let index = audit(&["index"], folder.path());
    assert!(index.status.success() && folder.path().read_dir().unwrap().count() > 1);
}

#[test]
fn the_schemas_are_printed_and_a_table_whose_name_would_need_quotes_is_refused() {
    let print = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
        command.args(["audit", "schema"]).args(arguments).output().unwrap()
    };
    let records: Value = serde_json::from_str(out(&print(&[]))).unwrap();
    assert!(records["$defs"]["intent"].is_object());
    let document = include_str!("../../../docs/sinks.md");
    assert!(document.contains(&format!("```sql\n{}```\n", out(&print(&["postgres"])))));
    let own = print(&["postgres", "--table", "audit.records"]);
    assert!(out(&own).contains("create table if not exists audit.records ("), "{own:?}");
    let wrong = print(&["postgres", "--table", "x; drop table y"]);
    assert_eq!((wrong.status.code(), out(&wrong)), (Some(2), ""));
}

#[test]
fn tail_follows_over_rotation_and_starts_and_ends_with_its_reader() {
    let folder = TempDir::new().unwrap();
    let mut writer = written(folder.path());
    let mut tail = command(&["tail", "-f", "-n", "1", "--format", "json"], folder.path());
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut seq = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["seq"].as_u64().unwrap()
    };
    assert_eq!(seq(), writer.seq());
    let first = writer.seq() + 1;
    writer.start().unwrap();
    for n in 0..30 {
        writer.call(&Sample::of(n)).unwrap();
    }
    writer.flush().unwrap();
    for wanted in first..=writer.seq() {
        assert_eq!(seq(), wanted);
    }
    drop(lines);
    writer.call(&Sample::of(99)).unwrap();
    writer.flush().unwrap();
    assert!(tail.wait().unwrap().success());
}
