//! The sidecar of a segment: which of its blocks hold a term, an address, a host id or an outcome.
//!
//! It is never trusted: it must belong to the segment beside it and each part has a checksum, and what is found through
//! it is read and judged in the segment itself. Without one the same is made in memory.

mod build;
mod pages;
mod terms;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    sync::OnceLock,
};

use esbgate_model::{hex, sha256};
use serde::{Deserialize, Serialize};

use self::pages::{Page, decoded};
pub(crate) use self::{
    build::{Builder, key_of_id},
    terms::term,
};
use crate::{
    journal::{Form, Segment},
    record::Sealed,
};

/// Plain bytes after which a block ends with its line.
pub(crate) const BLOCK: usize = 512 << 10;

const MAGIC: &[u8; 8] = b"esbidx2\n";
/// Longer heads are not ours: a segment of 1 GiB has one of less than 1 MiB.
const LONGEST_HEAD: u64 = 64 << 20;
/// Longest block that is read: one line of the greatest length, and the block that it ended.
const LONGEST_BLOCK: u64 = (BLOCK as u64) + crate::LONGEST + 1;

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Terms,
    Addresses,
    HostIds,
    /// From an intent's number to the block of its outcome.
    Outcomes,
}

/// Some whole lines of a segment, read at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// Of the first byte of a frame, in the compressed file.
    at: u64,
    /// Plain bytes from there to the block.
    skip: u64,
    /// In the plain segment.
    start: u64,
    len: u64,
    /// The earliest and the latest record, in microseconds since 1970.
    pub(crate) since: i64,
    pub(crate) until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    plain_bytes: u64,
    archived_bytes: u64,
    last_hash: String,
    first_seq: u64,
    blocks: Vec<Block>,
    /// Blocks that name more hosts than are indexed: each may hold any.
    every_host: Vec<u32>,
    sections: [Vec<Page>; 4],
}

/// An index, in a file or in memory.
#[derive(Debug)]
pub(crate) struct Index {
    contents: Contents,
    /// Where the pages begin.
    base: u64,
    data: Data,
    /// The same made from the segment, once a page turned out to be damaged.
    made: OnceLock<Box<Index>>,
}

#[derive(Debug)]
enum Data {
    File(File),
    Memory(Vec<u8>),
}

