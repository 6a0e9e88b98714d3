//! The `bk_audit` sink: one event for each call, over restarts, with the members that the Audit Center knows.

use esbgate_audit::testing::{Sample, intent, outcome};
use esbgate_ship::{FileOptions, SinkOptions, TargetOptions};
use serde_json::{Value, json};

use crate::journal::{Log, lines, ship, sink};

/// `AuditEvent` of bk-audit-python-sdk, with what its exporter adds.
const MEMBERS: [&str; 27] = [
    "access_source_ip",
    "access_type",
    "access_user_agent",
    "action_id",
    "bk_app_code",
    "bk_log_scope",
    "end_time",
    "event_content",
    "event_id",
    "extend_data",
    "instance_data",
    "instance_id",
    "instance_name",
    "instance_origin_data",
    "instance_sensitivity",
    "request_id",
    "resource_type_id",
    "result_code",
    "result_content",
    "scope_id",
    "scope_type",
    "start_time",
    "user_identify_src",
    "user_identify_src_username",
    "user_identify_tenant_id",
    "user_identify_type",
    "username",
];

fn center(log: &Log) -> SinkOptions {
    let path = log.folder.path().join("events");
    let kinds = Some(["intent", "outcome", "refusal"].map(Into::into).into());
    let target = TargetOptions::BkAudit(FileOptions { path, rotation: None });
    SinkOptions { kinds, ..sink(target) }
}

fn events(log: &Log) -> Vec<Value> {
    let lines = lines(&log.folder.path().join("events"));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_call_is_one_event_with_the_members_of_the_audit_center() {
    let mut log = Log::new("n1");
    let sample = Sample { outcome: "success", job: Some(77), ..Sample::of(1) };
    let seq = log.record("intent", &intent(&sample));
    log.record("outcome", &outcome(seq, &sample));
    ship(&mut log.shipper(center(&log)).0).await;
    let events = events(&log);
    assert_eq!(events.len(), 1);
    let event = events[0].as_object().unwrap();
    assert_eq!(event.keys().map(String::as_str).collect::<Vec<_>>(), MEMBERS);
    let record: Value = serde_json::from_str(&log.lines[1]).unwrap();
    for (member, value) in [
        ("action_id", json!("fast_execute_script")),
        ("request_id", json!(sample.request_id)),
        ("username", json!(sample.user)),
        ("user_identify_type", json!(0)),
        ("user_identify_src", json!("bk_token")),
        ("bk_app_code", json!(sample.app)),
        ("scope_type", json!("biz")),
        ("scope_id", json!(sample.business.to_string())),
        ("access_type", json!(1)),
        ("access_source_ip", json!("192.0.2.7")),
        ("start_time", json!(1_798_761_600_000_u64)),
        ("end_time", json!(1_798_761_600_003_u64)),
        ("instance_id", json!("77")),
        ("instance_name", json!("restart")),
        ("result_code", json!(0)),
        ("result_content", json!("success")),
        ("bk_log_scope", json!("bk_audit_event")),
    ] {
        assert_eq!(event[member], value, "{member}");
    }
    assert_eq!(event["instance_data"]["script"], record["script"]);
    assert_eq!(event["instance_data"]["target"], record["target"]);
    assert_eq!(event["extend_data"]["intent_hash"], record["hash"]);
    assert_eq!(event["extend_data"]["executed"], "yes");
    assert_eq!(event["event_id"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn results_say_what_became_of_a_call() {
    let mut log = Log::new("n1");
    for (word, upstream, own, code, content) in [
        ("failed", 1306201, Value::Null, 1306201, "failed"),
        ("failed", 0, Value::Null, 1, "failed"),
        ("unknown", 0, Value::Null, -1, "unknown"),
        ("unavailable", 0, json!("UPSTREAM_UNREACHABLE"), 1, "unavailable: UPSTREAM_UNREACHABLE"),
    ] {
        let sample = Sample::of(1);
        let seq = log.record("intent", &intent(&sample));
        let mut came = outcome(seq, &sample);
        came["outcome"] = word.into();
        came["upstream_code"] = upstream.into();
        came["code_name"] = own;
        log.record("outcome", &came);
        ship(&mut log.shipper(center(&log)).0).await;
        let event = events(&log).pop().unwrap();
        assert_eq!(
            (&event["result_code"], &event["result_content"]),
            (&json!(code), &json!(content))
        );
    }
    log.record(
        "refusal",
        &json!({"request_id": "r1", "app": "team", "user": null, "peer": "10.0.0.1",
        "component": "fast_execute_script", "code_name": "HOST_BUDGET_SPENT"}),
    );
    log.record("refusal", &json!({"count": 9, "peer": "other", "code_name": "UNAUTHENTICATED"}));
    ship(&mut log.shipper(center(&log)).0).await;
    let all = events(&log);
    assert_eq!(all.len(), 5, "a sum of refusals is no event");
    assert_eq!(all[4]["result_content"], "rejected: HOST_BUDGET_SPENT");
    assert_eq!((&all[4]["username"], &all[4]["result_code"]), (&json!("unknown"), &json!(1)));
    let ids: std::collections::BTreeSet<_> = all.iter().map(|e| e["event_id"].as_str()).collect();
    assert_eq!(ids.len(), all.len());
}

#[tokio::test]
async fn an_intent_that_is_open_at_a_restart_is_joined_with_its_outcome_once() {
    let mut log = Log::new("n1");
    let samples: Vec<Sample> = (1..=3).map(Sample::of).collect();
    let seqs: Vec<u64> = samples.iter().map(|one| log.record("intent", &intent(one))).collect();
    log.record("outcome", &outcome(seqs[1], &samples[1]));
    ship(&mut log.shipper(center(&log)).0).await;
    let open = log.cursor("one")["open"].clone();
    assert_eq!(open.as_array().unwrap().iter().map(|o| &o["seq"]).collect::<Vec<_>>(), [2, 4]);
    log.rotate();
    log.record("outcome", &outcome(seqs[2], &samples[2]));
    log.start(2);
    log.record("outcome", &outcome(seqs[0], &samples[0]));
    let (mut shipper, counts) = log.shipper(center(&log));
    ship(&mut shipper).await;
    let events = events(&log);
    let users: Vec<_> = events.iter().map(|event| event["username"].as_str().unwrap()).collect();
    assert_eq!(users, [&*samples[1].user, &samples[2].user, &samples[0].user]);
    assert!(log.cursor("one").get("open").is_none());
    assert_eq!(counts.of("skipped_records_total"), 0.0);
}

#[tokio::test]
async fn an_outcome_whose_intent_is_gone_is_an_event_still_and_counted() {
    let mut log = Log::new("n1");
    let sample = Sample::of(1);
    let seq = log.record("intent", &intent(&sample));
    ship(&mut log.shipper(center(&log)).0).await;
    let first = log.rotate();
    log.record("outcome", &outcome(seq, &sample));
    std::fs::remove_file(first).unwrap();
    let (mut shipper, counts) = log.shipper(center(&log));
    ship(&mut shipper).await;
    let events = events(&log);
    assert_eq!(events[0]["request_id"], sample.request_id);
    assert_eq!(counts.of("skipped_records_total"), 1.0);
}
