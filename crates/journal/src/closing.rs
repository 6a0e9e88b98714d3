//! The thread that compresses closed segments and removes old ones, so that nobody waits for it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use esbgate_core::{Clock, JournalDown, JournalMetrics, RecordKind, Tampered};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    Archive,
    chain::{Entry, Link},
    line::{self, RemovedLine, RetentionLine},
    options::{Retain, Rotation},
    recovery::{Line, read_line},
    segment::sync_dir,
    shelf::{Guarded, Key, Shelf, Space},
    turn::Queue,
    writer::Message,
};

/// How often it looks for what is old.
const PAUSE: Duration = Duration::from_secs(60);
/// Most segments of one `retention` record.
const MOST: usize = 100;
/// Longer lines are no records of ours.
const LONGEST: u64 = 16 << 20;

pub(crate) struct Closing {
    pub(crate) own: String,
    pub(crate) shelf: Arc<Guarded<Shelf>>,
    pub(crate) space: Arc<Space>,
    pub(crate) archive: Option<Arc<dyn Archive>>,
    pub(crate) retain: Retain,
    pub(crate) rotation: Rotation,
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JournalMetrics,
    /// Held until the last change of ours is done.
    pub(crate) lock: Arc<File>,
    /// Dropped at the end.
    pub(crate) ended: SyncSender<()>,
}

