//! All sinks of a gateway, each on a thread of its own.

use std::{io, path::Path, sync::Arc, thread, time::Duration};

use esbgate_core::{Clock, SinkMetrics};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{options::SinkOptions, shipper::Shipper};

/// Sinks that run. They end when this is dropped.
#[derive(Debug)]
pub struct Sinks {
    finish: DropGuard,
    ended: Vec<(Box<str>, oneshot::Receiver<()>)>,
}

impl Sinks {
    /// Starts the sinks of the journal in `journal`, each with its series. Their cursors are in `cursors`.
    ///
    /// # Errors
    /// Where the system has no thread for one.
    pub fn start(
        sinks: Vec<(SinkOptions, SinkMetrics)>,
        journal: &Path,
        head: &Path,
        cursors: &Path,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let finish = CancellationToken::new();
        let guard = finish.clone().drop_guard();
        let mut ended = Vec::with_capacity(sinks.len());
        for (options, metrics) in sinks {
            let name = options.name.clone();
            let shipper = Shipper::new(options, journal, head, cursors, metrics, Arc::clone(clock));
            let (tell, told) = oneshot::channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let finish = finish.clone();
            thread::Builder::new().name(format!("sink-{name}")).spawn(move || {
                runtime.block_on(shipper.run(finish));
                // A name that is still looked up must not hold the thread.
                runtime.shutdown_background();
                // Nobody listens where the gateway is gone.
                tell.send(()).ok();
            })?;
            ended.push((name, told));
        }
        Ok(Self { finish: guard, ended })
    }

    /// Lets every sink deliver what the journal has, and stops it. One that is not done within `grace` is left behind:
    /// its cursor stands where it stood. Says whether all were done.
    pub async fn finish(self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        drop(self.finish);
        let mut all = true;
        for (name, ended) in self.ended {
            if !matches!(timeout_at(deadline, ended).await, Ok(Ok(()))) {
                tracing::warn!(sink = %name, "a sink was not done in time: it goes on from its cursor at the next start");
                all = false;
            }
        }
        all
    }
}
