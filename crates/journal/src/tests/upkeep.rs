//! What time and bounds do to a journal: segments that are closed and removed by age, shares of refusals, a witness elsewhere,
//! and a folder that an earlier version wrote.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use super::*;
use crate::{Retain, Rotation, witness};

/// A clock that is moved; its wall stands.
#[derive(Debug, Default)]
pub(super) struct Moved(AtomicU64);

impl Moved {
    pub(super) fn by(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> ReceivedAt {
        let later = Duration::from_millis(self.0.load(Ordering::SeqCst));
        ReceivedAt { monotonic: NOW.monotonic + later, ..NOW }
    }
}

pub(super) fn open_by(options: Options, clock: &Arc<Moved>) -> (FileJournal, JournalMetrics) {
    let metrics = JournalMetrics::default();
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    (FileJournal::open(options, clock, metrics.clone()).unwrap(), metrics)
}

pub(super) async fn admin(journal: &FileJournal) {
    let peer = AdminPeer { uid: 0, gid: 0, pid: None };
    let record = AdminRecord { operation: "status", arguments: &[], peer, result: "done" };
    journal.admin(&record).await.unwrap();
}

/// All that a boot has written, in plain.
pub(super) fn whole(boot: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(boot).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[tokio::test]
async fn a_segment_is_closed_once_its_first_record_is_as_old_as_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Moved::default());
    let rotation = Rotation { bytes: 1 << 30, time: Duration::from_secs(3600) };
    let own = options(dir.path(), Durability::Written, 100);
    let (journal, _) = open_by(Options { rotation, ..own }, &clock);
    clock.by(Duration::from_secs(3599));
    admin(&journal).await;
    assert!(!journal.path().join("00000002.jsonl").exists());
    clock.by(Duration::from_secs(1));
    admin(&journal).await;
    let second = text(journal.path(), 2);
    assert_eq!(lines(&second)[0]["kind"], "admin");
    // Its own age counts from its own first record.
    clock.by(Duration::from_secs(3599));
    admin(&journal).await;
    journal.close().unwrap();
    assert!(!journal.path().join("00000003.jsonl").exists());
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_removed_once_that_is_on_record_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(86_400);
    let retain = Retain { time: day, bytes: 50 << 30 };
    let own = || Options { retain, ..options(dir.path(), Durability::Written, 100) };
    let clock = Arc::new(Moved::default());
    let boots = [(); 2].map(|()| {
        let (journal, _) = open_by(own(), &clock);
        journal.close().unwrap();
        journal.path().to_owned()
    });
    // Once nobody runs who would remove them.
    for (boot, age) in
        boots.iter().zip([day + Duration::from_secs(1), day - Duration::from_secs(1)])
    {
        let file = fs::File::options().append(true).open(boot.join("00000001.jsonl")).unwrap();
        // The clock of the test stands at the epoch.
        file.set_modified(SystemTime::UNIX_EPOCH - age).unwrap();
    }
    let last: Value = serde_json::from_str(whole(&boots[0]).lines().last().unwrap()).unwrap();
    let (journal, _) = open_by(own(), &clock);
    // A thread of its own removes it; records go on meanwhile.
    for tries in 0.. {
        admin(&journal).await;
        if !boots[0].exists() {
            break;
        }
        assert!(tries < 100_000, "it is not removed");
    }
    let text = whole(journal.path());
    let told = lines(&text).into_iter().find(|line| line["kind"] == "retention").unwrap();
    assert_eq!(told["cause"], "age");
    let [removed] = &told["segments"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!((&removed["last_seq"], &removed["last_hash"]), (&last["seq"], &last["hash"]));
    assert!(boots[1].join("00000001.jsonl").exists(), "what is younger stays");
    journal.close().unwrap();
}

#[tokio::test]
async fn refusals_take_their_share_of_bytes_and_no_more_until_time_gives_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Moved::default());
    // A sixteenth of the bound, which is 64 KiB, in 64,000 s.
    let own = Options {
        retain: Retain { time: Duration::from_secs(64_000), bytes: 1 << 20 },
        rotation: Rotation { bytes: 1 << 20, time: Duration::from_secs(86_400) },
        ..options(dir.path(), Durability::Written, 100)
    };
    let (journal, metrics) = open_by(own, &clock);
    let refused = |text: &str| text.matches("\"kind\":\"refusal\"").count();
    let flood = async || {
        for _ in 0..400 {
            refuse(&journal);
            // Each awaited record lets the writer come to those that wait.
            admin(&journal).await;
        }
    };
    flood().await;
    let first = refused(&whole(journal.path()));
    let bytes = |count: usize| count * 500;
    assert!(first > 50 && bytes(first) < 80 << 10, "{first}");
    assert!(metrics.refusals_dropped() > 100);
    flood().await;
    assert_eq!(refused(&whole(journal.path())), first, "nothing more while no time passes");
    // Sums of callers that nobody knows have a share of their own, and intents are not touched.
    refusals::refuse_unproved(&journal, "192.0.2.1", "A");
    journal.sum_up();
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    admin(&journal).await;
    assert!(whole(journal.path()).contains("\"count\":1"));
    clock.by(Duration::from_secs(8_000));
    flood().await;
    let more = refused(&whole(journal.path())) - first - 1;
    assert!(more > 5 && bytes(more) < 16 << 10, "an eighth of the time, an eighth of it: {more}");
    journal.close().unwrap();
}

