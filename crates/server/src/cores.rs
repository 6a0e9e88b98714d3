//! The threads that carry connections: each has a runtime of its own, so that all that belongs to a connection stays
//! on one core and no call is handed from thread to thread.
//!
//! Connections are dealt out by the one who accepts them, to the core that has the fewest. The kernel would deal by
//! hash (`SO_REUSEPORT`), blind to how long connections live, and would reset those that wait at a listener that closes.

use std::{io, num::NonZeroUsize, thread};

use esbgate_core::{Room, Rooms};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Threads with a runtime each. Dropping it ends them, and whatever still runs there.
#[derive(Debug)]
pub struct Cores {
    cores: Vec<Core>,
    _running: DropGuard,
}

/// One of them. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Core {
    runtime: Handle,
    connections: Rooms,
}

impl Cores {
    /// Starts as many threads.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let end = CancellationToken::new();
        let running = end.clone().drop_guard();
        let start = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let core = Core::of(runtime.handle().clone());
            let ended = end.clone().cancelled_owned();
            let name = format!("core-{number}");
            thread::Builder::new().name(name).spawn(move || runtime.block_on(ended))?;
            Ok(core)
        };
        let cores = (0..count.get()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { cores, _running: running })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Core> {
        self.cores.iter().cloned()
    }
}

impl Core {
    fn of(runtime: Handle) -> Self {
        Self { runtime, connections: Rooms::default() }
    }

    /// The caller's own runtime, which it must be within.
    #[must_use]
    pub fn here() -> Self {
        Self::of(Handle::current())
    }

    /// What it runs tasks with.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.taken()
    }

    /// A connection's place, which makes the core busier.
    pub(crate) fn place(&self) -> Option<Room> {
        self.connections.take(u64::MAX)
    }
}
