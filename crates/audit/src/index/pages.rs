//! Sorted entries in pages: each is read, checked and unpacked by itself.

use std::io;

use esbgate_model::sha256;
use serde::{Deserialize, Serialize};

/// Entries of a page.
const ENTRIES: usize = 4096;
/// A key and a block.
const ENTRY: usize = 12;
/// Longest page, packed: zstd adds little to what it cannot pack.
pub(super) const LONGEST: usize = ENTRIES * ENTRY + 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    check: [u8; 8],
}

/// Enough to notice damage; who wants to deceive changes the segment.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.iter_mut().zip(sha256(bytes)).for_each(|(to, from)| *to = from);
    check
}

/// Sorts the entries and appends their pages to `out`.
pub(super) fn encode(mut entries: Vec<(u64, u32)>, out: &mut Vec<u8>) -> io::Result<Vec<Page>> {
    entries.sort_unstable();
    entries.dedup();
    let mut pages = Vec::new();
    for part in entries.chunks(ENTRIES) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let mut plain = Vec::with_capacity(part.len() * ENTRY);
        for (key, block) in part {
            plain.extend_from_slice(&key.to_le_bytes());
            plain.extend_from_slice(&block.to_le_bytes());
        }
        let packed = zstd::bulk::compress(&plain, 1)?;
        let (offset, bytes) = (out.len() as u64, packed.len() as u64);
        pages.push(Page { first: first.0, last: last.0, offset, bytes, check: checksum(&packed) });
        out.extend_from_slice(&packed);
    }
    Ok(pages)
}

pub(super) fn decoded(page: &Page, packed: &[u8]) -> io::Result<Vec<(u64, u32)>> {
    if checksum(packed) != page.check {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a page of the index is damaged"));
    }
    let plain = zstd::bulk::decompress(packed, ENTRIES * ENTRY)?;
    let (entries, _) = plain.as_chunks::<ENTRY>();
    let entry = |bytes: &[u8; ENTRY]| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes([i, j, k, l]))
    };
    Ok(entries.iter().map(entry).collect())
}
