//! The walk along the chain: what each line must be, given those before it.

mod ending;
mod kinds;
mod members;

use std::{collections::HashSet, io};

use super::{
    Asked,
    diagnose::{At, Expected, Scene},
    range::Edge,
    report::{Fault, Finding, KeyFrom, Place, Report, Torn, Verdict},
    signed::{Found, PublicKey, Signed, Witness},
};
use crate::{
    journal::{Form, Segment, SegmentId},
    lines::{Ending, Line},
    record::{Hash, Head, Sealed},
};

/// Whether to go on.
pub(super) enum Flow {
    On,
    /// The range that was asked for ends here.
    Enough,
    Found(Box<Finding>),
}

/// A record that holds.
#[derive(Debug, Clone)]
struct Last {
    seq: u64,
    hash: Hash,
    place: Place,
}

/// The end of a segment that is no record, until a repair explains it.
struct Suspect {
    finding: Finding,
    segment: SegmentId,
    at: u64,
}

pub(super) struct Chain {
    witnesses: Vec<(String, Witness)>,
    bad_witness: Option<Finding>,
    keys: Vec<PublicKey>,
    key_from: Option<KeyFrom>,
    to: Option<Edge>,
    to_reached: bool,
    enough: bool,
    /// The walk begins within the journal, by wish.
    partial: bool,
    segment: Option<(SegmentId, Form)>,
    lines: u64,
    end: u64,
    /// Where in this segment what is no record begins.
    filler: Option<Place>,
    suspects: Vec<Suspect>,
    /// The first record, as long as nothing explains why it is not number 1.
    unexplained: Option<(u64, Hash, Place)>,
    explained_by: Option<u64>,
    last: Option<Last>,
    signed: Option<Place>,
    witnessed: Option<u64>,
    open: HashSet<u64>,
    report: Report,
}

impl Chain {
    pub(super) fn new(asked: &Asked, found: Vec<Found>, partial: bool) -> Self {
        let mut keys = asked.keys.clone();
        let mut key_from = (!keys.is_empty()).then_some(KeyFrom::Given);
        let mut bad_witness = None;
        let (mut witnesses, mut notes) = (Vec::new(), Vec::new());
        for Found { path, given, witness } in found {
            let file = path.display().to_string();
            match witness {
                Ok(witness) => {
                    if let Some(key) = witness.key().filter(|_| keys.is_empty()) {
                        keys.push(key);
                        key_from = Some(if given { KeyFrom::Witness } else { KeyFrom::Journal });
                    }
                    let (fault, text) = match witness.signed() {
                        Signed::By(key) if keys.contains(&key) => {
                            witnesses.push((file, witness));
                            continue;
                        }
                        // Whoever asks vouches for what he brings along.
                        Signed::Not if given => {
                            notes.push(format!("the witness {file} is not signed: what it knows must be there, but it vouches for no record"));
                            witnesses.push((file, witness));
                            continue;
                        }
                        Signed::By(_) => {
                            (Fault::OtherKey, "the witness is signed with another key")
                        }
                        Signed::Not => (Fault::Witness, "the witness is not signed"),
                        Signed::Badly => {
                            (Fault::Witness, "the signature of the witness does not hold")
                        }
                    };
                    bad_witness.get_or_insert(of_file(fault, file, text.into()));
                }
                Err(text) => {
                    let text = format!("the witness cannot be read: {text}");
                    bad_witness.get_or_insert(of_file(Fault::Witness, file, text));
                }
            }
        }
        let report = Report {
            verdict: Verdict::Problem,
            finding: None,
            segments: 0,
            records: 0,
            bytes: 0,
            first_seq: None,
            last_seq: None,
            signed_seq: None,
            witnessed_seq: None,
            tail: 0,
            torn: None,
            keys: Vec::new(),
            key_from: None,
            notes,
        };
        Self {
            witnesses,
            bad_witness,
            keys,
            key_from,
            to: asked.to.clone(),
            to_reached: false,
            enough: false,
            partial,
            segment: None,
            lines: 0,
            end: 0,
            filler: None,
            suspects: Vec::new(),
            unexplained: None,
            explained_by: None,
            last: None,
            signed: None,
            witnessed: None,
            open: HashSet::new(),
            report,
        }
    }

