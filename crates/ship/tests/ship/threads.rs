//! Sinks on their threads: each for itself, and a stop that has an end.

use std::{sync::Arc, time::Duration};

use esbgate_core::{Clock, Metrics};
use esbgate_ship::{Confirm, SinkOptions, Sinks};
use prometheus::Registry;
use tokio::net::TcpListener;

use crate::{
    journal::{Log, PATIENCE, Still, file, lines},
    syslog::{syslog, tcp},
};

fn start(log: &Log, sinks: Vec<SinkOptions>) -> Sinks {
    let metrics = Metrics::register(&Registry::new(), "test").unwrap();
    let sinks = sinks.into_iter().map(|one| {
        let series = metrics.sinks.sink(&one.name);
        (one, series)
    });
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let (dir, head) = (log.dir(), log.dir().join("HEAD"));
    Sinks::start(sinks.collect(), &dir, &head, &log.cursors(), &clock).unwrap()
}

#[tokio::test]
async fn a_stop_delivers_what_was_written_before_it_and_leaves_a_sink_that_hangs_behind() {
    let mut log = Log::new("n1");
    let out = log.folder.path().join("out.jsonl");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging =
        SinkOptions { name: "hanging".into(), ..syslog(tcp(&listener, None), Confirm::Close) };
    let sinks = start(&log, vec![file(&out), hanging]);
    let _held = listener.accept().await.unwrap();
    log.calls(2_000);
    assert!(!sinks.finish(Duration::from_secs(3)).await, "one sink hangs");
    assert!(lines(&out) == log.lines);
    assert!(!log.cursors().join("hanging.json").exists());
}

#[tokio::test]
async fn a_stop_of_sinks_that_are_well_is_in_order_and_they_go_on_after_it() {
    let mut log = Log::new("n1");
    let out = log.folder.path().join("out.jsonl");
    for _ in 0..3 {
        let sinks = start(&log, vec![file(&out)]);
        log.calls(300);
        assert!(sinks.finish(PATIENCE).await);
        assert!(lines(&out) == log.lines);
    }
}
