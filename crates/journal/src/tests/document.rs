//! `docs/audit.md` lists the fields that records have.

use std::collections::BTreeSet;

use super::*;

/// The names in the first column of the document's tables, one set for each table.
fn tables() -> Vec<BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit.md");
    let mut tables: Vec<BTreeSet<String>> = vec![];
    let mut inside = false;
    for line in fs::read_to_string(path).unwrap().lines() {
        let row = line.strip_prefix("| ").filter(|row| row.starts_with('`'));
        match row {
            Some(row) => {
                let names = row.split_once('|').unwrap().0.split('`').skip(1).step_by(2);
                tables.last_mut().unwrap_or_else(|| panic!("{line}")).extend(names.map(Into::into));
            }
            None if line.starts_with('|') && !inside => tables.push(BTreeSet::new()),
            None => {}
        }
        inside = line.starts_with('|');
    }
    tables
}

/// What only a call with a model of its own has on record.
const MODELLED: [&str; 10] = [
    "account",
    "script",
    "script_param",
    "sensitive",
    "timeout",
    "task_name",
    "rolling",
    "windows_interpreter",
    "start_task",
    "host_passwords",
];

fn taken() -> ReloadRecord<'static> {
    ReloadRecord {
        cause: ReloadCause::Watch,
        result: ReloadResult::Taken,
        generation: Some(4),
        replaces: Some(3),
        restores: None,
        overrides: None,
        sha256: Some("ab"),
        files: &["policy.yaml"],
        apps: Some(2),
        problems: 0,
        warnings: 1,
    }
}

#[tokio::test]
async fn what_became_of_a_policy_is_on_record_before_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.reload(&taken()).await.unwrap();
    let many = ["f"; 1001];
    let refused = ReloadRecord {
        result: ReloadResult::Refused,
        generation: None,
        files: &many,
        problems: 2,
        ..taken()
    };
    journal.reload(&refused).await.unwrap();
    let lines = lines(&text(journal.path(), 1));
    let [_, good, bad] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&good["kind"], &good["cause"]), (&"reload".into(), &"watch".into()));
    assert_eq!((&good["result"], &good["generation"]), (&"taken".into(), &4.into()));
    assert_eq!((&good["sha256"], &good["files"][0]), (&"ab".into(), &"policy.yaml".into()));
    assert_eq!((&bad["result"], &bad["generation"]), (&"refused".into(), &Value::Null));
    assert_eq!((&bad["problems"], &bad["replaces"]), (&2.into(), &3.into()));
    assert_eq!(bad["files"]["sha256"].as_str().unwrap().len(), 64);
    journal.close().unwrap();
    assert_eq!(journal.reload(&taken()).await, Err(JournalDown));
}

fn froze() -> AdminRecord<'static> {
    static ARGUMENTS: std::sync::LazyLock<Vec<(&'static str, String)>> =
        std::sync::LazyLock::new(|| vec![("subject", "app a".into()), ("reason", "x".repeat(300))]);
    let peer = AdminPeer { uid: 7, gid: 8, pid: Some(9) };
    AdminRecord { operation: "freeze", arguments: &ARGUMENTS, peer, result: "done" }
}

#[tokio::test]
async fn what_an_admin_did_is_on_record_before_it_is_told_and_not_after_the_stop() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.admin(&froze()).await.unwrap();
    let lines = lines(&text(journal.path(), 1));
    let [_, record] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&record["kind"], &record["operation"]), (&"admin".into(), &"freeze".into()));
    let who = (&record["uid"], &record["gid"], &record["pid"]);
    assert_eq!(who, (&7.into(), &8.into(), &9.into()));
    assert_eq!(record["arguments"]["subject"], "app a");
    assert_eq!(record["arguments"]["reason"]["chars"], 300);
    journal.close().unwrap();
    assert_eq!(journal.admin(&froze()).await, Err(JournalDown));
}

fn plain_call() -> ComponentCall {
    let document = Document::read(br#"{"bk_biz_id":2,"job_instance_id":1}"#.to_vec()).unwrap();
    let component = Component::named("get_job_instance_status").unwrap();
    ComponentCall::read(component, &document, Switches::default()).unwrap()
}

#[tokio::test]
async fn every_field_of_every_kind_is_documented_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    let plain = intend_to(&journal, "get_job_instance_status", &plain_call()).await.unwrap();
    // Refusals have a queue of their own, so their place beside what is awaited is not fixed.
    journal.settle(plain, &outcome()).await.unwrap();
    journal.reload(&taken()).await.unwrap();
    journal.admin(&froze()).await.unwrap();
    let peer = AdminPeer { uid: 7, gid: 8, pid: Some(9) };
    let lookup = LookupRecord { field: Some("token"), key_ids: &["ab"], peer, result: "done" };
    journal.lookup(&lookup).await.unwrap();
    refuse(&journal);
    shadow::differ(&journal, 2);
    refusals::refuse_unproved(&journal, "192.0.2.1", "A");
    journal.close().unwrap();
    let tables = tables();
    let (common, kinds) = tables.split_first().unwrap();
    let [
        start,
        stop,
        intent,
        plain,
        outcome,
        refusal,
        sum,
        reload,
        admin,
        shadow,
        lookup,
        loss,
        repair,
        retention,
        checkpoint,
    ] = kinds
    else {
        panic!("{}", kinds.len())
    };
    // What no record here is of is held to the types.
    for (documented, schema) in [
        (loss, schemars::schema_for!(crate::line::LossLine<'_>)),
        (repair, schemars::schema_for!(crate::line::RepairLine)),
        (retention, schemars::schema_for!(crate::line::RetentionLine<'_>)),
        (checkpoint, schemars::schema_for!(crate::line::CheckpointLine<'_>)),
    ] {
        let fields = schema.get("properties").unwrap().as_object().unwrap();
        assert_eq!(*documented, fields.keys().cloned().collect::<BTreeSet<_>>());
    }
    let mut plain: BTreeSet<String> = plain.union(intent).cloned().collect();
    for name in MODELLED {
        assert!(plain.remove(name), "{name}");
    }
    let expected = [
        start, intent, outcome, &plain, outcome, reload, admin, lookup, refusal, shadow, sum, stop,
    ];
    let lines = lines(&text(journal.path(), 1));
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(lines.len(), expected.len(), "{kinds:?}");
    for (line, own) in lines.iter().zip(expected) {
        let names: BTreeSet<String> = line.as_object().unwrap().keys().cloned().collect();
        let documented: BTreeSet<String> = common.union(own).cloned().collect();
        assert_eq!(names, documented, "{}", line["kind"]);
    }
}
