//! What anybody does to a journal is found, and its place is named; what nobody touched is whole.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{collections::BTreeMap, fs, path::Path};

use esbgate_audit::{
    Head, Journal, Sealed,
    testing::{Sample, Writer, seal},
    verify::{Asked, Fault, Report, Verdict, verify},
};
use fastrand::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Mutations of each of the four tests.
const CASES: u64 = 2500;

/// The lines of each segment, by its path from the journal's folder on.
type Text = BTreeMap<String, Vec<u8>>;

fn read(dir: &Path) -> Text {
    let segments = Journal::open(dir).unwrap().segments().unwrap();
    let read = |path: &Path| {
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        (name, fs::read(path).unwrap())
    };
    segments.iter().map(|one| read(&one.plain())).collect()
}

/// Three boots of several segments each, with checkpoints, one killed boot, and what retention left of the beginning.
fn original(dir: &Path) {
    let mut writer = Writer::new(dir, 6000).unwrap();
    let mut n = 0;
    let mut some = |writer: &mut Writer, calls: u64| {
        for _ in 0..calls {
            writer.call(&Sample::of(n)).unwrap();
            n += 1;
        }
    };
    some(&mut writer, 5);
    writer.checkpoint().unwrap();
    some(&mut writer, 3);
    let first = writer.rotate().unwrap();
    some(&mut writer, 3);
    writer.checkpoint().unwrap();
    let open = Sample::of(777);
    let intent = writer.intent(&open).unwrap();
    writer.start().unwrap();
    writer.outcome(intent, &Sample { outcome: "unknown", ..open }).unwrap();
    some(&mut writer, 5);
    let removed = first.with_file_name("00000001.jsonl");
    writer.retention(std::slice::from_ref(&removed)).unwrap();
    fs::remove_file(removed).unwrap();
    writer.stop().unwrap();
    writer.start().unwrap();
    some(&mut writer, 6);
    writer.stop().unwrap();
}

fn verified(dir: &Path, witness: &Path) -> Report {
    let asked = Asked { witness: Some(witness.to_owned()), ..Asked::default() };
    verify(&Journal::open(dir).unwrap(), &asked, &mut |_| {}).unwrap()
}

/// Each line with its file and its number in it; without filler at the very end.
fn flat(text: &Text) -> Vec<(String, u64, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, bytes) in text {
        for (n, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            all.push((name.clone(), n as u64 + 1, line.to_vec()));
        }
    }
    let last = text.keys().next_back().cloned().unwrap();
    while all.last().is_some_and(|(name, _, line)| *name == last && line == b"\n") {
        all.pop();
    }
    all
}

/// The first line that differs from the original.
fn first_difference(before: &Text, after: &Text) -> Option<usize> {
    let (before, after) = (flat(before), flat(after));
    let same = before.iter().zip(&after).take_while(|(a, b)| a.2 == b.2).count();
    (same < before.len() || same < after.len()).then_some(same)
}

fn pick(text: &Text, random: &mut Rng) -> String {
    random.choice(text.keys()).unwrap().clone()
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// One change by somebody who does not know of hashes; says what it was.
fn mutate(text: &mut Text, random: &mut Rng) -> &'static str {
    let name = pick(text, random);
    let other = pick(text, random);
    let bytes = text.get_mut(&name).unwrap();
    match random.u8(0..9) {
        0 | 1 => {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
            "flip"
        }
        2 => {
            let mut all = lines(bytes);
            let at = random.usize(..all.len());
            let until = random.usize(at + 1..=all.len());
            all.drain(at..until.min(at + 3));
            *bytes = all.concat();
            "delete"
        }
        3 => {
            let mut all = lines(bytes);
            let new = match random.u8(0..4) {
                0 => b"\n".to_vec(),
                1 => b"{\"v\":2,\"seq\":7}\n".to_vec(),
                _ => random.choice(&all).unwrap().clone(),
            };
            all.insert(random.usize(..=all.len()), new);
            *bytes = all.concat();
            "insert"
        }
        4 => {
            let mut all = lines(bytes);
            let (a, b) = (random.usize(..all.len()), random.usize(..all.len()));
            all.swap(a, b);
            *bytes = all.concat();
            "swap"
        }
        5 => {
            bytes.truncate(random.usize(..bytes.len()));
            "truncate"
        }
        6 => {
            let (a, b) = (text[&name].clone(), text[&other].clone());
            text.insert(name, b);
            text.insert(other, a);
            "reorder"
        }
        7 => {
            text.remove(&name);
            "remove a segment"
        }
        _ => {
            let at = random.usize(..bytes.len());
            let until = (at + random.usize(1..40)).min(bytes.len());
            let new: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(32..127)).collect();
            bytes.splice(at..until, new);
            "overwrite"
        }
    }
}