    pub(super) fn enter(&mut self, segment: &Segment, form: Form) {
        self.report.segments += 1;
        self.segment = Some((segment.id().clone(), form));
        (self.lines, self.end) = (0, 0);
        self.filler = None;
    }

    fn place(&self, line: u64, offset: u64, seq: Option<u64>) -> Place {
        let file = self.segment.as_ref().map(|(id, form)| match form {
            Form::Plain => format!("{id}.jsonl"),
            Form::Archived => format!("{id}.jsonl.zst"),
        });
        let segment = self.segment.as_ref().map(|(id, _)| id.clone());
        Place { segment, file: file.unwrap_or_default(), line, offset, seq }
    }

    fn due(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.seq.saturating_add(1))
    }

    fn found(&self, fault: Fault, place: Place, text: impl Into<String>) -> Finding {
        let good = self.last.as_ref().map(|last| last.place.clone());
        Finding { fault, place, good, text: text.into() }
    }

    /// The hashes hold and yet it cannot be what was written, so it lies after the last signature that holds.
    fn unsigned(&self, fault: Fault, place: Place, text: impl Into<String>) -> Finding {
        Finding { fault, place, good: self.signed.clone(), text: text.into() }
    }

    fn rewritten(&self, place: Place, text: impl Into<String>) -> Finding {
        self.unsigned(Fault::Rewritten, place, text)
    }

    /// A finding, unless there is an earlier one that nothing explained.
    fn stop(&mut self, finding: Finding) -> Flow {
        let earlier = (!self.suspects.is_empty()).then(|| self.suspects.remove(0).finding);
        Flow::Found(Box::new(earlier.unwrap_or(finding)))
    }

    pub(super) fn take(
        &mut self,
        line: &Line<'_>,
        newest_torn: bool,
        scene: &Scene<'_>,
    ) -> io::Result<Flow> {
        self.lines = line.number;
        self.end = line.offset + line.bytes.len() as u64 + 1;
        self.report.bytes += line.bytes.len() as u64 + 1;
        if self.filler.is_some() && (line.is_filler() || newest_torn) {
            return Ok(Flow::On);
        }
        let here = self.place(line.number, line.offset, self.due());
        if let Some(filler) = self.filler.clone() {
            // A suspect segment is passed over; what follows it shows whether that was right.
            if self.suspects.iter().any(|one| Some(&one.segment) == filler.segment.as_ref()) {
                return Ok(Flow::On);
            }
            let found = self.found(Fault::Inserted, filler, "empty lines stand between records");
            return Ok(self.stop(found));
        }
        if line.is_filler() || newest_torn {
            self.filler = Some(here);
            return Ok(Flow::On);
        }
        let head = Head::read(line.bytes);
        let sealed = Sealed::read(line.bytes);
        match (head, sealed) {
            (Some(head), Some(sealed))
                if line.ending == Ending::Whole && sealed.holds() && head.v == 2 =>
            {
                self.record(line, &head, &sealed, scene)
            }
            (head, sealed) => self.bad(line, here, head, sealed, scene),
        }
    }

    /// A line that does not hold by itself.
    fn bad(
        &mut self,
        line: &Line<'_>,
        here: Place,
        head: Option<Head<'_>>,
        sealed: Option<Sealed<'_>>,
        scene: &Scene<'_>,
    ) -> io::Result<Flow> {
        let fault = match (&self.last, line.ending) {
            (_, Ending::Torn) => Fault::Truncated,
            (Some(last), _) => {
                scene.of_bad(&Expected { seq: last.seq.saturating_add(1), prev: last.hash })?
            }
            (None, _) => Fault::Changed,
        };
        let text = match (head, sealed) {
            (Some(head), _) if head.v != 2 => {
                format!("the record is of version {}, which has no chain", head.v)
            }
            (_, _) if line.ending == Ending::Torn => "the segment ends within a record".into(),
            (Some(_), Some(_)) => "the line does not have the hash that stands in it".into(),
            (_, _) => "the line is not a record".into(),
        };
        let finding = self.found(fault, here.clone(), text);
        let Some((segment, _)) = self.segment.clone() else { return Ok(self.stop(finding)) };
        // What a crash left is explained by the repair of the next start.
        self.suspects.push(Suspect { finding, segment, at: line.offset });
        self.filler = Some(here);
        Ok(Flow::On)
    }

    fn record(
        &mut self,
        line: &Line<'_>,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
        scene: &Scene<'_>,
    ) -> io::Result<Flow> {
        let here = self.place(line.number, line.offset, Some(head.seq));
        if let Some(found) = self.follows(&here, line.number == 1, head, sealed, scene)? {
            return Ok(self.stop(found));
        }
        if let Some(found) = self.kind(&here, line, head, sealed) {
            return Ok(self.stop(found));
        }
        for n in 0..self.witnesses.len() {
            if let Some(found) = self.witness(n, &here, head, sealed) {
                return Ok(self.stop(found));
            }
        }
        self.report.records += 1;
        self.report.first_seq.get_or_insert(head.seq);
        self.last = Some(Last { seq: head.seq, hash: sealed.hash, place: here });
        self.to_reached |= self.to.as_ref().is_some_and(|to| to.reached(head));
        self.enough = self.to_reached && head.kind == "checkpoint";
        Ok(if self.enough { Flow::Enough } else { Flow::On })
    }

    /// Whether a record stands where it should.
    fn follows(
        &mut self,
        here: &Place,
        first: bool,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
        scene: &Scene<'_>,
    ) -> io::Result<Option<Finding>> {
        let Some(last) = &self.last else {
            if !self.partial && (head.seq != 1 || sealed.prev != [0; 32]) {
                self.unexplained = Some((head.seq, sealed.prev, here.clone()));
            }
            return Ok(None);
        };
        let expected = Expected { seq: last.seq.saturating_add(1), prev: last.hash };
        if (head.seq, sealed.prev) != (expected.seq, expected.prev) {
            // The place is known already where a bad end of a segment was passed over.
            let (fault, at) = if self.suspects.is_empty() {
                scene.of_good(&expected, head, sealed, first)?
            } else {
                (Fault::Removed, At::Here)
            };
            let text = format!(
                "record {} was due, and here is record {}{}",
                expected.seq,
                head.seq,
                if sealed.prev == expected.prev { "" } else { ", which names another before it" }
            );
            let place = match at {
                At::Here => here.clone(),
                At::Before => last.place.clone(),
            };
            return Ok(Some(self.found(fault, place, text)));
        }
        let boot = here.segment.as_ref().is_some_and(|id| *id.boot == *head.boot);
        if !boot {
            let text = format!("the record belongs to the boot {}", head.boot);
            return Ok(Some(self.unsigned(Fault::Swapped, here.clone(), text)));
        }
        Ok(None)
    }

    /// The end of a segment.
    pub(super) fn leave(&mut self, newest: bool) -> Flow {
        let Some(place) = self.filler.take() else { return Flow::On };
        let Some((segment, _)) = self.segment.clone() else { return Flow::On };
        if self.suspects.iter().any(|one| one.segment == segment) {
            return Flow::On;
        }
        let (at, bytes) = (place.offset, self.end.saturating_sub(place.offset));
        if newest {
            self.report.torn = Some(Torn { place, bytes });
            return Flow::On;
        }
        let finding = self.found(Fault::Inserted, place, "a closed segment ends in empty lines");
        self.suspects.push(Suspect { finding, segment, at });
        Flow::On
    }

    /// A compressed segment ends where it cannot be read any further.
    pub(super) fn undecodable(&mut self, fault: &io::Error) -> Flow {
        let place = self.place(self.lines + 1, self.end, self.due());
        let cut = fault.kind() == io::ErrorKind::UnexpectedEof;
        let kind = if cut { Fault::Truncated } else { Fault::Changed };
        let found = self.found(kind, place, format!("it cannot be decompressed: {fault}"));
        self.stop(found)
    }
}

fn of_file(fault: Fault, file: String, text: String) -> Finding {
    let place = Place { segment: None, file, line: 0, offset: 0, seq: None };
    Finding { fault, place, good: None, text }
}