#[tokio::test]
async fn a_witness_elsewhere_is_written_there_alone_and_misses_a_cut_tail() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    let path = dir.path().join("elsewhere/HEAD");
    let own =
        || Options { witness: Some(path.clone()), ..options(dir.path(), Durability::Written, 100) };
    let clock = Arc::new(Moved::default());
    let (journal, _) = open_by(own(), &clock);
    let ticket = intend(&journal).await.unwrap();
    journal.settle(ticket, &outcome()).await.unwrap();
    journal.close().unwrap();
    let head = witness::read(&path).unwrap().unwrap();
    assert_eq!(head.seq, 6);
    assert!(!dir.path().join("journal/HEAD").exists());
    let segment = journal.path().join("00000001.jsonl");
    let text = fs::read_to_string(&segment).unwrap();
    let cut: String = text.split_inclusive('\n').take(4).collect();
    fs::write(&segment, cut).unwrap();
    let (journal, _) = open_by(own(), &clock);
    let lines = lines(&whole(journal.path()));
    assert_eq!((&lines[0]["seq"], &lines[1]["kind"]), (&7.into(), &"repair".into()));
    assert!(lines[1]["reason"].as_str().unwrap().contains("records up to 6"), "{lines:?}");
    journal.close().unwrap();
}

/// What the first version wrote: no hashes, numbers from 1 in each start.
fn first_version(dir: &Path) -> std::path::PathBuf {
    let name = "20260101T000000.000000Z-0a1b2c3d";
    let boot = dir.join("journal").join(name);
    fs::create_dir_all(&boot).unwrap();
    let line = |seq: u64, rest: &str| {
        format!(
            "{{\"v\":1,\"seq\":{seq},\"time\":\"2026-01-01T00:00:00Z\",\"node\":\"n1\",\"boot\":\"{name}\",{rest}}}\n"
        )
    };
    let text = line(1, "\"kind\":\"start\",\"version\":\"0.0.9\",\"predecessor\":null")
        + &line(
            2,
            "\"kind\":\"intent\",\"request_id\":\"r\",\"app\":\"a\",\"user\":\"u\",\"component\":\"fast_execute_script\"",
        )
        + &line(3, "\"kind\":\"outcome\",\"intent\":2,\"request_id\":\"r\",\"executed\":\"yes\"")
        + &line(4, "\"kind\":\"stop\",\"open_intents\":0");
    let segment = boot.join("00000001.jsonl");
    fs::write(&segment, text).unwrap();
    segment
}

#[tokio::test]
async fn the_first_start_on_a_folder_of_the_first_version_leaves_it_as_it_is_says_so_and_begins_a_chain()
 {
    let dir = tempfile::tempdir().unwrap();
    let segment = first_version(dir.path());
    let before = fs::read(&segment).unwrap();
    let clock = Arc::new(Moved::default());
    for start in 1..=2 {
        let own = options(dir.path(), Durability::Written, 100);
        let (journal, _) = open_by(own, &clock);
        assert!(journal.writable());
        let ticket = intend(&journal).await.unwrap();
        journal.settle(ticket, &outcome()).await.unwrap();
        journal.close().unwrap();
        assert_eq!(fs::read(&segment).unwrap(), before);
        let lines = lines(&whole(journal.path()));
        let repairs: Vec<_> = lines.iter().filter(|line| line["kind"] == "repair").collect();
        if start == 1 {
            assert_eq!((&lines[0]["seq"], &lines[0]["predecessor"]), (&1.into(), &Value::Null));
            let [repair] = &repairs[..] else { panic!("{repairs:?}") };
            let reason = repair["reason"].as_str().unwrap();
            assert!(reason.contains("no record of this version"), "{reason}");
        } else {
            assert!(repairs.is_empty(), "it is said once: {repairs:?}");
            assert!(lines[0]["predecessor"]["seq"].is_u64());
        }
    }
}
