//! What every sink does, whatever its target: order, cursor, witness, retention.

use std::os::unix::fs::PermissionsExt as _;

use esbgate_audit::{Journal, testing::Writer};
use esbgate_ship::{Pass, SinkOptions};
use serde_json::json;

use crate::journal::{Log, file, lines, ship};

#[tokio::test]
async fn all_records_come_in_order_over_segments_boots_and_compression() {
    let mut log = Log::new("n1");
    log.calls(1_200);
    let closed = log.rotate();
    log.calls(10);
    log.start(2);
    log.calls(700);
    let plain = std::fs::read(&closed).unwrap();
    std::fs::write(closed.with_extension("jsonl.zst"), zstd::encode_all(&*plain, 1).unwrap())
        .unwrap();
    std::fs::remove_file(closed).unwrap();
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, counts) = log.shipper(file(&out));
    assert!(ship(&mut shipper).await > 3);
    assert_eq!(lines(&out), log.lines);
    assert_eq!(counts.of("records_total"), log.seq as f64);
    assert_eq!(counts.of("last_success_timestamp_seconds"), 1_798_768_800.0);
    assert_eq!((counts.of("failures_total"), counts.of("skipped_records_total")), (0.0, 0.0));
    assert_eq!(counts.of("lag_records"), 0.0);
}

#[tokio::test]
async fn a_sink_goes_on_where_its_cursor_stands_after_a_restart() {
    let mut log = Log::new("n1");
    log.calls(5);
    let out = log.folder.path().join("out.jsonl");
    ship(&mut log.shipper(file(&out)).0).await;
    log.calls(5);
    ship(&mut log.shipper(file(&out)).0).await;
    log.start(2);
    ship(&mut log.shipper(file(&out)).0).await;
    assert_eq!(lines(&out), log.lines);
}

#[tokio::test]
async fn after_a_crash_before_the_cursor_is_saved_records_come_again_and_none_is_missing() {
    let mut log = Log::new("n1");
    log.calls(3);
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, _) = log.shipper(file(&out));
    ship(&mut shipper).await;
    let saved = std::fs::read(log.cursors().join("one.json")).unwrap();
    log.calls(3);
    ship(&mut shipper).await;
    // The cursor of the second batch never came to the disk, and the last line only in part.
    std::fs::write(log.cursors().join("one.json"), saved).unwrap();
    let text = std::fs::read(&out).unwrap();
    std::fs::write(&out, &text[..text.len() - 10]).unwrap();
    ship(&mut log.shipper(file(&out)).0).await;
    let again = [&log.lines[..12], &log.lines[7..]].concat();
    assert_eq!(lines(&out), again);
}

#[tokio::test]
async fn nothing_beyond_the_witness_is_shipped_and_the_cursor_carries_its_signature() {
    let mut log = Log::new("n1");
    log.calls(2);
    log.head();
    let witnessed = log.lines.len();
    log.calls(2);
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, _) = log.shipper(file(&out));
    ship(&mut shipper).await;
    assert_eq!(lines(&out), log.lines[..witnessed]);
    let cursor = log.cursor("one");
    let head = std::fs::read(log.dir().join("HEAD")).unwrap();
    let head: serde_json::Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(cursor["seq"], 5);
    for name in head.as_object().unwrap().keys().filter(|name| *name != "offset") {
        assert_eq!(cursor[name], head[name], "{name}");
    }
    // The records behind it become final, and a write that failed is taken back before that.
    log.raw(
        b"{\"v\":2,\"seq\":10,\"time\":\"t\",\"node\":\"n1\",\"boot\":\"b\",\"kind\":\"intent\"}\n",
    );
    log.head();
    ship(&mut shipper).await;
    assert_eq!(lines(&out), log.lines);
}

#[tokio::test]
async fn the_cursor_of_a_sink_that_is_up_to_date_is_head_to_the_byte_of_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 1 << 20).unwrap();
    writer.stop().unwrap();
    let log = Log::new("other");
    let out = log.folder.path().join("out.jsonl");
    let registry = prometheus::Registry::new();
    let metrics = esbgate_core::Metrics::register(&registry, "test").unwrap();
    let head = Journal::open(folder.path()).unwrap().witness();
    let clock = std::sync::Arc::new(crate::journal::Still);
    let sink = metrics.sinks.sink("one");
    let mut shipper =
        esbgate_ship::Shipper::new(file(&out), folder.path(), &head, &log.cursors(), sink, clock);
    ship(&mut shipper).await;
    let head: serde_json::Value = serde_json::from_slice(&std::fs::read(head).unwrap()).unwrap();
    assert_eq!(log.cursor("one"), head, "so that it is a witness as it stands");
}

