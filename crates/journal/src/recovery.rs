//! Where the journal ended before this start: the record to go on from, the intents that are open, and what is torn.
//!
//! The witness says where to begin, and the last checkpoint before it bounds what is read. Nothing that is found here
//! stops a start: it goes on record.

mod tail;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub(crate) use self::tail::cut;
pub(crate) use self::tail::{Line, read as read_line};
use self::tail::{checkpoint_before, lines, rest};
use crate::{chain::Link, line::RepairLine, segment::segment_path, witness::Head};

/// Most segments that are looked into for a checkpoint.
const BACK: usize = 4;

/// What a start goes on from.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The last record, and the boot that wrote it.
    pub(crate) last: Option<(String, Link)>,
    /// Intents without an outcome, with the id of the request where it is known.
    pub(crate) open: BTreeMap<u64, Option<String>>,
    /// What is put on record.
    pub(crate) repairs: Vec<RepairLine>,
    /// Segments that are cut after so many bytes, once that is on record.
    pub(crate) torn: Vec<(PathBuf, u64)>,
    /// Whether records are missing, changed or not readable.
    pub(crate) unread: bool,
    /// The newest boot, by its name.
    pub(crate) newest: Option<String>,
}

/// One plain segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    boot: String,
    number: u64,
    path: PathBuf,
}

impl Found {
    fn unread(&mut self, place: Option<&Place>, at: u64, reason: impl Into<String>) {
        self.unread = true;
        self.repairs.push(RepairLine {
            of_boot: place.map(|place| place.boot.clone()),
            segment: place.map(|place| place.number),
            at,
            bytes: 0,
            sha256: None,
            reason: Some(reason.into()),
        });
    }
}

/// Looks at the end of the journal in `dir`, and cuts what is torn.
pub(crate) fn recover(dir: &Path, head: Result<Option<Head>, String>) -> Found {
    let mut found = Found::default();
    let boots = boots(dir);
    found.newest = boots.last().cloned();
    let head = head.unwrap_or_else(|reason| {
        found.unread(None, 0, reason);
        None
    });
    if boots.is_empty() {
        if let Some(head) = &head {
            missing(&mut found, head);
        }
        return found;
    }
    let places = places(dir, &boots);
    // Segments after the witnessed one, and as many before it as it takes to meet a checkpoint.
    let witnessed = head.as_ref().and_then(|head| {
        places.iter().position(|it| it.boot == head.boot && it.number == head.segment)
    });
    let newest = places.iter().rposition(|it| Some(&it.boot) == found.newest.as_ref());
    let Some(end) = witnessed.or(newest) else {
        match &head {
            Some(head) => missing(&mut found, head),
            None => found.unread(None, 0, "the newest boot has no segment that can be read"),
        }
        return found;
    };
    let mut until = head.as_ref().filter(|_| witnessed.is_some()).map(|head| head.offset);
    let (mut first, mut at) = (end, 0);
    for back in (0..=end).rev().take(BACK) {
        first = back;
        let Some(place) = places.get(back) else { break };
        match checkpoint_before(&place.path, until) {
            Ok(Some(checkpoint)) => {
                at = checkpoint;
                break;
            }
            Ok(None) => {}
            Err(error) => found.unread(Some(place), 0, format!("it cannot be read: {error}")),
        }
        until = None;
    }
    let mut at = Some(at);
    for place in places.get(first..).unwrap_or_default() {
        follow(&mut found, place, at.take().unwrap_or_default());
    }
    if let Some(head) = &head {
        compare(&mut found, head);
    }
    found
}

/// Reads a segment from `at` on.
fn follow(found: &mut Found, place: &Place, at: u64) {
    let mut kept = at;
    let mut broken: Option<(u64, &'static str)> = None;
    let mut junk = None;
    let read = lines(&place.path, at, |begun, end, line| {
        let Line::Record(record) = line else {
            match line {
                Line::Foreign => {
                    kept = end;
                    broken = broken
                        .or(Some((begun, "a line is no record of this version, or was changed")));
                }
                Line::Junk | Line::Record(_) => junk = junk.or(Some(begun)),
            }
            return;
        };
        kept = end;
        if let Some(begun) = junk.take() {
            broken = broken.or(Some((begun, "bytes between records are no record")));
        }
        let follows = found
            .last
            .as_ref()
            .is_none_or(|(_, last)| record.link.seq == last.seq + 1 && record.prev == last.hash);
        if !follows {
            broken = broken.or(Some((begun, "a record does not follow the one before it")));
        }
        found.last = Some((place.boot.clone(), record.link));
        match &*record.kind {
            "intent" => {
                found.open.insert(record.link.seq, record.request_id);
            }
            "outcome" => {
                record.intent.map(|intent| found.open.remove(&intent));
            }
            "checkpoint" => {
                let known = std::mem::take(&mut found.open);
                let id = |intent: u64| (intent, known.get(&intent).cloned().flatten());
                found.open = record.open_intents.into_iter().map(id).collect();
            }
            _ => {}
        }
    });
    if let Some((begun, reason)) = broken {
        found.unread(Some(place), begun, reason);
    }
    if let Err(error) = read {
        return found.unread(Some(place), kept, format!("it cannot be read: {error}"));
    }
    match rest(&place.path, kept) {
        Ok(None) => {}
        Ok(Some((bytes, sha256))) => {
            found.torn.push((place.path.clone(), kept));
            found.repairs.push(RepairLine {
                of_boot: Some(place.boot.clone()),
                segment: Some(place.number),
                at: kept,
                bytes,
                sha256: Some(sha256),
                reason: None,
            });
        }
        Err(error) => found.unread(Some(place), kept, format!("the rest cannot be read: {error}")),
    }
}

/// The witness has seen a record: it must be there.
fn compare(found: &mut Found, head: &Head) {
    if found.last.as_ref().is_none_or(|(_, last)| last.seq < head.seq) {
        return missing(found, head);
    }
    let same = |(_, last): &(String, Link)| last.seq > head.seq || Some(*last) == head.link();
    if !found.last.as_ref().is_some_and(same) {
        found.unread(None, head.offset, "the last record is another than HEAD has seen");
    }
}

/// What the witness has seen is gone: numbers go on after it, so that what is missing stays plain.
fn missing(found: &mut Found, head: &Head) {
    found.unread(
        None,
        head.offset,
        format!("records up to {}, which HEAD has seen, are missing", head.seq),
    );
    found.last = head.link().map(|link| (head.boot.clone(), link));
}

/// The folders of boots, by their names.
pub(crate) fn boots(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> = folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| boot_time(name).is_some())
        .collect();
    names.sort_unstable();
    names
}

/// The time in the name of a boot.
pub(crate) fn boot_time(name: &str) -> Option<jiff::Timestamp> {
    let (time, random) = name.split_once('-')?;
    let hex = random.len() == 8 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let time = time.strip_suffix('Z').filter(|time| hex && time.len() == 22)?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S.%f", time).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok()
}

fn places(dir: &Path, boots: &[String]) -> Vec<Place> {
    let mut places = Vec::new();
    for boot in boots {
        let folder = dir.join(boot);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| number(entry.file_name().to_str()?, ".jsonl"))
            .collect();
        numbers.sort_unstable();
        places.extend(numbers.into_iter().map(|number| Place {
            boot: boot.clone(),
            number,
            path: segment_path(&folder, number),
        }));
    }
    places
}

/// The number of a segment whose file has this name.
pub(crate) fn number(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    (digits.len() == 8).then(|| digits.parse().ok()).flatten()
}
