//! The reader, over rotation, boots, crashes and compression.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]

use std::{fs, io::Write as _, path::Path};

use esbgate_audit::{
    Cursor, Ending, Follow, Form, Head, Journal, Next,
    testing::{Sample, Writer},
};
use tempfile::TempDir;

/// Compresses a segment into frames, as a zstd tool would.
fn compress(plain: &Path, frames: usize) {
    let bytes = fs::read(plain).unwrap();
    let mut out = Vec::new();
    for part in bytes.chunks(bytes.len().div_ceil(frames)) {
        out.extend(zstd::encode_all(part, 3).unwrap());
    }
    fs::write(plain.with_extension("jsonl.zst"), out).unwrap();
    fs::remove_file(plain).unwrap();
}

fn filled(dir: &Path) -> Writer {
    filled_with(dir, 4000)
}

fn filled_with(dir: &Path, segment_bytes: u64) -> Writer {
    let mut writer = Writer::new(dir, segment_bytes).unwrap();
    for n in 0..20 {
        writer.call(&Sample::of(n)).unwrap();
    }
    writer.stop().unwrap();
    writer.start().unwrap();
    for n in 20..25 {
        writer.call(&Sample::of(n)).unwrap();
    }
    writer.flush().unwrap();
    writer
}

/// The numbers of all records, in the order in which they are read.
fn numbers(journal: &Journal) -> Vec<u64> {
    let mut all = Vec::new();
    for segment in journal.segments().unwrap() {
        let mut lines = segment.lines().unwrap();
        while let Some(line) = lines.read_line().unwrap() {
            assert_eq!(line.ending, Ending::Whole);
            all.push(Head::read(line.bytes).unwrap().seq);
        }
    }
    all
}

/// What follows until the end, as numbers; each time lines come again 0 stands between them.
fn followed(follow: &mut Follow) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        match follow.read_next().unwrap() {
            Next::Record(record) => all.push(record.head.unwrap().seq),
            Next::Again(_) => all.push(0),
            Next::End => return all,
        }
    }
}

#[test]
fn every_record_is_read_once_and_in_order_plain_and_compressed() {
    let folder = TempDir::new().unwrap();
    let writer = filled(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let all: Vec<u64> = (1..=writer.seq()).collect();
    assert_eq!(numbers(&journal), all);
    let segments = journal.segments().unwrap();
    assert!(segments.len() > 5);
    for (n, segment) in segments.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        // A frame may end within a line.
        compress(&segment.plain(), n + 1);
    }
    assert_eq!(numbers(&journal), all);
    let forms: Vec<Form> = journal.segments().unwrap().iter().map(|one| one.form()).collect();
    assert!(forms.contains(&Form::Plain) && forms.contains(&Form::Archived));
}

