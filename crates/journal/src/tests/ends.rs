//! How a journal ends and goes on: chain, witness, torn ends, rotation, bounds, what others do to it.

use esbgate_core::{Tampered, Unrecorded};

use super::*;
use crate::{Mode, OpenError, Retain, Rotation, chain, recovery, seal, witness};

/// Every line of a journal, in its order, with its chain held to the page: numbers, hashes, signatures.
fn proved(dir: &Path) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for boot in recovery::boots(&dir.join("journal")) {
        let folder = dir.join("journal").join(&boot);
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            for line in fs::read_to_string(file).unwrap().lines() {
                let record = record(line);
                let text = |name: &str| record[name].as_str().unwrap();
                let (hashed, _) = line.rsplit_once(",\"hash\":\"").unwrap();
                assert_eq!(text("hash").as_bytes(), chain::hash(hashed.as_bytes()));
                if let Some(before) = all.last() {
                    assert_eq!(record["prev"], before["hash"], "{line}");
                    assert_eq!(record["seq"], before["seq"].as_u64().unwrap() + 1);
                }
                if record["kind"] == "checkpoint" {
                    let (node, prev, seq) = (text("node"), text("prev"), &record["seq"]);
                    let signed = format!("esbgate-checkpoint-2\n{node}\n{boot}\n{seq}\n{prev}\n");
                    assert!(seal::verifies(text("public_key"), &signed, text("signature")));
                }
                all.push(record);
            }
        }
    }
    all
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["kind"].as_str().unwrap()).collect()
}

/// Leaves a journal as a kill would, its last record an intent; gives its only segment.
async fn killed(dir: &Path) -> std::path::PathBuf {
    let journal = open(dir);
    let _ticket = intend(&journal).await.unwrap();
    let segment = journal.path().join("00000001.jsonl");
    let text = fs::read(&segment).unwrap();
    let head = fs::read(dir.join("journal/HEAD")).unwrap();
    journal.close().unwrap();
    fs::write(&segment, text).unwrap();
    fs::write(dir.join("journal/HEAD"), head).unwrap();
    segment
}

#[tokio::test]
async fn a_chain_goes_on_over_starts_and_head_names_its_last_record() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let journal = open(dir.path());
        let ticket = intend(&journal).await.unwrap();
        journal.settle(ticket, &outcome()).await.unwrap();
        journal.close().unwrap();
    }
    let all = proved(dir.path());
    let one = ["start", "checkpoint", "intent", "outcome", "checkpoint", "stop"];
    assert_eq!(kinds(&all), one.repeat(3));
    assert_eq!((&all[0]["seq"], &all[0]["predecessor"]), (&1.into(), &Value::Null));
    let head = witness::read(&dir.path().join("journal/HEAD")).unwrap().unwrap();
    let last = all.last().unwrap();
    assert_eq!((head.seq, &head.hash), (18, &last["hash"].as_str().unwrap().to_owned()));
    assert!(all.iter().all(|record| record["kind"] != "repair"));
}

#[tokio::test]
async fn an_end_that_is_torn_at_any_byte_is_cut_and_said_and_nothing_else_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let segment = killed(dir.path()).await;
    let text = fs::read(&segment).unwrap();
    let from = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let own = tempfile::tempdir().unwrap();
    let journal = own.path().join("journal");
    let there = own.path().join(segment.strip_prefix(dir.path()).unwrap());
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    let head = fs::read(dir.path().join("journal/HEAD")).unwrap();
    fs::write(journal.join("HEAD"), head).unwrap();
    for at in from..=text.len() {
        fs::write(&there, &text[..at]).unwrap();
        let recover = || recovery::recover(&journal, witness::read(&journal.join("HEAD")));
        let found = recover();
        assert_eq!(recover().repairs, found.repairs, "nothing is cut before that is on record");
        found.torn.iter().for_each(|(segment, kept)| recovery::cut(segment, *kept).unwrap());
        let torn = at > from && at < text.len();
        let cut: Vec<_> =
            found.repairs.iter().map(|one| (one.at, one.bytes, one.sha256.clone())).collect();
        let sha256 = esbgate_model::sha256_hex(&text[from..at]);
        let expected = torn.then(|| (from as u64, (at - from) as u64, Some(sha256)));
        assert_eq!(cut, expected.into_iter().collect::<Vec<_>>(), "{at}");
        let whole = if at == text.len() { at } else { from };
        assert_eq!(fs::read(&there).unwrap(), text[..whole], "{at}");
        assert_eq!((found.open.len(), found.unread), (usize::from(!torn && at > from), false));
    }
    fs::write(&there, &text[..text.len() - 1]).unwrap();
    open(own.path()).close().unwrap();
    let all = proved(own.path());
    assert_eq!(all.iter().filter(|record| record["kind"] == "repair").count(), 1);
}

