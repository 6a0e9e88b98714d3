//! `docs/audit.md` lists the fields that records have.

use std::collections::BTreeSet;

use super::*;

/// The tables of the document: of each row the name in the first column, and the second one.
pub(crate) type Tables = Vec<Vec<(String, String)>>;

fn tables() -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit.md");
    let mut tables: Tables = vec![];
    let mut inside = false;
    for line in fs::read_to_string(path).unwrap().lines() {
        let row = line.strip_prefix("| ").filter(|row| row.starts_with('`'));
        match row {
            Some(row) => {
                let (names, meaning) = row.split_once('|').unwrap();
                let meaning = meaning.trim().trim_end_matches('|').trim();
                let names = names.split('`').skip(1).step_by(2);
                let table = tables.last_mut().unwrap_or_else(|| panic!("{line}"));
                table.extend(names.map(|name| (name.into(), meaning.into())));
            }
            None if line.starts_with('|') && !inside => tables.push(vec![]),
            None => {}
        }
        inside = line.starts_with('|');
    }
    tables
}

#[test]
fn the_published_schema_is_that_of_the_types_and_of_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/journal.schema.json");
    let expected =
        serde_json::to_string_pretty(&crate::line::schema::schema(&tables())).unwrap() + "\n";
    if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "run the test with ESBGATE_WRITE_DOCS=1 to write {path:?} anew");
}

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
async fn records_are_as_the_schema_has_them_and_it_takes_no_others() {
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
    let schema: Value = serde_json::from_str(crate::RECORDS_SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let text = text(journal.path(), 1);
    let mut kinds = BTreeSet::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        schema.validate(&record).unwrap_or_else(|fault| panic!("{line}: {fault}"));
        kinds.insert(record["kind"].as_str().unwrap().to_owned());
        for name in record.as_object().unwrap().keys() {
            let mut less = record.clone();
            less.as_object_mut().unwrap().remove(name);
            assert!(!schema.is_valid(&less), "{line} without {name}");
        }
        let mut more = record.clone();
        more["more"] = 1.into();
        assert!(!schema.is_valid(&more), "{line}");
    }
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}
