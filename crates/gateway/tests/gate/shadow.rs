//! A next policy is asked about the calls that come, and decides none of them.

use esbgate_config::{BootDocument, Plan, PolicyDocument, PolicyText};
use esbgate_core::ShadowResult::{self, OtherReason, Same, Unjudged, WouldAllow, WouldRefuse};
use esbgate_gateway::{Sources, shadow::ShadowReport};
use esbgate_standin::Fault;
use serde_json::json;

use crate::support::*;

const SINCE: &str = "2027-01-01T00:00Z";

/// A policy as the gateway would read it.
pub fn plan(gate: &Gate, text: &str) -> Plan {
    let file = gate.folder.path().join("esbgate.yaml").display().to_string();
    let text_of_boot = std::fs::read_to_string(&file).unwrap();
    let boot = BootDocument::read(&file, &text_of_boot).unwrap().check(&Sources).unwrap();
    let text = PolicyText { name: "policy.next.yaml".into(), text: text.into() };
    let document = PolicyDocument::read(&[text]).unwrap();
    document.check(boot.grounds(), &Sources, SINCE.parse().unwrap()).unwrap().0
}

/// A gateway with a next policy, in which `from` is `to`.
async fn with_next(from: &str, to: &str) -> Gate {
    let gate = Gate::start().await;
    let text = policy("", ALLOW);
    assert!(text.contains(from));
    let plan = plan(&gate, &text.replace(from, to));
    gate.running.shadow().set(plan, "hash", SINCE.parse().unwrap()).unwrap();
    gate
}

/// What is told once every call has been looked at.
async fn report(gate: Gate) -> ShadowReport {
    let shadow = gate.running.shadow().clone();
    assert!(gate.stop().await.0);
    shadow.report().unwrap()
}

fn count(report: &ShadowReport, result: ShadowResult) -> u64 {
    let at = ShadowResult::ALL.iter().position(|known| *known == result).unwrap();
    report.counts[at]
}

