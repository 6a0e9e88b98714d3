//! Budgets of rules beside those of their application, weights, the day's budget, and limits that only watch.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use esbgate_core::{Clock, ReceivedAt};
use esbgate_gateway::SystemClock;
use esbgate_standin::Fault;
use serde_json::{Value, json};

use crate::support::*;

/// The day at which a test began, as many milliseconds later as it says.
#[derive(Debug)]
pub struct Later(ReceivedAt, AtomicU64);

impl Later {
    pub fn start() -> Arc<Self> {
        Arc::new(Self(SystemClock::start().now(), AtomicU64::new(0)))
    }

    pub fn wait(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.1.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> ReceivedAt {
        let later = Duration::from_millis(self.1.load(Ordering::SeqCst));
        ReceivedAt { wall: self.0.wall + later, monotonic: later }
    }
}

/// A gateway whose application and whose one rule have these members, and its clock.
async fn gate(app: &str, rule: &str) -> (Gate, Arc<Later>) {
    let allow = format!("{}        {rule}\n", ALLOW.trim_end_matches(' '));
    let files = Files { policy: policy(app, &allow), ..Files::default() };
    let clock = Later::start();
    (Gate::by_clock(files, world(), Arc::<Later>::clone(&clock)).await, clock)
}

fn on_hosts(n: u8) -> Value {
    let list: Vec<_> =
        (1..=n).map(|i| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{i}")})).collect();
    call_with(json!({"target_server": {"ip_list": list}}))
}

async fn runs(gate: &Gate, call: &Value) {
    let answer = gate.call(call).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
}

/// Asks for a call that a limit refuses: the code, the limit by its key, and after how many seconds it fits.
async fn refused(gate: &Gate, call: &Value, code: &str, limit: &str, wait: Option<u64>) {
    let answer = gate.call(call).await;
    answer.is(429, code, "no");
    let fault = &answer.body["faults"][0];
    assert_eq!((&fault["path"], &fault["rule"]), (&limit.into(), &"limit".into()));
    let told = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    assert_eq!(told.map(|seconds| seconds.parse().unwrap()), wait, "{}", answer.head);
}

#[tokio::test]
async fn a_rule_has_a_budget_of_calls_of_its_own() {
    let (gate, clock) = gate("", "calls: {per_second: 1, burst: 2}").await;
    runs(&gate, &call()).await;
    runs(&gate, &call()).await;
    let limit = "allow[].calls.per_second";
    refused(&gate, &call(), "RATE_LIMIT_RESTRICTION", limit, Some(1)).await;
    clock.wait(Duration::from_secs(1));
    runs(&gate, &call()).await;
    assert_eq!(gate.counts(), (3, 3, 3));
}

#[tokio::test]
async fn what_a_later_limit_refuses_is_given_back_to_the_rule() {
    // The rule has five host-runs and two calls; the application has host-runs for three.
    let app = "    hosts: {per_call: 3, per_minute: 1, burst: 3}\n";
    let rule = "calls: {per_second: 1, burst: 2}\n        hosts: {per_minute: 1, burst: 5}";
    let (gate, clock) = gate(app, rule).await;
    runs(&gate, &on_hosts(2)).await;
    for _ in 0..3 {
        let limit = "hosts.per_minute";
        refused(&gate, &on_hosts(2), "HOST_BUDGET_SPENT", limit, Some(60)).await;
    }
    // One call and one host-run are left of both.
    runs(&gate, &on_hosts(1)).await;
    let limit = "allow[].calls.per_second";
    refused(&gate, &on_hosts(1), "RATE_LIMIT_RESTRICTION", limit, Some(1)).await;
    clock.wait(Duration::from_secs(120));
    runs(&gate, &on_hosts(2)).await;
    // By now the rule has two of its five: what it was given back it did not get twice.
    let limit = "allow[].hosts.per_minute";
    refused(&gate, &on_hosts(3), "HOST_BUDGET_SPENT", limit, Some(60)).await;
}

#[tokio::test]
async fn what_was_not_sent_is_given_back_to_the_rule_and_the_application() {
    let app = "    hosts: {per_call: 3, per_minute: 1, burst: 3, per_day: 1, day_burst: 3}\n";
    let rule = "calls: {per_second: 1, burst: 1}\n        hosts: {per_minute: 1, burst: 3, per_day: 1, day_burst: 3}";
    let (gate, _) = gate(app, rule).await;
    gate.standin.esb_faults().refuse_connections().await;
    for _ in 0..2 {
        gate.call(&on_hosts(3)).await.is(502, "UPSTREAM_UNREACHABLE", "no");
    }
    gate.standin.esb_faults().accept_connections().await;
    runs(&gate, &on_hosts(3)).await;
    let limit = "allow[].calls.per_second";
    refused(&gate, &on_hosts(3), "RATE_LIMIT_RESTRICTION", limit, Some(1)).await;
}

#[tokio::test]
async fn the_smallest_ceiling_on_one_call_wins() {
    let (gate, _) = gate("", "hosts: {per_call: 2}").await;
    let code = "HOSTS_PER_CALL_EXCEEDED";
    refused(&gate, &on_hosts(3), code, "allow[].hosts.per_call", None).await;
    runs(&gate, &on_hosts(2)).await;
}

#[tokio::test]
async fn a_day_has_a_budget_and_a_burst_of_its_own() {
    let app =
        "    hosts: {per_call: 4, per_minute: 1000, burst: 1000, per_day: 24, day_burst: 4}\n";
    let (gate, clock) = gate(app, "hosts: {per_day: 12, day_burst: 100}").await;
    runs(&gate, &on_hosts(4)).await;
    let hour = Duration::from_secs(60 * 60);
    refused(&gate, &on_hosts(1), "HOST_BUDGET_SPENT", "hosts.per_day", Some(3600)).await;
    clock.wait(hour);
    runs(&gate, &on_hosts(1)).await;
    refused(&gate, &on_hosts(2), "HOST_BUDGET_SPENT", "hosts.per_day", Some(7200)).await;
    clock.wait(24 * hour);
    runs(&gate, &on_hosts(4)).await;
}

#[tokio::test]
async fn ad_hoc_content_and_named_accounts_weigh_more() {
    let app = "    hosts: {per_call: 2, per_minute: 1, burst: 12, weights: {content: 2, accounts: {root: 3, \"1000\": 3}}}\n";
    let of = |change: Value| {
        let mut call = on_hosts(2);
        for (name, value) in change.as_object().unwrap() {
            call[name] = value.clone();
        }
        call
    };
    let reviewed = json!({"script_version_id": 7});
    let version = |account: Value| {
        let mut call = of(account);
        for name in ["script_content", "script_language"] {
            call.as_object_mut().unwrap().remove(name);
        }
        call["script_version_id"] = reviewed["script_version_id"].clone();
        call
    };
    let by_id = |mut call: Value| {
        call.as_object_mut().unwrap().remove("account_alias");
        call["account_id"] = 1000.into();
        call
    };
    let www = json!({"account_alias": "www"});
    for (call, charge) in [
        (of(json!({})), 12),
        (by_id(of(json!({}))), 12),
        (of(www.clone()), 4),
        (version(json!({})), 6),
        (version(www), 2),
    ] {
        let (gate, clock) = gate(app, "#").await;
        runs(&gate, &call).await;
        let left = 12 - charge;
        // As many as are left run by themselves, at one each, and not one more.
        let one = version(
            json!({"account_alias": "www", "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.9"}]}}),
        );
        for _ in 0..left {
            runs(&gate, &one).await;
        }
        refused(&gate, &one, "HOST_BUDGET_SPENT", "hosts.per_minute", Some(60)).await;
        drop(clock);
        // Records count hosts.
        assert_eq!(gate.records("intent")[0]["host_runs"], 2);
    }
}

