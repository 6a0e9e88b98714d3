//! How much of a charge is still to be given back.
//!
//! A charge takes a stretch of the theoretical arrival time: from where the backlog ended, for as long as its
//! units take to come back. What lies ahead of now when it is given back is what has not come back by itself.
//! Every earlier give-back has moved the stretch towards now, by as much as it gave; not knowing which of the
//! give-backs since were of earlier charges, all count, so that never more comes back than is outstanding.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The stretch that a charge took, in nanoseconds of the bucket's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// When the charge was taken. No give-back moves the stretch further back than this.
    pub(super) at: u64,
    /// Where it began.
    pub(super) start: u64,
    /// How long it is.
    pub(super) span: u64,
    /// [`GiveBacks::applied`] from before it was taken.
    pub(super) before: u64,
}

/// Sums of what was given back, in nanoseconds: `announced` is never behind the arrival time and `applied`
/// never ahead of it, so their difference over the life of a charge counts every give-back that may have
/// moved it, those of other threads included.
#[derive(Debug, Default)]
pub(super) struct GiveBacks {
    announced: AtomicU64,
    applied: AtomicU64,
}

impl GiveBacks {
    /// To be read before a charge is taken.
    pub(super) fn applied(&self) -> u64 {
        self.applied.load(SeqCst)
    }

    /// Lets `reduce` take off what of `stretch` lies ahead of `now`.
    pub(super) fn give_back(
        &self,
        stretch: Stretch,
        now: impl FnOnce() -> u64,
        reduce: impl FnOnce(u64),
    ) {
        let Stretch { at, start, span, before } = stretch;
        // The most that it can be, before now is read: whoever does not see this announcement has read an
        // earlier now than the one that counts here, and so came first.
        self.announced.fetch_add(span, SeqCst);
        let now = now();
        let others = self.announced.load(SeqCst).wrapping_sub(span).wrapping_sub(before);
        let start = start.saturating_sub(others).max(at);
        let outstanding = start.saturating_add(span).saturating_sub(now).min(span);
        reduce(outstanding);
        self.applied.fetch_add(outstanding, SeqCst);
        self.announced.fetch_sub(span - outstanding, SeqCst);
    }
}
