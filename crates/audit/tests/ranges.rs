//! A part of a journal is verified by itself: what lies outside of it is neither read nor judged.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{fs, path::Path};

use esbgate_audit::{
    Journal,
    testing::{Sample, Writer},
    verify::{Asked, Edge, Fault, Report, Verdict, verify},
};
use serde_json::Value;

/// Several segments over two boots, with a checkpoint after each tenth call.
fn journal(dir: &Path) {
    let mut writer = Writer::new(dir, 12_000).unwrap();
    for n in 0..60 {
        writer.call(&Sample::of(n)).unwrap();
        if n % 10 == 9 {
            writer.checkpoint().unwrap();
        }
        if n == 29 {
            writer.stop().unwrap();
            writer.start().unwrap();
        }
    }
    writer.stop().unwrap();
}

fn part(dir: &Path, from: Option<Edge>, to: Option<Edge>) -> Report {
    let asked = Asked { from, to, ..Asked::default() };
    verify(&Journal::open(dir).unwrap(), &asked, &mut |_| {}).unwrap()
}

/// The records of each segment.
fn records(dir: &Path) -> Vec<Vec<Value>> {
    let segments = Journal::open(dir).unwrap().segments().unwrap();
    let read =
        |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    segments.iter().map(|one| read(fs::read_to_string(one.plain()).unwrap())).collect()
}

fn seq(record: &Value) -> u64 {
    record["seq"].as_u64().unwrap()
}

/// Changes a record and nothing of its hash.
fn spoil(dir: &Path, segment: usize) {
    let path = Journal::open(dir).unwrap().segments().unwrap()[segment].plain();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replacen("\"outcome\":\"", "\"outcome\":\"x", 1)).unwrap();
}

#[test]
fn a_range_is_whole_segments_from_its_beginning_and_ends_with_the_first_checkpoint_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path());
    let all = records(folder.path());
    assert!(all.len() > 5, "{}", all.len());
    let flat: Vec<&Value> = all.iter().flatten().collect();
    for (from, to) in [(1, 20), (25, 60), (40, 41), (70, 100)] {
        let time = |seq: u64| flat[usize::try_from(seq).unwrap() - 1]["time"].as_str().unwrap();
        let begin = all.iter().map(|segment| seq(&segment[0])).filter(|first| *first <= from).max();
        let end = flat.iter().find(|one| seq(one) >= to && one["kind"] == "checkpoint").unwrap();
        let edges: [fn(u64, &str) -> Edge; 2] =
            [|seq, _| Edge::Seq(seq), |_, time| Edge::Time(time.parse().unwrap())];
        for edge in edges {
            let report =
                part(folder.path(), Some(edge(from, time(from))), Some(edge(to, time(to))));
            assert_eq!(report.verdict, Verdict::Whole, "{from} {to} {report:?}");
            assert_eq!(report.last_seq, Some(seq(end)), "{from} {to}");
            // By time the segment that begins at that very time may be the one, or the one before.
            assert!(report.first_seq <= begin.max(Some(1)), "{from} {report:?} {begin:?}");
        }
        let report = part(folder.path(), Some(Edge::Seq(from)), None);
        assert_eq!((report.verdict, report.first_seq), (Verdict::Whole, begin), "{from}");
    }
}

#[test]
fn a_fault_is_found_within_the_range_and_not_outside_of_it() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path());
    let all = records(folder.path());
    let middle = all.len() / 2;
    spoil(folder.path(), middle);
    let (first, next) = (seq(&all[middle][0]), seq(&all[middle + 1][0]));
    let found = |from: Option<u64>, to: Option<u64>| {
        part(folder.path(), from.map(Edge::Seq), to.map(Edge::Seq)).finding.map(|one| one.fault)
    };
    assert_eq!(found(None, None), Some(Fault::Changed));
    assert_eq!(found(Some(first), Some(first + 1)), Some(Fault::Changed));
    assert_eq!(found(Some(next), None), None);
    // Up to a checkpoint that lies before it.
    let before = all[..middle].iter().flatten().rfind(|one| one["kind"] == "checkpoint").unwrap();
    assert_eq!(found(None, Some(seq(before))), None);
}

#[test]
fn an_edge_is_a_number_or_a_time_with_its_zone() {
    assert_eq!("17".parse(), Ok(Edge::Seq(17)));
    let time = "2027-01-01T00:00Z".parse().unwrap();
    assert_eq!("2027-01-01T08:00+08:00".parse(), Ok(Edge::Time(time)));
    for other in ["", "-1", "2027-01-01", "2027-01-01T00:00", "yesterday"] {
        assert!(other.parse::<Edge>().is_err(), "{other}");
    }
}
