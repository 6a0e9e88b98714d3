//! What somebody else does to segments is noticed by a look, idle or not.

use esbgate_core::Tampered;

use super::{
    upkeep::{Moved, admin, open_by, whole},
    *,
};
use crate::{
    Rotation,
    shelf::{Shelf, Space},
};

/// Does something to a file that is not ours to do.
fn tamper(what: Tampered, file: &Path, elsewhere: &Path) {
    match what {
        Tampered::Removed => fs::remove_file(file).unwrap(),
        Tampered::Moved => fs::rename(file, elsewhere.join("moved")).unwrap(),
        Tampered::Truncated => {
            let length = fs::metadata(file).unwrap().len();
            fs::File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
        }
        Tampered::ReadOnly => {
            fs::set_permissions(file, fs::Permissions::from_mode(0o440)).unwrap();
        }
        Tampered::Changed => {
            let text = fs::read(file).unwrap().repeat(2);
            fs::write(file, text).unwrap();
        }
    }
}

#[test]
fn a_look_at_the_open_segment_notices_each_thing_once_and_the_next_segment_takes_over() {
    for what in Tampered::ALL {
        let dir = tempfile::tempdir().unwrap();
        let boot = dir.path().join("boot");
        fs::create_dir(&boot).unwrap();
        let mut segment = Segment::create(&boot, false, Box::new(open_file)).unwrap();
        segment.append(b"{\"a\":1}\n").unwrap();
        segment.watch().unwrap();
        assert!(segment.take_tampered().is_empty());
        tamper(*what, &boot.join("00000001.jsonl"), dir.path());
        // Nothing is written meanwhile.
        segment.watch().unwrap();
        segment.watch().unwrap();
        assert_eq!(segment.take_tampered(), [(*what, 1)]);
        segment.append(b"[]\n").unwrap();
        assert_eq!(text(&boot, 2), "[]\n");
    }
}

#[test]
fn a_look_at_closed_segments_notices_each_thing_once() {
    for what in Tampered::ALL {
        let dir = tempfile::tempdir().unwrap();
        let name = "20260101T000000.000000Z-0a1b2c3d";
        let boot = dir.path().join(name);
        fs::create_dir(&boot).unwrap();
        for number in [1, 2] {
            fs::write(boot.join(format!("{number:08}.jsonl")), "{\"a\":1}\n").unwrap();
        }
        let mut shelf = Shelf::new(dir.path(), "own", Arc::new(Space::new(1 << 30)));
        assert!(shelf.look().is_empty());
        tamper(*what, &boot.join("00000001.jsonl"), &boot);
        assert_eq!(shelf.look(), [(*what, name.to_owned(), Some(1))]);
        assert!(shelf.look().is_empty(), "{what:?}");
        fs::remove_dir_all(&boot).unwrap();
        assert_eq!(shelf.look(), [(Tampered::Removed, name.to_owned(), None)]);
        assert!(shelf.look().is_empty());
    }
}

#[tokio::test]
async fn what_is_done_to_a_closed_segment_while_the_journal_runs_is_on_record() {
    for what in Tampered::ALL {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Moved::default());
        let own = || options(dir.path(), Durability::Written, 100);
        let (before, _) = open_by(own(), &clock);
        before.close().unwrap();
        let (journal, _) = open_by(own(), &clock);
        tamper(*what, &before.path().join("00000001.jsonl"), before.path());
        noticed(&journal, &clock, *what, 1).await;
        journal.close().unwrap();
    }
}

/// Stops in the middle of compressing until it is let go on.
#[derive(Debug)]
struct Slow(Arc<crate::shelf::Guarded<std::sync::mpsc::Receiver<()>>>, std::sync::mpsc::Sender<()>);

impl crate::Archive for Slow {
    fn close(&self, _: &Path) -> std::io::Result<()> {
        self.1.send(()).unwrap();
        // Whoever tests it has gone, or lets it go on.
        self.0.lock().recv().ok();
        Ok(())
    }

    fn ends(&self, _: &Path) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[tokio::test]
async fn a_segment_that_is_gone_before_it_is_kept_is_missed_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Moved::default());
    let (go, gone) = std::sync::mpsc::channel();
    let (inside, entered) = std::sync::mpsc::channel();
    let slow = Slow(Arc::new(crate::shelf::Guarded::new(gone)), inside);
    let own = Options {
        rotation: Rotation { bytes: 1, time: Duration::from_secs(1 << 30) },
        archive: Some(Arc::new(slow)),
        ..options(dir.path(), Durability::Written, 100)
    };
    let (journal, _) = open_by(own, &clock);
    admin(&journal).await;
    entered.recv().unwrap();
    // Nobody keeps the next ones as long as the first one is compressed.
    for _ in 0..5 {
        admin(&journal).await;
    }
    fs::remove_file(journal.path().join("00000003.jsonl")).unwrap();
    drop(go);
    noticed(&journal, &clock, Tampered::Removed, 3).await;
    journal.close().unwrap();
}

/// Goes on writing until it is on record.
async fn noticed(journal: &FileJournal, clock: &Moved, what: Tampered, segment: u64) {
    let told = |line: Value| {
        let place = (&line["kind"], &line["segment"]);
        place == (&"loss".into(), &segment.into()) && line["what"] == what.as_str()
    };
    for _ in 0..2_000 {
        // A checkpoint has HEAD written, and with the time the look comes.
        clock.by(Duration::from_secs(61));
        admin(journal).await;
        let all = whole(journal.path());
        if all.lines().any(|line| told(serde_json::from_str(line).unwrap())) {
            return;
        }
    }
    panic!("{what:?} is not noticed");
}