#[tokio::test]
async fn what_a_next_policy_would_decide_otherwise_is_told_and_it_decides_nothing() {
    let next = "business: {ids: [2, 3], sets: [8000000]}";
    let gate = with_next("business: {ids: [1, 2], sets: [8000000]}", next).await;
    gate.call(&call()).await.is(200, "", "yes");
    gate.call(&call_with(json!({"bk_biz_id": 1}))).await.is(200, "", "yes");
    gate.call(&call_with(json!({"bk_biz_id": 1}))).await.is(200, "", "yes");
    gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    gate.call(&call_with(json!({"bk_biz_id": 4}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    assert_eq!(gate.counts(), (3, 3, 3));
    let report = report(gate).await;
    assert_eq!(ShadowResult::ALL.map(|result| count(&report, result)), report.counts);
    assert_eq!(
        (count(&report, Same), count(&report, WouldRefuse), count(&report, WouldAllow)),
        (2, 2, 1)
    );
    let rows: Vec<_> = report
        .differences
        .iter()
        .map(|row| (row.result, row.app.as_ref().unwrap().as_str(), row.now, row.next, row.count))
        .collect();
    assert_eq!(
        rows,
        [
            (WouldRefuse, "team_app", None, Some("BUSINESS_NOT_ALLOWED"), 2),
            (WouldAllow, "team_app", Some("BUSINESS_NOT_ALLOWED"), None, 1),
        ]
    );
    assert_eq!((&*report.sha256, report.untold), ("hash", 0));
}

#[tokio::test]
async fn a_sample_of_the_differences_is_on_record_and_stands_for_all_of_them() {
    let next = "business: {ids: [2, 3], sets: [8000000]}";
    let gate = with_next("business: {ids: [1, 2], sets: [8000000]}", next).await;
    for business in [1, 3, 1, 2, 1, 4, 3] {
        gate.call(&call_with(json!({"bk_biz_id": business}))).await;
    }
    let path = gate.running.journal_path();
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended);
    let records = journal(&path);
    let of = |kind: &str| records.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let mut told: Vec<_> = of("shadow")
        .iter()
        .map(|one| {
            let judged = of(if one["code_name"].is_null() { "intent" } else { "refusal" });
            let own = judged.iter().find(|other| other["request_id"] == one["request_id"]);
            let own = own.unwrap_or_else(|| panic!("{one}"));
            let known = ["app", "user", "component", "generation", "received_at"];
            assert_eq!(known.map(|key| &one[key]), known.map(|key| &own[key]));
            assert_eq!(one["next_sha256"], "hash");
            let keys = ["result", "code_name", "grant", "next_code_name", "next_grant", "count"];
            json!(keys.map(|key| &one[key]))
        })
        .collect();
    told.sort_by_key(|one| one[0].to_string());
    let (code, rule) = ("BUSINESS_NOT_ALLOWED", "all that the tests do");
    assert_eq!(
        told,
        [
            json!(["would_allow", code, null, null, rule, 2]),
            json!(["would_refuse", null, rule, code, null, 3]),
        ]
    );
}

#[tokio::test]
async fn a_caller_whom_the_next_policy_alone_knows_is_named_in_the_sample() {
    let gate = Gate::with(Files {
        policy: policy("", ALLOW).replace("team_app:", "other_app:"),
        ..Files::default()
    })
    .await;
    let next = plan(&gate, &policy("", ALLOW));
    gate.running.shadow().set(next, "hash", SINCE.parse().unwrap()).unwrap();
    gate.call(&call()).await;
    let path = gate.running.journal_path();
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended);
    let records = journal(&path);
    let sample = records.iter().find(|one| one["kind"] == "shadow").unwrap();
    let said = ["app", "user", "code_name", "result"].map(|key| &sample[key]);
    assert_eq!(said, ["team_app", "svc_deploy", "APP_VERIFY_FAILED", "would_allow"]);
}

#[tokio::test]
async fn a_call_that_both_refuse_for_different_reasons_is_a_difference_of_its_own() {
    let gate = with_next("team_app:", "other_app:").await;
    gate.call(&call_with(json!({"bk_biz_id": 4}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    let report = report(gate).await;
    assert_eq!(count(&report, OtherReason), 1);
    let row = &report.differences[0];
    assert_eq!((row.now, row.next), (Some("BUSINESS_NOT_ALLOWED"), Some("APP_VERIFY_FAILED")));
}

#[tokio::test]
async fn a_token_is_not_asked_about_once_more() {
    let gate = with_next("business: {ids: [1, 2], ", "business: {ids: [1], ").await;
    let header = authorization("bk_token", TOKEN);
    gate.send(&[("X-Bkapi-Authorization", &header)], &call().to_string()).await.is(200, "", "yes");
    let asked = gate.standin.history().login_count();
    let shadow = gate.running.shadow().clone();
    let (_, standin, _folder) = gate.stop().await;
    assert_eq!(standin.history().login_count(), asked);
    assert_eq!(count(&shadow.report().unwrap(), WouldRefuse), 1);
}

#[tokio::test]
async fn who_is_kept_away_from_the_login_service_is_not_let_to_it_by_a_next_policy() {
    let text = policy("", ALLOW).replace("token: true", "token: false");
    let gate = Gate::with(Files { policy: text, ..Files::default() }).await;
    let next = plan(&gate, &policy("", ALLOW));
    gate.running.shadow().set(next, "hash", SINCE.parse().unwrap()).unwrap();
    let header = authorization("bk_token", TOKEN);
    let answer = gate.send(&[("X-Bkapi-Authorization", &header)], &call().to_string()).await;
    assert!(answer.status >= 400, "{}", answer.status);
    let shadow = gate.running.shadow().clone();
    let (_, standin, _folder) = gate.stop().await;
    assert_eq!(standin.history().login_count(), 0);
    assert_eq!(count(&shadow.report().unwrap(), Unjudged), 1);
}

#[tokio::test]
async fn copies_of_calls_take_no_room_from_calls() {
    let boot_extra = "limits: {body_bytes: 1MiB}\n".into();
    let gate = Gate::with(Files { boot_extra, ..Files::default() }).await;
    let next = plan(&gate, &policy("", ALLOW));
    gate.running.shadow().set(next, "hash", SINCE.parse().unwrap()).unwrap();
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.always());
    let large = call_with(json!({"script_content": "IyMj".repeat(100 << 10)}));
    let second = async {
        held.hit(1, PATIENCE).await.unwrap();
        let second = gate.call(&large);
        let release = async {
            held.hit(2, PATIENCE).await.ok();
            held.release();
        };
        tokio::join!(second, release).0
    };
    let (first, second) = tokio::join!(gate.call(&large), second);
    first.is(200, "", "yes");
    second.is(200, "", "yes");
}

#[tokio::test]
async fn an_outage_is_no_decision_and_is_not_compared() {
    let gate =
        Gate::with(Files { esb: Some("http://127.0.0.1:1".into()), ..Files::default() }).await;
    let plan = plan(&gate, &policy("", ALLOW));
    gate.running.shadow().set(plan, "hash", SINCE.parse().unwrap()).unwrap();
    let answer = gate.call(&call()).await;
    assert_eq!((answer.status, &answer.body["executed"]), (502, &"no".into()));
    let header =
        json!({"bk_app_code": "team_app", "bk_app_secret": KEY, "bk_username": "svc_deploy"});
    let keyed = [("X-Bkapi-Authorization", &*header.to_string()), ("Idempotency-Key", "k-1")];
    gate.send(&keyed, &call().to_string()).await.is(503, "IDEMPOTENCY_UNAVAILABLE", "no");
    let report = report(gate).await;
    assert_eq!((count(&report, Same), count(&report, Unjudged)), (1, 1));
    assert!(report.differences.is_empty());
}

#[tokio::test]
async fn a_next_policy_that_is_taken_away_is_asked_no_more() {
    let gate = with_next("business: {ids: [1, 2], ", "business: {ids: [1], ").await;
    let loaded = "\nesbgate_shadow_policy_loaded 1\n";
    assert!(gate.metrics().await.contains(loaded));
    gate.running.shadow().clear();
    gate.call(&call()).await.is(200, "", "yes");
    assert!(!gate.metrics().await.contains(loaded));
    assert!(gate.running.shadow().report().is_none());
}