#[tokio::test]
async fn an_open_intent_is_closed_as_unknown_once_with_its_request() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path()).await;
    for _ in 0..2 {
        open(dir.path()).close().unwrap();
    }
    let all = proved(dir.path());
    let closed: Vec<_> = all.iter().filter(|record| record["kind"] == "outcome").collect();
    let [closed] = &closed[..] else { panic!("{closed:?}") };
    assert_eq!((&closed["intent"], &closed["request_id"]), (&3.into(), &"r".into()));
    assert_eq!((&closed["executed"], &closed["outcome"]), (&"unknown".into(), &"unknown".into()));
}

#[tokio::test]
async fn records_that_head_has_seen_and_that_are_gone_stay_missing_and_plain() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let segment = journal.path().join("00000001.jsonl");
    journal.close().unwrap();
    fs::write(&segment, "").unwrap();
    let metrics = JournalMetrics::default();
    let options = options(dir.path(), Durability::Synced, 100);
    let journal = FileJournal::open(options, Arc::new(Still), metrics).unwrap();
    let lines = lines(&text(journal.path(), 1));
    assert_eq!((&lines[0]["seq"], &lines[0]["predecessor"]["seq"]), (&5.into(), &4.into()));
    assert_eq!((&lines[1]["kind"], &lines[1]["bytes"]), (&"repair".into(), &0.into()));
    assert!(lines[1]["reason"].as_str().unwrap().contains("missing"), "{lines:?}");
}

#[tokio::test]
async fn a_record_that_was_changed_is_left_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let segment = killed(dir.path()).await;
    let changed =
        fs::read_to_string(&segment).unwrap().replace("\"host_runs\":1", "\"host_runs\":2");
    fs::write(&segment, &changed).unwrap();
    let next = open(dir.path());
    assert_eq!(fs::read_to_string(&segment).unwrap(), changed);
    let lines = lines(&text(next.path(), 1));
    assert_eq!((&lines[1]["kind"], &lines[1]["segment"]), (&"repair".into(), &1.into()));
    assert!(lines[1]["reason"].as_str().unwrap().contains("changed"), "{lines:?}");
}

#[test]
fn a_folder_has_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let again = || {
        let options = options(dir.path(), Durability::Written, 1);
        FileJournal::open(options, Arc::new(Still), JournalMetrics::default())
    };
    assert!(matches!(again().unwrap_err(), OpenError::Taken(_)));
    first.close().unwrap();
    again().unwrap().close().unwrap();
}

#[tokio::test]
async fn segments_are_closed_by_size_and_the_oldest_are_removed_once_that_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        rotation: Rotation { bytes: 4 << 10, time: Duration::from_secs(3600) },
        retain: Retain { time: Duration::MAX, bytes: 48 << 10 },
        ..options(dir.path(), Durability::Written, 100)
    };
    let mut all = Vec::new();
    // The removal is a thread's own business, so it is due by some start and not by a certain one.
    for _ in 0..40 {
        let journal =
            FileJournal::open(small.clone(), Arc::new(Still), JournalMetrics::default()).unwrap();
        for _ in 0..3 {
            if let Ok(ticket) = intend(&journal).await {
                journal.settle(ticket, &outcome()).await.unwrap();
            }
        }
        journal.close().unwrap();
        all = proved(dir.path());
        if all[0]["seq"] != 1 {
            break;
        }
    }
    let removed = all.iter().rfind(|record| record["kind"] == "retention").unwrap();
    let last = removed["segments"].as_array().unwrap().last().unwrap();
    assert_eq!((&removed["cause"], &all[0]["prev"]), (&"size".into(), &last["last_hash"]));
    assert!(all.iter().any(|record| record["kind"] == "intent"));
}

