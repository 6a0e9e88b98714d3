//! Freezes: what each stops and when, walked through the real steps, and what is refused of one that is written wrong.

use esbgate_core::Metrics;
use esbgate_model::{Code, Language};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EXAMPLE, Fake, check};
use crate::Call;

const HASH: &str = "2f4bdafb5a9b0d26e0ea67bbd0e7dd4b3ea1e83ae0c1a1f0dd9ca5cf9ac5cd9c";

/// The example with these entries.
fn with(entries: &str) -> String {
    assert!(EXAMPLE.contains("\nfreeze: []\n"));
    EXAMPLE
        .replace("\nfreeze: []\n", &format!("\nfreeze: [{entries}]\n"))
        .replace("components: [fast_execute_script]", "components: any")
}

fn call(change: Value) -> Value {
    let text = include_str!("../../../../config/examples/call.json");
    let mut call: Value = serde_json::from_str(text).unwrap();
    for (pointer, value) in change.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        call.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    call
}

/// The code of what becomes of a call, and the places of a freeze with what is said of them.
fn becomes(policy: &str, call: &Value, at: &str) -> (Option<Code>, Vec<(String, String)>) {
    let at: Timestamp = at.parse().unwrap();
    let document = super::read("policy.yaml", policy).unwrap();
    let (plan, _) = document.check_alone(&Fake, at).unwrap();
    let call = Call::read("call.json", &call.to_string()).unwrap();
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let said = plan.explain(&call, at, &metrics).now_or_never().unwrap();
    let Some(refused) = said.refused else { return (None, Vec::new()) };
    let faults = refused.faults().unwrap().list().iter();
    let places = faults.map(|one| (one.path.clone(), one.rule.hint(Language::En))).collect();
    (Some(refused.code()), places)
}

const NOON: &str = "2027-01-04T12:00+08:00";

#[test]
fn a_freeze_stops_what_it_names_and_nothing_else() {
    let hash = esbgate_model::sha256_hex(b"systemctl reload nginx");
    let by_version = json!({"/body/script_version_id": 7, "/body/script_content": null});
    let by_id = json!({"/body/script_id": "s-1", "/body/script_content": null});
    let in_set = json!({"/body/bk_biz_id": 8_000_001});
    let pair =
        json!({"/body/bk_biz_id": null, "/body/bk_scope_type": "biz", "/body/bk_scope_id": "2"});
    let plain = json!({});
    for (subject, change, path) in [
        ("everything: true", &plain, Some("fast_execute_script")),
        ("app: deploy_bot", &plain, Some("bk_app_code")),
        ("app: other_app", &plain, None),
        ("business: {id: 2}", &plain, Some("bk_biz_id")),
        ("business: {id: 2}", &pair, Some("bk_scope_id")),
        ("business: {id: 3}", &plain, None),
        ("business: {set: 2}", &plain, None),
        ("business: {tenant_set: 2}", &plain, None),
        ("business: {set: 8000001}", &in_set, Some("bk_biz_id")),
        (&format!("script: {{sha256: \"{hash}\"}}"), &plain, Some("script_content")),
        (&format!("script: {{sha256: \"{hash}\"}}"), &by_version, None),
        (&format!("script: {{sha256: \"{HASH}\"}}"), &plain, None),
        ("script: {version: 7}", &by_version, Some("script_version_id")),
        ("script: {version: 8}", &by_version, None),
        ("script: {id: s-1}", &by_id, Some("script_id")),
        ("script: {id: s-1}", &by_version, None),
        ("script: {id: \"7\"}", &by_version, None),
    ] {
        let until = "2027-02-01T00:00+08:00";
        let entry = format!("{{{subject}, reason: INC-77, until: \"{until}\"}}");
        let other = EXAMPLE.split_once("\n  deploy_bot:\n").unwrap().1;
        let other = other.split_once("    users:").unwrap().1;
        let proofs =
            "    owner: x\n    proofs: [{certificate: {dns: other.example.com}}]\n    users:";
        let policy = format!("{}\n  other_app:\n{proofs}{other}", with(&entry));
        let (code, places) = becomes(&policy, &call(change.clone()), NOON);
        match path {
            Some(path) => {
                assert_eq!(code, Some(Code::Frozen), "{entry}");
                let said = "frozen until 2027-01-31T16:00:00Z: INC-77";
                assert_eq!(places, [(path.to_owned(), said.to_owned())], "{entry}");
            }
            None => assert_ne!(code, Some(Code::Frozen), "{entry}"),
        }
    }
}

