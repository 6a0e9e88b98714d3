//! Makes lines of records: each has the next number, the hash of the one before and its own.

use std::io::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use esbgate_core::RecordKind;
use jiff::Timestamp;

use crate::line;

/// The version of the lines, `v` in each record.
pub(crate) const VERSION: u32 = 2;

/// A SHA-256 as it stands in a line.
pub(crate) type Hash = [u8; 64];

/// What the first record of all follows.
pub(crate) const NOTHING: Hash = [b'0'; 64];

/// What stands between what is hashed and the hash.
pub(crate) const HASH: &[u8] = b",\"hash\":\"";

/// A record without its number.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: RecordKind,
    pub(crate) time: Timestamp,
    /// A JSON object, `{` and `}` included.
    pub(crate) members: Vec<u8>,
}

/// The number and the hash of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Link {
    /// Before the first record.
    pub(crate) const NONE: Self = Self { seq: 0, hash: NOTHING };

    /// The hash as text.
    pub(crate) fn text(&self) -> String {
        self.hash.iter().map(|byte| char::from(*byte)).collect()
    }
}

/// The lines of one boot.
#[derive(Debug)]
pub(crate) struct Chain {
    /// `"node":…,"boot":…,`
    origin: Vec<u8>,
    last: Link,
}

impl Chain {
    /// Lines that follow the record `last`.
    pub(crate) fn new(node: &str, boot: &str, last: Link) -> serde_json::Result<Self> {
        let mut origin = b"\"node\":".to_vec();
        origin.extend(line::members(&node)?);
        origin.extend_from_slice(b",\"boot\":");
        origin.extend(line::members(&boot)?);
        origin.push(b',');
        Ok(Self { origin, last })
    }

    /// The record that was added last.
    pub(crate) fn last(&self) -> Link {
        self.last
    }

    /// Forgets what was added after `link`: nothing of a failed write counts, its numbers are used again.
    pub(crate) fn back_to(&mut self, link: Link) {
        self.last = link;
    }

    /// Appends a record's line to `buffer`; its number.
    pub(crate) fn add(&mut self, buffer: &mut Vec<u8>, entry: &Entry) -> u64 {
        let seq = self.last.seq + 1;
        let began = buffer.len();
        let Entry { kind, time, members } = entry;
        // Writing to a vector cannot fail.
        write!(buffer, "{{\"v\":{VERSION},\"seq\":{seq},\"time\":\"{time}\",").ok();
        buffer.extend_from_slice(&self.origin);
        write!(buffer, "\"kind\":\"{}\",", kind.as_str()).ok();
        let own = members.strip_prefix(b"{").and_then(|own| own.strip_suffix(b"}"));
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            buffer.extend_from_slice(own);
            buffer.push(b',');
        }
        buffer.extend_from_slice(b"\"prev\":\"");
        buffer.extend_from_slice(&self.last.hash);
        buffer.push(b'"');
        let hash = hash(buffer.get(began..).unwrap_or_default());
        buffer.extend_from_slice(HASH);
        buffer.extend_from_slice(&hash);
        buffer.extend_from_slice(b"\"}\n");
        self.last = Link { seq, hash };
        seq
    }
}

/// The hash of the bytes before [`HASH`].
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    let mut text = NOTHING;
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}
