//! Makes an index from lines.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use jiff::Timestamp;

use super::{BLOCK, Block, Contents, Data, Index, last_hash, pages::encode, terms::term};
use crate::{
    call::{Asked, Came, Hosts},
    journal::{Form, Segment},
    record::Head,
};

/// Most pairs of host and block that are indexed: 64 MiB in memory.
const MOST_HOSTS: usize = 4 << 20;

/// Collects what the lines of a segment hold.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    blocks: Vec<Block>,
    terms: Vec<(u64, u32)>,
    addresses: Vec<(u64, u32)>,
    ids: Vec<(u64, u32)>,
    outcomes: Vec<(u64, u32)>,
    every_host: Vec<u32>,
    /// The block of each intent that has no outcome yet.
    open: HashMap<u64, u32>,
    here: Here,
    start: u64,
    first_seq: Option<u64>,
    last: Vec<u8>,
}

/// The block that is being filled.
#[derive(Debug, Default)]
struct Here {
    len: u64,
    times: Option<(i64, i64)>,
    terms: HashSet<u64>,
    addresses: HashSet<u32>,
    ids: HashSet<u64>,
}

impl Builder {
    fn number(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Takes a line, which has `len` bytes with its end.
    pub(crate) fn line(&mut self, line: &[u8], len: u64) {
        self.here.len += len;
        self.last.clear();
        self.last.extend_from_slice(line);
        let Some(head) = Head::read(line) else { return };
        self.first_seq.get_or_insert(head.seq);
        if let Ok(time) = head.time.parse::<Timestamp>() {
            let at = time.as_microsecond();
            let (since, until) = self.here.times.unwrap_or((at, at));
            self.here.times = Some((since.min(at), until.max(at)));
        }
        match &*head.kind {
            "intent" => {
                if let Ok(asked) = serde_json::from_slice::<Asked<'_>>(line) {
                    self.intent(head.seq, &asked);
                }
            }
            "outcome" => {
                if let Ok(came) = serde_json::from_slice::<Came<'_>>(line) {
                    self.outcome(&came);
                }
            }
            _ => {}
        }
    }

    fn intent(&mut self, seq: u64, asked: &Asked<'_>) {
        asked.terms(|field, value| {
            self.here.terms.insert(term(field, value));
        });
        self.open.insert(seq, self.number());
        match asked.hosts() {
            Hosts::Told { addresses, ids } => {
                self.here.addresses.extend(addresses.iter().map(|&one| u32::from(one)));
                self.here.ids.extend(ids.iter().map(|&id| key_of_id(id)));
            }
            Hosts::Untold => {
                self.here.terms.insert(term("hosts", "untold"));
            }
        }
    }

    fn outcome(&mut self, came: &Came<'_>) {
        let Some(intent) = came.intent else { return };
        self.outcomes.push((intent, self.number()));
        // What the outcome says is looked for where the intent stands.
        let Some(block) = self.open.remove(&intent) else { return };
        came.terms(|field, value| self.terms.push((term(field, value), block)));
    }

    /// Ends a block, which begins `skip` plain bytes after the frame at `at`.
    pub(crate) fn block(&mut self, at: u64, skip: u64) {
        let number = self.number();
        let here = std::mem::take(&mut self.here);
        // Without a time it may be of any.
        let (since, until) = here.times.unwrap_or((i64::MIN, i64::MAX));
        self.terms.extend(here.terms.into_iter().map(|key| (key, number)));
        if self.addresses.len() + self.ids.len() + here.addresses.len() + here.ids.len()
            > MOST_HOSTS
        {
            self.every_host.push(number);
        } else {
            let addresses = here.addresses.into_iter().map(|key| (u64::from(key), number));
            self.addresses.extend(addresses);
            self.ids.extend(here.ids.into_iter().map(|key| (key, number)));
        }
        self.blocks.push(Block { at, skip, start: self.start, len: here.len, since, until });
        self.start += here.len;
    }

    /// The index of a segment of this many bytes, plain and compressed.
    pub(crate) fn finish(mut self, plain_bytes: u64, archived_bytes: u64) -> io::Result<Index> {
        let open = term("outcome", "");
        self.terms.extend(self.open.values().map(|&block| (open, block)));
        let mut data = Vec::new();
        let sections = [
            encode(self.terms, &mut data)?,
            encode(self.addresses, &mut data)?,
            encode(self.ids, &mut data)?,
            encode(self.outcomes, &mut data)?,
        ];
        let last_hash = if self.blocks.is_empty() { String::new() } else { last_hash(&self.last) };
        let contents = Contents {
            plain_bytes,
            archived_bytes,
            last_hash,
            first_seq: self.first_seq.unwrap_or(0),
            blocks: self.blocks,
            every_host: self.every_host,
            sections,
        };
        Ok(Index { contents, base: 0, data: Data::Memory(data), made: std::sync::OnceLock::new() })
    }

    fn filled(&self) -> bool {
        self.here.len >= BLOCK as u64
    }
}

/// A host id as a key; none is negative, and who writes one may still ask for it.
pub(crate) fn key_of_id(id: i64) -> u64 {
    u64::from_ne_bytes(id.to_ne_bytes())
}

/// Makes the index of a segment in memory, up to its last whole line.
pub(super) fn scan(segment: &Segment) -> io::Result<Index> {
    let mut builder = Builder::default();
    let mut lines = segment.lines()?;
    let archived = lines.form() == Form::Archived;
    let mut read = 0;
    while let Some(line) = lines.read_line()? {
        if line.ending == crate::Ending::Torn && !archived {
            break;
        }
        builder.line(line.bytes, line.next - line.offset);
        read = line.next;
        if builder.filled() {
            let start = builder.start;
            // From the beginning: where the frames of a foreign file begin is not known.
            builder.block(0, start);
        }
    }
    if builder.here.len > 0 {
        let start = builder.start;
        builder.block(0, start);
    }
    let (file, _) = segment.file()?;
    builder.finish(read, if archived { file.metadata()?.len() } else { 0 })
}
