//! The journal on real files, and on files that fail.

use std::{
    fs,
    os::fd::OwnedFd,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use esbgate_core::{
    AdminPeer, AdminRecord, AppProof, Clock, Intent, Journal as _, JournalDown, JournalMetrics,
    LimitSet, LookupRecord, OutcomeRecord, ReceivedAt, RefusalRecord, ReloadCause, ReloadRecord,
    ReloadResult, UserProof,
};
use esbgate_model::{Component, ComponentCall, Executed, Name, Secret, Switches, json::Document};
use serde_json::Value;

use crate::{
    Durability, FileJournal, Options,
    segment::{OpenFile, Segment, open_file},
};

pub(crate) mod document;
mod ends;
mod noticed;
mod refusals;
mod release;
mod shadow;
mod upkeep;

const NOW: ReceivedAt =
    ReceivedAt { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(1) };

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> ReceivedAt {
        NOW
    }
}

fn options(dir: &Path, durability: Durability, open_intents: u64) -> Options {
    let hmac_key = Secret::new("0123456789abcdef0123456789abcdef");
    let (node, version) = ("n\u{202e}1".into(), "0");
    let own = Options::new(dir.join("journal"), dir.join("state"), hmac_key);
    Options { durability, node, version, open_intents, ..own }
}

fn open(dir: &Path) -> FileJournal {
    let options = options(dir, Durability::Synced, 100);
    FileJournal::open(options, Arc::new(Still), JournalMetrics::default()).unwrap()
}

fn call() -> ComponentCall {
    let text = r#"{"bk_biz_id":2,"script_content":"ZWNobyAkMQo=","script_language":1,
        "script_param":"cDRyYW0tc2VjcmV0","account_alias":"root","task_name":"a\u202eb\u2028\n",
        "callback_url":"https://cb.example.com/x?query-secret=1",
        "host_password_list":[{"bk_cloud_id":0,"ip":"10.0.0.1","encrypted_password":"pass-secret"}],
        "target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}}"#;
    let switches = Switches { host_password_list: true, ..Switches::default() };
    let document = Document::read(text.into()).unwrap();
    ComponentCall::read(Component::fast_execute_script(), &document, switches).unwrap()
}

async fn intend(journal: &FileJournal) -> Result<esbgate_core::Ticket, JournalDown> {
    intend_to(journal, "fast_execute_script", &call()).await
}

async fn intend_to(
    journal: &FileJournal,
    component: &'static str,
    call: &ComponentCall,
) -> Result<esbgate_core::Ticket, JournalDown> {
    let (app, token) = (Name::new("app").unwrap(), Secret::new("token-secret"));
    let intent = Intent {
        request_id: "r",
        received_at: NOW,
        peer: None,
        app: &app,
        app_proofs: &[AppProof::Key],
        user: &app,
        user_proof: UserProof::Token,
        token: Some(&token),
        component,
        call,
        host_runs: 1,
        generation: 3,
        grant: "g",
        acts_as: &app,
        risk: &[],
        shadowed: LimitSet::default(),
    };
    journal.intend(&intent).await
}

fn outcome() -> OutcomeRecord<'static> {
    OutcomeRecord {
        request_id: "r",
        executed: Executed::Yes,
        outcome: "success",
        code_name: None,
        upstream_status: Some(200),
        upstream_code: Some(0),
        upstream_request_id: None,
        job_request_id: None,
        job_instance_id: Some(9),
        step_instance_id: None,
    }
}

fn refuse(journal: &FileJournal) {
    let app = Name::new("app").unwrap();
    journal.refuse(&RefusalRecord {
        request_id: "r",
        received_at: NOW,
        peer: None,
        app: Some(&app),
        user: None,
        component: None,
        code_name: "NO",
        generation: None,
        risk: &[],
    });
}

fn text(boot: &Path, number: u64) -> String {
    fs::read_to_string(boot.join(format!("{number:08}.jsonl"))).unwrap()
}

/// A record, which a reader that takes no name twice can read too.
fn record(line: &str) -> Value {
    assert!(Document::read(line.into()).is_ok(), "{line}");
    serde_json::from_str(line).unwrap()
}

/// Records, those apart that the journal writes of itself all the time.
fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(record);
    lines.filter(|line| line["kind"] != "checkpoint").collect()
}

/// The first segment is a pipe, the next ones are files unless `broken`.
fn pipe_first(broken: Arc<AtomicBool>) -> (std::io::PipeReader, OpenFile) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut first = Some(fs::File::from(OwnedFd::from(writer)));
    let open = move |path: &Path| match first.take() {
        Some(file) => Ok(file),
        None if broken.load(Ordering::SeqCst) => Err(std::io::Error::other("broken")),
        None => open_file(path),
    };
    (reader, Box::new(open))
}

#[tokio::test]
async fn an_intent_is_in_the_file_before_it_is_promised_and_nothing_secret_is_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ticket = intend(&journal).await.unwrap();
    let text = text(journal.path(), 1);
    let intent = &lines(&text)[1];
    assert_eq!((&intent["kind"], &intent["seq"]), (&"intent".into(), &ticket.sequence().into()));
    for secret in ["secret", "cDRyYW0", "echo", "ZWNobyAkMQ", "0123456789abcdef0"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(intent["script_param"]["bytes"], 12);
    assert_eq!(intent["target"]["ip_list"][0], "0:10.0.0.1");
    assert_ne!(intent["token"]["hmac"], intent["script_param"]["hmac"]);
}

