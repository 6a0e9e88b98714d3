//! The journal as callers see it: serialises, queues and waits for the writer.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    time::Duration,
};

use esbgate_core::{
    AdminRecord, Clock, Intent, Journal, JournalDown, JournalMetrics, OutcomeRecord, RecordKind,
    RefusalRecord, ReloadRecord, Rooms, ShadowRecord, Ticket,
};
use esbgate_model::{Secret, hex};
use tokio::sync::oneshot;

use crate::{
    keyed::HashKey,
    line::{self, StartLine},
    segment::{self, OpenFile, Segment},
    unmade::Unmade,
    unproved::{Caller, Unproved},
    writer::{Entry, Message, Noted, Writer},
};

/// Most refusals that wait to be written.
pub(crate) const REFUSALS: u64 = 1024;
/// Longest wait for the `stop` record.
const STOP: Duration = Duration::from_secs(5);

/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The kernel has it: survives the process.
    Written,
    /// The disk has it: survives the machine.
    Synced,
}

/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of all boots; made if it is not there.
    pub dir: PathBuf,
    /// When a record counts as kept.
    pub durability: Durability,
    /// The key of the hashes that stand for secrets.
    pub hmac_key: Secret,
    /// The name of this gateway.
    pub node: String,
    /// The version of the gateway.
    pub version: &'static str,
    /// Most intents without an outcome.
    pub open_intents: u64,
}

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("cannot use the journal folder {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The first segment cannot be made.
    #[error("cannot make a segment in {}", .0.display())]
    Segment(PathBuf, #[source] io::Error),
    /// The `start` record cannot be written.
    #[error("cannot write the start record")]
    Start(#[from] JournalDown),
    /// No name for this boot or no text for its record.
    #[error("cannot name this boot")]
    Boot,
    /// The thread cannot be started.
    #[error("cannot start the writer")]
    Thread(#[source] io::Error),
}

/// A journal in a folder. Clones share it; the last one writes `stop`.
#[derive(Clone)]
pub struct FileJournal(Arc<Shared>);

struct Shared {
    queue: Sender<Message>,
    key: HashKey,
    clock: Arc<dyn Clock>,
    metrics: JournalMetrics,
    writable: Arc<AtomicBool>,
    intents: Rooms,
    open_intents: u64,
    refusals: Rooms,
    unproved: Unproved,
    /// The sums of one minute are queued at a time, so their queue is bounded too.
    minutes: Rooms,
    path: PathBuf,
}

impl FileJournal {
    /// Makes the folder of this boot and writes its `start` record.
    pub fn open(
        options: Options,
        clock: Arc<dyn Clock>,
        metrics: JournalMetrics,
    ) -> Result<Self, OpenError> {
        Self::open_with(options, clock, metrics, Box::new(segment::open_file))
    }

    pub(crate) fn open_with(
        options: Options,
        clock: Arc<dyn Clock>,
        metrics: JournalMetrics,
        open: OpenFile,
    ) -> Result<Self, OpenError> {
        let boot = boot_name(&*clock).ok_or(OpenError::Boot)?;
        let folder = |error| OpenError::Folder(options.dir.clone(), error);
        segment::make_dir(&options.dir, true).map_err(folder)?;
        let predecessor = newest_boot(&options.dir).map_err(folder)?;
        let path = options.dir.join(&boot);
        segment::make_dir(&path, false).map_err(folder)?;
        let segment = Segment::create(&path, options.durability == Durability::Synced, open)
            .map_err(|error| OpenError::Segment(path.clone(), error))?;
        let writable = Arc::new(AtomicBool::new(true));
        let intents = Rooms::default();
        let mut writer = Writer {
            segment,
            clock: Arc::clone(&clock),
            metrics: metrics.clone(),
            writable: Arc::clone(&writable),
            intents: intents.clone(),
            origin: origin(&options.node, &boot).ok_or(OpenError::Boot)?,
            next: 1,
            buffer: Vec::new(),
            kinds: Vec::new(),
            refusals: VecDeque::new(),
        };
        let start = StartLine { version: options.version, predecessor: predecessor.as_deref() };
        let members = line::members(&start).map_err(|_| OpenError::Boot)?;
        writer.add(&Entry { kind: RecordKind::Start, time: clock.now().wall, members });
        writer.commit()?;
        let queue = spawn(writer).map_err(OpenError::Thread)?;
        let key = HashKey::new(&options.hmac_key);
        let (open_intents, refusals) = (options.open_intents, Rooms::default());
        Ok(Self(Arc::new(Shared {
            queue,
            key,
            clock,
            metrics,
            writable,
            intents,
            open_intents,
            refusals,
            unproved: Unproved::default(),
            minutes: Rooms::default(),
            path,
        })))
    }

    /// Whether the last write succeeded.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.0.writable.load(Ordering::Relaxed)
    }

    /// The folder of this boot.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns once what became of a policy is as durable as the journal promises. One at a time is asked for, so
    /// the queue stays bounded.
    pub async fn reload(&self, record: &ReloadRecord<'_>) -> Result<(), JournalDown> {
        let entry = self.0.entry(RecordKind::Reload, line::reload(record)).ok_or(JournalDown)?;
        self.done(entry).await
    }

    /// Returns once what an admin did is as durable as the journal promises. Few are asked for at a time, so the queue
    /// stays bounded.
    pub async fn admin(&self, record: &AdminRecord<'_>) -> Result<(), JournalDown> {
        let entry = self.0.entry(RecordKind::Admin, line::admin(record)).ok_or(JournalDown)?;
        self.done(entry).await
    }

    /// Notes what a next policy would decide otherwise. Never waits: it queues where refusals do, so it takes no room
    /// from what is awaited, and is counted as lost when too many wait.
    pub fn differ(&self, record: &ShadowRecord<'_>) {
        let noted = || self.0.entry(RecordKind::Shadow, line::shadow(record));
        if !self.0.note(record.count, noted) {
            self.differences_lost(record.count);
        }
    }

    /// Counts differences that no record will stand for.
    pub fn differences_lost(&self, count: u64) {
        self.0.metrics.differences_lost(count);
    }

    async fn done(&self, entry: Entry) -> Result<(), JournalDown> {
        let (waiter, told) = oneshot::channel();
        self.0.queue.send(Message::Deed(entry, waiter)).map_err(|_| JournalDown)?;
        told.await.unwrap_or(Err(JournalDown))
    }

    /// Queues the sums of refusals of unproved callers, which the gateway asks for each minute. Never waits;
    /// while the journal takes no records, or the minute before is not written yet, they go on growing.
    pub fn sum_up(&self) {
        if self.writable() {
            self.0.sum_up();
        }
    }

    /// Writes what is queued and summed, and `stop`, and syncs; blocks for at most five seconds. Later
    /// records are refused. Closing twice does nothing.
    pub fn close(&self) -> Result<(), JournalDown> {
        self.0.stop()
    }
}

impl Shared {
    fn entry(&self, kind: RecordKind, members: serde_json::Result<Vec<u8>>) -> Option<Entry> {
        let members = members.ok()?;
        Some(Entry { kind, time: self.clock.now().wall, members })
    }

    /// Queues a record that nobody waits for, if there is room; it stands for `count` events.
    fn note(&self, count: u64, entry: impl FnOnce() -> Option<Entry>) -> bool {
        let queued = self.refusals.take(REFUSALS).and_then(|room| {
            let noted = Noted { entry: entry()?, count, room: Some(room) };
            self.queue.send(Message::Refusal(noted)).ok()
        });
        queued.is_some()
    }

    fn sum_up(&self) {
        let Some(minute) = self.minutes.take(1) else { return };
        let mut lost = 0;
        let mut sums: Vec<_> = self
            .unproved
            .take()
            .into_iter()
            .filter_map(|((caller, code), sum)| {
                let members = line::refusal_sum(caller, code, sum);
                let entry = self.entry(RecordKind::Refusal, members);
                lost += if entry.is_none() { sum.count } else { 0 };
                Some(Noted { entry: entry?, count: sum.count, room: None })
            })
            .collect();
        if let Some(last) = sums.last_mut() {
            last.room = Some(minute);
        }
        let queued = sums.iter().map(|noted| noted.count).sum::<u64>();
        if queued > 0 && self.queue.send(Message::Sums(sums)).is_err() {
            lost += queued;
        }
        self.metrics.refusals_lost(lost);
    }

    fn stop(&self) -> Result<(), JournalDown> {
        self.sum_up();
        let (done, stopped) = mpsc::sync_channel(1);
        match self.queue.send(Message::Stop(done)) {
            Ok(()) => stopped.recv_timeout(STOP).unwrap_or(Err(JournalDown)),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is left to tell; the writer has logged why.
        self.stop().ok();
    }
}

impl std::fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileJournal").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Journal for FileJournal {
    async fn intend(&self, intent: &Intent<'_>) -> Result<Ticket, JournalDown> {
        let shared = &*self.0;
        let room = shared.intents.take(shared.open_intents).ok_or(JournalDown)?;
        let members = line::intent(intent, &shared.key);
        let entry = shared.entry(RecordKind::Intent, members).ok_or(JournalDown)?;
        let (waiter, told) = oneshot::channel();
        let message = Message::Intent(entry, room, waiter);
        shared.queue.send(message).map_err(|_| JournalDown)?;
        let ticket = told.await.unwrap_or(Err(JournalDown))?;
        let unmade = Unmade {
            queue: shared.queue.clone(),
            clock: Arc::clone(&shared.clock),
            request_id: intent.request_id.into(),
            intent: ticket.sequence(),
        };
        Ok(ticket.on_release(move |room| unmade.record(room)))
    }

    async fn settle(&self, ticket: Ticket, outcome: &OutcomeRecord<'_>) -> Result<(), JournalDown> {
        let shared = &*self.0;
        let members = line::outcome(ticket.sequence(), outcome);
        let entry = shared.entry(RecordKind::Outcome, members).ok_or(JournalDown)?;
        let (waiter, told) = oneshot::channel();
        let message = Message::Outcome(entry, ticket, waiter);
        shared.queue.send(message).map_err(|_| JournalDown)?;
        told.await.unwrap_or(Err(JournalDown))
    }

    fn refuse(&self, refusal: &RefusalRecord<'_>) {
        let shared = &*self.0;
        let Some(app) = refusal.app else {
            let caller = refusal.peer.map_or(Caller::Socket, |peer| Caller::Network(peer.into()));
            return shared.unproved.add(caller, refusal.code_name, refusal.received_at.wall);
        };
        let noted = || shared.entry(RecordKind::Refusal, line::refusal(refusal, app));
        if !shared.note(1, noted) {
            shared.metrics.refusals_lost(1);
        }
    }
}

/// Starts the thread; it ends with `stop` or with the last sender.
fn spawn(writer: Writer) -> io::Result<Sender<Message>> {
    let (queue, messages) = mpsc::channel();
    std::thread::Builder::new().name("journal".into()).spawn(move || writer.run(messages))?;
    Ok(queue)
}

/// A name that sorts by time and is not met twice.
fn boot_name(clock: &dyn Clock) -> Option<String> {
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let time = clock.now().wall.strftime("%Y%m%dT%H%M%S.%6fZ").to_string();
    Some(format!("{time}-{}", hex(&random)))
}

fn newest_boot(dir: &Path) -> io::Result<Option<String>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            newest = newest.max(entry.file_name().into_string().ok());
        }
    }
    Ok(newest)
}

fn origin(node: &str, boot: &str) -> Option<Vec<u8>> {
    let mut origin = b"\"node\":".to_vec();
    origin.extend(line::members(&node).ok()?);
    origin.extend_from_slice(b",\"boot\":");
    origin.extend(line::members(&boot).ok()?);
    origin.push(b',');
    Some(origin)
}
