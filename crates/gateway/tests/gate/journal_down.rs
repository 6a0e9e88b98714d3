//! The journal takes no records: nothing is run that would not be on record, and it mends itself.

use std::process::Stdio;

use esbgate_standin::Fault;
use serde_json::json;
use tokio::{process::Command, time::timeout};

use crate::{
    served::{Served, serve},
    support::*,
};

/// One slot, and four host-runs that do not come back within a test.
fn narrow() -> Files {
    let small = "    calls: {per_second: 1000, burst: 1000, in_flight: 1}\n    hosts: {per_call: 4, per_minute: 1, burst: 4}\n";
    Files { policy: policy(small, ALLOW), ..Files::default() }
}

fn on_hosts(count: u8) -> serde_json::Value {
    let list: Vec<_> =
        (1..=count).map(|i| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{i}")})).collect();
    call_with(json!({"target_server": {"ip_list": list}}))
}

#[tokio::test]
async fn without_a_record_nothing_runs_and_with_one_again_everything_goes_on_without_a_restart() {
    let mut gate = Served::with(narrow()).await;
    assert_eq!(gate.call(&on_hosts(1)).await.body["executed"], "yes");
    gate.limit_files("0").await;
    // Neither the only slot nor the three host-runs that are left are kept by a call that is refused.
    for _ in 0..3 {
        let answer = gate.call(&on_hosts(3)).await;
        answer.is(503, "AUDIT_UNAVAILABLE", "no");
        assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    }
    assert_eq!(gate.standin.history().connection_count(), 1, "the ESB was not even dialled");
    let ready = gate.monitor("/readyz").await;
    assert!(ready.contains("503") && ready.contains("journal takes no records"), "{ready}");
    assert!(gate.monitor("/livez").await.contains("200 OK"));
    let metrics = gate.monitor("/metrics").await;
    assert!(metrics.contains("\nesbgate_journal_writable 0\n"), "{metrics}");
    assert!(!metrics.contains("\nesbgate_journal_write_errors_total 0\n"), "{metrics}");

    gate.limit_files("unlimited").await;
    assert_eq!(gate.call(&on_hosts(3)).await.body["executed"], "yes");
    assert!(gate.monitor("/readyz").await.contains("200 OK"));
    assert!(gate.monitor("/metrics").await.contains("\nesbgate_journal_writable 1\n"));
    assert_eq!(gate.standin.history().run_count(), 2);
    let (status, log) = gate.stop().await;
    assert!(status.success() && log.contains("journal takes no records"), "{log}");
    assert!(log.contains("\"journal takes records\""), "{log}");
    let kinds: Vec<_> = journal(&gate.journal)
        .into_iter()
        .map(|record| record["kind"].as_str().unwrap().to_owned())
        .filter(|kind| !["refusal", "loss", "checkpoint"].contains(&kind.as_str()))
        .collect();
    assert_eq!(kinds, ["start", "reload", "intent", "outcome", "intent", "outcome", "stop"]);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_written_is_told_with_its_job_and_nothing_more_is_admitted() {
    let gate = Served::with(narrow()).await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    let while_it_runs = async {
        held.hit(1, PATIENCE).await.unwrap();
        gate.limit_files("0").await;
        held.release();
    };
    let one = on_hosts(1);
    let (answer, ()) = tokio::join!(gate.call(&one), while_it_runs);
    answer.is(200, "OUTCOME_UNRECORDED", "yes");
    assert!(!answer.head.contains("x-bkapi-error-code"), "the SDK raises on it");
    let job = &gate.standin.history().runs()[0];
    let ids =
        json!({"job_instance_id": job.job_instance_id, "step_instance_id": job.step_instance_id});
    assert_eq!(answer.body["data"], ids);
    gate.call(&on_hosts(1)).await.is(503, "AUDIT_UNAVAILABLE", "no");
    assert_eq!(gate.standin.history().run_count(), 1);

    gate.limit_files("unlimited").await;
    // The call that ran has paid, the refused one has not: three of four host-runs are left.
    assert_eq!(gate.call(&on_hosts(3)).await.body["executed"], "yes");
    gate.call(&on_hosts(1)).await.is(429, "HOST_BUDGET_SPENT", "no");
    let intents = gate.records("intent");
    let settled: Vec<_> = gate.records("outcome").iter().map(|o| o["intent"].clone()).collect();
    assert_eq!(intents.len(), 2);
    // The one that could not be written is written late, so that no intent stays open.
    assert_eq!(settled.len(), 2);
    assert!(intents.iter().all(|intent| settled.contains(&intent["seq"])), "{settled:?}");
}

#[tokio::test]
async fn an_outcome_that_is_unknown_stays_unknown_when_it_cannot_be_written() {
    let gate = Served::start().await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    gate.standin.esb_faults().arm(Fault::Close.once());
    let while_it_runs = async {
        held.hit(1, PATIENCE).await.unwrap();
        gate.limit_files("0").await;
        held.release();
    };
    let one = call();
    let (answer, ()) = tokio::join!(gate.call(&one), while_it_runs);
    answer.is(502, "BAD_GATEWAY", "unknown");
    gate.call(&call()).await.is(503, "AUDIT_UNAVAILABLE", "no");
}

#[tokio::test]
async fn a_journal_that_is_taken_away_is_missed_before_a_call_is_made_and_may_come_back() {
    let gate = Served::with(narrow()).await;
    for replacement in [None, Some("a file where the folder was")] {
        std::fs::remove_dir_all(&gate.journal).unwrap();
        if let Some(text) = replacement {
            std::fs::write(&gate.journal, text).unwrap();
        }
        let before = gate.standin.history().connection_count();
        for _ in 0..2 {
            gate.call(&on_hosts(2)).await.is(503, "AUDIT_UNAVAILABLE", "no");
        }
        assert_eq!(gate.standin.history().connection_count(), before);
        assert!(gate.monitor("/readyz").await.contains("journal takes no records"));

        if replacement.is_some() {
            std::fs::remove_file(&gate.journal).unwrap();
        }
        std::fs::create_dir(&gate.journal).unwrap();
        assert_eq!(gate.call(&on_hosts(2)).await.body["executed"], "yes");
        assert_eq!((gate.records("intent").len(), gate.records("outcome").len()), (1, 1));
    }
}

#[tokio::test]
async fn a_stop_without_a_record_fails_and_says_so() {
    let mut gate = Served::start().await;
    gate.limit_files("0").await;
    let (status, log) = gate.stop().await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("journal has no stop record"), "{log}");
    assert!(!log.contains("still running"), "{log}");
}

/// Starts a gateway that must not start; gives what it says.
async fn refused(command: &mut Command) -> String {
    let output = timeout(PATIENCE, command.stdout(Stdio::piped()).output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn a_gateway_without_a_journal_does_not_start_and_says_why() {
    let (_standin, folder) = Files::default().lay_out(world()).await;
    let journal = folder.path().join("journal");
    std::fs::write(&journal, "a file where the folder should be").unwrap();
    let said = refused(&mut serve(folder.path())).await;
    let path = journal.display().to_string();
    assert!(said.contains("cannot open the journal") && said.contains(&path), "{said}");
    assert!(said.contains("exists"), "the cause is named: {said}");

    std::fs::remove_file(&journal).unwrap();
    let mut limited = Command::new("prlimit");
    limited.args(["--fsize=0", env!("CARGO_BIN_EXE_esbgate"), "serve", "--config"]);
    limited.arg(folder.path().join("esbgate.yaml"));
    let said = refused(limited.stderr(Stdio::piped()).kill_on_drop(true)).await;
    assert!(said.contains("cannot use the key of checkpoints"), "{said}");
}