#[tokio::test]
async fn a_sink_that_is_not_up_to_date_claims_no_signature() {
    let mut log = Log::new("n1");
    log.calls(600);
    log.head();
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, counts) = log.shipper(file(&out));
    assert_eq!(shipper.pass().await, Pass::Shipped);
    let cursor = log.cursor("one");
    assert_eq!(cursor["seq"], 1_000);
    assert!(cursor.get("signature").is_none() && cursor.get("public_key").is_none(), "{cursor}");
    assert_eq!(cursor["hash"].as_str().unwrap().len(), 64);
    assert_eq!(counts.of("lag_records"), (log.seq - 1_000) as f64);
}

#[tokio::test]
async fn what_retention_took_before_a_sink_came_to_it_is_counted() {
    let mut log = Log::new("n1");
    log.calls(4);
    let out = log.folder.path().join("out.jsonl");
    ship(&mut log.shipper(file(&out)).0).await;
    log.calls(4);
    let taken = log.rotate();
    log.calls(4);
    std::fs::remove_file(taken).unwrap();
    let (mut shipper, counts) = log.shipper(file(&out));
    ship(&mut shipper).await;
    assert_eq!(counts.of("skipped_records_total"), 8.0);
    assert_eq!(lines(&out), [&log.lines[..9], &log.lines[17..]].concat());
}

#[tokio::test]
async fn a_line_that_is_no_record_is_counted_and_stops_nothing() {
    let mut log = Log::new("n1");
    log.calls(1);
    log.raw(b"not a record\n\xff\xfe\n");
    log.calls(1);
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, counts) = log.shipper(file(&out));
    ship(&mut shipper).await;
    assert!(lines(&out) == log.lines, "{:#?}", lines(&out));
    assert_eq!(counts.of("skipped_records_total"), 2.0);
}

#[tokio::test]
async fn records_that_took_the_place_of_others_are_shipped_and_the_rest_not_again() {
    let mut log = Log::new("n1");
    log.calls(3);
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, _) = log.shipper(file(&out));
    ship(&mut shipper).await;
    // Without a witness two records were shipped whose write failed: they are cut, and their numbers used again.
    let first = log.lines.clone();
    log.take_back(2);
    log.record("admin", &json!({"operation": "freeze"}));
    log.record("admin", &json!({"operation": "unfreeze"}));
    log.calls(1);
    ship(&mut shipper).await;
    let all = [first, log.lines[5..].to_vec()].concat();
    assert!(lines(&out) == all, "{:#?}", lines(&out));
}

#[tokio::test]
async fn a_sink_gets_the_kinds_that_it_asked_for_and_its_cursor_passes_the_others() {
    let mut log = Log::new("n1");
    log.calls(2);
    log.record("admin", &json!({"operation": "freeze"}));
    log.calls(2);
    let out = log.folder.path().join("out.jsonl");
    let kinds = Some(["admin", "start"].map(Into::into).into());
    let (mut shipper, counts) = log.shipper(SinkOptions { kinds, ..file(&out) });
    ship(&mut shipper).await;
    assert_eq!(lines(&out), [log.lines[0].clone(), log.lines[5].clone()]);
    assert_eq!(counts.of("records_total"), 2.0);
    assert_eq!(log.cursor("one")["seq"], log.seq);
}

#[tokio::test]
async fn without_a_place_for_its_cursor_a_sink_delivers_on_and_says_that_it_fails() {
    let mut log = Log::new("n1");
    log.calls(2);
    // A folder in the place of the file stops root, too.
    let blocked = log.cursors().join("one.json.tmp");
    std::fs::create_dir_all(&blocked).unwrap();
    let out = log.folder.path().join("out.jsonl");
    let (mut shipper, counts) = log.shipper(file(&out));
    assert_eq!(shipper.pass().await, Pass::Shipped);
    assert_eq!(shipper.pass().await, Pass::Failed, "an unsaved cursor is no rest");
    log.calls(1);
    assert_eq!(shipper.pass().await, Pass::Shipped);
    assert_eq!(lines(&out), log.lines, "nothing twice while it runs");
    assert_eq!(counts.of("failures_total"), 3.0);
    std::fs::remove_dir_all(log.cursors()).unwrap();
    assert_eq!(shipper.pass().await, Pass::Idle);
    assert_eq!(log.cursor("one")["seq"], log.seq);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log.cursors()), 0o700);
    assert_eq!(mode(&log.cursors().join("one.json")), 0o600);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_stops_the_sink_and_ships_nothing_twice() {
    let mut log = Log::new("n1");
    log.calls(2);
    let out = log.folder.path().join("out.jsonl");
    ship(&mut log.shipper(file(&out)).0).await;
    std::fs::write(log.cursors().join("one.json"), "{\"v\":").unwrap();
    let (mut shipper, counts) = log.shipper(file(&out));
    assert_eq!(shipper.pass().await, Pass::Failed);
    assert_eq!(lines(&out), log.lines);
    assert_eq!(counts.of("failures_total"), 1.0);
    std::fs::remove_file(log.cursors().join("one.json")).unwrap();
    ship(&mut shipper).await;
    assert_eq!(lines(&out).len(), 2 * log.lines.len(), "without the file it begins anew");
}