#[tokio::test]
async fn at_the_bound_intents_are_refused_and_admins_and_outcomes_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let bounded = Options {
        retain: Retain { time: Duration::MAX, bytes: 32 << 10 },
        ..options(dir.path(), Durability::Written, 100)
    };
    let journal = FileJournal::open(bounded, Arc::new(Still), JournalMetrics::default()).unwrap();
    let mut tickets = Vec::new();
    while let Ok(ticket) = intend(&journal).await {
        tickets.push(ticket);
    }
    assert!(tickets.len() > 5 && tickets.len() < 100 && !journal.writable(), "{}", tickets.len());
    let peer = AdminPeer { uid: 0, gid: 0, pid: None };
    let admin = AdminRecord { operation: "freeze", arguments: &[], peer, result: "done" };
    journal.admin(&admin).await.unwrap();
    for ticket in tickets {
        journal.settle(ticket, &outcome()).await.unwrap();
    }
    journal.close().unwrap();
    proved(dir.path());
}

#[tokio::test]
async fn best_effort_goes_on_without_records_and_says_what_is_on_none() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(true));
    let (reader, open) = pipe_first(Arc::clone(&broken));
    let options =
        Options { mode: Mode::BestEffort, ..options(dir.path(), Durability::Written, 100) };
    let journal =
        FileJournal::open_with(options, Arc::new(Still), JournalMetrics::default(), open).unwrap();
    drop(reader);
    let ticket = intend(&journal).await.unwrap();
    assert!(journal.takes_calls() && !journal.writable());
    journal.settle(ticket, &outcome()).await.unwrap();
    broken.store(false, Ordering::SeqCst);
    journal.close().unwrap();
    let lines = lines(&text(journal.path(), 2));
    let loss = lines.iter().find(|line| line["kind"] == "loss").unwrap();
    assert_eq!((&loss["intents"], &loss["outcomes"]), (&1.into(), &0.into()));
    let late = lines.iter().find(|line| line["kind"] == "outcome").unwrap();
    assert_eq!((&late["intent"], &late["request_id"]), (&Value::Null, &"r".into()));
    assert_eq!(Unrecorded::ALL.len(), 3);
}

#[tokio::test]
async fn what_others_do_to_segments_is_on_record_at_the_latest_when_the_journal_stops() {
    for what in Tampered::ALL {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        let segment = journal.path().join("00000001.jsonl");
        match what {
            Tampered::Removed => fs::remove_file(&segment).unwrap(),
            Tampered::Moved => fs::rename(&segment, dir.path().join("elsewhere")).unwrap(),
            Tampered::Truncated => fs::write(&segment, "").unwrap(),
            Tampered::ReadOnly => {
                fs::set_permissions(&segment, fs::Permissions::from_mode(0o440)).unwrap();
            }
            Tampered::Changed => {
                let text = fs::read(&segment).unwrap().repeat(2);
                fs::write(&segment, text).unwrap();
            }
        }
        journal.close().unwrap();
        let lines = lines(&text(journal.path(), 2));
        let noticed = (&lines[0]["what"], &lines[0]["segment"]);
        assert_eq!(noticed, (&what.as_str().into(), &1.into()));
        assert!(intend(&journal).await.is_err());
    }
}

#[tokio::test]
async fn a_pipe_in_the_place_of_the_next_segment_refuses_intents_until_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options {
        rotation: Rotation { bytes: 1, time: Duration::from_secs(3600) },
        ..options(dir.path(), Durability::Written, 100)
    };
    let journal = FileJournal::open(small, Arc::new(Still), JournalMetrics::default()).unwrap();
    let pipe = journal.path().join("00000002.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert_eq!(intend(&journal).await.unwrap_err(), JournalDown);
    fs::remove_file(&pipe).unwrap();
    assert!(intend(&journal).await.is_ok());
}
