//! What happened at the place where the chain breaks, told from what stands after it.

use std::io;

use super::report::Fault;
use crate::{
    journal::Segment,
    record::{Hash, Head, Sealed},
};

/// Where the walk is: the segments from the broken one on, and the line in it.
pub(super) struct Scene<'a> {
    pub(super) rest: &'a [Segment],
    pub(super) line: u64,
}

/// The record that should have stood there.
pub(super) struct Expected {
    pub(super) seq: u64,
    pub(super) prev: Hash,
}

/// A record that holds by itself.
struct Good {
    seq: u64,
    prev: Hash,
}

/// Where what happened shows.
pub(super) enum At {
    /// In the line itself.
    Here,
    /// In the record before it, whose own hash was made anew.
    Before,
}

impl Scene<'_> {
    /// Shows all records after the line that hold by themselves, until `see` has seen enough.
    fn after(&self, mut see: impl FnMut(&Good) -> bool) -> io::Result<()> {
        self.lines_after(|_, head, sealed| see(&Good { seq: head.seq, prev: sealed.prev }))
    }

    /// The same, with each line.
    pub(super) fn lines_after(
        &self,
        mut see: impl FnMut(&[u8], &Head<'_>, &Sealed<'_>) -> bool,
    ) -> io::Result<()> {
        for (n, segment) in self.rest.iter().enumerate() {
            let mut lines = match segment.lines() {
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            // What cannot be decompressed further shows nothing.
            while let Ok(Some(line)) = lines.read_line() {
                if n == 0 && line.number <= self.line {
                    continue;
                }
                let sealed = Sealed::read(line.bytes).filter(Sealed::holds);
                let (Some(head), Some(sealed)) = (Head::read(line.bytes), sealed) else { continue };
                if see(line.bytes, &head, &sealed) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn next(&self) -> io::Result<Option<Good>> {
        let mut next = None;
        self.after(|good| {
            next = Some(Good { ..*good });
            true
        })?;
        Ok(next)
    }

    /// What a line that does not hold by itself stands for.
    pub(super) fn of_bad(&self, expected: &Expected) -> io::Result<Fault> {
        Ok(match self.next()? {
            Some(next) if next.seq == expected.seq && next.prev == expected.prev => Fault::Inserted,
            Some(next) if next.seq > expected.seq.saturating_add(1) => Fault::Removed,
            Some(_) | None => Fault::Changed,
        })
    }

    /// What a record that holds by itself, but does not follow the one before, stands for.
    pub(super) fn of_good(
        &self,
        expected: &Expected,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
        first: bool,
    ) -> io::Result<(Fault, At)> {
        if head.seq < expected.seq {
            return Ok((Fault::Inserted, At::Here));
        }
        if head.seq == expected.seq {
            let next = self.next()?;
            // What follows vouches for this record, so the one before is not what it was.
            let vouched = next.as_ref().is_some_and(|next| next.prev == sealed.hash);
            if vouched {
                return Ok((Fault::Changed, At::Before));
            }
            let follows = |next: &Good| next.seq == expected.seq && next.prev == expected.prev;
            let inserted = next.as_ref().is_some_and(follows);
            return Ok((if inserted { Fault::Inserted } else { Fault::Changed }, At::Here));
        }
        let (mut twin, mut due) = (false, false);
        self.after(|good| {
            // Another of the same number has its place there, so this one has none.
            twin |= good.seq == head.seq;
            due |= good.seq == expected.seq && good.prev == expected.prev;
            twin
        })?;
        let fault = if twin {
            Fault::Inserted
        } else if due {
            Fault::Swapped
        } else if first {
            Fault::CutBetweenSegments
        } else {
            Fault::Removed
        };
        Ok((fault, At::Here))
    }
}
