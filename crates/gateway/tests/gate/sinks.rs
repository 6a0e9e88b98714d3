//! Sinks of a whole gateway: none of them delays a call, and a stop delivers the last record.

use esbgate_standin::Fault;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::*;

fn files(sinks: &str) -> Files {
    Files { boot_extra: format!("sinks:\n{sinks}"), ..Files::default() }
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

#[tokio::test]
async fn a_sink_that_hangs_delays_no_call_and_no_other_sink_and_a_stop_ends() {
    // It accepts and never reads.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Gate::with(files(&format!(
        "  hanging: {{syslog: {{address: \"tcp:{}\"}}, timeout: 60s}}\n  out: {{file: {{path: FOLDER/out.jsonl}}}}\n",
        listener.local_addr().unwrap()
    )))
    .await;
    let _held = listener.accept().await.unwrap();
    for _ in 0..20 {
        assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    }
    let metrics = gate.metrics().await;
    assert!(value(&metrics, "esbgate_sink_lag_seconds{sink=\"hanging\"}") > 0.0);
    assert!(value(&metrics, "esbgate_sink_lag_records{sink=\"hanging\"}") >= 1.0);
    assert_eq!(value(&metrics, "esbgate_sink_records_total{sink=\"hanging\"}"), 0.0);
    let journal = gate.running.journal_path().join("00000001.jsonl");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended, "what a sink has not delivered is no fault of the stop");
    let journal = std::fs::read_to_string(journal).unwrap();
    let shipped = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert!(lines(&journal).last().unwrap().contains("\"kind\":\"stop\""));
    assert_eq!(lines(&shipped), lines(&journal));
    assert!(!folder.path().join("state/sinks/hanging.json").exists());
}

#[tokio::test]
async fn after_a_restart_a_sink_goes_on_behind_the_last_boot() {
    let sinks =
        "  out: {file: {path: FOLDER/out.jsonl}}\n  center: {bk_audit: {path: FOLDER/events}}\n";
    let mut gate = Gate::with(files(sinks)).await;
    let mut expected = String::new();
    for boots in 1..=2 {
        assert_eq!(gate.call(&call()).await.body["executed"], "yes");
        let journal = gate.running.journal_path().join("00000001.jsonl");
        let (ended, standin, folder) = gate.stop().await;
        assert!(ended);
        expected += &std::fs::read_to_string(journal).unwrap();
        let shipped = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
        assert_eq!(lines(&shipped), lines(&expected));
        let events = std::fs::read_to_string(folder.path().join("events")).unwrap();
        assert_eq!(lines(&events).len(), boots, "one event for each call");
        let clock = std::sync::Arc::new(esbgate_gateway::SystemClock::start());
        gate = Gate::in_folder(standin, folder, clock).await;
    }
}

#[tokio::test]
async fn an_export_has_the_events_that_the_sink_has_shipped() {
    let gate = Gate::with(files("  center: {bk_audit: {path: FOLDER/events}}\n")).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    gate.standin.esb_faults().arm(Fault::Close.once());
    gate.call(&call()).await;
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let export = ["audit", "export", "journal", "--format", "bk_audit"];
    let mut export = std::process::Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(export)
        .current_dir(folder.path())
        .output();
    let export = String::from_utf8(export.as_mut().unwrap().stdout.clone()).unwrap();
    let shipped = std::fs::read_to_string(folder.path().join("events")).unwrap();
    assert_eq!(lines(&export), lines(&shipped));
    let codes: std::collections::BTreeSet<_> = lines(&export)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["result_code"].to_string())
        .collect();
    assert!(codes.contains("0") && codes.contains("-1"), "{codes:?}");
}

#[tokio::test]
async fn what_no_peer_could_be_known_by_stops_a_start_and_names_the_sink() {
    let sink = "  siem: {syslog: {address: \"tcp:siem.example.com:6514\", tls: {ca: {file: esb.secret}}}}\n";
    let (_standin, folder) = files(sink).lay_out(world()).await;
    let problems =
        esbgate_gateway::command::settings(&folder.path().join("esbgate.yaml")).unwrap_err();
    assert!(problems[0].contains("sinks.siem: tls.ca:"), "{problems:?}");
    assert!(!problems[0].contains(ESB_SECRET));
}
