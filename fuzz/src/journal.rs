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

/// Whatever an earlier boot left in its segment, the next one opens, loses no record that was whole, names
/// its predecessor, and finds nothing left to repair when it opens once more.
pub fn journal(data: &[u8]) {
    let folder = TempDir::new().unwrap();
    let segment = folder.path().join(BOOT).join("00000001.jsonl");
    fs::create_dir(folder.path().join(BOOT)).unwrap();
    fs::write(&segment, data).unwrap();
    let start = open(folder.path());
    let start = serde_json::from_str::<serde_json::Value>(&start).unwrap();
    assert_eq!(start.get("predecessor").and_then(|name| name.as_str()), Some(BOOT));
    let repaired = fs::read(&segment).unwrap();
    let whole = data.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let whole = data.get(..whole).unwrap_or_default();
    assert!(repaired.starts_with(whole), "a whole record is lost");
    open(folder.path());
    assert_eq!(fs::read(&segment).unwrap(), repaired, "repaired twice");
}

/// Opens and stops; the first line of the new boot.
fn open(dir: &Path) -> String {
    let options = Options {
        dir: dir.into(),
        durability: Durability::Written,
        hmac_key: Secret::new("fuzz-hmac-key-0123456789abcdef01"),
        node: "fuzz".into(),
        version: "0",
        open_intents: 10,
    };
    let journal = FileJournal::open(options, Arc::new(Still), JournalMetrics::default()).unwrap();
    journal.close().unwrap();
    let text = fs::read_to_string(journal.path().join("00000001.jsonl")).unwrap();
    text.lines().next().unwrap().to_owned()
}
