//! What comes back, and that it is never more than was taken.

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
const PERIOD: u64 = 200 * MS;
const BURST: u32 = 10;

fn bucket() -> Arc<Bucket> {
    let burst = NonZeroU32::new(BURST).unwrap();
    Bucket::new(Quota { period: Duration::from_nanos(PERIOD), burst })
}

fn take(bucket: &Arc<Bucket>, n: u32, ms: u64) -> Option<Charge> {
    let taken = bucket.take(NonZeroU32::new(n).unwrap(), Duration::from_millis(ms));
    taken.ok().map(|(charge, _)| charge)
}

/// The arrival time that the bucket is at, with the epoch's shift taken off.
fn arrival(bucket: &Bucket) -> u64 {
    bucket.cell.0.load(Ordering::SeqCst).saturating_sub(1)
}

#[test]
fn with_a_backlog_all_that_is_outstanding_comes_back() {
    let b = bucket();
    let held: Vec<_> = (0..5).map(|_| take(&b, 2, 0).unwrap()).collect();
    assert!(take(&b, 1, 0).is_none());
    // After a second five of the ten have come back by themselves, and the rest comes back now.
    take(&b, 1, 1000).unwrap().keep();
    drop(held);
    assert_eq!(arrival(&b), 1000 * MS + PERIOD);
}

#[test]
fn what_was_taken_later_stands_when_something_earlier_is_given_back() {
    let b = bucket();
    let early = take(&b, 5, 0).unwrap();
    take(&b, 5, 0).unwrap().keep();
    drop(early);
    assert_eq!(arrival(&b), 5 * PERIOD);
    assert!(take(&b, 6, 0).is_none() && take(&b, 5, 0).is_some());
}

#[test]
fn a_charge_that_earlier_ones_let_move_up_gives_back_no_more_than_is_left_of_it() {
    let b = bucket();
    let (first, second) = (take(&b, 5, 0).unwrap(), take(&b, 5, 0).unwrap());
    drop(first);
    // By now all but one unit of the second has come back by itself: it stood at the front.
    take(&b, 5, 800).unwrap().keep();
    drop(second);
    assert_eq!(arrival(&b), 800 * MS + 5 * PERIOD);
}

#[test]
fn threads_that_take_and_give_back_at_one_instant_leave_what_was_kept() {
    let burst = NonZeroU32::new(1_000_000).unwrap();
    let b = Bucket::new(Quota { period: Duration::from_nanos(PERIOD), burst });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let b = &b;
            scope.spawn(move || {
                for n in 1..1000 {
                    let mut charge = take(b, n % 7 + 1, 0).unwrap();
                    if (n + thread) % 3 == 0 {
                        charge.keep();
                    }
                }
            });
        }
    });
    let kept = (0..4).flat_map(|thread| (1..1000).map(move |n| (n, n + thread)));
    let kept: u32 = kept.filter(|(_, key)| key % 3 == 0).map(|(n, _)| n % 7 + 1).sum();
    assert_eq!(arrival(&b), u64::from(kept) * PERIOD);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Take(u32),
    Keep(prop::sample::Index),
    GiveBack(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u64..700).prop_map(Step::Wait),
        (1u32..6).prop_map(Step::Take),
        (1u32..6).prop_map(Step::Take),
        any::<prop::sample::Index>().prop_map(Step::Keep),
        any::<prop::sample::Index>().prop_map(Step::GiveBack),
    ];
    prop::collection::vec(step, 1..120)
}

/// The arrival time if what was given back had never been taken.
fn without_the_given_back(taken: &[Option<(u64, u32)>]) -> u64 {
    taken.iter().flatten().fold(0, |arrival, (ms, n)| arrival.max(ms * MS) + u64::from(*n) * PERIOD)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Stronger than the promise: as if what was given back had never been, or stricter.
    #[test]
    fn however_takes_give_backs_and_time_follow_each_other_no_more_comes_back_than_was_taken(
        steps in steps()
    ) {
        let b = bucket();
        let mut now = 0;
        let mut taken: Vec<Option<(u64, u32)>> = Vec::new();
        let mut held: Vec<(usize, Charge)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now += ms,
                Step::Take(n) => {
                    if let Some(charge) = take(&b, n, now) {
                        held.push((taken.len(), charge));
                        taken.push(Some((now, n)));
                    }
                }
                Step::Keep(index) if !held.is_empty() => {
                    held.swap_remove(index.index(held.len())).1.keep();
                }
                Step::GiveBack(index) if !held.is_empty() => {
                    // The bucket's time is that of arrivals, so somebody arrives.
                    b.latest.0.fetch_max(now * MS + 1, Ordering::SeqCst);
                    let (number, charge) = held.swap_remove(index.index(held.len()));
                    let before = arrival(&b);
                    drop(charge);
                    let (_, n) = taken[number].take().unwrap();
                    prop_assert!(before - arrival(&b) <= u64::from(n) * PERIOD);
                }
                Step::Keep(_) | Step::GiveBack(_) => {}
            }
            let least = without_the_given_back(&taken).max(now * MS);
            prop_assert!(arrival(&b).max(now * MS) >= least, "{} < {least}", arrival(&b));
        }
    }
}