/// What the mutation may be called.
fn fits(kind: &str, fault: Fault) -> bool {
    let cut = [Fault::Removed, Fault::CutBetweenSegments, Fault::TailCut, Fault::BeginningCut];
    match kind {
        "flip" | "overwrite" => {
            fault != Fault::Swapped && fault != Fault::Orphan && fault != Fault::OtherKey
        }
        "delete" | "remove a segment" => cut.contains(&fault),
        "insert" => [Fault::Inserted, Fault::Changed, Fault::BeginningCut].contains(&fault),
        "swap" | "reorder" => [Fault::Swapped, Fault::BeginningCut].contains(&fault),
        "truncate" => cut.contains(&fault) || fault == Fault::Truncated,
        _ => false,
    }
}

/// A journal to change, and its witness elsewhere.
struct Bench {
    folder: TempDir,
    _elsewhere: TempDir,
    witness: std::path::PathBuf,
    text: Text,
}

impl Bench {
    fn new() -> Self {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        original(folder.path());
        let witness = elsewhere.path().join("HEAD");
        fs::copy(folder.path().join("HEAD"), &witness).unwrap();
        let text = read(folder.path());
        assert!(text.len() >= 5 && flat(&text).len() > 35);
        assert_eq!(verified(folder.path(), &witness).verdict, Verdict::Whole);
        Self { folder, _elsewhere: elsewhere, witness, text }
    }

    /// The report on the journal as it would be with this text.
    fn report(&self, text: &Text) -> Report {
        let changed = text.iter().filter(|(name, bytes)| self.text.get(*name) != Some(*bytes));
        for (name, bytes) in changed {
            fs::write(self.folder.path().join(name), bytes).unwrap();
        }
        for name in self.text.keys().filter(|name| !text.contains_key(*name)) {
            fs::remove_file(self.folder.path().join(name)).unwrap();
        }
        let report = verified(self.folder.path(), &self.witness);
        for (name, bytes) in &self.text {
            if text.get(name) != Some(bytes) {
                fs::write(self.folder.path().join(name), bytes).unwrap();
            }
        }
        report
    }
}

fn every_mutation_is_found(seed: u64) {
    let bench = Bench::new();
    let mut kinds = BTreeMap::<_, u32>::new();
    for case in 0..CASES {
        let mut random = Rng::with_seed(seed + case);
        let mut text = bench.text.clone();
        let kind = mutate(&mut text, &mut random);
        let Some(place) = first_difference(&bench.text, &text) else { continue };
        *kinds.entry(kind).or_default() += 1;
        let report = bench.report(&text);
        let told = || format!("case {case}, {kind}: {report:#?}");
        assert_eq!(report.verdict, Verdict::Problem, "{}", told());
        let finding = report.finding.as_ref().unwrap();
        assert!(fits(kind, finding.fault), "{}", told());
        let after = flat(&text);
        match after.get(place) {
            Some((file, line, _)) => {
                let at = (&finding.place.file, finding.place.line);
                assert_eq!(at, (file, *line), "{}", told());
            }
            None => assert_eq!(finding.fault, Fault::TailCut, "{}", told()),
        }
    }
    assert!(kinds.len() == 8 && kinds.values().all(|&count| count > 50), "{kinds:?}");
}

#[test]
fn each_of_2500_mutations_is_found_and_its_first_line_named() {
    every_mutation_is_found(1_000_000);
}

#[test]
fn each_of_2500_others_is_found_and_its_first_line_named() {
    every_mutation_is_found(2_000_000);
}

/// All hashes and numbers made anew from the text on, as somebody can who may write files but lacks the key.
fn rechained(text: &Text) -> Text {
    let mut last: Option<(u64, [u8; 32], String)> = None;
    let mut done = Text::new();
    for (name, bytes) in text {
        let mut out = Vec::new();
        for line in lines(bytes) {
            let line = String::from_utf8(line).unwrap();
            let head = Head::read(line.as_bytes()).unwrap();
            let (seq, kind) = (head.seq, head.kind.to_string());
            let boot = name.split('/').next().unwrap();
            let own = Sealed::read(line.trim_end().as_bytes()).unwrap();
            let (new_seq, prev) = last.as_ref().map_or((seq, own.prev), |(s, h, _)| (s + 1, *h));
            let (body, _) = line.rsplit_once(",\"prev\":").unwrap();
            let mut body = body
                .replacen(&format!("\"seq\":{seq},"), &format!("\"seq\":{new_seq},"), 1)
                .replacen(
                    &format!("\"boot\":\"{}\"", head.boot),
                    &format!("\"boot\":\"{boot}\""),
                    1,
                );
            if let (Some((s, h, b)), "start") = (&last, kind.as_str()) {
                let value: Value = serde_json::from_str(line.trim_end()).unwrap();
                let named = value["predecessor"].to_string();
                let new = serde_json::json!({"boot": b, "seq": s, "hash": esbgate_model::hex(h)});
                body = body.replacen(&named, &new.to_string(), 1);
            }
            let hash = seal(&mut body, &prev);
            last = Some((new_seq, hash, boot.to_owned()));
            out.extend(body.into_bytes());
            out.push(b'\n');
        }
        done.insert(name.clone(), out);
    }
    done
}

