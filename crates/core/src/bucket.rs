//! A budget that refills: GCRA by governor, over one atomic of our own.
//!
//! The state is our own so that a charge can be given back; the clock is the arrival of calls, so that a
//! judgement depends on nothing but the call. The promise: in any window, what was admitted and not given
//! back is at most rate × window + burst.

mod carry_over;
mod give_back;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::{Clock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::StateStore,
};

use self::give_back::{GiveBacks, Stretch};

/// How fast a budget refills, and how much of it may be taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The time in which one unit comes back. Times `burst` it is at most a [century](Self::LONGEST).
    pub period: Duration,
    /// At once.
    pub burst: NonZeroU32,
}

impl Quota {
    /// `rate` units in `window`.
    #[must_use]
    pub fn new(rate: NonZeroU32, window: Duration, burst: NonZeroU32) -> Self {
        Self { period: window / rate.get(), burst }
    }

    /// The longest time in which all of a budget may come back: what is longer does not fit the limiter's arithmetic.
    pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// Whether all of it comes back in time.
    #[must_use]
    pub fn is_sound(self) -> bool {
        self.period.checked_mul(self.burst.get()).is_some_and(|whole| whole <= Self::LONGEST)
    }
}

/// The theoretical arrival time of GCRA, in nanoseconds since the process began; 0 is untouched.
#[derive(Debug, Clone, Default)]
struct Cell(Arc<AtomicU64>);

/// What a charge left behind. The limiter hands it to the store as its key, and tells nobody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Receipt {
    arrival: std::cell::Cell<u64>,
}

// A key of one state needs no hash.
impl std::hash::Hash for Receipt {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl StateStore for Cell {
    type Key = Receipt;

    fn measure_and_replace<T, F, E>(&self, receipt: &Receipt, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            let before = (seen != 0).then(|| Nanos::from(seen));
            let (outcome, after) = f(before)?;
            let after: u64 = after.into();
            match self.0.compare_exchange_weak(seen, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    receipt.arrival.set(after);
                    return Ok(outcome);
                }
                Err(changed) => seen = changed,
            }
        }
    }
}

/// The latest arrival that the budget has seen. It never goes back.
#[derive(Debug, Clone, Default)]
struct Latest(Arc<AtomicU64>);

/// A point of [`Latest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point(u64);

impl std::ops::Add<Nanos> for Point {
    type Output = Self;
    fn add(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.into()))
    }
}

impl Reference for Point {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }
    fn saturating_sub(&self, span: Nanos) -> Self {
        Self(self.0.saturating_sub(span.into()))
    }
}

impl Clock for Latest {
    type Instant = Point;
    fn now(&self) -> Point {
        Point(self.0.load(Ordering::Acquire))
    }
}

/// What is left after a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Units that may still be taken now.
    pub remaining: u32,
    /// The time until all of it is back.
    pub reset: Duration,
}

/// Why a charge was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It fits after this time.
    Wait(Duration),
    /// It is more than the burst: it never fits.
    Never,
}

/// A budget and its live state.
#[derive(Debug)]
pub struct Bucket {
    quota: Quota,
    cell: Cell,
    latest: Latest,
    give_backs: GiveBacks,
    limiter: RateLimiter<Receipt, Cell, Latest, StateInformationMiddleware>,
    /// The bucket with the numbers of a later policy.
    successor: OnceLock<Arc<Self>>,
}

impl Bucket {
    /// A full budget.
    #[must_use]
    pub fn new(quota: Quota) -> Arc<Self> {
        let cell = Cell::default();
        let latest = Latest::default();
        // A period of zero would mean an unlimited budget, which is written as a large rate instead.
        let limit = governor::Quota::with_period(quota.period.max(Duration::from_nanos(1)))
            .unwrap_or(governor::Quota::per_second(NonZeroU32::MAX))
            .allow_burst(quota.burst);
        let limiter = RateLimiter::new(limit, cell.clone(), latest.clone());
        let give_backs = GiveBacks::default();
        Arc::new(Self { quota, cell, latest, give_backs, limiter, successor: OnceLock::new() })
    }

    /// Its numbers.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Takes `units` for something that arrived at `at`. Where a later policy has changed the numbers, that one's
    /// bucket decides.
    pub fn take(
        self: &Arc<Self>,
        units: NonZeroU32,
        at: Duration,
    ) -> Result<(Charge, Left), Refused> {
        let taken = self.take_here(units, at);
        // Looked up afterwards: a charge that was not carried over finds the successor, and is judged there.
        match self.successor.get() {
            Some(successor) => successor.take(units, at),
            None => taken,
        }
    }

