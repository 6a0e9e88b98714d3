//! The journal's way back after a stop of any kind.

use std::{fs, path::Path, sync::Arc};

use esbgate_core::{Clock, JournalMetrics, ReceivedAt};
use esbgate_journal::{Durability, FileJournal, Options};
use esbgate_model::Secret;
use tempfile::TempDir;

use crate::head::AT;

/// A boot that ended, however it did.
const BOOT: &str = "20200101T000000.000000Z-00000000";

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> ReceivedAt {
        AT
    }
}

/// Whatever an earlier boot left in its segment, the next one opens, takes nothing away that is a whole line of JSON,
/// says what it found, and finds nothing left to cut when it opens once more.
pub fn journal(data: &[u8]) {
    let folder = TempDir::new().unwrap();
    let boot = folder.path().join("journal").join(BOOT);
    let segment = boot.join("00000001.jsonl");
    fs::create_dir_all(&boot).unwrap();
    fs::write(&segment, data).unwrap();
    let records = open(folder.path());
    let repaired = fs::read(&segment).unwrap();
    assert!(data.starts_with(&repaired), "only an end is cut");
    let mut whole = 0;
    let mut place = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        place += line.len();
        let object = line.first() == Some(&b'{') && line.ends_with(b"\n");
        if object && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok() {
            whole = place;
        }
    }
    assert_eq!(repaired.len(), whole, "what is whole stays, and no more");
    let cut = records.iter().find(|record| record["bytes"].as_u64() > Some(0));
    let cut = cut.map(|record| (record["at"].as_u64(), record["bytes"].as_u64()));
    let expected = (whole < data.len()).then_some((whole as u64, (data.len() - whole) as u64));
    assert_eq!(cut, expected.map(|(at, bytes)| (Some(at), Some(bytes))), "what is cut is said");
    open(folder.path());
    assert_eq!(fs::read(&segment).unwrap(), repaired, "repaired twice");
}

/// Opens and stops; the repairs on record.
fn open(dir: &Path) -> Vec<serde_json::Value> {
    let key = Secret::new("fuzz-hmac-key-0123456789abcdef01");
    let own = Options::new(dir.join("journal"), dir.join("state"), key);
    let options = Options { durability: Durability::Written, ..own };
    let journal = FileJournal::open(options, Arc::new(Still), JournalMetrics::default()).unwrap();
    journal.close().unwrap();
    let text = fs::read_to_string(journal.path().join("00000001.jsonl")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    records.filter(|record| record["kind"] == "repair").collect()
}
