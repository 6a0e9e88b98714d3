//! What the login client counts.

use prometheus::{Histogram, IntCounter, IntCounterVec, Opts, Registry};

use super::{REQUEST_BUCKETS, alone, histogram, register};

/// What the login service said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult {
    /// The token is somebody's.
    Valid,
    /// It is nobody's.
    Invalid,
    /// No answer.
    Error,
}

/// What the cache said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// Known.
    Hit,
    /// Unknown.
    Miss,
    /// Served past its time because the service is down.
    Stale,
}

/// The login client's series.
#[derive(Debug, Clone)]
pub struct LoginMetrics {
    requests: [IntCounter; 3],
    cache: [IntCounter; 3],
    duration: Histogram,
}

impl LoginMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new("esbgate_login_requests_total", "Questions to the login service.");
        let requests = register(registry, IntCounterVec::new(opts, &["result"]))?;
        let opts = Opts::new("esbgate_login_cache_total", "Look-ups of tokens.");
        let cache = register(registry, IntCounterVec::new(opts, &["result"]))?;
        let opts = histogram(
            "esbgate_login_request_duration_seconds",
            "From asking the login service to its answer.",
            REQUEST_BUCKETS,
        );
        Ok(Self {
            requests: ["valid", "invalid", "error"].map(|r| requests.with_label_values(&[r])),
            cache: ["hit", "miss", "stale"].map(|r| cache.with_label_values(&[r])),
            duration: register(registry, Histogram::with_opts(opts))?,
        })
    }

    /// Counts a question.
    pub fn asked(&self, result: LoginResult, seconds: f64) {
        let [valid, invalid, error] = &self.requests;
        match result {
            LoginResult::Valid => valid.inc(),
            LoginResult::Invalid => invalid.inc(),
            LoginResult::Error => error.inc(),
        }
        self.duration.observe(seconds);
    }

    /// Counts a look-up.
    pub fn cache(&self, result: CacheResult) {
        let [hit, miss, stale] = &self.cache;
        match result {
            CacheResult::Hit => hit.inc(),
            CacheResult::Miss => miss.inc(),
            CacheResult::Stale => stale.inc(),
        }
    }
}

impl Default for LoginMetrics {
    fn default() -> Self {
        alone(Self::register)
    }
}
