//! Intents on record, read again: segment by segment and line by line, so that a journal of any size takes the memory of
//! one line.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;

/// Longer lines are passed over: no intent of ours is as long.
const LONGEST: u64 = 16 << 20;

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

/// Shows each intent of a journal to `see`, in the order of the folders' names.
pub fn intents(dir: &Path, mut see: impl FnMut(&RecordedCall<'_>)) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for folder in sorted(dir, |path| path.is_dir())? {
        let segment = |path: &Path| path.extension().is_some_and(|extension| extension == "jsonl");
        for segment in sorted(&folder, segment)? {
            read(&segment, &mut scan, &mut see)?;
        }
    }
    Ok(scan)
}

fn sorted(dir: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
    paths.retain(|path| wanted(path));
    paths.sort();
    Ok(paths)
}

fn read(
    segment: &Path,
    scan: &mut Scan,
    see: &mut impl FnMut(&RecordedCall<'_>),
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(segment)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = file.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && taken as u64 == LONGEST {
            file.skip_until(b'\n')?;
            scan.unreadable += 1;
            continue;
        }
        // Filler of a probe is an empty line.
        if line.trim_ascii().is_empty() {
            continue;
        }
        note(&line, scan, see);
    }
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
