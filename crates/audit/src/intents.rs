//! Intents on record: who called, as whom and when.

use std::{borrow::Cow, io, path::Path};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{Ending, Journal};

/// Who called, of one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall<'a> {
    /// When it was put on record.
    pub time: Timestamp,
    /// The application.
    pub app: Cow<'a, str>,
    /// The user.
    pub user: Cow<'a, str>,
    /// How the user was proved.
    pub user_proof: Cow<'a, str>,
}

/// What was read of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// The earliest record; what was before it is not known.
    pub since: Option<Timestamp>,
    /// Intents.
    pub intents: u64,
    /// Lines that are no records, such as one that a crash tore.
    pub unreadable: u64,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    app: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_proof: Option<Cow<'a, str>>,
}

/// Shows each intent of a journal to `see`, oldest first, over plain and compressed segments.
///
/// # Errors
/// What the system says of folders and files. What is wrong with a line is counted.
pub fn intents(dir: &Path, mut see: impl FnMut(&RecordedCall<'_>)) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for segment in Journal::open(dir)?.segments()? {
        let mut lines = match segment.lines() {
            // Retention took it meanwhile.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            lines => lines?,
        };
        while let Some(line) = lines.read_line()? {
            match line.ending {
                Ending::TooLong => scan.unreadable += 1,
                Ending::Whole | Ending::Torn if line.bytes.trim_ascii().is_empty() => {}
                Ending::Whole | Ending::Torn => note(line.bytes, &mut scan, &mut see),
            }
        }
    }
    Ok(scan)
}

fn note(line: &[u8], scan: &mut Scan, see: &mut impl FnMut(&RecordedCall<'_>)) {
    let head = serde_json::from_slice::<Head<'_>>(line).ok();
    let time = head.as_ref().and_then(|head| head.time.parse::<Timestamp>().ok());
    let (Some(head), Some(time)) = (head, time) else {
        scan.unreadable += 1;
        return;
    };
    scan.since = Some(scan.since.map_or(time, |since| since.min(time)));
    if head.kind != "intent" {
        return;
    }
    let (Some(app), Some(user), Some(user_proof)) = (head.app, head.user, head.user_proof) else {
        scan.unreadable += 1;
        return;
    };
    scan.intents += 1;
    see(&RecordedCall { time, app, user, user_proof });
}