#[tokio::test]
async fn content_that_the_rule_pins_is_not_ad_hoc() {
    let app = "    hosts: {per_call: 2, per_minute: 1, burst: 6, weights: {content: 3}}\n";
    let pinned = format!("versions: any, sha256: [\"{}\"]", sha256("echo $1\n"));
    let allow = ALLOW.replace("versions: any", &pinned);
    let files = Files { policy: policy(app, &allow), ..Files::default() };
    let gate = Gate::by_clock(files, world(), Later::start()).await;
    for _ in 0..3 {
        runs(&gate, &call()).await;
    }
    let mut other = call();
    other["script_content"] = "ZWNobyAkMgo=".into();
    runs(&gate, &other).await;
    refused(&gate, &call(), "HOST_BUDGET_SPENT", "hosts.per_minute", Some(60)).await;
}

#[tokio::test]
async fn the_first_rule_that_covers_a_call_pays_also_where_another_would_cover_it() {
    let second = ALLOW.replace("all that the tests do", "another");
    let allow = format!(
        "{}        calls: {{per_second: 1, burst: 1}}{second}",
        ALLOW.trim_end_matches(' ')
    );
    let files = Files { policy: policy("", &allow), ..Files::default() };
    let gate = Gate::by_clock(files, world(), Later::start()).await;
    runs(&gate, &call()).await;
    let limit = "allow[].calls.per_second";
    refused(&gate, &call(), "RATE_LIMIT_RESTRICTION", limit, Some(1)).await;
}

