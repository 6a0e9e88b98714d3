//! Refusals: one record each for applications that are proved, sums for everybody else.

use super::*;

pub(super) fn refuse_unproved(journal: &FileJournal, peer: &str, code_name: &'static str) {
    journal.refuse(&RefusalRecord {
        request_id: "r",
        received_at: NOW,
        peer: Some(peer.parse().unwrap()),
        app: None,
        user: None,
        component: None,
        code_name,
        generation: None,
        risk: &[],
    });
}

fn refusals(journal: &FileJournal) -> Vec<Value> {
    let lines = lines(&text(journal.path(), 1));
    lines.into_iter().filter(|line| line["kind"] == "refusal").collect()
}

#[test]
fn refusals_of_unproved_callers_are_one_record_for_each_caller_and_code() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    (0..1000).for_each(|_| refuse_unproved(&journal, "192.0.2.1", "A"));
    refuse_unproved(&journal, "2001:db8::1", "A");
    refuse_unproved(&journal, "2001:db8::2", "A");
    journal.close().unwrap();
    let refusals = refusals(&journal);
    let mut sums: Vec<_> = refusals
        .iter()
        .map(|line| (line["peer"].as_str().unwrap(), line["count"].as_u64().unwrap()))
        .collect();
    sums.sort_unstable();
    assert_eq!(sums, [("192.0.2.1", 1000), ("2001:db8::/64", 2)]);
    let sum = &refusals[0];
    assert_eq!((&sum["code_name"], &sum["v"]), (&"A".into(), &2.into()));
    assert_eq!((&sum["first_at"], &sum["last_at"]), (&sum["time"], &sum["time"]));
    assert!(sum.get("request_id").is_none() && sum.get("app").is_none());
}

#[test]
fn a_refusal_of_a_proved_application_is_a_record_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    (0..3).for_each(|_| refuse(&journal));
    journal.close().unwrap();
    let refusals = refusals(&journal);
    assert_eq!(refusals.len(), 3);
    assert!(refusals.iter().all(|line| line["app"] == "app" && line["request_id"] == "r"));
}

#[tokio::test]
async fn while_nothing_can_be_written_sums_grow_and_are_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(true));
    let (reader, open) = pipe_first(Arc::clone(&broken));
    let options = options(dir.path(), Durability::Written, 100);
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open_with(options, Arc::new(Still), metrics.clone(), open).unwrap();
    drop(reader);
    assert_eq!(intend(&journal).await.unwrap_err(), JournalDown);
    refuse_unproved(&journal, "192.0.2.1", "A");
    journal.sum_up();
    refuse_unproved(&journal, "192.0.2.1", "A");
    broken.store(false, Ordering::SeqCst);
    journal.close().unwrap();
    let next = lines(&text(journal.path(), 2));
    let counts: Vec<_> = next.iter().filter_map(|line| line["count"].as_u64()).collect();
    assert_eq!((counts, metrics.refusals_dropped()), (vec![2], 0));
}

#[tokio::test]
async fn a_flood_of_unproved_callers_takes_no_place_of_an_intent() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = JournalMetrics::default();
    let options = options(dir.path(), Durability::Written, 1);
    let journal = FileJournal::open(options, Arc::new(Still), metrics.clone()).unwrap();
    let count = 20_000_u32;
    for number in 0..count {
        let address = std::net::Ipv4Addr::from_bits(number).to_string();
        refuse_unproved(&journal, &address, "A");
    }
    journal.sum_up();
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    journal.close().unwrap();
    let refusals = refusals(&journal);
    let summed: u64 = refusals.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!((summed, metrics.refusals_dropped()), (count.into(), 0));
    assert!(refusals.len() < 5000 && refusals.iter().any(|line| line["peer"] == "other"));
}

/// How many calls find room in a small journal, with or without a flood of unproved callers before them.
async fn calls_that_fit(flood: bool) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let bounded = Options {
        retain: crate::Retain { time: Duration::MAX, bytes: 512 << 10 },
        ..options(dir.path(), Durability::Written, 100)
    };
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open(bounded, Arc::new(Still), metrics.clone()).unwrap();
    let mut calls = 0;
    // Minutes, whose sums are more than the whole journal could hold.
    for minute in 0..20 {
        for number in 0..if flood { 4_000_u32 } else { 0 } {
            let address = std::net::Ipv4Addr::from_bits(minute * 4_000 + number).to_string();
            refuse_unproved(&journal, &address, "A");
        }
        journal.sum_up();
        let ticket = intend(&journal).await.unwrap();
        journal.settle(ticket, &outcome()).await.unwrap();
        calls += 1;
    }
    while let Ok(ticket) = intend(&journal).await {
        journal.settle(ticket, &outcome()).await.unwrap();
        calls += 1;
    }
    assert_eq!(metrics.refusals_dropped(), 0, "what found no room goes on growing");
    calls
}

#[tokio::test]
async fn a_flood_of_unproved_callers_takes_a_sixteenth_of_the_room_of_calls_and_no_more() {
    let (without, with) = (calls_that_fit(false).await, calls_that_fit(true).await);
    assert!(without > 200, "{without}");
    assert!(with < without, "the flood is on record: {with} of {without}");
    assert!(with + without.div_ceil(16) + 1 >= without, "{with} of {without}");
}
