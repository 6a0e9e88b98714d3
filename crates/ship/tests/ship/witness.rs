//! The cursor of a sink as a witness of the journal.

use std::path::{Path, PathBuf};

use esbgate_audit::{
    Journal,
    testing::{Sample, Writer},
    verify::{Asked, Fault, Report, Verdict, verify},
};
use esbgate_ship::{Pass, Shipper};

use crate::journal::{Log, file};

/// A journal of many batches in several segments, of which a sink was given the first batch; the sink's cursor.
async fn behind(dir: &Path) -> (Log, PathBuf, u64) {
    let mut writer = Writer::new(dir, 400_000).unwrap();
    for n in 0..1_500 {
        writer.call(&Sample::of(n)).unwrap();
    }
    writer.stop().unwrap();
    let log = Log::new("other");
    let out = log.folder.path().join("out.jsonl");
    let registry = prometheus::Registry::new();
    let sink = esbgate_core::Metrics::register(&registry, "test").unwrap().sinks.sink("one");
    let (head, clock) = (dir.join("HEAD"), std::sync::Arc::new(crate::journal::Still));
    let mut shipper = Shipper::new(file(&out), dir, &head, &log.cursors(), sink, clock);
    assert_eq!(shipper.pass().await, Pass::Shipped);
    let cursor = log.cursor("one");
    assert!(cursor.get("signature").is_none() && cursor.get("public_key").is_none(), "{cursor}");
    let path = log.cursors().join("one.json");
    (log, path, cursor["seq"].as_u64().unwrap())
}

fn verified(dir: &Path, witness: &Path) -> Report {
    let asked = Asked { witness: Some(witness.to_owned()), ..Asked::default() };
    verify(&Journal::open(dir).unwrap(), &asked, &mut |_| {}).unwrap()
}

#[tokio::test]
async fn a_cursor_that_is_behind_is_a_witness_that_accuses_and_never_vouches() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (_log, cursor, seq) = behind(dir).await;
    let report = verified(dir, &cursor);
    assert_eq!((report.verdict, report.tail), (Verdict::Whole, 0), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("not signed")), "{:?}", report.notes);

    // Without HEAD it stands alone, and who can write it could have made it.
    std::fs::rename(dir.join("HEAD"), dir.join("away")).unwrap();
    let report = verified(dir, &cursor);
    assert_eq!((report.verdict, report.witnessed_seq), (Verdict::UnwitnessedTail, None));

    let text = std::fs::read_to_string(&cursor).unwrap();
    let hash = serde_json::from_str::<serde_json::Value>(&text).unwrap()["hash"].to_string();
    let other = text.replace(&hash, &format!("\"{}\"", "ab".repeat(32)));
    std::fs::write(&cursor, other).unwrap();
    let finding = verified(dir, &cursor).finding.unwrap();
    assert_eq!((finding.fault, finding.place.seq), (Fault::Rewritten, Some(seq)));

    // A tail that is cut before what it knows.
    std::fs::write(&cursor, &text).unwrap();
    let segments = Journal::open(dir).unwrap().segments().unwrap();
    for segment in &segments[1..] {
        std::fs::remove_file(segment.plain()).unwrap();
    }
    assert_eq!(verified(dir, &cursor).finding.unwrap().fault, Fault::TailCut);
}

#[tokio::test]
async fn half_a_signature_and_a_head_without_one_are_no_witnesses() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (_log, cursor, _) = behind(dir).await;
    let head: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("HEAD")).unwrap()).unwrap();
    for half in ["signature", "public_key"] {
        let mut less = head.clone();
        less.as_object_mut().unwrap().remove(half);
        std::fs::write(&cursor, less.to_string()).unwrap();
        assert_eq!(verified(dir, &cursor).finding.unwrap().fault, Fault::Witness, "{half}");
    }
    let mut less = head.clone();
    less.as_object_mut().unwrap().retain(|name, _| name != "signature" && name != "public_key");
    std::fs::write(&cursor, head.to_string()).unwrap();
    std::fs::write(dir.join("HEAD"), less.to_string()).unwrap();
    assert_eq!(verified(dir, &cursor).finding.unwrap().fault, Fault::Witness);
}