#[tokio::test]
async fn start_and_stop_frame_the_file_and_every_line_is_one_visible_object() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    refuse(&journal);
    journal.close().unwrap();
    journal.close().unwrap();
    assert_eq!(intend(&journal).await.unwrap_err(), JournalDown);
    let text = text(journal.path(), 1);
    assert!(!text.contains(['\u{202e}', '\u{2028}']));
    let lines = lines(&text);
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "intent", "outcome", "refusal", "stop"]);
    assert_eq!((&lines[2]["intent"], &lines[4]["open_intents"]), (&3.into(), &0.into()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // What the process's umask leaves of all.
    let probe = dir.path().join("probe");
    fs::create_dir(&probe).unwrap();
    assert_eq!(mode(journal.path()), mode(&probe) & 0o750);
    assert_eq!(mode(&journal.path().join("00000001.jsonl")), mode(&probe) & 0o640);
}

#[tokio::test]
async fn a_dropped_journal_stops_and_its_successor_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let path = first.path().to_owned();
    drop(first);
    assert_eq!(lines(&text(&path, 1))[1]["kind"], "stop");
    let next = open(dir.path());
    let name = path.file_name().unwrap().to_str().unwrap();
    let predecessor = &lines(&text(next.path(), 1))[0]["predecessor"];
    assert_eq!((&predecessor["boot"], &predecessor["seq"]), (&name.into(), &4.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_intents_get_numbers_in_the_order_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let journal = journal.clone();
        tasks.spawn(async move { intend(&journal).await.unwrap() });
    }
    let mut tickets = tasks.join_all().await;
    assert_eq!(intend(&journal).await.unwrap_err(), JournalDown, "no room for an outcome");
    let mut given: Vec<_> = tickets.iter().map(esbgate_core::Ticket::sequence).collect();
    given.sort_unstable();
    let lines = lines(&text(journal.path(), 1));
    let written: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(given, (3..=102).collect::<Vec<_>>());
    assert_eq!(written[1..], given);
    journal.settle(tickets.pop().unwrap(), &outcome()).await.unwrap();
    assert!(intend(&journal).await.is_ok());
}

#[tokio::test]
async fn a_failed_write_refuses_intents_and_outcomes_until_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(true));
    let (reader, open) = pipe_first(Arc::clone(&broken));
    let options = options(dir.path(), Durability::Written, 100);
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open_with(options, Arc::new(Still), metrics, open).unwrap();
    let ticket = intend(&journal).await.unwrap();
    drop(reader);
    assert_eq!(journal.settle(ticket, &outcome()).await, Err(JournalDown));
    assert_eq!(intend(&journal).await.unwrap_err(), JournalDown);
    assert!(!journal.writable());
    broken.store(false, Ordering::SeqCst);
    let ticket = intend(&journal).await.unwrap();
    assert!(journal.writable());
    drop(ticket);
    journal.close().unwrap();
    let next = lines(&text(journal.path(), 2));
    let kinds: Vec<_> = next.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    // The outcome that could not be written is written late, and what the pipe has of it does not count.
    let expected = ["intent", "outcome", "repair", "outcome", "stop"];
    assert_eq!((&kinds[..], &next[0]["seq"]), (&expected[..], &4.into()));
    assert_eq!((&next[1]["intent"], &next[3]["intent"]), (&3.into(), &4.into()));
    assert_eq!((&next[2]["segment"], &next[2]["bytes"]), (&1.into(), &0.into()));
}

#[test]
fn refusals_never_wait_and_are_counted_when_the_queue_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, open) = pipe_first(Arc::default());
    let options = options(dir.path(), Durability::Written, 100);
    let metrics = JournalMetrics::default();
    let journal = FileJournal::open_with(options, Arc::new(Still), metrics.clone(), open).unwrap();
    // Nobody reads the pipe, so the writer stands still once 64 KiB are in it.
    (0..5000).for_each(|_| refuse(&journal));
    assert!(metrics.refusals_dropped() > 1000);
    drop(reader);
}

#[test]
fn a_probe_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut segment = Segment::create(dir.path(), true, Box::new(open_file)).unwrap();
    segment.append(b"{}\n").unwrap();
    segment.probe().unwrap();
    segment.append(b"[]\n").unwrap();
    assert_eq!(text(dir.path(), 1), "{}\n[]\n");
}

#[test]
fn a_segment_that_is_taken_away_is_missed_at_the_next_write_and_followed_by_another() {
    let dir = tempfile::tempdir().unwrap();
    let boot = dir.path().join("boot");
    std::fs::create_dir(&boot).unwrap();
    let mut segment = Segment::create(&boot, false, Box::new(open_file)).unwrap();
    segment.append(b"{}\n").unwrap();
    std::fs::rename(boot.join("00000001.jsonl"), dir.path().join("taken")).unwrap();
    assert!(segment.append(b"lost\n").is_err());
    segment.append(b"[]\n").unwrap();
    assert_eq!(text(&boot, 2), "[]\n");

    std::fs::remove_dir_all(&boot).unwrap();
    assert!(segment.append(b"lost\n").is_err() && segment.append(b"lost\n").is_err());
    assert!(segment.probe().is_err());
    std::fs::write(&boot, "no folder").unwrap();
    assert!(segment.append(b"lost\n").is_err());
    std::fs::remove_file(&boot).unwrap();
    std::fs::create_dir(&boot).unwrap();
    segment.append(b"found\n").unwrap();
    assert_eq!(text(&boot, 3), "found\n");
    assert_eq!(std::fs::read_to_string(dir.path().join("taken")).unwrap(), "{}\n");
}
