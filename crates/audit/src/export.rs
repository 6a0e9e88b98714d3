//! All calls of a time, in the order in which they ended: for other systems.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    call::{Call, Members},
    journal::Journal,
    record::Head,
    verify::Edge,
};

/// Shows each call whose intent was recorded from `since` on and before `until`: when its outcome comes, and those that
/// have none at the end. Holds the open calls in memory.
///
/// # Errors
/// What the system says, what is wrong with a segment, and what `see` says.
pub fn calls(
    journal: &Journal,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    see: &mut dyn FnMut(&Call) -> io::Result<()>,
) -> io::Result<u64> {
    let segments = journal.segments()?;
    let first = crate::verify::segment_of(&segments, since.map(Edge::Time).as_ref())?;
    let mut open = BTreeMap::<u64, Members>::new();
    let mut count = 0;
    for segment in segments.iter().skip(first) {
        let mut lines = match segment.lines() {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        while let Some(line) = lines.read_line()? {
            let Some(head) = Head::read(line.bytes) else { continue };
            if head.kind == "intent" {
                let time: Option<Timestamp> = head.time.parse().ok();
                let asked = since.is_none_or(|since| time.is_none_or(|time| time >= since))
                    && until.is_none_or(|until| time.is_none_or(|time| time < until));
                if let (true, Ok(intent)) = (asked, serde_json::from_slice(line.bytes)) {
                    open.insert(head.seq, intent);
                }
            } else if head.kind == "outcome" && !open.is_empty() {
                let Ok(outcome) = serde_json::from_slice::<Members>(line.bytes) else { continue };
                let intent = outcome.get("intent").and_then(Value::as_u64);
                if let Some(intent) = intent.and_then(|intent| open.remove(&intent)) {
                    see(&Call { intent, outcome: Some(outcome) })?;
                    count += 1;
                }
            }
        }
    }
    for intent in open.into_values() {
        see(&Call { intent, outcome: None })?;
        count += 1;
    }
    Ok(count)
}
