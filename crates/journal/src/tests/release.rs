//! Intents whose call was not made.

use super::*;

#[tokio::test]
async fn an_intent_whose_call_is_dropped_before_it_departs_is_settled_as_not_executed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ticket = intend(&journal).await.unwrap();
    let sequence = ticket.sequence();
    drop(ticket);
    journal.close().unwrap();
    let lines = lines(&text(journal.path(), 1));
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "intent", "outcome", "stop"]);
    let outcome = &lines[2];
    assert_eq!((&outcome["intent"], &outcome["request_id"]), (&sequence.into(), &"r".into()));
    assert_eq!((&outcome["executed"], &outcome["outcome"]), (&"no".into(), &"unavailable".into()));
    assert_eq!(outcome["code_name"], "INTERNAL_SERVER_ERROR");
    assert_eq!(lines[3]["open_intents"], 0);
}

#[tokio::test]
async fn a_settled_intent_has_one_outcome_and_its_place_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), Durability::Written, 1);
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open(options, Arc::new(Still), metrics).unwrap();
    for _ in 0..2 {
        let ticket = intend(&journal).await.unwrap();
        journal.settle(ticket, &outcome()).await.unwrap();
    }
    journal.close().unwrap();
    assert_eq!(text(journal.path(), 1).matches("\"kind\":\"outcome\"").count(), 2);
}

#[tokio::test]
async fn a_ticket_that_is_dropped_after_the_stop_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ticket = intend(&journal).await.unwrap();
    journal.close().unwrap();
    drop(ticket);
    drop(journal);
}