impl Closing {
    /// Runs until nobody is left to ask. It is told the numbers of closed segments of this boot.
    pub(crate) fn run(self, closed: Receiver<u64>) {
        loop {
            self.compress(&closed);
            if let Err(error) = self.retain() {
                self.metrics.archive_error();
                tracing::error!(%error, "old segments cannot be removed");
            }
            match closed.recv_timeout(PAUSE) {
                Ok(number) => self.take(number),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        drop(self.lock);
        drop(self.ended);
    }

    /// Takes a segment of this boot that was closed, which may be gone before anybody keeps it.
    fn take(&self, number: u64) {
        if !self.shelf.lock().put(&self.own, number) {
            let gone = Message::Tampered(Tampered::Removed, self.own.clone(), Some(number));
            // Without a writer there is nobody to tell.
            self.queue.send(gone).ok();
        }
    }

    /// Compresses what is plain; a stop waits for one segment at most.
    fn compress(&self, closed: &Receiver<u64>) {
        let Some(archive) = &self.archive else { return };
        let plain: Vec<Key> = {
            let shelf = self.shelf.lock();
            let plain =
                shelf.segments().filter(|(_, held)| !held.compressed && held.identity.size > 0);
            plain.map(|(key, _)| key.clone()).collect()
        };
        for key in plain {
            loop {
                match closed.try_recv() {
                    Ok(number) => self.take(number),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            let Some(path) = self.shelf.lock().busy(&key) else { continue };
            if let Err(error) = archive.close(&path) {
                self.metrics.archive_error();
                tracing::error!(%error, segment = %path.display(), "segment cannot be compressed");
            }
            self.shelf.lock().put(&key.0, key.1);
        }
    }

    /// Removes what is old, or more than the bound allows, once that is on record.
    fn retain(&self) -> io::Result<()> {
        loop {
            let now = self.clock.now().wall;
            let age = jiff::SignedDuration::try_from(self.retain.time)
                .unwrap_or(jiff::SignedDuration::MAX);
            let since = now.checked_sub(age).unwrap_or(Timestamp::MIN);
            // Room for what is written meanwhile.
            let wanted = self.space.closed() + 2 * self.rotation.bytes + 2 * self.space.reserve();
            let over = wanted.saturating_sub(self.space.bound);
            let old = self.oldest(|written, _| written < since)?;
            let (segments, cause) = match old.is_empty() {
                false => (old, "age"),
                true => (self.oldest(|_, freed| freed < over)?, "size"),
            };
            if segments.is_empty() {
                return Ok(());
            }
            let lines: Vec<_> = segments.iter().map(|(_, line)| line.clone()).collect();
            self.on_record(&lines, cause).map_err(io::Error::other)?;
            for (key, _) in &segments {
                self.remove(key)?;
            }
            tracing::info!(segments = segments.len(), cause, "old segments were removed");
        }
    }

    /// The oldest segments, as long as `wanted` says of when they were written and of the bytes before them.
    fn oldest(
        &self,
        wanted: impl Fn(Timestamp, u64) -> bool,
    ) -> io::Result<Vec<(Key, RemovedLine)>> {
        let mut freed = 0;
        let mut asked = Vec::new();
        for (key, held) in self.shelf.lock().segments().take(MOST) {
            let (seconds, _) = held.identity.written;
            if !wanted(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX), freed) {
                break;
            }
            freed += held.identity.size;
            asked.push((key.clone(), held.path.clone(), held.compressed));
        }
        let mut found = Vec::new();
        for (key, path, compressed) in asked {
            let (first, last) = match (&self.archive, compressed) {
                (_, false) => ends(&path)?,
                (Some(archive), true) => archive.ends(&path)?,
                (None, true) => return Err(io::Error::other("nothing reads compressed segments")),
            };
            // What has no record of ours, such as an empty file or one of another version, is left.
            let (Some(first), Some(last)) = (link(&first), link(&last)) else { continue };
            let (boot, segment) = key.clone();
            let line = RemovedLine {
                boot,
                segment,
                first_seq: first.seq,
                last_seq: last.seq,
                last_hash: last.text(),
            };
            found.push((key, line));
        }
        Ok(found)
    }

    fn on_record(&self, segments: &[RemovedLine], cause: &str) -> Result<(), JournalDown> {
        let members = line::members(&RetentionLine { segments, cause }).map_err(|_| JournalDown)?;
        let time = self.clock.now().wall;
        let (waiter, told) = oneshot::channel();
        let entry = Entry { kind: RecordKind::Retention, time, members };
        self.queue.send(Message::Deed(entry, waiter))?;
        told.blocking_recv().unwrap_or(Err(JournalDown))
    }

    fn remove(&self, key: &Key) -> io::Result<()> {
        let Some(path) = self.shelf.lock().busy(key) else { return Ok(()) };
        let plain = path.with_file_name(format!("{:08}.jsonl", key.1));
        // The index first: without its segment it means nothing.
        for ending in ["idx", "jsonl", "jsonl.zst"] {
            std::fs::remove_file(plain.with_extension(ending)).or_else(crate::seal::absent)?;
        }
        self.shelf.lock().put(&key.0, key.1);
        let Some(folder) = path.parent() else { return Ok(()) };
        sync_dir(folder)?;
        if key.0 != self.own && std::fs::read_dir(folder)?.next().is_none() {
            std::fs::remove_dir(folder)?;
            folder.parent().map_or(Ok(()), sync_dir)?;
        }
        Ok(())
    }
}

fn link(line: &[u8]) -> Option<Link> {
    match read_line(line) {
        Line::Record(record) => Some(record.link),
        Line::Foreign | Line::Junk => None,
    }
}

/// The first and the last line of a plain segment.
fn ends(path: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut first = Vec::new();
    BufReader::new(&file).take(LONGEST).read_until(b'\n', &mut first)?;
    first.pop();
    let mut last = Vec::new();
    let mut reach = 64 << 10;
    loop {
        let begin = size.saturating_sub(reach);
        last.resize(usize::try_from(size - begin).unwrap_or_default(), 0);
        file.read_exact_at(&mut last, begin)?;
        let line = last.strip_suffix(b"\n").unwrap_or(&last);
        let from = memchr::memrchr(b'\n', line).map(|at| at + 1);
        if let Some(from) = from.or((begin == 0).then_some(0)) {
            return Ok((first, line.get(from..).unwrap_or_default().to_vec()));
        }
        if reach > LONGEST {
            return Ok((first, Vec::new()));
        }
        reach *= 8;
    }
}
