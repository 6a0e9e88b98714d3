//! Reads batches for one sink, from its cursor on and never beyond the witness.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
};

use esbgate_audit::{Follow, Followed, Journal, Next};

use crate::{
    batch::{Batch, MOST_BYTES, MOST_RECORDS, Record},
    calls::Calls,
    cursor::Saved,
    witness::{self, Head},
};

/// The reading side of a sink.
#[derive(Debug)]
pub(crate) struct Reader {
    follow: Follow,
    head: PathBuf,
    kinds: Option<BTreeSet<Box<str>>>,
    calls: Option<Calls>,
    after: Saved,
    seen: Option<Head>,
    recent: Recent,
}

/// What was read last, to tell records that come again from those that took their place.
#[derive(Debug, Default)]
struct Recent {
    hashes: VecDeque<(u64, Box<str>)>,
    /// The last number before lines came again.
    until: u64,
}

/// Numbers that are kept; a write that fails takes back fewer.
const RECENT: usize = 8_192;

impl Recent {
    fn note(&mut self, seq: u64, hash: &str) {
        if self.hashes.len() == RECENT {
            self.hashes.pop_front();
        }
        self.hashes.push_back((seq, hash.into()));
    }

    /// Lines come again.
    fn again(&mut self) {
        self.until = self.hashes.back().map_or(0, |(seq, _)| *seq);
    }

    /// Whether this very record was read before.
    fn has(&mut self, seq: u64, hash: &str) -> bool {
        if seq > self.until {
            return false;
        }
        match self.hashes.iter().position(|(known, _)| *known >= seq) {
            // Older than anything that can have been taken back.
            Some(0) if self.hashes.front().is_some_and(|(known, _)| *known > seq) => true,
            Some(at) if self.hashes.get(at).is_some_and(|(_, known)| **known == *hash) => true,
            // From here on nothing that was read counts.
            Some(at) => {
                self.hashes.truncate(at);
                self.until = 0;
                false
            }
            None => false,
        }
    }
}

/// What a line came to.
enum Read {
    Record(Record, u64),
    /// No record, or none that anybody could name.
    Unreadable(u64),
    Again,
    End,
}

impl Reader {
    /// Reads on after `after`. With `join` intents are held until their outcome, and those that `after` names are looked
    /// up again; gives how many of them are not there any more.
    pub(crate) fn open(
        dir: &Path,
        head: &Path,
        kinds: Option<BTreeSet<Box<str>>>,
        join: bool,
        after: Saved,
    ) -> io::Result<(Self, u64)> {
        let journal = Journal::open(dir)?;
        let (calls, lost) = if join {
            let (calls, lost) = Calls::resume(&journal, &after.open)?;
            (Some(calls), lost)
        } else {
            (None, 0)
        };
        let follow = Follow::new(journal, after.cursor());
        let head = head.to_owned();
        let mut recent = Recent::default();
        recent.note(after.seq, &after.hash);
        Ok((Self { follow, head, kinds, calls, after, seen: None, recent }, lost))
    }

    /// How many records the journal has beyond a number, as far as the witness says.
    pub(crate) fn beyond(&self, seq: u64) -> Option<u64> {
        self.seen.as_ref().map(|head| head.seq.saturating_sub(seq))
    }

    /// The next batch; none where there is nothing for now.
    pub(crate) fn read(&mut self) -> io::Result<Option<Batch>> {
        let before = self.seen.take();
        self.seen = witness::read(&self.head);
        match (&self.seen, before) {
            (Some(head), _) => self.follow.hold_at(head.seq),
            (None, Some(_)) => {
                tracing::warn!(path = %self.head.display(), "HEAD cannot be read: records are shipped as they stand");
                self.follow.hold_at(u64::MAX);
            }
            (None, None) => self.follow.hold_at(u64::MAX),
        }
        let (mut records, mut oldest) = (Vec::new(), None);
        let (mut read, mut bytes, mut skipped) = (0_usize, 0_usize, 0_u64);
        while read < MOST_RECORDS && bytes < MOST_BYTES {
            let next = match self.next() {
                Ok(next) => next,
                // What was read goes first; the next read meets the fault again.
                Err(_) if read > 0 => break,
                Err(fault) => return Err(fault),
            };
            let record = match next {
                Read::End => break,
                Read::Again => {
                    self.recent.again();
                    continue;
                }
                Read::Unreadable(missing) => {
                    read += 1;
                    skipped += missing + 1;
                    continue;
                }
                Read::Record(record, missing) => {
                    skipped += missing;
                    record
                }
            };
            read += 1;
            bytes += record.line.len();
            oldest = oldest.or_else(|| record.timestamp());
            self.mark(&record);
            if self.recent.has(record.seq, &self.after.hash) {
                continue;
            }
            self.recent.note(record.seq, &self.after.hash);
            if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&record.kind)) {
                continue;
            }
            match &mut self.calls {
                None => records.push(record),
                Some(calls) => records.extend(calls.take(record)),
            }
        }
        if read == 0 {
            return Ok(None);
        }
        let cursor = self.follow.cursor();
        self.after.boot = cursor.boot.clone();
        (self.after.segment, self.after.offset) = (cursor.segment, cursor.offset);
        self.after.seq = cursor.seq;
        if let Some(calls) = &self.calls {
            self.after.open = calls.open();
        }
        self.sign();
        Ok(Some(Batch { records, after: self.after.clone(), oldest, skipped }))
    }

    fn mark(&mut self, record: &Record) {
        self.after.node.clone_from(&record.node);
        self.after.time.clone_from(&record.time);
        self.after.hash = record.hash_text().unwrap_or_default().into();
    }

    /// Takes over HEAD's signature where it is about this very record.
    fn sign(&mut self) {
        let own = |head: &&Head| head.seq == self.after.seq && head.hash == self.after.hash;
        match self.seen.as_ref().filter(own) {
            Some(head) => {
                self.after.time.clone_from(&head.time);
                self.after.public_key.clone_from(&head.public_key);
                self.after.signature.clone_from(&head.signature);
            }
            None => (self.after.public_key, self.after.signature) = (None, None),
        }
    }

    fn next(&mut self) -> io::Result<Read> {
        let followed = match self.follow.read_next()? {
            Next::Record(followed) => followed,
            Next::Again(segment) => {
                tracing::warn!(%segment, "lines of the journal were taken back: its segment is read again");
                return Ok(Read::Again);
            }
            Next::End => return Ok(Read::End),
        };
        let Followed { segment, line, missing, .. } = followed;
        if missing > 0 {
            tracing::error!(%segment, line = line.number, missing, "records before this one are gone and were not shipped");
        }
        let Some(record) = Record::read(&line, &segment) else {
            tracing::error!(%segment, line = line.number, "a line of the journal is no record and is not shipped");
            return Ok(Read::Unreadable(missing));
        };
        Ok(Read::Record(record, missing))
    }
}
