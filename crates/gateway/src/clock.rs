//! The only reader of the clocks in the request path's adapters.

use std::time::Instant;

use esbgate_core::{Clock, ReceivedAt};

/// The machine's clocks; the monotonic one counts from when this was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// Starts counting.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the port's adapter")]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's adapter")]
    fn now(&self) -> ReceivedAt {
        ReceivedAt { wall: jiff::Timestamp::now(), monotonic: self.0.elapsed() }
    }
}
