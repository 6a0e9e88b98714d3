//! What a real gateway writes is what the audit commands prove and find.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::support::*;

fn audit(arguments: &[&str], dir: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let output = command.args(["audit", arguments[0]]).arg(dir).args(&arguments[1..]).output();
    let output = output.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn compressed(dir: &Path) -> usize {
    let names = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let boots = names(dir).filter(|path| path.is_dir());
    boots
        .flat_map(|boot| names(&boot))
        .filter(|path| path.extension().is_some_and(|e| e == "zst"))
        .count()
}

#[tokio::test]
async fn a_journal_of_two_starts_and_many_segments_is_whole_and_each_call_is_found_in_it() {
    let journal_extra = ", segment: {bytes: 16KiB}".into();
    let mut gate = Gate::with(Files { journal_extra, ..Files::default() }).await;
    let calls = 40;
    for _boot in 1..=2 {
        for _ in 0..calls {
            assert_eq!(gate.call(&call()).await.body["executed"], "yes");
        }
        let (ended, standin, folder) = gate.stop().await;
        assert!(ended);
        let clock = std::sync::Arc::new(esbgate_gateway::SystemClock::start());
        gate = Gate::in_folder(standin, folder, clock).await;
    }
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let dir = folder.path().join("journal");
    assert!(compressed(&dir) > 1, "closed segments are compressed");

    let (status, told) = audit(&["verify", "--format", "json"], &dir);
    let report: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &report["finding"]), (Some(0), &Value::Null), "{told}");
    assert_eq!(report["last_seq"], report["records"]);

    let query = ["query", "--outcome", "success", "--limit", "1000", "--format", "csv"];
    let (status, found) = audit(&query, &dir);
    assert_eq!(status, Some(0), "{found}");
    assert_eq!(found.lines().count(), 2 * calls + 1, "a head and a line for each call");
}

#[tokio::test]
async fn one_changed_byte_of_what_a_gateway_wrote_is_named_with_its_line() {
    let gate = Gate::start().await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let segment = gate.running.journal_path().join("00000001.jsonl");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let text = std::fs::read_to_string(&segment).unwrap();
    let line = text.lines().position(|line| line.contains("\"kind\":\"intent\"")).unwrap();
    let changed = text.replacen("\"host_runs\":1", "\"host_runs\":2", 1);
    assert_ne!(text, changed);
    std::fs::write(&segment, changed).unwrap();
    let (status, told) = audit(&["verify"], &folder.path().join("journal"));
    assert_eq!(status, Some(1));
    assert!(told.contains(&format!("{}", line + 1)) && told.contains("changed"), "{told}");
}
