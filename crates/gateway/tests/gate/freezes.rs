//! A freeze of the policy: what it stops reaches nobody, costs nothing and is refused with why and until when.

use std::time::Duration;

use esbgate_core::Clock as _;
use serde_json::json;

use crate::{admin, budgets::Later, support::*};

fn frozen(entries: &str, app_extra: &str, allow: &str) -> Files {
    let policy =
        policy(app_extra, allow).replace("\napps:", &format!("\nfreeze: [{entries}]\napps:"));
    Files { policy, ..Files::default() }
}

#[tokio::test]
async fn a_frozen_call_reaches_nobody_pays_for_no_host_and_is_told_why_and_until_when() {
    let entry = "{business: {id: 2}, reason: data centre move, until: \"2999-01-01T00:00Z\"}";
    // Four host-runs that do not come back within the test.
    let narrow = "    hosts: {per_call: 4, per_minute: 1, burst: 4}\n";
    let gate = Gate::with(frozen(entry, narrow, ALLOW)).await;
    for _ in 0..9 {
        let answer = gate.call(&call()).await;
        answer.is(403, "FROZEN", "no");
        let hint = "frozen until 2999-01-01T00:00:00Z: data centre move";
        let fault = json!([{"path": "bk_biz_id", "rule": "frozen", "hint": hint}]);
        assert_eq!(answer.body["faults"], fault);
    }
    assert_eq!((gate.counts(), gate.standin.history().connection_count()), ((0, 0, 0), 0));
    let elsewhere = call_with(json!({"bk_biz_id": 1, "target_server": {"ip_list": [
        {"bk_cloud_id": 0, "ip": "10.0.0.1"}, {"bk_cloud_id": 0, "ip": "10.0.0.2"},
        {"bk_cloud_id": 0, "ip": "10.0.0.3"}, {"bk_cloud_id": 0, "ip": "10.0.0.4"}]}}));
    assert_eq!(gate.call(&elsewhere).await.body["executed"], "yes", "no host-run was paid");
    let metrics = gate.metrics().await;
    let counted = "esbgate_rejections_total{code_name=\"FROZEN\"} 9\n";
    assert!(metrics.contains(counted), "{metrics}");
    let path = gate.running.journal_path();
    let (_, _standin, _folder) = gate.stop().await;
    let refusals = journal(&path).into_iter().filter(|record| record["code_name"] == "FROZEN");
    assert_eq!(refusals.count(), 9);
}

#[tokio::test]
async fn what_is_frozen_is_told_in_the_callers_language() {
    let gate = Gate::with(frozen("{app: team_app, reason: 密钥泄露}", "", ALLOW)).await;
    let authorization = authorization("bk_username", "svc_deploy");
    let headers =
        [("X-Bkapi-Authorization", authorization.as_str()), ("Blueking-Language", "zh-cn")];
    let answer = gate.send(&headers, &call().to_string()).await;
    answer.is(403, "FROZEN", "no");
    assert_eq!(answer.body["faults"][0]["hint"], "已冻结：密钥泄露");
}

#[tokio::test]
async fn a_freeze_that_has_ended_or_not_begun_stops_nothing() {
    let entries = "{everything: true, reason: a, until: \"2020-01-01T00:00Z\"}, \
                   {everything: true, reason: b, from: \"2999-01-01T00:00Z\"}";
    let gate = Gate::with(frozen(entries, "", ALLOW)).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series}")).trim().parse().unwrap()
}

#[tokio::test]
async fn what_holds_and_what_ends_next_is_told_when_it_is_scraped() {
    let clock = Later::start();
    let entries =
        "{everything: true, reason: a, until: \"2020-01-01T00:00Z\"}, {app: team_app, reason: b}";
    let boot_extra = admin::files().boot_extra;
    let files = Files { boot_extra, ..frozen(entries, "", ALLOW) };
    let gate = Gate::by_clock(files, world(), clock.clone()).await;
    let metrics = gate.metrics().await;
    let end = value(&metrics, "esbgate_policy_exemption_end_timestamp_seconds ");
    let days = (end - clock.now().wall.as_duration().as_secs_f64()) / 86_400.0;
    assert!((28.9..=30.0).contains(&days), "the one that has not ended: {days}");
    assert_eq!(value(&metrics, "esbgate_freezes{source=\"policy\"} "), 1.0);
    assert_eq!(value(&metrics, "esbgate_freezes{source=\"admin\"} "), 0.0);
    let until = (clock.now().wall + jiff::SignedDuration::from_hours(1)).to_string();
    let order = json!({"freeze": {"subject": "everything", "reason": "INC-1", "until": until}});
    admin::order(gate.folder.path(), order).await;
    assert_eq!(value(&gate.metrics().await, "esbgate_freezes{source=\"admin\"} "), 1.0);
    clock.wait(Duration::from_secs(31 * 86_400));
    let metrics = gate.metrics().await;
    assert_eq!(value(&metrics, "esbgate_freezes{source=\"admin\"} "), 0.0);
    assert_eq!(value(&metrics, "esbgate_policy_exemption_end_timestamp_seconds "), 0.0);
}
