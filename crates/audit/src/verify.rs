//! Whether a journal is what was written: nothing changed, removed, inserted, swapped or cut off.
//!
//! Three things hold it together. The hashes say that a record is what it was and follows the one before; who can write
//! files can make them anew. The signatures of checkpoints say which hash stood where; they cannot be made anew without
//! the key. The witness says how far the journal went; who cuts the tail must replace it, so it is worth most elsewhere.

mod chain;
mod diagnose;
mod range;
mod report;
mod signed;

use std::{io, path::PathBuf};

pub(crate) use self::range::first as segment_of;
use self::{
    chain::{Chain, Flow},
    diagnose::Scene,
};
pub use self::{
    range::Edge,
    report::{Fault, Finding, KeyFrom, Place, Report, Torn, Verdict},
    signed::{PublicKey, Witness},
};
use crate::{
    journal::{Form, Journal, Segment},
    lines::{Ending, Lines},
};

/// What is verified, and what it is held to.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The keys that may have signed. Empty: the witness's, else the journal's own first.
    pub keys: Vec<PublicKey>,
    /// A copy of the witness that was kept elsewhere.
    pub witness: Option<PathBuf>,
    /// Begin with the segment in which this lies.
    pub from: Option<Edge>,
    /// End with the first checkpoint after this.
    pub to: Option<Edge>,
}

/// How far it is, in bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Read.
    pub done: u64,
    /// Of all.
    pub total: u64,
}

/// Verifies a journal, also one that is being written.
///
/// # Errors
/// What the system says of files that cannot be read. What is wrong with their content is in the report.
pub fn verify(
    journal: &Journal,
    asked: &Asked,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Report> {
    // The witness first: what is written after it is its tail, and never missing.
    let witnesses = signed::witnesses(journal, asked.witness.as_deref())?;
    let segments = journal.segments()?;
    let first = range::first(&segments, asked.from.as_ref())?;
    let Some((before, segments)) = segments.split_at_checked(first) else {
        return Err(io::Error::other("no segments"));
    };
    let mut chain = Chain::new(asked, witnesses, !before.is_empty());
    let sizes: Vec<u64> = segments.iter().map(size).collect();
    let total = sizes.iter().sum();
    let mut done = 0;
    for (n, (segment, size)) in segments.iter().zip(sizes).enumerate() {
        let rest = segments.get(n..).unwrap_or_default();
        let mut within = |offset: u64| progress(Progress { done: done + offset.min(size), total });
        match one(segment, rest, &mut chain, &mut within)? {
            Flow::On => {}
            Flow::Enough => break,
            Flow::Found(finding) => return chain.broken_in(*finding, rest),
        }
        done += size;
        progress(Progress { done, total });
    }
    Ok(chain.end())
}

fn size(segment: &Segment) -> u64 {
    segment.file().and_then(|(file, _)| file.metadata()).map_or(0, |found| found.len())
}

/// Walks one segment. `rest` begins with it.
fn one(
    segment: &Segment,
    rest: &[Segment],
    chain: &mut Chain,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Flow> {
    let (mut lines, form) = match open(segment) {
        Ok(opened) => opened,
        // Retention took it meanwhile; whether it said so is seen by what follows.
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Flow::On),
        Err(fault) => return Err(fault),
    };
    chain.enter(segment, form);
    let newest = rest.len() == 1;
    let mut seen = 0_u32;
    loop {
        let line = match lines.read_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(chain.leave(newest)),
            Err(fault) if form == Form::Archived => return Ok(chain.undecodable(&fault)),
            Err(fault) => return Err(fault),
        };
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(4096) && form == Form::Plain {
            progress(line.offset);
        }
        let torn = line.ending == Ending::Torn;
        let scene = Scene { rest, line: line.number };
        match chain.take(&line, torn && newest && form == Form::Plain, &scene)? {
            Flow::On => {}
            other @ (Flow::Enough | Flow::Found(_)) => return Ok(other),
        }
    }
}

fn open(segment: &Segment) -> io::Result<(Lines, Form)> {
    let lines = segment.lines()?;
    let form = lines.form();
    Ok((lines, form))
}