fn stale(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Index {
    /// The sidecar of a segment, if it is there and belongs to what is there.
    pub(crate) fn open(segment: &Segment) -> io::Result<Self> {
        let mut file = File::open(segment.index())?;
        let mut start = [0; 24];
        file.read_exact(&mut start)?;
        let (magic, rest) = start.split_at(8);
        let (length, check) = rest.split_at(8);
        let length = u64::from_le_bytes(length.try_into().map_err(io::Error::other)?);
        if magic != MAGIC || length > LONGEST_HEAD {
            return Err(stale("it is no index"));
        }
        let mut head = Vec::new();
        (&mut file).take(length).read_to_end(&mut head)?;
        if pages::checksum(&head) != check {
            return Err(stale("its head is damaged"));
        }
        let contents: Contents = serde_json::from_slice(&head)?;
        let index =
            Self { contents, base: 24 + length, data: Data::File(file), made: OnceLock::new() };
        index.belongs_to(segment)?;
        Ok(index)
    }

    fn belongs_to(&self, segment: &Segment) -> io::Result<()> {
        let (file, form) = segment.file()?;
        let expected = match form {
            Form::Plain => self.contents.plain_bytes,
            Form::Archived => self.contents.archived_bytes,
        };
        if file.metadata()?.len() != expected {
            return Err(stale("it belongs to a segment of another length"));
        }
        let hash = match self.contents.blocks.last() {
            Some(block) => last_hash(&self.read(segment, block)?),
            None => String::new(),
        };
        if hash != self.contents.last_hash {
            return Err(stale("it belongs to a segment with another end"));
        }
        Ok(())
    }

    /// The sidecar, or the same made from the segment; the second tells why it is the latter.
    pub(crate) fn of(segment: &Segment) -> io::Result<(Self, Option<io::Error>)> {
        match Self::open(segment) {
            Ok(index) => Ok((index, None)),
            Err(fault) => Ok((build::scan(segment)?, Some(fault))),
        }
    }

    /// Whether a page was damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.made.get().is_some()
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.contents.blocks
    }

    /// The number of the first record; 0 where there is none.
    pub(crate) fn first_seq(&self) -> u64 {
        self.contents.first_seq
    }

    pub(crate) fn every_host(&self) -> impl Iterator<Item = u32> {
        self.contents.every_host.iter().copied()
    }

    /// The blocks of all keys from `low` to `high`.
    pub(crate) fn find(
        &self,
        segment: &Segment,
        section: Section,
        low: u64,
        high: u64,
    ) -> io::Result<BTreeSet<u32>> {
        Ok(self.entries(segment, section, low, high)?.into_iter().map(|(_, block)| block).collect())
    }

    /// All keys from `low` to `high`, with their blocks. Where a page is damaged the segment itself is asked: its blocks
    /// are the same.
    pub(crate) fn entries(
        &self,
        segment: &Segment,
        section: Section,
        low: u64,
        high: u64,
    ) -> io::Result<Vec<(u64, u32)>> {
        if let Some(made) = self.made.get() {
            return made.stored(section, low, high);
        }
        if let Ok(found) = self.stored(section, low, high) {
            return Ok(found);
        }
        let made = Box::new(build::scan(segment)?);
        self.made.get_or_init(|| made).stored(section, low, high)
    }

    fn stored(&self, section: Section, low: u64, high: u64) -> io::Result<Vec<(u64, u32)>> {
        let [terms, addresses, ids, outcomes] = &self.contents.sections;
        let pages = match section {
            Section::Terms => terms,
            Section::Addresses => addresses,
            Section::HostIds => ids,
            Section::Outcomes => outcomes,
        };
        let mut found = Vec::new();
        for page in pages.iter().filter(|page| page.first <= high && page.last >= low) {
            let entries = decoded(page, &self.page(page)?)?;
            let asked = entries.into_iter().filter(|(key, _)| (low..=high).contains(key));
            found.extend(asked);
        }
        Ok(found)
    }

    fn page(&self, page: &Page) -> io::Result<Vec<u8>> {
        let length = usize::try_from(page.bytes).map_err(io::Error::other)?;
        match &self.data {
            Data::File(file) => {
                let mut bytes = vec![0; length.min(pages::LONGEST)];
                file.read_exact_at(&mut bytes, self.base + page.offset)?;
                Ok(bytes)
            }
            Data::Memory(all) => {
                let start = usize::try_from(page.offset).map_err(io::Error::other)?;
                let bytes = all.get(start..start + length);
                bytes.map(<[u8]>::to_vec).ok_or_else(|| stale("a page is missing"))
            }
        }
    }

    /// The lines of a block.
    pub(crate) fn read(&self, segment: &Segment, block: &Block) -> io::Result<Vec<u8>> {
        if block.len > LONGEST_BLOCK {
            return Err(stale("a block is too long"));
        }
        let (mut file, form) = segment.file()?;
        let mut bytes = Vec::new();
        match form {
            Form::Plain => {
                file.seek(SeekFrom::Start(block.start))?;
                file.take(block.len).read_to_end(&mut bytes)?;
            }
            Form::Archived => {
                file.seek(SeekFrom::Start(block.at))?;
                let mut source = crate::lines::Source::archived(file)?;
                io::copy(&mut (&mut source).take(block.skip), &mut io::sink())?;
                source.take(block.len).read_to_end(&mut bytes)?;
            }
        }
        if bytes.len() as u64 != block.len {
            return Err(stale("a block is shorter than it was"));
        }
        Ok(bytes)
    }

    /// The file's bytes, of an index in memory.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        let Data::Memory(pages) = self.data else { return Err(stale("it lies in a file")) };
        let head = serde_json::to_vec(&self.contents)?;
        let mut bytes = Vec::with_capacity(24 + head.len() + pages.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&pages::checksum(&head));
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&pages);
        Ok(bytes)
    }
}

/// The hash of the last line; of a line that is none, that of its bytes.
fn last_hash(lines: &[u8]) -> String {
    let whole = lines.strip_suffix(b"\n").unwrap_or(lines);
    let last = whole.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    hex(&Sealed::read(last).map_or_else(|| sha256(last), |sealed| sealed.hash))
}

/// Makes the sidecar of a segment anew.
///
/// # Errors
/// What the system says.
pub fn rebuild(segment: &Segment) -> io::Result<()> {
    let part = segment.index().with_extension("idx.tmp");
    std::fs::write(&part, build::scan(segment)?.into_bytes()?)?;
    File::open(&part)?.sync_data()?;
    let (file, _) = segment.file()?;
    std::fs::set_permissions(&part, file.metadata()?.permissions())?;
    std::fs::rename(&part, segment.index())
}

/// Whether a segment has a sidecar that belongs to it.
#[must_use]
pub fn is_current(segment: &Segment) -> bool {
    Index::open(segment).is_ok()
}
