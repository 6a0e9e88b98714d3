//! Two levels of budgets: what each promises holds, and a refusal costs nothing.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{Metrics, Quota};

fn units(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn bucket((rate, burst): (u32, u32)) -> Arc<Bucket> {
    Bucket::new(Quota::new(units(rate), Duration::from_secs(1), units(burst)))
}

fn metrics(limits: LimitSet) -> (Metrics, AppMetrics) {
    let metrics = Metrics::register(&prometheus::Registry::new(), "test").unwrap();
    let app = metrics.app("team", "team", &[]).with_shadow(metrics.shadow("team", limits));
    (metrics, app)
}

/// The levels of a call: the rule's budgets and the application's, from the narrowest on.
const LEVELS: [Limit; 5] = [
    Limit::RuleCalls,
    Limit::RuleHostsPerMinute,
    Limit::RuleHostsPerDay,
    Limit::HostsPerMinute,
    Limit::HostsPerDay,
];

fn pass(
    app: &AppMetrics,
    budgets: &[Arc<Bucket>; 5],
    n: u32,
    ms: u64,
) -> Result<Paid, (Limit, Option<Duration>)> {
    let mut toll = Toll::new(app, Duration::from_millis(ms), n.into(), LimitSet::default());
    for (index, (limit, budget)) in LEVELS.into_iter().zip(budgets).enumerate() {
        let n = if index == 0 { 1 } else { n };
        match toll.pay(limit, Some(budget), Some(units(n)), false) {
            Ok(()) => {}
            Err(
                Rejection::CallsSpent { reached, retry_after, .. }
                | Rejection::HostRunsSpent { reached, retry_after, .. },
            ) => return Err((reached, Some(retry_after))),
            Err(Rejection::TooManyHosts { reached, .. }) => return Err((reached, None)),
            Err(other) => panic!("{other}"),
        }
    }
    Ok(toll.into_parts().0)
}

#[test]
fn the_first_limit_that_refuses_is_named_and_the_earlier_ones_get_their_charge_back() {
    let (_, app) = metrics(LimitSet::default());
    for (level, limit) in LEVELS.into_iter().enumerate() {
        let budgets = [0, 1, 2, 3, 4].map(|at| bucket(if at == level { (1, 4) } else { (1, 100) }));
        budgets[level].take(units(4), Duration::ZERO).unwrap().0.keep();
        let wait = if level == 0 { 1 } else { 3 };
        for _ in 0..3 {
            let refused = pass(&app, &budgets, 3, 0).unwrap_err();
            assert_eq!(refused, (limit, Some(Duration::from_secs(wait))));
        }
        // Nothing of the others is gone.
        for (_, other) in budgets.iter().enumerate().filter(|(at, _)| *at != level) {
            assert!(other.take(units(100), Duration::ZERO).is_ok());
        }
        let mut paid = pass(&app, &budgets, 3, wait * 1000).unwrap();
        paid.keep();
        drop(paid);
        assert!(budgets[level].take(units(2), Duration::from_secs(wait)).is_err());
    }
}

#[test]
fn more_than_a_budget_ever_has_is_not_asked_to_wait() {
    let (_, app) = metrics(LimitSet::default());
    let budgets = [(1, 10), (1, 10), (1, 10), (1, 2), (1, 10)].map(bucket);
    assert_eq!(pass(&app, &budgets, 3, 0).unwrap_err(), (Limit::HostsPerMinute, None));
    let mut toll = Toll::new(&app, Duration::ZERO, u64::MAX, LimitSet::default());
    let refused = toll.pay(Limit::HostsPerDay, Some(&budgets[4]), None, false);
    assert!(matches!(refused, Err(Rejection::TooManyHosts { limit: 10, .. })), "{refused:?}");
}

#[test]
fn a_limit_in_shadow_mode_is_counted_and_charged_as_if_it_held_and_refuses_nothing() {
    let watched = [Limit::HostsPerCall, Limit::HostsPerMinute];
    let (metrics, app) = metrics(watched.into_iter().collect());
    let budget = bucket((1, 3));
    let call = |hosts: u32| {
        let mut toll = Toll::new(&app, Duration::ZERO, hosts.into(), LimitSet::default());
        toll.within(Limit::HostsPerCall, Some(2), true).unwrap();
        toll.pay(Limit::HostsPerMinute, Some(&budget), Some(units(hosts)), true).unwrap();
        let (mut paid, shadowed) = toll.into_parts();
        paid.keep();
        shadowed.iter().collect::<Vec<_>>()
    };
    assert_eq!(call(2), []);
    assert_eq!(call(2), [Limit::HostsPerMinute]);
    // What did not fit was not charged, so what would have fitted still fits.
    assert_eq!(call(1), []);
    assert_eq!(call(3), watched);
    let exposed = String::from_utf8(metrics.encode().unwrap()).unwrap();
    for (limit, count) in [("hosts_per_call", 1), ("hosts_per_minute", 2)] {
        let line =
            format!("esbgate_limit_shadowed_total{{app=\"team\",limit=\"{limit}\"}} {count}\n");
        assert!(exposed.contains(&line), "{exposed}");
    }
    assert_eq!(exposed.matches("esbgate_limit_shadowed_total{").count(), 2);
}

/// What was kept under one budget: when, and how much.
type Kept = Vec<(u64, u32)>;

fn promise(kept: &Kept, (rate, burst): (u32, u32)) -> Result<(), TestCaseError> {
    for (index, (start, _)) in kept.iter().enumerate() {
        let mut sum = 0;
        for (end, n) in kept.iter().skip(index) {
            sum += u64::from(*n);
            let most = (end - start) * u64::from(rate) + u64::from(burst) * 1000;
            prop_assert!(sum * 1000 <= most, "{sum} in {} ms", end - start);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_budget_keeps_its_promise_whatever_is_refused_and_given_back(
        steps in prop::collection::vec((0u64..300, 1u32..6, 0usize..2, 0u8..4), 1..150),
        numbers in prop::array::uniform5((1u32..8, 5u32..15)),
    ) {
        static UNWATCHED: LazyLock<AppMetrics> = LazyLock::new(|| metrics(LimitSet::default()).1);
        let app = &*UNWATCHED;
        // Two rules of one application: each has the first three of its own, both share the rest.
        let shared = [bucket(numbers[3]), bucket(numbers[4])];
        let rules = [0, 1].map(|_| {
            let [minute, day] = shared.clone();
            [bucket(numbers[0]), bucket(numbers[1]), bucket(numbers[2]), minute, day]
        });
        let mut now = 0;
        let mut kept: [[Kept; 2]; 2] = Default::default();
        let mut all = Kept::new();
        let mut held = Vec::new();
        for (wait, n, rule, fate) in steps {
            now += wait;
            match (pass(app, &rules[rule], n, now), fate) {
                (Ok(mut paid), 0 | 1) => {
                    paid.keep();
                    kept[rule][0].push((now, 1));
                    kept[rule][1].push((now, n));
                    all.push((now, n));
                }
                // Not sent after all, at once or after others.
                (Ok(paid), 2) => held.push(paid),
                (Ok(_) | Err(_), _) => {}
            }
            if held.len() > 2 {
                held.remove(0);
            }
        }
        for [calls, hosts] in &kept {
            promise(calls, numbers[0])?;
            promise(hosts, numbers[1])?;
            promise(hosts, numbers[2])?;
        }
        promise(&all, numbers[3])?;
        promise(&all, numbers[4])?;
    }
}
