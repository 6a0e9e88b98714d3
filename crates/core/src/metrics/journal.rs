//! What the journal counts.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::{alone, histogram, register};

/// From a write into the page cache to a disk that struggles.
const COMMIT_BUCKETS: &[f64] =
    &[0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// The process began.
    Start,
    /// It ended in order.
    Stop,
    /// A call is about to be made.
    Intent,
    /// What came of it.
    Outcome,
    /// A call was refused.
    Refusal,
    /// A policy was taken or refused.
    Reload,
    /// An admin did something.
    Admin,
    /// A next policy would decide calls otherwise.
    Shadow,
}

impl RecordKind {
    /// The value of `kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
            Self::Reload => "reload",
            Self::Admin => "admin",
            Self::Shadow => "shadow",
        }
    }
}

/// The journal's series.
#[derive(Debug, Clone)]
pub struct JournalMetrics {
    records: [IntCounter; 8],
    errors: IntCounter,
    commit: Histogram,
    writable: IntGauge,
    open: IntGauge,
    dropped: IntCounter,
    differences: IntCounter,
}

impl JournalMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new("esbgate_journal_records_total", "Records written, by kind.");
        let records = register(registry, IntCounterVec::new(opts, &["kind"]))?;
        let kinds = [
            RecordKind::Start,
            RecordKind::Stop,
            RecordKind::Intent,
            RecordKind::Outcome,
            RecordKind::Refusal,
            RecordKind::Reload,
            RecordKind::Admin,
            RecordKind::Shadow,
        ];
        let opts = histogram(
            "esbgate_journal_commit_duration_seconds",
            "Writing one batch, and syncing it where the journal promises that.",
            COMMIT_BUCKETS,
        );
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help));
        Ok(Self {
            records: kinds.map(|kind| records.with_label_values(&[kind.as_str()])),
            errors: counter(
                "esbgate_journal_write_errors_total",
                "Batches that could not be written.",
            )?,
            commit: register(registry, Histogram::with_opts(opts))?,
            writable: gauge("esbgate_journal_writable", "1 while the journal takes records.")?,
            open: gauge("esbgate_journal_open_intents", "Intents whose outcome is not written.")?,
            dropped: counter(
                "esbgate_journal_refusals_dropped_total",
                "Refusals that are in no record, because their queue was full or the write failed.",
            )?,
            differences: counter(
                "esbgate_journal_shadow_dropped_total",
                "Differing decisions of a next policy that no record stands for: too many kinds, a full queue or a failed write.",
            )?,
        })
    }

    /// Counts a record.
    pub fn record(&self, kind: RecordKind) {
        let [start, stop, intent, outcome, refusal, reload, admin, shadow] = &self.records;
        match kind {
            RecordKind::Start => start.inc(),
            RecordKind::Stop => stop.inc(),
            RecordKind::Intent => intent.inc(),
            RecordKind::Outcome => outcome.inc(),
            RecordKind::Refusal => refusal.inc(),
            RecordKind::Reload => reload.inc(),
            RecordKind::Admin => admin.inc(),
            RecordKind::Shadow => shadow.inc(),
        }
    }

    /// Counts a batch that could not be written.
    pub fn write_error(&self) {
        self.errors.inc();
    }

    /// Notes how long a batch took.
    pub fn committed(&self, seconds: f64) {
        self.commit.observe(seconds);
    }

    /// Notes whether the journal takes records.
    pub fn writable(&self, writable: bool) {
        self.writable.set(i64::from(writable));
    }

    /// Notes how many intents are open.
    pub fn open_intents(&self, open: i64) {
        self.open.set(open);
    }

    /// Counts refusals that were not written.
    pub fn refusals_lost(&self, count: u64) {
        self.dropped.inc_by(count);
    }

    /// Counts differing decisions that no record stands for.
    pub fn differences_lost(&self, count: u64) {
        self.differences.inc_by(count);
    }

    /// How many differing decisions no record stands for.
    #[must_use]
    pub fn differences_dropped(&self) -> u64 {
        self.differences.get()
    }

    /// Counts what a record that nobody waits for, and that was not written, stood for.
    pub fn noted_lost(&self, kind: RecordKind, count: u64) {
        match kind {
            RecordKind::Shadow => self.differences_lost(count),
            RecordKind::Start
            | RecordKind::Stop
            | RecordKind::Intent
            | RecordKind::Outcome
            | RecordKind::Refusal
            | RecordKind::Reload
            | RecordKind::Admin => self.refusals_lost(count),
        }
    }

    /// How many refusals were not written.
    #[must_use]
    pub fn refusals_dropped(&self) -> u64 {
        self.dropped.get()
    }
}

impl Default for JournalMetrics {
    fn default() -> Self {
        alone(Self::register)
    }
}
