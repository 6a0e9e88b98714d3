//! Intents are read again from plain and compressed segments; whatever else stands there is counted and passed over.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{fs, path::Path};

use esbgate_audit::{
    Journal, Scan, archive, intents,
    testing::{Sample, Writer},
};

fn seen(dir: &Path) -> (Vec<(String, String, String)>, Scan) {
    let mut calls = Vec::new();
    let scan = intents(dir, |call| {
        calls.push((call.app.to_string(), call.user.to_string(), call.user_proof.to_string()));
    });
    (calls, scan.unwrap())
}

#[test]
fn each_intent_is_seen_once_whether_its_segment_is_compressed_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(dir.path(), 50_000).unwrap();
    let samples: Vec<_> = (0..200).map(Sample::of).collect();
    for sample in &samples {
        let seq = writer.intent(sample).unwrap();
        writer.outcome(seq, sample).unwrap();
    }
    writer.head().unwrap();
    let (plain, _) = seen(dir.path());
    assert_eq!(plain.len(), samples.len());
    let segments = Journal::open(dir.path()).unwrap().segments().unwrap();
    let (_open, closed) = segments.split_last().unwrap();
    assert!(!closed.is_empty());
    for segment in closed {
        archive::close(&segment.plain()).unwrap();
    }
    let (both, scan) = seen(dir.path());
    assert_eq!((both, scan.intents, scan.unreadable), (plain, 200, 0));
}

#[test]
fn torn_foreign_and_endless_lines_are_counted_and_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a");
    fs::create_dir(&folder).unwrap();
    let intent = |time: &str, user: &str| {
        format!(
            "{{\"v\":1,\"time\":\"{time}\",\"kind\":\"intent\",\"app\":\"a\",\"user\":\"{user}\",\"user_proof\":\"exemption\"}}\n"
        )
    };
    let endless = "x".repeat(17 << 20);
    let text = format!(
        "{}\n\n{endless}\n{}{{\"v\":1,\"time\":\"2026-01-01T00:00:00Z\",\"kind\":\"intent\"}}\n[]\n{{\"v\":",
        intent("2026-03-01T00:00:00Z", "\\u0075"),
        intent("2026-02-01T00:00:00Z", "v"),
    );
    fs::write(folder.join("00000001.jsonl"), text).unwrap();
    fs::write(folder.join("notes.txt"), "no segment").unwrap();
    fs::write(dir.path().join("HEAD"), "no folder").unwrap();
    let (calls, scan) = seen(dir.path());
    assert_eq!(calls.iter().map(|call| call.1.as_str()).collect::<Vec<_>>(), ["u", "v"]);
    assert_eq!((scan.intents, scan.unreadable), (2, 4));
    assert_eq!(scan.since.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert!(intents(&dir.path().join("absent"), |_| ()).is_err());
}
