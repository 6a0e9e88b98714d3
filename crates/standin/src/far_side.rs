//! What the ESB, JOB and the login service share.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::guarded::Guarded;
use crate::history::History;
use crate::world::World;

/// The world, the history and the ids.
#[derive(Debug)]
pub(crate) struct FarSide {
    world: Guarded<Arc<World>>,
    history: History,
    first_job_id: i64,
    ids: AtomicU64,
    seeds: (RandomState, RandomState),
}

impl FarSide {
    pub(crate) fn new(world: World, history_limit: usize, first_job_id: i64) -> Self {
        Self {
            world: Guarded::new(Arc::new(world)),
            history: History::new(history_limit),
            first_job_id,
            ids: AtomicU64::new(0),
            seeds: (RandomState::new(), RandomState::new()),
        }
    }

    /// The world as it is now; a request lives in one world from its start to its end.
    pub(crate) fn world(&self) -> Arc<World> {
        self.world.with(|world| Arc::clone(world))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        self.world.with(|world| change(Arc::make_mut(world)));
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn first_job_id(&self) -> i64 {
        self.first_job_id
    }

    /// 32 hexadecimal digits, never twice the same.
    pub(crate) fn next_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.seeds.0.hash_one(number), self.seeds.1.hash_one(number));
        format!("{high:016x}{low:016x}")
    }
}
