//! When a connection has waited too long for its next request, and when it is merely at rest.
//!
//! hyper has no deadline for the preface, for an HTTP/2 head or for idleness, and its HTTP/1 head
//! deadline also runs while a kept-alive connection rests. One watch per connection covers all of them.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// No byte has come since the last request ended.
const QUIET: u64 = u64::MAX;

/// How long a connection keeps what a request needs after one has ended: long enough that a busy one never gives
/// it up, and short enough that thousands of idle ones hold nothing.
const REST: Duration = Duration::from_millis(500);

/// What a connection is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    head_time: Duration,
    idle_time: Duration,
    running: AtomicUsize,
    /// Milliseconds after `opened` when the last request ended.
    rested: AtomicU64,
    /// Milliseconds after `opened` when the first byte of the next head came.
    began: AtomicU64,
    /// On HTTP/2 bytes without a request are ordinary (pings, windows), so they begin no head.
    multiplexed: AtomicBool,
    /// Whether bytes may wait to be written.
    unflushed: AtomicBool,
}

/// What time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// A request has ended a while ago, its answer has left and nothing came since.
    Rest,
    /// The connection is to be closed.
    Patience,
}

impl Activity {
    /// A connection that was just opened and owes its first head.
    pub(crate) fn new(head_time: Duration, idle_time: Duration) -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            head_time,
            idle_time,
            running: AtomicUsize::new(0),
            rested: AtomicU64::new(0),
            began: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
            unflushed: AtomicBool::new(false),
        })
    }

    /// A request is in progress until the guard is dropped.
    pub(crate) fn start(self: &Arc<Self>, multiplexed: bool) -> Running {
        self.running.fetch_add(1, Ordering::AcqRel);
        self.began.store(QUIET, Ordering::Release);
        self.multiplexed.store(multiplexed, Ordering::Release);
        Running(Arc::clone(self))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(QUIET - 1)
    }

    /// Bytes have come.
    pub(crate) fn noticed(&self) {
        if self.began.load(Ordering::Acquire) != QUIET
            || self.running.load(Ordering::Acquire) > 0
            || self.multiplexed.load(Ordering::Acquire)
        {
            return;
        }
        self.began.store(self.elapsed(), Ordering::Release);
    }

    /// Bytes are about to be written, or all are.
    pub(crate) fn writes(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Ordering::Release);
    }

    /// When patience ends, or rest begins if it `rests`; none while a request is in progress.
    fn due(&self, rests: bool) -> Option<(Instant, Over)> {
        if self.running.load(Ordering::Acquire) > 0 {
            return None;
        }
        let began = self.began.load(Ordering::Acquire);
        if began != QUIET {
            let wait = Duration::from_millis(began) + self.head_time;
            return Some((self.opened + wait, Over::Patience));
        }
        let rested = self.opened + Duration::from_millis(self.rested.load(Ordering::Acquire));
        if rests && REST < self.idle_time && !self.unflushed.load(Ordering::Acquire) {
            return Some((rested + REST, Over::Rest));
        }
        Some((rested + self.idle_time, Over::Patience))
    }

    /// What a watch begins with.
    pub(crate) fn timer(&self) -> Sleep {
        sleep_until(self.opened)
    }

    /// Tells what time has brought. Whoever polls it does so whenever the connection has moved: a request that begins
    /// or ends does not touch the timer, which is looked at when it fires and is never later than what is due.
    pub(crate) fn poll_over(
        &self,
        rests: bool,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Over> {
        loop {
            let due = self.due(rests);
            if let Some((at, _)) = due
                && at < timer.deadline()
            {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let next = match due {
                Some((at, over)) if at <= now => return Poll::Ready(over),
                Some((at, _)) => at,
                // No later than anything that may be due by then.
                None => now + REST.min(self.head_time).min(self.idle_time),
            };
            timer.as_mut().reset(next);
        }
    }

    /// Returns when the connection is to be closed.
    pub(crate) async fn expired(&self) {
        let mut timer = pin!(self.timer());
        poll_fn(|cx| self.poll_over(false, timer.as_mut(), cx)).await;
    }
}

/// A request in progress.
#[derive(Debug)]
pub(crate) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.rested.store(self.0.elapsed(), Ordering::Release);
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_owes_its_first_head_within_the_head_time() {
        let opened = Instant::now();
        Activity::new(HEAD, IDLE).expired().await;
        assert!(opened.elapsed() >= HEAD && opened.elapsed() < IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_request_is_never_idle_and_rest_is_counted_from_its_end() {
        let activity = Activity::new(HEAD, IDLE);
        let running = activity.start(false);
        assert!(tokio::time::timeout(IDLE * 10, activity.expired()).await.is_err());
        drop(running);
        let rested = Instant::now();
        activity.expired().await;
        assert!(rested.elapsed() >= IDLE - Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_after_rest_begins_a_head_on_http_1_alone() {
        for (multiplexed, wait) in [(false, HEAD), (true, IDLE)] {
            let activity = Activity::new(HEAD, IDLE);
            drop(activity.start(multiplexed));
            activity.noticed();
            let began = Instant::now();
            activity.expired().await;
            let waited = began.elapsed();
            let slack = Duration::from_millis(5);
            assert!(waited + slack >= wait && waited <= wait + slack, "{waited:?}");
        }
    }
}
