//! The journal as callers see it: serialises, queues and waits for the writer.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use esbgate_core::{
    AdminRecord, Clock, Intent, Journal, JournalDown, JournalMetrics, LookupRecord, OutcomeRecord,
    RecordKind, RefusalRecord, ReloadRecord, Room, Rooms, ShadowRecord, Ticket,
};
use tokio::sync::oneshot;

use crate::{
    keyed::Keys,
    line,
    options::{Mode, OpenError, Options},
    segment::{self, OpenFile},
    turn::{Queue, Turn},
    unmade::Unmade,
    unproved::{Caller, Unproved},
    writer::{Entry, Message},
};

/// Most refusals that wait to be written.
pub(crate) const REFUSALS: u64 = 1024;
/// Longest wait for the `stop` record.
const STOP: Duration = Duration::from_secs(5);

/// A journal in a folder. Clones share it; the last one writes `stop`.
#[derive(Clone)]
pub struct FileJournal(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) turn: Arc<Turn>,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JournalMetrics,
    pub(crate) mode: Mode,
    pub(crate) writable: Arc<AtomicBool>,
    pub(crate) full: Arc<AtomicBool>,
    pub(crate) intents: Rooms,
    pub(crate) open_intents: u64,
    pub(crate) refusals: Rooms,
    /// Refusals that found no place, for the writer's next `loss` record.
    pub(crate) crowded: Arc<AtomicU64>,
    pub(crate) unproved: Arc<Unproved>,
    /// The sums of one minute are queued at a time, so their queue is bounded too.
    pub(crate) minutes: Rooms,
    pub(crate) path: PathBuf,
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
        crate::open::open(options, clock, metrics, open)
    }

    pub(crate) fn of(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Whether the last write succeeded, and the bound leaves room for calls.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.0.writable.load(Ordering::Relaxed) && !self.0.full.load(Ordering::Relaxed)
    }

    /// Whether calls are made: without records too where the journal does its best and no more.
    #[must_use]
    pub fn takes_calls(&self) -> bool {
        self.0.mode == Mode::BestEffort || self.writable()
    }

    /// The keys of the hashes in records, for a look-up.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
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
        let queued = self.0.note(
            || self.0.entry(RecordKind::Shadow, line::shadow(record)),
            |entry, room| Message::Shadow(entry, record.count, room),
        );
        if !queued {
            self.differences_lost(record.count);
        }
    }

    /// Counts differences that no record will stand for.
    pub fn differences_lost(&self, count: u64) {
        self.0.metrics.differences_lost(count);
    }

    /// Returns once a look-up is as durable as the journal promises. Few are asked for at a time.
    pub async fn lookup(&self, record: &LookupRecord<'_>) -> Result<(), JournalDown> {
        let entry = self.0.entry(RecordKind::Lookup, line::lookup(record)).ok_or(JournalDown)?;
        self.done(entry).await
    }

    async fn done(&self, entry: Entry) -> Result<(), JournalDown> {
        let (waiter, told) = oneshot::channel();
        self.0.queue.send(Message::Deed(entry, waiter))?;
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

    /// Queues a record that nobody waits for, if there is room.
    fn note(
        &self,
        entry: impl FnOnce() -> Option<Entry>,
        message: impl FnOnce(Entry, Room) -> Message,
    ) -> bool {
        let room = self.refusals.take(REFUSALS);
        room.is_some_and(|room| {
            entry().is_some_and(|entry| self.queue.send(message(entry, room)).is_ok())
        })
    }

    fn sum_up(&self) {
        let Some(minute) = self.minutes.take(1) else { return };
        let sums = self.unproved.take();
        let lost = sums.iter().map(|(_, sum)| sum.count).sum();
        if lost > 0 && self.queue.send(Message::Sums(sums, minute)).is_err() {
            self.metrics.refusals_lost(lost);
        }
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
        let members = line::intent(intent, shared.keys.current());
        let entry = shared.entry(RecordKind::Intent, members).ok_or(JournalDown)?;
        let unmade = Unmade {
            queue: shared.queue.clone(),
            clock: Arc::clone(&shared.clock),
            request_id: intent.request_id.into(),
        };
        let (waiter, told) = oneshot::channel();
        let message = Message::Intent(entry, room, unmade, waiter);
        shared.turn.keep(&shared.queue, message, told).await
    }

    async fn settle(&self, ticket: Ticket, outcome: &OutcomeRecord<'_>) -> Result<(), JournalDown> {
        let shared = &*self.0;
        let members = line::outcome(ticket.sequence(), outcome);
        let entry = shared.entry(RecordKind::Outcome, members).ok_or(JournalDown)?;
        let (waiter, told) = oneshot::channel();
        let message = Message::Outcome(entry, ticket, waiter);
        shared.turn.keep(&shared.queue, message, told).await
    }

    fn refuse(&self, refusal: &RefusalRecord<'_>) {
        let shared = &*self.0;
        let Some(app) = refusal.app else {
            let caller = refusal.peer.map_or(Caller::Socket, |peer| Caller::Network(peer.into()));
            return shared.unproved.add(caller, refusal.code_name, refusal.received_at.wall);
        };
        let entry = || shared.entry(RecordKind::Refusal, line::refusal(refusal, app));
        if !shared.note(entry, Message::Refusal) {
            shared.metrics.refusals_lost(1);
            shared.crowded.fetch_add(1, Ordering::Relaxed);
        }
    }
}
