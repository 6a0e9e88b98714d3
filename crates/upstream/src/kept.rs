//! Connections that wait for another call: one core's own, where the upstream keeps connections and the admin says
//! for how long.
//!
//! The ESB closes after every answer; upstreams that do not are spared a handshake for each call. A connection that the
//! upstream closes at the very moment when a call is written to it leaves that call `unknown`, so none is kept for
//! longer than the upstream is known to keep it.

use std::{
    future::poll_fn,
    sync::{MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use crate::talk::Line;

/// Most connections that wait, for each endpoint.
const MOST: usize = 256;

#[expect(clippy::disallowed_types, reason = "one core's own: nobody ever waits for it")]
type Lock<T> = std::sync::Mutex<T>;

/// Connections, and since when each waits; the oldest first.
type Waiting = Vec<(Instant, Line)>;

/// The connections of one core, by endpoint.
pub(crate) struct Kept {
    /// How long one waits; none: nothing is kept.
    patience: Option<Duration>,
    lines: Box<[Lock<Waiting>]>,
}

impl Kept {
    /// None yet.
    pub(crate) fn new(patience: Option<Duration>, endpoints: usize) -> Self {
        Self { patience, lines: (0..endpoints).map(|_| Lock::default()).collect() }
    }

    /// Whether connections are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.patience.is_some()
    }

    /// A connection to this endpoint that is still open, the one that has waited least.
    pub(crate) async fn take(&self, endpoint: usize) -> Option<Line> {
        let patience = self.patience?;
        loop {
            let (since, mut line) = self.of(endpoint)?.pop()?;
            if since.elapsed() < patience && poll_fn(|cx| Poll::Ready(line.is_at_rest(cx))).await {
                line.count_anew();
                return Some(line);
            }
        }
    }

    /// Keeps a connection to this endpoint. Those that have waited too long are closed.
    pub(crate) fn put(&self, endpoint: usize, line: Line) {
        if let (Some(patience), Some(mut lines)) = (self.patience, self.of(endpoint)) {
            let late = lines.iter().take_while(|(since, _)| since.elapsed() >= patience).count();
            lines.drain(..late);
            if lines.len() < MOST {
                lines.push((Instant::now(), line));
            }
        }
    }

    fn of(&self, endpoint: usize) -> Option<MutexGuard<'_, Waiting>> {
        Some(self.lines.get(endpoint)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
