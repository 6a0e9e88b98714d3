//! Lines at the end of a segment.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use esbgate_model::hex;
use memchr::memmem;
use serde::Deserialize;

use crate::{
    chain::{HASH, Hash, Link, VERSION, hash},
    seal::nonblocking,
};

/// Longer lines are no records of ours.
const LONGEST: u64 = 16 << 20;
/// Read at a time, backwards.
const BLOCK: u64 = 256 << 10;
/// As it stands in each checkpoint, and nowhere else: quotes within texts are escaped.
const CHECKPOINT: &[u8] = b"\"kind\":\"checkpoint\"";

/// What a line is.
#[derive(Debug)]
pub(crate) enum Line {
    /// A record whose hash is right.
    Record(Box<Record>),
    /// A whole JSON object that is none.
    Foreign,
    /// Anything else, an end without a line end among it.
    Junk,
}

/// What is read of a record.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) link: Link,
    pub(crate) prev: Hash,
    pub(crate) kind: String,
    pub(crate) intent: Option<u64>,
    pub(crate) request_id: Option<String>,
    pub(crate) open_intents: Vec<u64>,
}

#[derive(Deserialize)]
struct Members {
    v: u32,
    seq: u64,
    kind: String,
    #[serde(default)]
    intent: Option<u64>,
    // A long one is an object, which no outcome of a start repeats.
    #[serde(default)]
    request_id: Option<serde_json::Value>,
    #[serde(default)]
    open_intents: Option<serde_json::Value>,
    prev: String,
    hash: String,
}

/// What a line without its line end is.
pub(crate) fn read(line: &[u8]) -> Line {
    let Ok(members) = serde_json::from_slice::<Members>(line) else {
        let object = line.first() == Some(&b'{')
            && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
        return if object { Line::Foreign } else { Line::Junk };
    };
    let hashed = memmem::rfind(line, HASH).and_then(|at| line.get(..at)).map(hash);
    let written = Hash::try_from(members.hash.as_bytes()).ok();
    let (Some(own), Ok(prev)) = (written, Hash::try_from(members.prev.as_bytes())) else {
        return Line::Foreign;
    };
    if members.v != VERSION || hashed != Some(own) {
        return Line::Foreign;
    }
    let numbers = |value: serde_json::Value| serde_json::from_value(value).ok();
    Line::Record(Box::new(Record {
        link: Link { seq: members.seq, hash: own },
        prev,
        kind: members.kind,
        intent: members.intent,
        request_id: members.request_id.and_then(|id| id.as_str().map(str::to_owned)),
        open_intents: members.open_intents.and_then(numbers).unwrap_or_default(),
    }))
}

/// A file that is opened without waiting, and only if it is one.
fn open(path: &Path, write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(write).custom_flags(nonblocking()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// Where the last checkpoint before `end` begins; without one, of the whole file.
pub(crate) fn checkpoint_before(path: &Path, end: Option<u64>) -> io::Result<Option<u64>> {
    let file = open(path, false)?;
    let size = file.metadata()?.len();
    let mut end = end.map_or(size, |end| end.min(size));
    // Bytes after the block that a match or a line may reach into.
    let mut after = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - begin).unwrap_or_default()];
        file.read_exact_at(&mut block, begin)?;
        let own = block.len();
        block.extend_from_slice(&after);
        let mut within = block.len();
        while let Some(met) = block.get(..within).and_then(|it| memmem::rfind(it, CHECKPOINT)) {
            let line = block.get(..met).and_then(|it| memchr::memrchr(b'\n', it)).map(|at| at + 1);
            let Some(from) = line.or((begin == 0).then_some(0)) else { break };
            let whole = block.get(from..).unwrap_or_default();
            let ended = memchr::memchr(b'\n', whole).and_then(|at| whole.get(..at));
            if ended.is_some_and(|line| matches!(read(line), Line::Record(_))) {
                return Ok(Some(begin + from as u64));
            }
            within = met;
        }
        // The first line of the block may begin before it.
        let first = memchr::memchr(b'\n', &block).map_or(block.len(), |at| at + 1);
        let keep = if first <= own { first } else { block.len() };
        after = block.get(..keep).filter(|it| it.len() as u64 <= LONGEST).unwrap_or(&[]).to_vec();
        end = begin;
    }
    Ok(None)
}

/// Shows each line from `at` on, with where it begins and ends.
pub(crate) fn lines(path: &Path, at: u64, mut see: impl FnMut(u64, u64, Line)) -> io::Result<()> {
    let mut file = open(path, false)?;
    file.seek(SeekFrom::Start(at))?;
    let mut file = BufReader::with_capacity(64 << 10, file);
    let (mut begun, mut line) = (at, Vec::new());
    loop {
        line.clear();
        let mut taken = file.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
        if taken == 0 {
            return Ok(());
        }
        let whole = line.strip_suffix(b"\n");
        if whole.is_none() && taken == LONGEST {
            taken += file.skip_until(b'\n')? as u64;
        }
        see(begun, begun + taken, whole.map_or(Line::Junk, read));
        begun += taken;
    }
}

/// What a segment has after `kept` bytes: how many bytes, and their hash.
pub(crate) fn rest(path: &Path, kept: u64) -> io::Result<Option<(u64, String)>> {
    let mut file = open(path, false)?;
    if file.metadata()?.len() <= kept {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(kept))?;
    let (mut hash, mut bytes, mut block) = (Context::new(&SHA256), 0, vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hash.update(block.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    Ok(Some((bytes, hex(hash.finish().as_ref()))))
}

/// Cuts a segment after `kept` bytes. It is on disk on return.
pub(crate) fn cut(path: &Path, kept: u64) -> io::Result<()> {
    let file = open(path, true)?;
    file.set_len(kept)?;
    file.sync_all()
}
