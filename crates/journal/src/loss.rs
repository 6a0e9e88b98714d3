//! What is on no record, until a `loss` record says so.

use esbgate_core::{JournalMetrics, Unrecorded};
use jiff::Timestamp;

use crate::line::LossLine;

/// Counts since the last `loss` record.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    span: Option<(Timestamp, Timestamp)>,
    intents: u64,
    outcomes: u64,
    refusals: u64,
    deeds: u64,
}

impl Losses {
    fn at(&mut self, time: Timestamp) {
        let (since, until) = self.span.unwrap_or((time, time));
        self.span = Some((since.min(time), until.max(time)));
    }

    pub(crate) fn add(&mut self, what: Unrecorded, time: Timestamp, metrics: &JournalMetrics) {
        metrics.unrecorded(what, 1);
        self.at(time);
        match what {
            Unrecorded::Intent => self.intents += 1,
            Unrecorded::Outcome => self.outcomes += 1,
            Unrecorded::Deed => self.deeds += 1,
        }
    }

    /// Refusals; whoever lost them has counted them.
    pub(crate) fn refusals(&mut self, many: u64, time: Timestamp) {
        if many > 0 {
            self.at(time);
            self.refusals += many;
        }
    }

    pub(crate) fn line(&self) -> Option<LossLine<'static>> {
        let (since, until) = self.span?;
        Some(LossLine {
            since: since.to_string(),
            until: until.to_string(),
            intents: self.intents,
            outcomes: self.outcomes,
            refusals: self.refusals,
            deeds: self.deeds,
            what: None,
            of_boot: None,
            segment: None,
        })
    }
}

/// Bytes that refusals may take over time: what they had at once comes back by and by.
#[derive(Debug)]
pub(crate) struct Share {
    burst: f64,
    per_second: f64,
    left: f64,
    at: std::time::Duration,
}

impl Share {
    /// A part of `bytes` over `time`, and `burst` at once.
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(crate) fn new(bytes: u64, time: std::time::Duration, burst: u64) -> Self {
        let burst = burst as f64;
        let per_second = bytes as f64 / time.as_secs_f64().max(1.0);
        Self { burst, per_second, left: burst, at: std::time::Duration::ZERO }
    }

    /// Takes room for a record, if there is some.
    #[expect(clippy::cast_precision_loss, reason = "a record is far below 2^52 bytes")]
    pub(crate) fn take(&mut self, bytes: usize, now: std::time::Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = passed.mul_add(self.per_second, self.left).min(self.burst);
        let room = self.left >= bytes as f64;
        if room {
            self.left -= bytes as f64;
        }
        room
    }
}
