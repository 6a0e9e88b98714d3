//! How long a sink waits after a failure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from one failure to the next, with jitter, so that sinks of many gateways do not come back as one.
#[derive(Debug, Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Between half of the span and all of it.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let span = FIRST.saturating_mul(1 << self.0.min(10)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        span.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_half_a_minute_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for longest in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let span = backoff.after_failure().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&span), "{span} of {longest}");
        }
        for _ in 0..100 {
            assert!(backoff.after_failure() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.after_failure() <= FIRST);
    }
}