/// One change of whole records by somebody who then makes the hashes anew.
fn forge(text: &mut Text, random: &mut Rng) -> &'static str {
    let name = pick(text, random);
    let mut all = lines(&text[&name]);
    let kind = match random.u8(0..6) {
        0 | 1 => {
            let at = random.usize(..all.len());
            let line = String::from_utf8(all[at].clone()).unwrap();
            let (from, to) = if line.contains("\"user\":\"") {
                ("\"user\":\"", "\"user\":\"x")
            } else {
                ("Z\",\"node\"", "1Z\",\"node\"")
            };
            all[at] = line.replacen(from, to, 1).into_bytes();
            "change"
        }
        2 => {
            all.remove(random.usize(..all.len()));
            "delete"
        }
        3 => {
            let new = random.choice(&all).unwrap().clone();
            all.insert(random.usize(..=all.len()), new);
            "insert"
        }
        4 => {
            let (a, b) = (random.usize(..all.len()), random.usize(..all.len()));
            all.swap(a, b);
            "swap"
        }
        _ => {
            all.truncate(random.usize(..all.len()));
            "truncate"
        }
    };
    text.insert(name, all.concat());
    kind
}

fn every_forgery_is_found(seed: u64) {
    let bench = Bench::new();
    let all = flat(&bench.text);
    let seq = |line: Option<&(String, u64, Vec<u8>)>| Head::read(&line.unwrap().2).unwrap().seq;
    let (first, last) = (seq(all.first()), seq(all.last()));
    let mut kinds = BTreeMap::<_, u32>::new();
    for case in 0..CASES {
        let mut random = Rng::with_seed(seed + case);
        let mut text = bench.text.clone();
        let kind = forge(&mut text, &mut random);
        let text = rechained(&text);
        let Some(place) = first_difference(&bench.text, &text) else { continue };
        *kinds.entry(kind).or_default() += 1;
        let report = bench.report(&text);
        let told = || format!("case {case}, {kind}, at {}: {report:#?}", first + place as u64);
        let seq = first + place as u64;
        if seq == last + 1 && report.verdict != Verdict::Problem {
            // What stands after all that the witness knows is told apart, never called whole.
            assert_eq!(report.verdict, Verdict::UnwitnessedTail, "{}", told());
            assert_eq!((report.witnessed_seq, report.tail), (Some(last), 1), "{}", told());
            continue;
        }
        assert_eq!(report.verdict, Verdict::Problem, "{}", told());
        // It lies after what is good, and no later than where it shows.
        let finding = report.finding.as_ref().unwrap();
        let good = finding.good.as_ref().and_then(|good| good.seq);
        assert!(good.is_none_or(|good| good < seq), "{}", told());
        assert!(finding.place.seq.unwrap() >= seq, "{}", told());
        // The next checkpoint at the latest: there are never more than 16 records between two.
        assert!(finding.place.seq.unwrap() <= seq + 16, "{}", told());
    }
    assert!(kinds.len() == 5 && kinds.values().all(|&count| count > 50), "{kinds:?}");
}

#[test]
fn each_of_2500_forgeries_with_new_hashes_is_found_and_enclosed() {
    every_forgery_is_found(3_000_000);
}

#[test]
fn each_of_2500_other_forgeries_with_new_hashes_is_found_and_enclosed() {
    every_forgery_is_found(4_000_000);
}

#[test]
fn a_repair_that_is_about_the_witness_and_no_segment_is_no_fault() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::new(dir.path(), 4000).unwrap();
    let reason = "HEAD cannot be read";
    let members = json!({"of_boot": null, "segment": null, "at": 0, "bytes": 0, "sha256": null, "reason": reason});
    writer.record("repair", &members).unwrap();
    writer.stop().unwrap();
    let report = verified(dir.path(), &dir.path().join("HEAD"));
    assert_eq!((report.verdict, report.finding), (Verdict::Whole, None));
}
