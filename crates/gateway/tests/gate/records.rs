//! What a real gateway writes is what the schema of records has: every kind, and every field of each.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, time::Duration};

use esbgate_core::RecordKind;
use serde_json::{Value, json};

use crate::{
    admin::{files, order},
    budgets::Later,
    shadow::plan,
    support::*,
};

/// A journal that is closed early and kept for a day, and a copy of each record.
fn kept() -> Files {
    let boot_extra = files().boot_extra + "sinks: {out: {file: {path: FOLDER/out.jsonl}}}\n";
    let journal_extra = ", segment: {bytes: 16KiB}, retain: {days: 1}".into();
    let components = "components: [fast_execute_script, get_job_instance_status]";
    let allow = ALLOW.replace("components: [fast_execute_script]", components);
    Files { policy: policy("", &allow), boot_extra, journal_extra, ..Files::default() }
}

async fn calls_of_all_kinds(gate: &Gate) {
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let body = json!({"bk_biz_id": 2, "job_instance_id": 1}).to_string();
    let header = authorization("bk_username", "svc_deploy");
    let request = post(&[("X-Bkapi-Authorization", &header)], &body);
    gate.raw(request.replacen("fast_execute_script", "get_job_instance_status", 1).as_bytes())
        .await;
    gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    let unproved = authorization("bk_username", "svc_deploy").replace(KEY, "another-key");
    gate.send(&[("X-Bkapi-Authorization", &unproved)], &call().to_string()).await;
    order(gate.folder.path(), json!("status")).await;
    order(gate.folder.path(), json!({"lookup": {"field": "token", "value": TOKEN}})).await;
}

#[tokio::test]
async fn a_real_gateway_writes_every_kind_of_record_as_the_schema_has_it() {
    let clock = Later::start();
    let gate = Gate::by_clock(kept(), world(), clock.clone()).await;
    let next = plan(&gate, &policy("", &ALLOW.replace("ids: [1, 2]", "ids: [1]")));
    gate.running.shadow().set(next, "hash", "2027-01-01T00:00Z".parse().unwrap()).unwrap();
    calls_of_all_kinds(&gate).await;
    let boot = gate.running.journal_path();
    let (ended, standin, folder) = gate.stop().await;
    assert!(ended);
    let last = journal_files(&boot).into_iter().filter(|path| path.extension().unwrap() == "jsonl");
    let last = last.max().unwrap();
    let torn = std::fs::read_to_string(&last).unwrap() + "{\"v\":2,\"seq\":";
    std::fs::write(&last, torn).unwrap();
    clock.wait(Duration::from_secs(2 * 86_400));

    let gate = Gate::in_folder(standin, folder, clock.clone()).await;
    // Removing what is old is a thread's own business, so it is due by some call and not by a certain one.
    let shipped = || std::fs::read_to_string(gate.folder.path().join("out.jsonl")).unwrap();
    for calls in 0.. {
        // Budgets come back.
        clock.wait(Duration::from_millis(100));
        assert_eq!(gate.call(&call()).await.body["executed"], "yes");
        if shipped().contains("\"kind\":\"retention\"") {
            break;
        }
        assert!(calls < 20_000, "nothing was removed");
    }
    // Noticed at the latest by the stop. What is sampled of calls is written by then, and may be lost to this.
    let segments = journal_files(&gate.running.journal_path()).into_iter();
    let segment = segments.filter(|path| path.extension().unwrap() == "jsonl").max().unwrap();
    std::fs::set_permissions(&segment, std::fs::Permissions::from_mode(0o440)).unwrap();
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);

    let schema: Value = serde_json::from_str(esbgate_journal::RECORDS_SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut seen = BTreeSet::new();
    let shipped = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    for line in shipped.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        schema.validate(&record).unwrap_or_else(|fault| panic!("{line}: {fault}"));
        let form = [("intent", "body"), ("refusal", "count")];
        let kind = record["kind"].as_str().unwrap();
        let form = form.iter().find(|(of, has)| *of == kind && record.get(has).is_some());
        seen.insert((kind.to_owned(), form.is_some()));
    }
    for kind in RecordKind::ALL {
        assert!(seen.contains(&(kind.as_str().into(), false)), "{kind:?} of {seen:?}");
    }
    assert!(seen.contains(&("intent".into(), true)) && seen.contains(&("refusal".into(), true)));
}
