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

#[tokio::test]
async fn a_journal_is_verified_while_it_is_written_and_never_called_broken() {
    let journal_extra = ", segment: {bytes: 16KiB}".into();
    let gate = Gate::with(Files { journal_extra, ..Files::default() }).await;
    let dir = gate.folder.path().join("journal");
    let verify = async {
        for _ in 0..6 {
            let dir = dir.clone();
            let verified = tokio::task::spawn_blocking(move || audit(&["verify"], &dir)).await;
            let (status, told) = verified.unwrap();
            assert!(matches!(status, Some(0 | 3)), "{status:?}: {told}");
        }
    };
    let calls = async {
        loop {
            assert_eq!(gate.call(&call()).await.body["executed"], "yes");
        }
    };
    tokio::select! {
        () = verify => {}
        () = calls => {}
    }
    assert!(gate.stop().await.0);
}

#[tokio::test]
async fn a_witness_on_another_disk_is_what_the_tail_is_held_to() {
    let journal_extra = ", witness: elsewhere/HEAD".into();
    let files = Files { journal_extra, ..Files::default() };
    let (standin, folder) = files.lay_out(world()).await;
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let clock = std::sync::Arc::new(esbgate_gateway::SystemClock::start());
    let gate = Gate::in_folder(standin, folder, clock).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let (dir, head) = (folder.path().join("journal"), folder.path().join("elsewhere/HEAD"));
    assert!(head.exists() && !dir.join("HEAD").exists());
    let head = head.display().to_string();
    assert_eq!(audit(&["verify", "--witness", &head], &dir).0, Some(0));
    assert_eq!(audit(&["verify"], &dir).0, Some(3), "without it nobody vouches for the tail");
}

#[tokio::test]
async fn on_a_folder_of_the_first_version_the_chain_begins_whole_and_its_calls_are_found() {
    let (standin, folder) = Files::default().lay_out(world()).await;
    let name = "20260101T000000.000000Z-0a1b2c3d";
    let boot = folder.path().join("journal").join(name);
    std::fs::create_dir_all(&boot).unwrap();
    let line = |seq: u64, rest: &str| {
        format!(
            "{{\"v\":1,\"seq\":{seq},\"time\":\"2026-01-01T00:00:00Z\",\"node\":\"n1\",\"boot\":\"{name}\",{rest}}}\n"
        )
    };
    let text = line(1, "\"kind\":\"start\",\"version\":\"0.0.9\",\"predecessor\":null")
        + &line(2, "\"kind\":\"stop\",\"open_intents\":0");
    std::fs::write(boot.join("00000001.jsonl"), text).unwrap();
    let clock = std::sync::Arc::new(esbgate_gateway::SystemClock::start());
    let gate = Gate::in_folder(standin, folder, clock).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let dir = folder.path().join("journal");
    // The repair of the first start, which is signed, says what stands before the chain.
    let (status, told) = audit(&["verify"], &dir);
    assert_eq!(status, Some(0), "{told}");
    let (status, told) = audit(&["verify", "--from", "1"], &dir);
    assert_eq!(status, Some(0), "{told}");
    let (status, found) = audit(&["query", "--format", "csv"], &dir);
    assert_eq!((status, found.lines().count()), (Some(0), 2), "{found}");
}
