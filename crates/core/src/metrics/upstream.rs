//! What the ESB client counts.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use super::{REQUEST_BUCKETS, alone, histogram, register};

/// How a send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamResult {
    /// The ESB answered.
    Answered,
    /// No byte left.
    NotSent,
    /// No answer in time.
    Timeout,
    /// The connection broke, or the answer was none.
    Broken,
}

/// The ESB client's series.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    requests: [IntCounter; 4],
    duration: [Histogram; 4],
}

impl UpstreamMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        const RESULTS: [&str; 4] = ["answered", "not_sent", "timeout", "broken"];
        let opts = Opts::new("esbgate_upstream_requests_total", "Sends to the ESB, by result.");
        let requests = register(registry, IntCounterVec::new(opts, &["result"]))?;
        let opts = histogram(
            "esbgate_upstream_request_duration_seconds",
            "From connecting to the whole answer of the ESB, by result.",
            REQUEST_BUCKETS,
        );
        let duration = register(registry, HistogramVec::new(opts, &["result"]))?;
        Ok(Self {
            requests: RESULTS.map(|result| requests.with_label_values(&[result])),
            duration: RESULTS.map(|result| duration.with_label_values(&[result])),
        })
    }

    /// Counts a send.
    pub fn finished(&self, result: UpstreamResult, seconds: f64) {
        let index = match result {
            UpstreamResult::Answered => 0,
            UpstreamResult::NotSent => 1,
            UpstreamResult::Timeout => 2,
            UpstreamResult::Broken => 3,
        };
        if let (Some(counter), Some(histogram)) =
            (self.requests.get::<usize>(index), self.duration.get(index))
        {
            counter.inc();
            histogram.observe(seconds);
        }
    }
}

impl Default for UpstreamMetrics {
    fn default() -> Self {
        alone(Self::register)
    }
}
