//! Answers are the same with and without sidecars, and whatever lies in them is judged in the segments.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{fs, path::Path};

use esbgate_audit::{
    Journal, archive, call_event, export, index,
    query::{Host, Query, Tally, query},
    testing::{Sample, Writer},
    verify::{Asked, Verdict, verify},
};
use tempfile::TempDir;

fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = (0..3000).map(Sample::of).collect();
    all[70].hosts = (0..1200).map(|n| format!("0:10.9.{}.{}", n / 250, n % 250)).collect();
    all[80].groups = 2;
    all[90].host_ids = vec![42];
    all
}

/// A journal of several segments, of which the closed ones are compressed; the last call is open.
fn journal(dir: &Path) -> Vec<Sample> {
    let all = samples();
    let mut writer = Writer::new(dir, 1_500_000).unwrap();
    let mut waiting = None;
    for (n, sample) in all.iter().enumerate() {
        let seq = writer.intent(sample).unwrap();
        // The outcome comes after the next intent, so some come a segment later.
        if let Some((seq, before)) = waiting.replace((seq, sample)) {
            writer.outcome(seq, before).unwrap();
        }
        if n % 500 == 0 {
            writer.checkpoint().unwrap();
        }
    }
    writer.head().unwrap();
    let journal = Journal::open(dir).unwrap();
    for segment in journal.segments().unwrap().iter().rev().skip(1) {
        let plain = fs::read(segment.plain()).unwrap();
        let archived = archive::close(&segment.plain()).unwrap();
        assert_eq!(zstd::decode_all(fs::File::open(archived.path).unwrap()).unwrap(), plain);
        assert!(!segment.plain().exists() && archived.bytes < archived.plain_bytes / 2);
        assert!(index::is_current(segment));
    }
    all
}

/// The request ids that are found, the tally, and how many indexes had to be made.
fn found(dir: &Path, asked: &Query) -> (Vec<String>, Tally, usize) {
    let mut ids = Vec::new();
    let mut made = 0;
    let journal = Journal::open(dir).unwrap();
    let tally = query(&journal, asked, &mut |_, _| made += 1, &mut |call| {
        assert_eq!(call.outcome.is_none(), call.outcome() == "open");
        ids.push(call.text("request_id").to_owned());
        Ok(())
    });
    (ids, tally.unwrap(), made)
}

fn expected(all: &[Sample], matches: impl Fn(&Sample) -> bool) -> Vec<String> {
    all.iter().rev().filter(|one| matches(one)).map(|one| one.request_id.clone()).collect()
}

/// The keyed hash that the sample has on record for its token.
fn hmac(sample: &Sample) -> String {
    esbgate_model::sha256_hex(sample.request_id.as_bytes())
}

/// All questions with what they should find.
fn questions(all: &[Sample]) -> Vec<(Query, Vec<String>)> {
    let host = |text: &str| Query { host: Some(text.parse().unwrap()), ..Query::default() };
    let one = all[123].hosts[0].split(':').nth(1).unwrap();
    let told = |one: &Sample| one.groups == 0 && one.hosts.len() <= 1000;
    let last = all.last().unwrap().request_id.clone();
    vec![
        (Query::default(), expected(all, |_| true)),
        (
            Query { app: Some("app7".into()), ..Query::default() },
            expected(all, |one| one.app == "app7"),
        ),
        (
            Query { user: Some("user9".into()), business: Some(3), ..Query::default() },
            expected(all, |one| one.user == "user9" && one.business == 3),
        ),
        (host(one), expected(all, |s| told(s) && s.hosts.iter().any(|h| h == &format!("0:{one}")))),
        (
            host("10.2.0.0/16"),
            expected(all, |s| {
                (told(s) || s.groups > 0) && s.hosts.iter().any(|h| h.starts_with("0:10.2."))
            }),
        ),
        (host("42"), expected(all, |one| one.host_ids == [42])),
        (
            Query { outcome: Some("failed".into()), app: Some("app1".into()), ..Query::default() },
            expected(all, |s| s.outcome == "failed" && s.app == "app1" && s.request_id != last),
        ),
        (Query { outcome: Some("open".into()), ..Query::default() }, vec![last.clone()]),
        (Query { job: all[500].job, ..Query::default() }, vec![all[500].request_id.clone()]),
        (
            Query { request_id: Some(all[7].request_id.clone()), ..Query::default() },
            vec![all[7].request_id.clone()],
        ),
        (Query { app: Some("nobody".into()), ..Query::default() }, vec![]),
        (
            Query {
                hmacs: vec![hmac(&all[7]), hmac(&all[2900]), "00".repeat(32)],
                ..Query::default()
            },
            vec![all[2900].request_id.clone(), all[7].request_id.clone()],
        ),
        (Query { hmacs: vec!["00".repeat(32)], ..Query::default() }, vec![]),
    ]
}

#[test]
fn every_question_finds_what_was_written_newest_first() {
    let folder = TempDir::new().unwrap();
    let all = journal(folder.path());
    assert!(Journal::open(folder.path()).unwrap().segments().unwrap().len() >= 3);
    for (asked, wanted) in questions(&all) {
        let (ids, tally, made) = found(folder.path(), &asked);
        assert_eq!((ids.len(), made), (wanted.len(), 0), "{asked:?}");
        assert_eq!(ids, wanted, "{asked:?}");
        assert_eq!((tally.calls, tally.more), (wanted.len(), false));
    }
}