#[test]
fn a_segment_that_lies_there_in_both_forms_is_read_once_from_the_plain_one() {
    let folder = TempDir::new().unwrap();
    let writer = filled(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let first = journal.segments().unwrap().remove(0);
    fs::write(first.archived(), "half of a fra").unwrap();
    fs::write(first.archived().with_extension("tmp"), "x").unwrap();
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    fs::create_dir(first.plain().with_file_name("00000077.jsonl")).unwrap();
    assert_eq!(numbers(&journal), (1..=writer.seq()).collect::<Vec<_>>());
}

#[test]
fn a_torn_line_and_one_that_is_too_long_are_told_from_whole_ones() {
    let folder = TempDir::new().unwrap();
    let mut writer = Writer::new(folder.path(), 1 << 20).unwrap();
    let mut long = vec![b'x'; 17 << 20];
    long.extend(b"\n\n{\"v\":2,\"se");
    writer.raw(&long).unwrap();
    let segment = Journal::open(folder.path()).unwrap().segments().unwrap().remove(0);
    let mut lines = segment.lines().unwrap();
    let mut seen = Vec::new();
    while let Some(line) = lines.read_line().unwrap() {
        seen.push((line.number, line.ending, line.is_filler(), line.bytes.len()));
        assert!(line.bytes.len() as u64 <= esbgate_audit::LONGEST);
    }
    let endings: Vec<_> = seen.iter().map(|(_, ending, filler, _)| (*ending, *filler)).collect();
    let expected = [
        (Ending::Whole, false),
        (Ending::TooLong, false),
        (Ending::Whole, true),
        (Ending::Torn, false),
    ];
    assert_eq!(endings, expected);
    assert_eq!(lines.offset(), fs::metadata(segment.plain()).unwrap().len());
}

#[test]
fn a_follower_sees_each_record_once_over_rotation_boots_and_compression() {
    let folder = TempDir::new().unwrap();
    let mut writer = Writer::new(folder.path(), 3000).unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut follow = Follow::new(journal.clone(), Cursor::start());
    let mut seen = followed(&mut follow);
    for round in 0..30 {
        for n in 0..round % 7 {
            writer.call(&Sample::of(round * 10 + n)).unwrap();
        }
        if round % 9 == 8 {
            writer.stop().unwrap();
            writer.start().unwrap();
        }
        writer.flush().unwrap();
        if round % 4 == 3 {
            let segments = journal.segments().unwrap();
            let closed = segments.iter().rev().skip(1).filter(|one| one.form() == Form::Plain);
            closed.for_each(|one| compress(&one.plain(), 2));
        }
        if round % 2 == 1 {
            seen.extend(followed(&mut follow));
        }
        if round % 5 == 4 {
            // A reader that was ended reads on from what it kept.
            let kept = serde_json::to_string(follow.cursor()).unwrap();
            follow = Follow::new(journal.clone(), serde_json::from_str(&kept).unwrap());
        }
    }
    seen.extend(followed(&mut follow));
    assert_eq!(seen, (1..=writer.seq()).collect::<Vec<_>>());
    assert_eq!(follow.cursor().seq, writer.seq());
}

#[test]
fn a_follower_waits_for_the_end_of_a_line_and_passes_over_no_filler() {
    let folder = TempDir::new().unwrap();
    let mut writer = Writer::new(folder.path(), 1 << 20).unwrap();
    let mut follow = Follow::newest(Journal::open(folder.path()).unwrap()).unwrap();
    assert_eq!(followed(&mut follow), [1]);
    let before = follow.cursor().clone();
    let path = writer.path();
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    writer.raw(b"\n\n\n\n").unwrap();
    assert_eq!(followed(&mut follow), [] as [u64; 0]);
    assert_eq!(*follow.cursor(), before);
    // The probe is taken back, and a record stands where it stood.
    file.set_len(before.offset).unwrap();
    let seq = writer.intent(&Sample::of(1)).unwrap();
    writer.flush().unwrap();
    let whole = fs::read(&path).unwrap();
    file.set_len(whole.len() as u64 - 9).unwrap();
    assert_eq!(followed(&mut follow), [] as [u64; 0]);
    assert_eq!(*follow.cursor(), before);
    (&file).write_all(&whole[whole.len() - 9..]).unwrap();
    assert_eq!(followed(&mut follow), [seq]);
}

#[test]
fn records_that_are_taken_back_are_followed_by_those_that_count() {
    let folder = TempDir::new().unwrap();
    let mut writer = filled_with(folder.path(), 1 << 20);
    let path = writer.path();
    let good = fs::read(&path).unwrap();
    let other = TempDir::new().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut follow = Follow::newest(journal).unwrap();
    let first = followed(&mut follow);
    writer.call(&Sample::of(500)).unwrap();
    writer.flush().unwrap();
    assert_eq!(followed(&mut follow).len(), 2);
    // The same numbers again, with other calls.
    let mut twin = filled_with(other.path(), 1 << 20);
    twin.call(&Sample::of(600)).unwrap();
    twin.call(&Sample::of(601)).unwrap();
    twin.flush().unwrap();
    let replaced = fs::read(twin.path()).unwrap();
    assert_eq!(replaced[..good.len()], good);
    fs::write(&path, replaced).unwrap();
    let seen = followed(&mut follow);
    let again = seen.iter().position(|&seq| seq == 0).unwrap();
    let all: Vec<u64> = first.iter().copied().chain(twin.seq() - 3..=twin.seq()).collect();
    assert_eq!(seen[again + 1..], all);
    // One that shrinks and does not grow.
    fs::write(&path, &good).unwrap();
    assert_eq!(followed(&mut follow)[1..], first);
}

#[test]
fn a_follower_says_how_much_is_gone_and_is_held_where_it_is_told() {
    let folder = TempDir::new().unwrap();
    let writer = filled(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let mut follow = Follow::new(journal.clone(), Cursor::start());
    follow.hold_at(3);
    assert_eq!(followed(&mut follow), [1, 2, 3]);
    let gone = journal.segments().unwrap();
    for segment in &gone[..2] {
        fs::remove_file(segment.plain()).unwrap();
    }
    follow.hold_at(writer.seq());
    let Next::Record(record) = follow.read_next().unwrap() else { panic!("nothing follows") };
    let first = record.head.unwrap().seq;
    assert_eq!(record.missing, first - 4);
    assert_eq!(followed(&mut follow).len() as u64, writer.seq() - first);
}
