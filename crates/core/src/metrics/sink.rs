//! What the sinks of the journal count.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use prometheus::{
    Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::{alone, register, whole};

/// The families.
#[derive(Debug, Clone)]
pub struct SinksMetrics {
    records: IntCounterVec,
    failures: IntCounterVec,
    skipped: IntCounterVec,
    shortened: IntCounterVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
    success: GaugeVec,
}

/// The series of one sink.
#[derive(Debug, Clone)]
pub struct SinkMetrics {
    records: IntCounter,
    failures: IntCounter,
    skipped: IntCounter,
    shortened: IntCounter,
    lag_records: IntGauge,
    lag_seconds: Gauge,
    success: Gauge,
    /// When the oldest record that is not delivered was made, in microseconds; [`NONE`] without one.
    oldest: Arc<AtomicI64>,
}

const NONE: i64 = i64::MAX;

impl SinksMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            register(registry, IntCounterVec::new(Opts::new(name, help), &["sink"]))
        };
        let gauge = |name: &str, help: &str| {
            register(registry, GaugeVec::new(Opts::new(name, help), &["sink"]))
        };
        let lag = Opts::new(
            "esbgate_sink_lag_records",
            "Records of the journal that the sink is not done with.",
        );
        Ok(Self {
            records: counter("esbgate_sink_records_total", "Records that the sink has delivered.")?,
            failures: counter(
                "esbgate_sink_failures_total",
                "Times that the sink failed to read, to deliver or to save its cursor.",
            )?,
            skipped: counter(
                "esbgate_sink_skipped_records_total",
                "Records that the sink cannot deliver any more: gone before it came to them, or not fit for it.",
            )?,
            shortened: counter(
                "esbgate_sink_shortened_records_total",
                "Records that were too long for a datagram, of which the sink has delivered number and hash.",
            )?,
            lag_records: register(registry, IntGaugeVec::new(lag, &["sink"]))?,
            lag_seconds: gauge(
                "esbgate_sink_lag_seconds",
                "Age of the oldest record that the sink is not done with; 0 without one.",
            )?,
            success: gauge(
                "esbgate_sink_last_success_timestamp_seconds",
                "When the sink delivered last; 0 if it has not since the start.",
            )?,
        })
    }

    /// Resolves the series of one sink.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub fn sink(&self, name: &str) -> SinkMetrics {
        let label = &[name];
        SinkMetrics {
            records: self.records.with_label_values(label),
            failures: self.failures.with_label_values(label),
            skipped: self.skipped.with_label_values(label),
            shortened: self.shortened.with_label_values(label),
            lag_records: self.lag_records.with_label_values(label),
            lag_seconds: self.lag_seconds.with_label_values(label),
            success: self.success.with_label_values(label),
            oldest: Arc::new(AtomicI64::new(NONE)),
        }
    }
}

impl Default for SinksMetrics {
    fn default() -> Self {
        alone(Self::register)
    }
}

impl SinkMetrics {
    /// Counts records that were delivered.
    pub fn shipped(&self, records: u64, at: Timestamp) {
        self.records.inc_by(records);
        self.success.set(at.as_duration().as_secs_f64());
    }

    /// Counts a failure.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// Counts records that nobody can deliver any more.
    pub fn skipped(&self, records: u64) {
        self.skipped.inc_by(records);
    }

    /// Counts records of which only what names them was delivered.
    pub fn shortened(&self, records: u64) {
        self.shortened.inc_by(records);
    }

    /// Notes how far the sink is behind, and when the oldest of what it holds was made.
    pub fn behind(&self, records: u64, oldest: Option<Timestamp>) {
        self.lag_records.set(whole(records));
        self.oldest.store(oldest.map_or(NONE, Timestamp::as_microsecond), Ordering::Relaxed);
    }

    /// Sets what grows by itself, at a scrape: a sink that hangs sets nothing.
    pub fn sample(&self, now: Timestamp) {
        let age = match self.oldest.load(Ordering::Relaxed) {
            NONE => 0,
            oldest => now.as_microsecond().saturating_sub(oldest).max(0),
        };
        self.lag_seconds.set(jiff::SignedDuration::from_micros(age).as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_grows_while_a_sink_does_nothing() {
        let sink = SinksMetrics::default().sink("one");
        let at = |second| Timestamp::from_second(second).unwrap();
        sink.sample(at(100));
        assert_eq!(sink.lag_seconds.get(), 0.0);
        sink.behind(7, Some(at(90)));
        for (now, age) in [(100, 10.0), (160, 70.0), (80, 0.0)] {
            sink.sample(at(now));
            assert_eq!(sink.lag_seconds.get(), age);
        }
        sink.shipped(7, at(160));
        sink.behind(0, None);
        sink.sample(at(200));
        assert_eq!((sink.lag_seconds.get(), sink.lag_records.get()), (0.0, 0));
        assert_eq!((sink.records.get(), sink.success.get()), (7, 160.0));
    }
}
