//! Samples of what a next policy would decide otherwise: they are noted where refusals are, and never waited for.

use esbgate_core::{Decided, ShadowRecord, ShadowResult};

use super::*;

pub(super) fn differ(journal: &FileJournal, count: u64) {
    let app = Name::new("app").unwrap();
    journal.differ(&ShadowRecord {
        request_id: "r",
        received_at: NOW.wall,
        app: Some(&app),
        user: None,
        component: Some("fast_execute_script"),
        result: ShadowResult::WouldRefuse,
        now: Decided { code_name: None, grant: Some("g") },
        next: Decided { code_name: Some("NO"), grant: None },
        generation: Some(3),
        next_sha256: "ab",
        count,
    });
}

#[test]
fn a_sample_says_what_both_policies_say_and_how_many_calls_it_stands_for() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    differ(&journal, 7);
    journal.close().unwrap();
    let lines = lines(&text(journal.path(), 1));
    let record = lines.iter().find(|line| line["kind"] == "shadow").unwrap();
    let said = ["app", "result", "grant", "next_code_name", "next_sha256"].map(|key| &record[key]);
    assert_eq!(said, ["app", "would_refuse", "g", "NO", "ab"]);
    assert_eq!((&record["count"], &record["generation"]), (&7.into(), &3.into()));
    assert!(record["code_name"].is_null() && record["next_grant"].is_null());
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_as_lost_and_no_refusal_is() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, open) = pipe_first(Arc::new(AtomicBool::new(true)));
    let options = options(dir.path(), Durability::Written, 100);
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open_with(options, Arc::new(Still), metrics.clone(), open).unwrap();
    drop(reader);
    differ(&journal, 7);
    journal.close().unwrap_err();
    // The queue is closed now.
    differ(&journal, 5);
    assert_eq!((metrics.differences_dropped(), metrics.refusals_dropped()), (12, 0));
}

#[tokio::test]
async fn samples_take_no_place_of_an_intent() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = JournalMetrics::default();
    let options = options(dir.path(), Durability::Written, 1);
    let journal = FileJournal::open(options, Arc::new(Still), metrics.clone()).unwrap();
    let count = 20_000;
    (0..count).for_each(|_| differ(&journal, 1));
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    journal.close().unwrap();
    let lines = lines(&text(journal.path(), 1));
    let written = lines.iter().filter(|line| line["kind"] == "shadow").count();
    assert_eq!(written as u64 + metrics.differences_dropped(), count);
}
