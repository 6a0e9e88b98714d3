//! What a changed quota does to a budget that is in use: what was spent stays spent, in units.
//!
//! Calls of the generation before may still charge the old bucket. They are led on to the new one, and a charge that
//! lands while the numbers change counts at least once; none is forgotten.

use std::sync::{Arc, atomic::Ordering};

use super::{Bucket, Quota, nanos};

/// The longest backlog that is carried over: more than any budget lasts, and few enough nanoseconds that what is added to
/// them does not wrap.
const MOST: u64 = u64::MAX / 4;

impl Bucket {
    /// The budget under `quota`, which is itself where the numbers are the same. What was spent and has not come back
    /// is carried over as units, so that no change of numbers refills a budget; a smaller burst may leave it in debt.
    /// A charge that was taken before the change is not given back any more.
    #[must_use]
    pub fn with_quota(self: &Arc<Self>, quota: Quota) -> Arc<Self> {
        if let Some(successor) = self.successor.get() {
            return successor.with_quota(quota);
        }
        if self.quota == quota {
            return Arc::clone(self);
        }
        let next = Self::new(quota);
        let latest = self.latest.0.load(Ordering::SeqCst);
        next.latest.0.store(latest, Ordering::SeqCst);
        let known = self.spent_as(quota, self.cell.0.load(Ordering::Acquire), latest);
        next.cell.0.store(latest.saturating_add(known), Ordering::Release);
        let next = Arc::clone(self.successor.get_or_init(|| next));
        // Both this and a charge are read-modify-writes of one cell: a charge that comes later than this one finds
        // the successor, one that came before is seen here.
        let last = self.cell.0.fetch_add(0, Ordering::AcqRel);
        let late = self.spent_as(quota, last, latest).saturating_sub(known);
        next.cell.0.fetch_add(late, Ordering::AcqRel);
        next
    }

    /// The backlog of an arrival time, in the time that its units take under another quota.
    fn spent_as(&self, quota: Quota, arrival: u64, latest: u64) -> u64 {
        let backlog = u128::from(arrival.saturating_sub(latest));
        let (own, other) = (nanos(self.quota.period).max(1), nanos(quota.period).max(1));
        let spent = backlog.saturating_mul(other.into()).div_ceil(own.into());
        u64::try_from(spent).unwrap_or(u64::MAX).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use esbgate_model::Name;
    use proptest::prelude::*;

    use super::*;
    use crate::{Ledger, Limits, Refused, Shadow};

    fn units(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    fn quota(rate: u32, burst: u32) -> Quota {
        Quota::new(units(rate), Duration::from_secs(1), units(burst))
    }

    fn keep(bucket: &Arc<Bucket>, n: u32, at: Duration) -> bool {
        bucket.take(units(n), at).map(|(mut charge, _)| charge.keep()).is_ok()
    }

    const NOW: Duration = Duration::from_secs(9);

    #[test]
    fn what_was_spent_stays_spent_under_other_numbers() {
        let fast = Bucket::new(quota(10, 10));
        assert!(keep(&fast, 10, NOW));
        let slow = fast.with_quota(quota(1, 10));
        match slow.take(units(1), NOW) {
            Err(Refused::Wait(wait)) => assert_eq!(wait, Duration::from_secs(1)),
            other => panic!("{other:?}"),
        }
        let larger = slow.with_quota(quota(1, 15));
        assert!(keep(&larger, 5, NOW) && !keep(&larger, 1, NOW));
        // Back to the first numbers the budget is in debt, and pays it at its rate.
        let first = larger.with_quota(quota(10, 10));
        assert!(!keep(&first, 1, NOW + Duration::from_millis(599)));
        assert!(keep(&first, 1, NOW + Duration::from_millis(600)));
    }

    #[test]
    fn a_backlog_of_more_than_a_century_under_other_numbers_stays_one() {
        let fast = Bucket::new(quota(1_000_000, 1_000_000_000));
        assert!(keep(&fast, 1_000_000_000, NOW));
        let day = Quota::new(units(1), Duration::from_secs(86_400), units(36_500));
        let slow = fast.with_quota(day);
        assert!(!keep(&slow, 1, NOW) && !keep(&slow, 36_500, NOW));
        assert!(!keep(&slow.with_quota(quota(1, 10)), 1, NOW));
    }

    #[test]
    fn an_unused_budget_is_full_under_other_numbers() {
        let bucket = Bucket::new(quota(1, 1)).with_quota(quota(1, 5));
        assert!(keep(&bucket, 5, NOW) && !keep(&bucket, 1, NOW));
    }

    #[test]
    fn the_same_numbers_are_the_same_bucket() {
        let bucket = Bucket::new(quota(1, 1));
        assert!(Arc::ptr_eq(&bucket, &bucket.with_quota(quota(1, 1))));
    }

    #[test]
    fn a_call_of_an_earlier_generation_is_charged_to_the_budget_in_force() {
        let first = Bucket::new(quota(1, 100));
        let last = first.with_quota(quota(1, 3)).with_quota(quota(1, 2));
        assert!(keep(&first, 2, NOW));
        assert!(!keep(&last, 1, NOW) && !keep(&first, 1, NOW));
    }

    #[test]
    fn charges_that_land_while_the_numbers_change_are_not_forgotten() {
        for _ in 0..200 {
            let first = Bucket::new(quota(1, 1000));
            let admitted = std::thread::scope(|scope| {
                let calls = || (0..100).filter(|_| keep(&first, 1, NOW)).count();
                let workers = [scope.spawn(calls), scope.spawn(calls)];
                let last = first.with_quota(quota(2, 1000));
                let admitted: usize =
                    workers.into_iter().map(|worker| worker.join().unwrap()).sum();
                admitted + (0..1000).filter(|_| keep(&last, 1, NOW)).count()
            });
            assert!(admitted <= 1000, "{admitted}");
        }
    }

    proptest! {
        #[test]
        fn a_reload_never_refills(
            steps in prop::collection::vec((0u64..300, 1u32..8, prop::option::of(0usize..5)), 1..200)
        ) {
            let all = [quota(5, 10), quota(1, 10), quota(10, 3), quota(2, 40), quota(7, 7)];
            let (rate, burst) = (10, 40);
            let app = Name::new("an_app").unwrap();
            let mut ledger = Ledger::default();
            let mut reload = |quota| {
                let limits =
                    Limits { calls: quota, in_flight: 1, host_runs: quota, hosts_per_day: None, hosts_per_call: 1, shadow: Shadow::default() };
                ledger.state(&app, limits, &[]).host_runs
            };
            let mut bucket = reload(all[0]);
            let mut now = 0;
            let mut admitted: Vec<(u64, u32)> = Vec::new();
            for (wait, n, numbers) in steps {
                now += wait;
                if let Some(numbers) = numbers {
                    bucket = reload(all[numbers]);
                }
                if keep(&bucket, n, Duration::from_millis(now)) {
                    admitted.push((now, n));
                }
            }
            for (index, (start, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, n) in admitted.iter().skip(index) {
                    sum += u64::from(*n);
                    prop_assert!(sum * 1000 <= (end - start) * rate + burst * 1000);
                }
            }
        }
    }
}
