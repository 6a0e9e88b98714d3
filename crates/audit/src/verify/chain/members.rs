//! The members of the records that say something about the journal itself.

use serde::Deserialize;

use super::super::signed::{PublicKey, Signature};
use crate::{
    journal::SegmentId,
    record::{Hash, unhex},
};

/// Reads a record's members; what is not asked for is passed over.
pub(super) fn members<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

#[derive(Deserialize)]
pub(super) struct Outcome {
    /// None where the intent was lost, which a `loss` record tells.
    pub(super) intent: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Start {
    pub(super) public_key: PublicKey,
    pub(super) predecessor: Option<Predecessor>,
}

#[derive(Deserialize)]
pub(super) struct Predecessor {
    boot: String,
    seq: u64,
    hash: String,
}

impl Predecessor {
    pub(super) fn is(&self, boot: Option<&str>, seq: u64, hash: &Hash) -> bool {
        boot == Some(&self.boot) && self.seq == seq && unhex(self.hash.as_bytes()) == Some(*hash)
    }
}

#[derive(Deserialize)]
pub(super) struct Checkpoint {
    pub(super) public_key: PublicKey,
    pub(super) signature: Signature,
}

#[derive(Deserialize)]
pub(super) struct Retention {
    segments: Vec<Removed>,
}

#[derive(Deserialize)]
struct Removed {
    last_seq: u64,
    last_hash: String,
}

impl Retention {
    /// Whether what was removed ends right before the record of this number.
    pub(super) fn ends_before(&self, seq: u64, prev: &Hash) -> bool {
        self.segments.iter().any(|removed| {
            removed.last_seq.checked_add(1) == Some(seq)
                && unhex(removed.last_hash.as_bytes()) == Some(*prev)
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Repair {
    /// None where it is about the witness.
    of_boot: Option<String>,
    /// None likewise.
    segment: Option<u64>,
    at: u64,
}

impl Repair {
    /// Whether it speaks of what is wrong at the end of this segment from there on.
    pub(super) fn explains(&self, segment: &SegmentId, at: u64) -> bool {
        self.of_boot.as_deref() == Some(&*segment.boot)
            && self.segment == Some(segment.number)
            && self.at <= at
    }
}
