//! What verifying found.

use std::fmt;

use serde::Serialize;

use super::signed::PublicKey;
use crate::journal::SegmentId;

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The record is not the one that was written.
    Changed,
    /// Records that stood before this one are not there.
    Removed,
    /// The line was not written there.
    Inserted,
    /// Records stand in another order.
    Swapped,
    /// The segment ends within a record.
    Truncated,
    /// Records are missing between two segments.
    CutBetweenSegments,
    /// Records that the witness knows of are missing at the end.
    TailCut,
    /// The journal begins later than it should, and no record says that retention did it.
    BeginningCut,
    /// The hashes were made anew without the key: a signature or the witness says otherwise.
    Rewritten,
    /// Signed with a key that is not trusted.
    OtherKey,
    /// The witness cannot be read, or its signature does not hold.
    Witness,
    /// An outcome without its intent.
    Orphan,
}

impl Fault {
    /// Its name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Inserted => "inserted",
            Self::Swapped => "swapped",
            Self::Truncated => "truncated",
            Self::CutBetweenSegments => "cut_between_segments",
            Self::TailCut => "tail_cut",
            Self::BeginningCut => "beginning_cut",
            Self::Rewritten => "rewritten",
            Self::OtherKey => "other_key",
            Self::Witness => "witness",
            Self::Orphan => "orphan",
        }
    }
}

/// A line of a segment, or a whole file where `line` is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The segment; none for the witness.
    pub segment: Option<SegmentId>,
    /// The file, from the journal's folder on.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Of the line's first byte, in the plain segment.
    pub offset: u64,
    /// The number of the record that is there or should be.
    pub seq: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        self.seq.map_or(Ok(()), |seq| write!(f, " (record {seq})"))
    }
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub fault: Fault,
    /// Where it shows.
    pub place: Place,
    /// The last record that is known to be good. What is wrong lies after it; where a signature or the witness found it,
    /// it may lie before `place`.
    pub good: Option<Place>,
    /// What is seen there, in one sentence.
    pub text: String,
}

/// What was left at the end by a write that is under way or was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Torn {
    /// Where it begins.
    pub place: Place,
    /// How long it is.
    pub bytes: u64,
}

/// Why a key is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFrom {
    /// It was given.
    Given,
    /// The witness that was given names it.
    Witness,
    /// The journal itself names it: it proves nothing against who can write there.
    Journal,
}

/// What the report comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was read is what was written, and the witness knows its end.
    Whole,
    /// What was read is consistent; that nothing is missing after the last record that the witness knows cannot be told.
    UnwitnessedTail,
    /// Something is wrong.
    Problem,
}

/// What was read and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it comes to.
    pub verdict: Verdict,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// Segments that were read.
    pub segments: u64,
    /// Records that hold.
    pub records: u64,
    /// Bytes of the lines that were read.
    pub bytes: u64,
    /// The first record's number.
    pub first_seq: Option<u64>,
    /// The last record's number.
    pub last_seq: Option<u64>,
    /// The last record that a signature covers.
    pub signed_seq: Option<u64>,
    /// The last record that a witness names.
    pub witnessed_seq: Option<u64>,
    /// Records after that.
    pub tail: u64,
    /// What stands at the end and is no record.
    pub torn: Option<Torn>,
    /// The keys that signatures were held to.
    pub keys: Vec<PublicKey>,
    /// Why.
    pub key_from: Option<KeyFrom>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}
