//! Refusals of callers whose application was not proved, summed until the next minute is written.
//!
//! Anybody can cause them, at any rate and from many addresses, so each costs a count and not a record.
//! What is kept is bounded: callers that find no cell are counted together.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::PoisonError,
};

use esbgate_core::Network;
use jiff::Timestamp;

#[expect(clippy::disallowed_types, reason = "one shard of a capped map; held for one update")]
type Lock<T> = std::sync::Mutex<T>;

const SHARDS: usize = 64;
/// Callers and codes that are told apart in one shard.
const CELLS: usize = 64;

/// Whose refusals a sum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// Callers of one network.
    Network(Network),
    /// Callers on a Unix socket, which has no address.
    Socket,
    /// All that found no cell of their own.
    Others,
}

/// How often, and between when and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Sum {
    fn one(at: Timestamp) -> Self {
        Self { count: 1, first: at, last: at }
    }

    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

type Cells = HashMap<(Caller, &'static str), Sum>;

/// The sums of the minute that runs.
#[derive(Debug)]
pub(crate) struct Unproved {
    // Keyed at random, so that nobody can choose addresses that share a shard.
    hasher: RandomState,
    shards: [Lock<Cells>; SHARDS],
}

impl Default for Unproved {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Lock::default()) }
    }
}

impl Unproved {
    /// Counts a refusal with this code.
    pub(crate) fn add(&self, caller: Caller, code: &'static str, at: Timestamp) {
        self.give_back(caller, code, Sum::one(at));
    }

    /// Takes a sum that could not be written, which goes on growing.
    pub(crate) fn give_back(&self, caller: Caller, code: &'static str, sum: Sum) {
        let hash = usize::try_from(self.hasher.hash_one((caller, code))).unwrap_or_default();
        let Some(shard) = self.shards.get(hash % SHARDS) else { return };
        let mut cells = shard.lock().unwrap_or_else(PoisonError::into_inner);
        // Codes are a closed set, so the cells of all others together stay few.
        let full = cells.len() >= CELLS && !cells.contains_key(&(caller, code));
        let caller = if full { Caller::Others } else { caller };
        merge(&mut cells, (caller, code), sum);
    }

    /// Hands over what was summed and begins anew.
    pub(crate) fn take(&self) -> Vec<((Caller, &'static str), Sum)> {
        let mut all = Cells::new();
        for shard in &self.shards {
            let cells = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            cells.into_iter().for_each(|(of, sum)| merge(&mut all, of, sum));
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_unstable_by_key(|(_, sum)| (sum.first, sum.last));
        all
    }
}

fn merge(cells: &mut Cells, of: (Caller, &'static str), sum: Sum) {
    cells.entry(of).and_modify(|known| known.add(sum)).or_insert(sum);
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn caller(number: u32) -> Caller {
        Caller::Network(IpAddr::from(Ipv4Addr::from_bits(number)).into())
    }

    #[test]
    fn refusals_are_summed_per_caller_and_code_with_their_first_and_last_time() {
        let sums = Unproved::default();
        sums.add(caller(1), "A", at(5));
        sums.add(caller(1), "A", at(3));
        sums.add(caller(1), "A", at(9));
        sums.add(caller(1), "B", at(10));
        sums.add(Caller::Socket, "A", at(11));
        let sum = |count, first, last| Sum { count, first: at(first), last: at(last) };
        let expected = [
            ((caller(1), "A"), sum(3, 3, 9)),
            ((caller(1), "B"), sum(1, 10, 10)),
            ((Caller::Socket, "A"), sum(1, 11, 11)),
        ];
        assert_eq!(sums.take(), expected);
        assert_eq!(sums.take(), [], "a new minute begins at nothing");
    }

    #[test]
    fn more_callers_than_cells_are_counted_together_and_none_is_lost() {
        let sums = Unproved::default();
        let callers = 20_000;
        (0..callers).for_each(|number| sums.add(caller(number), "A", at(1)));
        // Who has a cell keeps it.
        let held = sums.take();
        assert!(held.len() <= SHARDS * CELLS + 1, "{}", held.len());
        assert_eq!(held.iter().map(|(_, sum)| sum.count).sum::<u64>(), u64::from(callers));
        assert!(held.iter().any(|((caller, _), sum)| *caller == Caller::Others && sum.count > 1));
    }

    #[test]
    fn refusals_that_come_at_once_are_all_counted() {
        let sums = Unproved::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|n| sums.add(caller(n % 7), "A", at(1))));
            }
        });
        assert_eq!(sums.take().iter().map(|(_, sum)| sum.count).sum::<u64>(), 40_000);
    }
}
