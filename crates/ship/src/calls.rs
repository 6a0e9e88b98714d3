//! Joins each intent with its outcome, for sinks that tell of calls and not of records.

use std::{collections::BTreeMap, io, sync::Arc};

use esbgate_audit::{Journal, Members, call_event};
use serde_json::Value;

use crate::{batch::Record, cursor::Open};

/// Most intents that are held; of more the oldest is told without its outcome.
const MOST_OPEN: usize = 4_096;

/// Intents whose outcome has not been read, by their number.
#[derive(Debug, Default)]
pub(crate) struct Calls(BTreeMap<u64, Record>);

impl Calls {
    /// Reads intents again that were open when the cursor was saved; gives how many are not there any more.
    pub(crate) fn resume(journal: &Journal, open: &[Open]) -> io::Result<(Self, u64)> {
        let (mut calls, mut lost) = (Self::default(), 0);
        if open.is_empty() {
            return Ok((calls, lost));
        }
        let segments = journal.segments()?;
        for place in open {
            let segment = segments.iter().find(|segment| *segment.id() == place.id());
            let read = segment.map(|segment| intent(segment, place)).transpose()?;
            if let Some(record) = read.flatten() {
                calls.0.insert(record.seq, record);
            } else {
                tracing::error!(segment = %place.id(), seq = place.seq, "an open intent is gone from the journal: its event has its outcome alone");
                lost += 1;
            }
        }
        Ok((calls, lost))
    }

    /// Where they stand.
    pub(crate) fn open(&self) -> Vec<Open> {
        let place = |record: &Record| Open {
            boot: Arc::clone(&record.segment.boot),
            segment: record.segment.number,
            offset: record.offset,
            seq: record.seq,
        };
        self.0.values().map(place).collect()
    }

    /// The event that a record completes, in that record's place.
    pub(crate) fn take(&mut self, record: Record) -> Option<Record> {
        match &*record.kind {
            "intent" => {
                self.0.insert(record.seq, record);
                (self.0.len() > MOST_OPEN).then(|| self.0.pop_first())?.map(|(_, oldest)| {
                    let event = call_event(Some(&members(&oldest)), None);
                    with_line(oldest, &event)
                })
            }
            "outcome" => {
                let outcome = members(&record);
                let seq = outcome.get("intent").and_then(Value::as_u64);
                let intent = seq.and_then(|seq| self.0.remove(&seq));
                let intent = intent.map(|intent| members(&intent));
                let event = call_event(intent.as_ref(), Some(&outcome));
                Some(with_line(record, &event))
            }
            // Sums of refusals are about no call in particular.
            "refusal" => {
                let refusal = members(&record);
                let of_a_call = refusal.get("request_id").is_some_and(Value::is_string);
                of_a_call.then(|| {
                    let event = call_event(Some(&refusal), None);
                    with_line(record, &event)
                })
            }
            _ => None,
        }
    }
}

fn members(record: &Record) -> Members {
    serde_json::from_str(&record.line).unwrap_or_default()
}

fn with_line(record: Record, event: &Value) -> Record {
    Record { line: event.to_string().into(), ..record }
}

fn intent(segment: &esbgate_audit::Segment, place: &Open) -> io::Result<Option<Record>> {
    let gone = |fault: &io::Error| {
        use io::ErrorKind::{InvalidInput, NotFound, UnexpectedEof};
        matches!(fault.kind(), NotFound | UnexpectedEof | InvalidInput)
    };
    let read = || -> io::Result<Option<Record>> {
        let mut lines = segment.lines()?;
        lines.skip_to(place.offset)?;
        let record = lines.read_line()?.and_then(|line| Record::read(&line, segment.id()));
        Ok(record.filter(|record| record.seq == place.seq))
    };
    match read() {
        Err(fault) if gone(&fault) => Ok(None),
        other => other,
    }
}
