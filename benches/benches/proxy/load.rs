//! Load on one proxy: as fast as it answers, at a fixed rate, or none at all.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use crate::{Problem, wire::Line};

/// Kept-alive connections of the callers.
pub(crate) const LINES: usize = 64;

/// Lines that are open.
pub(crate) async fn open(address: SocketAddr) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::with_capacity(LINES);
    for _ in 0..LINES {
        lines.push(Line::open(address).await?);
    }
    Ok(lines)
}

/// `each` calls on each line, one after another.
pub(crate) async fn closed_loop(
    lines: Vec<Line>,
    request: &Arc<[u8]>,
    each: usize,
) -> Result<(), Problem> {
    let mut tasks = JoinSet::new();
    for mut line in lines {
        let request = Arc::clone(request);
        tasks.spawn(async move {
            for _ in 0..each {
                line.call(&request).await?;
            }
            Ok::<_, Problem>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Calls at a fixed rate. Each is counted from when it was due, so a call that had to wait because the
/// proxy was busy with an earlier one is as slow as it would have been for its caller.
pub(crate) async fn open_loop(
    lines: Vec<Line>,
    request: &Arc<[u8]>,
    per_second: u32,
    calls: usize,
) -> Result<Vec<Duration>, Problem> {
    let (mut tasks, mut dues) = (JoinSet::new(), Vec::with_capacity(LINES));
    for mut line in lines {
        let (due, mut waiting) = mpsc::unbounded_channel::<Instant>();
        dues.push(due);
        let request = Arc::clone(request);
        tasks.spawn(async move {
            let mut took = Vec::new();
            while let Some(due) = waiting.recv().await {
                line.call(&request).await?;
                took.push(due.elapsed());
            }
            Ok::<_, Problem>(took)
        });
    }
    // A thread, because the runtime's timer counts in whole milliseconds.
    let ticker = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        for (number, due) in dues.iter().cycle().take(calls).enumerate() {
            let at = start + Duration::from_secs_f64(number as f64 / f64::from(per_second));
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if due.send(at).is_err() {
                break;
            }
        }
    });
    ticker.await?;
    let mut all = Vec::with_capacity(calls);
    while let Some(ended) = tasks.join_next().await {
        all.extend(ended??);
    }
    all.sort_unstable();
    Ok(all)
}

/// `count` lines that made one call each and stay open.
pub(crate) async fn idle(
    address: SocketAddr,
    request: &[u8],
    count: usize,
) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        let mut line = Line::open(address).await?;
        line.call(request).await?;
        lines.push(line);
    }
    Ok(lines)
}
