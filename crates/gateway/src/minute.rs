//! What is done once a minute while the gateway runs.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

const MINUTE: Duration = Duration::from_secs(60);

/// Does `act` after each minute until `drain` is cancelled. `act` must not wait.
pub(crate) async fn each_minute(drain: CancellationToken, act: impl Fn() + Send) {
    let mut minute = interval_at(Instant::now() + MINUTE, MINUTE);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            _ = minute.tick() => act(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_done_after_each_minute_and_not_after_the_drain() {
        let (done, drain) = (AtomicU32::new(0), CancellationToken::new());
        let began = Instant::now();
        let act = || {
            let times = done.fetch_add(1, Ordering::Relaxed) + 1;
            assert_eq!(began.elapsed(), MINUTE * times);
            if times == 3 {
                drain.cancel();
            }
        };
        each_minute(drain.clone(), act).await;
        assert_eq!(done.load(Ordering::Relaxed), 3);
    }
}
