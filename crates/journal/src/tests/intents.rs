//! A journal is read again as it was written, and whatever else stands in it is counted and passed over.

use super::*;
use crate::intents;

fn seen(dir: &Path) -> (Vec<(String, String, String)>, crate::Scan) {
    let mut calls = Vec::new();
    let scan = intents(dir, |call| {
        calls.push((call.app.to_string(), call.user.to_string(), call.user_proof.to_string()));
    });
    (calls, scan.unwrap())
}

#[tokio::test]
async fn each_intent_of_every_start_is_seen_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let journal = open(dir.path());
        let ticket = intend(&journal).await.unwrap();
        journal.settle(ticket, &outcome()).await.unwrap();
        refuse(&journal);
        journal.close().unwrap();
    }
    let (calls, scan) = seen(&dir.path().join("journal"));
    assert_eq!((calls.len(), scan.intents, scan.unreadable), (2, 2, 0));
    assert!(scan.since.is_some() && calls[0] == calls[1], "{calls:?}");
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
