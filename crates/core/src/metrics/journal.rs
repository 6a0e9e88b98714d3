//! What the journal counts.

use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::{alone, histogram, register};

/// From a write into the page cache to a disk that struggles.
const COMMIT_BUCKETS: &[f64] =
    &[0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

/// Words of a label, each with the sentence that documents it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $word,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// The word in labels and records.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }
    };
}

words! {
    /// The kind of a record.
    RecordKind {
        /// The process began.
        Start = "start",
        /// It ended in order.
        Stop = "stop",
        /// A call is about to be made.
        Intent = "intent",
        /// What came of it.
        Outcome = "outcome",
        /// A call was refused.
        Refusal = "refusal",
        /// A policy was taken or refused.
        Reload = "reload",
        /// An admin did something.
        Admin = "admin",
        /// A next policy would decide calls otherwise.
        Shadow = "shadow",
        /// Somebody looked for a value that is on record as a keyed hash.
        Lookup = "lookup",
        /// Something is on no record any more.
        Loss = "loss",
        /// What a start found at the end of the journal.
        Repair = "repair",
        /// Segments are about to be removed.
        Retention = "retention",
        /// A signature over all that was written.
        Checkpoint = "checkpoint",
    }
}

words! {
    /// What is on no record.
    Unrecorded {
        /// A call that was made.
        Intent = "intent",
        /// What came of one.
        Outcome = "outcome",
        /// What the gateway itself did.
        Deed = "deed",
    }
}

words! {
    /// What somebody else did to a segment.
    Tampered {
        /// It is gone.
        Removed = "removed",
        /// It is elsewhere.
        Moved = "moved",
        /// It is shorter than what was written.
        Truncated = "truncated",
        /// Its owner may not write it.
        ReadOnly = "read_only",
        /// It was written by somebody else.
        Changed = "changed",
    }
}

/// A counter for each word of a label.
type Words = Vec<(&'static str, IntCounter)>;

/// The journal's series.
#[derive(Debug, Clone)]
pub struct JournalMetrics {
    records: Words,
    unrecorded: Words,
    tampered: Words,
    errors: IntCounter,
    witness_errors: IntCounter,
    archive_errors: IntCounter,
    commit: Histogram,
    writable: IntGauge,
    open: IntGauge,
    dropped: IntCounter,
    differences: IntCounter,
    held: Gauge,
    room: Gauge,
    low: IntGauge,
    unread: IntGauge,
}

impl JournalMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = histogram(
            "esbgate_journal_commit_duration_seconds",
            "Writing one batch, and syncing it where the journal promises that.",
            COMMIT_BUCKETS,
        );
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help));
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help));
        let bytes = |name: &str, help: &str| register(registry, Gauge::new(name, help));
        Ok(Self {
            records: words(
                registry,
                ("esbgate_journal_records_total", "Records written, by kind.", "kind"),
                RecordKind::ALL.iter().map(|kind| kind.as_str()),
            )?,
            unrecorded: words(
                registry,
                (
                    "esbgate_journal_unrecorded_total",
                    "What happened and is on no record, refusals apart.",
                    "what",
                ),
                Unrecorded::ALL.iter().map(|what| what.as_str()),
            )?,
            tampered: words(
                registry,
                (
                    "esbgate_journal_segments_tampered_total",
                    "Segments that somebody else removed, moved or changed.",
                    "what",
                ),
                Tampered::ALL.iter().map(|what| what.as_str()),
            )?,
            errors: counter(
                "esbgate_journal_write_errors_total",
                "Batches that could not be written.",
            )?,
            witness_errors: counter(
                "esbgate_journal_witness_errors_total",
                "Times that HEAD could not be written.",
            )?,
            archive_errors: counter(
                "esbgate_journal_archive_errors_total",
                "Closed segments that could not be compressed or removed.",
            )?,
            commit: register(registry, Histogram::with_opts(opts))?,
            writable: gauge("esbgate_journal_writable", "1 while the journal takes records.")?,
            open: gauge("esbgate_journal_open_intents", "Intents whose outcome is not written.")?,
            dropped: counter(
                "esbgate_journal_refusals_dropped_total",
                "Refusals that are in no record, because they had no room or the write failed.",
            )?,
            held: bytes("esbgate_journal_held_bytes", "Bytes of all segments.")?,
            room: bytes(
                "esbgate_journal_free_bytes",
                "Bytes that the journal may still take: of its bound or of the disk, whichever is less.",
            )?,
            low: gauge(
                "esbgate_journal_space_low",
                "1 while a fifth of the bound or less is free.",
            )?,
            unread: gauge(
                "esbgate_journal_predecessor_unread",
                "1 if this start found records before it that are missing, changed or not readable.",
            )?,
            differences: counter(
                "esbgate_journal_shadow_dropped_total",
                "Differing decisions of a next policy that no record stands for: too many kinds, a full queue or a failed write.",
            )?,
        })
    }

    /// Counts a record.
    pub fn record(&self, kind: RecordKind) {
        count(&self.records, kind.as_str(), 1);
    }

    /// Counts what is on no record.
    pub fn unrecorded(&self, what: Unrecorded, many: u64) {
        count(&self.unrecorded, what.as_str(), many);
    }

    /// Counts a segment that somebody else has changed.
    pub fn tampered(&self, what: Tampered) {
        count(&self.tampered, what.as_str(), 1);
    }

    /// Counts a batch that could not be written.
    pub fn write_error(&self) {
        self.errors.inc();
    }

    /// Counts a HEAD that could not be written.
    pub fn witness_error(&self) {
        self.witness_errors.inc();
    }

    /// Counts a closed segment that could not be compressed or removed.
    pub fn archive_error(&self) {
        self.archive_errors.inc();
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

    /// Notes the bytes that are held and those that are free, and whether they are few.
    pub fn space(&self, held: u64, free: u64, low: bool) {
        self.held.set(held as f64);
        self.room.set(free as f64);
        self.low.set(i64::from(low));
    }

    /// Notes whether what was before this start could be read.
    pub fn predecessor_unread(&self, unread: bool) {
        self.unread.set(i64::from(unread));
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

    /// How many refusals were not written.
    #[must_use]
    pub fn refusals_dropped(&self) -> u64 {
        self.dropped.get()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
fn words(
    registry: &Registry,
    (name, help, label): (&str, &str, &str),
    all: impl Iterator<Item = &'static str>,
) -> prometheus::Result<Words> {
    let family = register(registry, IntCounterVec::new(Opts::new(name, help), &[label]))?;
    Ok(all.map(|word| (word, family.with_label_values(&[word]))).collect())
}

fn count(words: &Words, word: &'static str, many: u64) {
    if let Some((_, counter)) = words.iter().find(|(known, _)| *known == word) {
        counter.inc_by(many);
    }
}

impl Default for JournalMetrics {
    fn default() -> Self {
        alone(Self::register)
    }
}