#[test]
fn what_cannot_be_told_of_a_host_is_counted() {
    let folder = TempDir::new().unwrap();
    journal(folder.path());
    let asked = Query { host: Some(Host::Id(42)), ..Query::default() };
    let (_, tally, _) = found(folder.path(), &asked);
    assert_eq!((tally.calls, tally.untold), (1, 2));
    let app = samples()[70].app.clone();
    let one = Query { app: Some(app), host: Some("10.9.0.1".parse().unwrap()), ..Query::default() };
    let (ids, tally, _) = found(folder.path(), &one);
    assert!(ids.is_empty() && tally.untold >= 1);
}

#[test]
fn a_limit_gives_the_newest_and_says_that_there_may_be_more() {
    let folder = TempDir::new().unwrap();
    let all = journal(folder.path());
    let asked = Query { limit: Some(5), ..Query::default() };
    let (ids, tally, _) = found(folder.path(), &asked);
    assert_eq!(ids, expected(&all, |_| true)[..5]);
    assert!(tally.more);
}

#[test]
fn a_sidecar_that_is_missing_stale_or_damaged_is_noticed_and_the_answers_are_the_same() {
    let folder = TempDir::new().unwrap();
    let all = journal(folder.path());
    let segments = Journal::open(folder.path()).unwrap().segments().unwrap();
    let (first, second) = (segments[0].index(), segments[1].index());
    let whole = fs::read(&first).unwrap();
    let stale = fs::read(&second).unwrap();
    for damage in [vec![], stale, whole[..whole.len() / 3].to_vec(), b"esbidx2\n".to_vec()] {
        fs::write(&first, damage).unwrap();
        let (asked, wanted) = questions(&all).swap_remove(1);
        let (ids, _, made) = found(folder.path(), &asked);
        assert_eq!((ids, made), (wanted, 1));
    }
    fs::remove_file(&first).unwrap();
    index::rebuild(&segments[0]).unwrap();
    for (asked, wanted) in questions(&all) {
        assert_eq!(
            found(folder.path(), &asked),
            (wanted.clone(), found(folder.path(), &asked).1, 0)
        );
    }
}

#[test]
fn a_damaged_page_of_a_sidecar_is_noticed_and_the_answers_are_the_same() {
    let folder = TempDir::new().unwrap();
    let all = journal(folder.path());
    let path = Journal::open(folder.path()).unwrap().segments().unwrap()[0].index();
    let whole = fs::read(&path).unwrap();
    let head = u64::from_le_bytes(whole[8..16].try_into().unwrap());
    let pages = 24 + usize::try_from(head).unwrap();
    let (asked, wanted) = questions(&all).swap_remove(1);
    let mut noticed = 0;
    // One byte of each kind of page at least.
    for part in 0..12 {
        let mut damaged = whole.clone();
        let at = pages + (whole.len() - pages - 1) * part / 11;
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let (ids, _, made) = found(folder.path(), &asked);
        assert_eq!(ids, wanted, "{at}");
        noticed += made;
    }
    // A page that the question does not need is not read.
    assert!((1..12).contains(&noticed), "{noticed}");
    fs::write(&path, &whole[..pages + 10]).unwrap();
    assert_eq!((found(folder.path(), &asked).0, found(folder.path(), &asked).2), (wanted, 1));
}

#[test]
fn a_compressed_journal_verifies_and_a_changed_byte_of_a_frame_is_found() {
    let folder = TempDir::new().unwrap();
    journal(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let whole = verify(&journal, &Asked::default(), &mut |_| {}).unwrap();
    assert_eq!(whole.verdict, Verdict::Whole, "{:?}", whole.finding);
    let path = journal.segments().unwrap()[1].archived();
    let bytes = fs::read(&path).unwrap();
    let plain = zstd::decode_all(&*bytes).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..40 {
        let mut changed = bytes.clone();
        let at = random.usize(..changed.len());
        changed[at] ^= 1 << random.u8(..8);
        fs::write(&path, &changed).unwrap();
        let report = verify(&journal, &Asked::default(), &mut |_| {}).unwrap();
        // Bits that zstd does not read change no record.
        let same = zstd::decode_all(&*changed).is_ok_and(|read| read == plain);
        assert_eq!(report.verdict == Verdict::Whole, same, "{at}");
    }
}

#[test]
fn an_export_has_each_call_once_and_an_event_names_what_the_audit_center_needs() {
    let folder = TempDir::new().unwrap();
    let all = journal(folder.path());
    let mut events = Vec::new();
    let journal = Journal::open(folder.path()).unwrap();
    let count = export::calls(&journal, None, None, &mut |call| {
        events.push(call_event(Some(&call.intent), call.outcome.as_ref()));
        Ok(())
    });
    assert_eq!((count.unwrap(), events.len()), (all.len() as u64, all.len()));
    for (event, sample) in events.iter().zip(&all) {
        assert_eq!(event["request_id"], sample.request_id);
        assert_eq!(event["username"], sample.user);
        assert!(event["start_time"].as_i64().unwrap() > 1_700_000_000_000);
        let needed = ["event_id", "username", "action_id"];
        assert!(needed.iter().all(|name| !event[name].as_str().unwrap().is_empty()));
    }
    let ids: std::collections::HashSet<_> =
        events.iter().map(|one| one["event_id"].to_string()).collect();
    assert_eq!(ids.len(), all.len());
}
