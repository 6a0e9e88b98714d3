//! A part of a journal.

use std::{fmt, io, str::FromStr};

use jiff::Timestamp;

use crate::{journal::Segment, record::Head};

/// An end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// A record's number.
    Seq(u64),
    /// A time.
    Time(Timestamp),
}

impl FromStr for Edge {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seq = text.parse().map(Self::Seq).ok();
        let time = || text.parse().map(Self::Time).ok();
        seq.or_else(time)
            .ok_or("expected a record's number, or a time with zone such as 2027-01-04T10:00+08:00")
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

impl Edge {
    /// Whether a record is at or after it.
    pub(super) fn reached(&self, head: &Head<'_>) -> bool {
        match self {
            Self::Seq(seq) => head.seq >= *seq,
            Self::Time(time) => {
                head.time.parse::<Timestamp>().is_ok_and(|recorded| recorded >= *time)
            }
        }
    }
}

/// The place of the segment in which `from` lies: the last that begins before it.
pub(crate) fn first(segments: &[Segment], from: Option<&Edge>) -> io::Result<usize> {
    let Some(from) = from else { return Ok(0) };
    let mut first = 0;
    for (n, segment) in segments.iter().enumerate().skip(1) {
        let mut lines = segment.lines()?;
        let reached = match lines.read_line() {
            Ok(Some(line)) => Head::read(line.bytes).map(|head| match from {
                Edge::Seq(seq) => head.seq > *seq,
                Edge::Time(_) => from.reached(&head),
            }),
            // What cannot be read is found when its turn comes.
            Ok(None) | Err(_) => None,
        };
        match reached {
            Some(true) => break,
            Some(false) => first = n,
            None => {}
        }
    }
    Ok(first)
}