#[tokio::test]
async fn limits_in_shadow_mode_count_and_record_what_they_would_refuse() {
    let app = "    calls: {per_second: 1, burst: 2, in_flight: 1, shadow: true}\n    hosts: {per_call: 2, per_minute: 1, burst: 4, shadow: true}\n";
    let rule = "calls: {per_second: 1, burst: 3, shadow: true}\n        hosts: {per_call: 1}";
    let (gate, _) = gate(app, rule).await;
    for _ in 0..2 {
        runs(&gate, &on_hosts(1)).await;
    }
    runs(&gate, &on_hosts(1)).await;
    runs(&gate, &on_hosts(1)).await;
    runs(&gate, &on_hosts(1)).await;
    // What is not in shadow mode still holds.
    let code = "HOSTS_PER_CALL_EXCEEDED";
    refused(&gate, &on_hosts(3), code, "allow[].hosts.per_call", None).await;
    let shadowed: Vec<_> =
        gate.records("intent").into_iter().map(|intent| intent["shadowed"].clone()).collect();
    let spent = json!(["calls", "hosts_per_minute", "rule_calls"]);
    assert_eq!(
        shadowed,
        [json!([]), json!([]), json!(["calls"]), json!(["calls", "rule_calls"]), spent]
    );
    let metrics = gate.metrics().await;
    // The refused call was one too many as well; of its host-runs nobody asked.
    for (limit, count) in [
        ("calls", 4),
        ("in_flight", 0),
        ("hosts_per_call", 0),
        ("hosts_per_minute", 1),
        ("rule_calls", 3),
    ] {
        let line =
            format!("esbgate_limit_shadowed_total{{app=\"team_app\",limit=\"{limit}\"}} {count}");
        assert!(metrics.lines().any(|seen| seen.trim_end() == line), "{line}");
    }
    assert_eq!(metrics.matches("esbgate_limit_shadowed_total{").count(), 5);
}

#[tokio::test]
async fn calls_in_flight_are_watched_too() {
    let app = "    calls: {per_second: 1000, burst: 1000, in_flight: 1, shadow: true}\n";
    let (gate, _) = gate(app, "#").await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.always());
    let asked = call();
    let (first, second, ()) = tokio::join!(gate.call(&asked), gate.call(&asked), async {
        held.hit(2, PATIENCE).await.unwrap();
        held.release();
    });
    for answer in [first, second] {
        assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
    }
    let mut shadowed: Vec<_> =
        gate.records("intent").iter().map(|intent| intent["shadowed"].to_string()).collect();
    shadowed.sort();
    assert_eq!(shadowed, ["[\"in_flight\"]", "[]"]);
}