    fn take_here(
        self: &Arc<Self>,
        units: NonZeroU32,
        at: Duration,
    ) -> Result<(Charge, Left), Refused> {
        // Asked here, because the limiter multiplies first, and a product that wraps would let the charge pass.
        if units > self.quota.burst {
            return Err(Refused::Never);
        }
        // The epoch is shifted by one so that a state of 0 stays "untouched".
        let at = nanos(at).saturating_add(1);
        self.latest.0.fetch_max(at, Ordering::SeqCst);
        let before = self.give_backs.applied();
        let receipt = Receipt::default();
        let snapshot = match self.limiter.check_key_n(&receipt, units) {
            Ok(Ok(snapshot)) => snapshot,
            Ok(Err(wait)) => {
                return Err(Refused::Wait(wait.wait_time_from(self.latest.now_point())));
            }
            Err(_) => return Err(Refused::Never),
        };
        let remaining = snapshot.remaining_burst_capacity();
        let spent = self.quota.burst.get().saturating_sub(remaining);
        let reset = self.quota.period.saturating_mul(spent);
        let span = nanos(self.quota.period).saturating_mul(units.get().into());
        let start = receipt.arrival.get().saturating_sub(span);
        let stretch = Stretch { at, start, span, before };
        let charge = Charge { bucket: Arc::clone(self), stretch, kept: false };
        Ok((charge, Left { remaining, reset }))
    }

    /// Gives back what has not come back by itself since.
    fn give_back(&self, stretch: Stretch) {
        let now = || self.latest.0.load(Ordering::SeqCst);
        self.give_backs.give_back(stretch, now, |span| self.cell.0.fetch_sub_saturating(span));
    }
}

impl Latest {
    fn now_point(&self) -> Point {
        self.now()
    }
}

trait SaturatingSub {
    fn fetch_sub_saturating(&self, value: u64);
}

impl SaturatingSub for AtomicU64 {
    fn fetch_sub_saturating(&self, value: u64) {
        let less = |seen: u64| Some(seen.saturating_sub(value).max(1));
        // The closure always gives a value, so the update always lands.
        self.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).unwrap_or_default();
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What was taken from a budget; given back on drop unless it is kept.
#[derive(Debug)]
pub struct Charge {
    bucket: Arc<Bucket>,
    stretch: Stretch,
    kept: bool,
}

impl Charge {
    /// The charge stands: what it paid for may have happened.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// The charge does not stand after all: nothing happened.
    pub fn release(&mut self) {
        self.kept = false;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if !self.kept {
            self.bucket.give_back(self.stretch);
        }
    }
}

#[cfg(test)]
mod give_back_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    fn bucket(rate: u32, burst: u32) -> Arc<Bucket> {
        Bucket::new(Quota::new(units(rate), Duration::from_secs(1), units(burst)))
    }

    fn keep(bucket: &Arc<Bucket>, n: u32, at: Duration) -> bool {
        bucket.take(units(n), at).map(|(mut charge, _)| charge.keep()).is_ok()
    }

    #[test]
    fn a_budget_holds_its_burst_and_refills_at_its_rate() {
        let b = bucket(10, 20);
        assert!((0..20).all(|_| keep(&b, 1, Duration::ZERO)));
        match b.take(units(1), Duration::ZERO) {
            Err(Refused::Wait(wait)) => assert_eq!(wait, Duration::from_millis(100)),
            other => panic!("{other:?}"),
        }
        assert!(keep(&b, 1, Duration::from_millis(100)));
        assert!(!keep(&b, 1, Duration::from_millis(100)));
        assert!(matches!(b.take(units(21), Duration::from_secs(60)), Err(Refused::Never)));
        let slow = Bucket::new(Quota::new(units(1), Duration::from_secs(86_400), units(36_500)));
        assert!(slow.quota().is_sound());
        assert!(matches!(slow.take(NonZeroU32::MAX, Duration::ZERO), Err(Refused::Never)));
        assert!(keep(&slow, 36_500, Duration::ZERO) && !keep(&slow, 1, Duration::ZERO));
    }

    #[test]
    fn what_is_dropped_unkept_is_given_back() {
        let b = bucket(1, 100);
        let (charge, left) = b.take(units(100), Duration::from_secs(5)).unwrap();
        assert_eq!((left.remaining, left.reset), (0, Duration::from_secs(100)));
        assert!(!keep(&b, 1, Duration::from_secs(5)));
        drop(charge);
        assert!(keep(&b, 100, Duration::from_secs(5)));
    }

    #[test]
    fn giving_back_late_does_not_make_the_burst_larger() {
        let b = bucket(1, 10);
        let (early, _) = b.take(units(10), Duration::ZERO).unwrap();
        let later = Duration::from_secs(10);
        assert!(keep(&b, 10, later));
        drop(early);
        assert!(!keep(&b, 1, later));
    }

    proptest! {
        #[test]
        fn in_any_window_the_admitted_are_at_most_rate_times_window_and_burst(
            steps in prop::collection::vec((0u64..400, 1u32..6, any::<bool>()), 1..200)
        ) {
            let b = bucket(5, 10);
            let mut now = 0;
            let mut admitted: Vec<(u64, u32)> = Vec::new();
            let mut held = Vec::new();
            for (wait, n, kept) in steps {
                now += wait;
                if let Ok((mut charge, _)) = b.take(units(n), Duration::from_millis(now)) {
                    if kept {
                        charge.keep();
                        admitted.push((now, n));
                    } else {
                        held.push(charge);
                    }
                }
                if held.len() > 2 {
                    held.remove(0);
                }
            }
            for (index, (start, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, n) in admitted.iter().skip(index) {
                    sum += u64::from(*n);
                    prop_assert!(sum * 1000 <= (end - start) * 5 + 10 * 1000, "{sum} in {}", end - start);
                }
            }
        }
    }
}
