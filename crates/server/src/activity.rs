//! When a connection has waited too long for its next request.
//!
//! hyper has no deadline for the preface, for an HTTP/2 head or for idleness, and its HTTP/1 head
//! deadline also runs while a kept-alive connection rests. One watch per connection covers all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// No byte has come since the last request ended.
const QUIET: u64 = u64::MAX;

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
    changed: Notify,
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
            changed: Notify::new(),
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
        if self.running.load(Ordering::Acquire) > 0 || self.multiplexed.load(Ordering::Acquire) {
            return;
        }
        let quiet =
            self.began.compare_exchange(QUIET, self.elapsed(), Ordering::AcqRel, Ordering::Acquire);
        if quiet.is_ok() {
            self.changed.notify_one();
        }
    }

    /// When patience ends; none while a request is in progress.
    fn due(&self) -> Option<Instant> {
        if self.running.load(Ordering::Acquire) > 0 {
            return None;
        }
        let rest = Duration::from_millis(self.rested.load(Ordering::Acquire)) + self.idle_time;
        let began = self.began.load(Ordering::Acquire);
        let wait =
            if began == QUIET { rest } else { Duration::from_millis(began) + self.head_time };
        Some(self.opened + wait)
    }

    /// Returns when the connection is to be closed.
    pub(crate) async fn expired(&self) {
        loop {
            let Some(due) = self.due() else {
                self.changed.notified().await;
                continue;
            };
            if due <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

/// A request in progress.
#[derive(Debug)]
pub(crate) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.rested.store(self.0.elapsed(), Ordering::Release);
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.changed.notify_one();
        }
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
