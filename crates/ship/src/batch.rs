//! What is delivered at once.

use esbgate_audit::{Ending, Head, Line, Sealed, SegmentId};
use esbgate_model::hex;
use jiff::Timestamp;

use crate::cursor::Saved;

/// Most records of a batch.
pub(crate) const MOST_RECORDS: usize = 1_000;
/// Bytes after which a batch is closed; the last record may go beyond.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// A record as a sink gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line, without its end. For an event it is what stands for the call.
    pub line: Box<str>,
    /// Its number in the node's journal.
    pub seq: u64,
    /// The node.
    pub node: Box<str>,
    /// The boot.
    pub boot: Box<str>,
    /// When it was made, RFC 3339.
    pub time: Box<str>,
    /// Its kind.
    pub kind: Box<str>,
    /// Its hash; none for a record of a form that has none.
    pub hash: Option<[u8; 32]>,
    /// The segment that it stands in.
    pub segment: SegmentId,
    /// Its first byte there.
    pub offset: u64,
}

impl Record {
    /// The record of a line; none where it is none, or where nobody could name it.
    pub(crate) fn read(line: &Line<'_>, segment: &SegmentId) -> Option<Self> {
        let head = Head::read(line.bytes)?;
        let text = std::str::from_utf8(line.bytes).ok().filter(|_| line.ending == Ending::Whole)?;
        Some(Self {
            line: text.into(),
            seq: head.seq,
            node: head.node.into(),
            boot: head.boot.into(),
            time: head.time.into(),
            kind: head.kind.into(),
            hash: Sealed::read(line.bytes).map(|sealed| sealed.hash),
            segment: segment.clone(),
            offset: line.offset,
        })
    }

    /// When it was made, if its time can be read.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.time.parse().ok()
    }

    /// Its hash in hexadecimal digits.
    #[must_use]
    pub fn hash_text(&self) -> Option<String> {
        self.hash.map(|hash| hex(&hash))
    }
}

/// Records that are delivered at once, and how far the sink is after them.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What the target gets; may be none where all were of other kinds.
    pub(crate) records: Vec<Record>,
    /// The cursor once they are delivered.
    pub(crate) after: Saved,
    /// When the first record of the batch was made, of whatever kind.
    pub(crate) oldest: Option<Timestamp>,
    /// Records and lines that nobody can deliver any more.
    pub(crate) skipped: u64,
}