#[test]
fn a_freeze_begins_and_ends_at_its_instants() {
    let entry = "{everything: true, reason: move, from: \"2027-01-04T10:00+08:00\", \
                 until: \"2027-01-04T12:00+08:00\"}";
    for (at, stopped) in [
        ("2027-01-04T09:59:59.999999999+08:00", false),
        ("2027-01-04T10:00:00+08:00", true),
        ("2027-01-04T11:59:59.999999999+08:00", true),
        ("2027-01-04T12:00:00+08:00", false),
    ] {
        let code = becomes(&with(entry), &call(json!({})), at).0;
        assert_eq!(code, stopped.then_some(Code::Frozen), "{at}");
    }
    let endless = with("{everything: true, reason: for good}");
    let (code, places) = becomes(&endless, &call(json!({})), NOON);
    assert_eq!((code, &*places[0].1), (Some(Code::Frozen), "frozen: for good"));
}

#[test]
fn what_runs_or_writes_is_stopped_and_what_reads_is_not() {
    let policy = with("{everything: true, reason: move}");
    let read = json!({"/component": "get_job_instance_list",
        "/body": {"bk_biz_id": 2, "create_time_start": 1, "create_time_end": 2}});
    assert_eq!(becomes(&policy, &call(read), NOON).0, None);
    let write = json!({"/component": "delete_account", "/body": {"bk_biz_id": 2, "id": 1}});
    assert_eq!(becomes(&policy, &call(write), NOON).0, Some(Code::Frozen));
}

#[test]
fn a_call_is_told_of_every_freeze_that_stops_it_before_it_is_told_of_missing_rights() {
    let policy = with("{everything: true, reason: move}, {app: deploy_bot, reason: leak}");
    let (code, places) = becomes(&policy, &call(json!({"/body/bk_biz_id": 3})), NOON);
    assert_eq!(code, Some(Code::Frozen));
    let paths: Vec<_> = places.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["fast_execute_script", "bk_app_code"]);
}

#[test]
fn an_entry_that_is_wrong_refuses_the_policy_at_its_place() {
    let long = "x".repeat(301);
    for (entry, words, hint) in [
        ("{reason: r}", "stops exactly one thing", "everything: true"),
        ("{everything: true, app: deploy_bot, reason: r}", "stops exactly one thing", "another"),
        ("{everything: false, reason: r}", "write true", ""),
        ("{app: deploy_bott, reason: r}", "unknown application", "did you mean `deploy_bot`?"),
        ("{app: hunter2, reason: r}", "unknown application", ""),
        ("{business: {id: 8000001}, reason: r}", "about a business set", "{set: 8000001}"),
        ("{business: {ids: [2]}, reason: r}", "unknown choice", "did you mean `id`?"),
        ("{business: {id: 2, set: 3}, reason: r}", "expected one of id, set, tenant_set", ""),
        ("{script: {sha256: abc}, reason: r}", "64 hex digits", ""),
        ("{script: {id: \" \"}, reason: r}", "it must say something", ""),
        ("{app: deploy_bot}", "missing key `reason`", ""),
        ("{app: deploy_bot, reason: \" \"}", "needs a reason", ""),
        ("{app: deploy_bot, reason: \"a\\nb\"}", "one line", ""),
        (&format!("{{app: deploy_bot, reason: {long}}}"), "at most 300", ""),
        ("{app: deploy_bot, reason: r, until: \"2027-06-30T00:00\"}", "with a zone", "+08:00"),
        (
            "{app: deploy_bot, reason: r, from: \"2027-06-30T00:00Z\", until: \"2027-06-30T00:00Z\"}",
            "ends before it begins",
            "",
        ),
    ] {
        let text = with(entry);
        let problems = check(&text).expect_err(entry);
        let found = problems.iter().find(|problem| problem.message.contains(words));
        let found = found.unwrap_or_else(|| panic!("{entry}: {problems:?}"));
        let at = text.find(entry).unwrap();
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        assert_eq!(found.line, line as u64, "{found}");
        assert!(found.hint.as_deref().unwrap_or_default().contains(hint), "{found}");
    }
    let many = vec!["{everything: true, reason: r}"; 1001].join(", ");
    assert!(check(&with(&many)).unwrap_err()[0].message.contains("at most 1000"));
}

#[test]
fn an_entry_without_an_end_or_past_it_is_a_warning() {
    for (entry, words) in [
        ("{everything: true, reason: r}", "it has no end"),
        ("{everything: true, reason: r, until: \"2027-01-01T00:00Z\"}", "has ended"),
    ] {
        let warnings = check(&with(entry)).unwrap().1;
        let warnings: Vec<_> = warnings.iter().map(|one| &*one.0.message).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
    }
    let held = "{everything: true, reason: r, until: \"2027-01-01T00:00:00.000000001Z\"}";
    assert!(check(&with(held)).unwrap().1.is_empty());
}
