//! A bounded count of things in progress, without a lock: slots of an application, places for outcomes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A count of places taken. Cheap to clone; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Rooms(Arc<AtomicU64>);

/// One place, given back on drop.
#[derive(Debug)]
pub struct Room(Arc<AtomicU64>);

impl Rooms {
    /// Takes a place, if fewer than `limit` are taken.
    #[must_use]
    pub fn take(&self, limit: u64) -> Option<Room> {
        // `Relaxed`: the count guards no other memory.
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .ok()
            .map(|_| Room(Arc::clone(&self.0)))
    }

    /// Places taken now.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_it_is_dropped() {
        let rooms = Rooms::default();
        let one = rooms.take(1);
        assert!(one.is_some() && rooms.take(1).is_none());
        drop(one);
        assert!(rooms.take(1).is_some());
        assert_eq!(rooms.taken(), 0);
    }
}
