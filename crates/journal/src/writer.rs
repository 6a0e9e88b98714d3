//! Writes: numbers records, commits them in groups and tells who waits. One at a time does ([`crate::turn`]).
//!
//! Whatever is queued together becomes one write. An intent waits for the write that runs and for its own: a write has
//! a bounded number of records, and of refusals a smaller one.

mod house;

use std::{
    collections::{BTreeSet, VecDeque},
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender},
    },
    time::Duration,
};

use esbgate_core::{
    Clock, JournalDown, JournalMetrics, RecordKind, Room, Rooms, Tampered, Ticket, Unrecorded,
};
use tokio::sync::oneshot;

pub(crate) use crate::chain::Entry;
use crate::{
    chain::{Chain, Link},
    keeper::{Ask, Stand},
    line,
    loss::{Losses, Share},
    options::{Mode, Rotation},
    seal::Seal,
    segment::Segment,
    shelf::{Guarded, Space},
    turn::TICK,
    unmade::Unmade,
    unproved::{Caller, Sum, Unproved},
};

/// Most records in one write.
const BATCH: usize = 1024;
/// Most refusals in one write: what an intent may have to wait for.
const REFUSALS: usize = 128;
/// Between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// Most outcomes that are kept for a journal that takes records again.
const LATE: usize = 4096;

/// Whom to tell that a record is kept, or is not.
pub(crate) type Told<T> = oneshot::Sender<Result<T, JournalDown>>;

/// What the thread is asked. Each record carries its place, so the queue is bounded by places.
pub(crate) enum Message {
    Intent(Entry, Room, Unmade, Told<Ticket>),
    Outcome(Entry, Ticket, Told<()>),
    /// A refusal of a proved application, with its place.
    Refusal(Entry, Room),
    /// A sample of differing decisions, how many it stands for, and its place.
    Shadow(Entry, u64, Room),
    /// What the gateway itself did.
    Deed(Entry, Told<()>),
    /// The sums of one minute, with their place.
    Sums(Vec<Summed>, Room),
    /// A closed segment, or a whole folder, was changed by somebody else.
    Tampered(Tampered, String, Option<u64>),
    Stop(SyncSender<Result<(), JournalDown>>),
}

/// Refusals of one caller and code.
pub(crate) type Summed = ((Caller, &'static str), Sum);

/// A record that nobody waits for.
enum Noted {
    Refusal(Entry, Room),
    Shadow(Entry, u64, Room),
    Sum(Summed, Option<Arc<Room>>),
}

enum Waiter {
    Intent(u64, Entry, Room, Unmade, Told<Ticket>),
    Outcome(Entry, Ticket, Told<()>),
    Deed(Entry, Told<()>),
}

pub(crate) struct Writer {
    pub(crate) segment: Segment,
    pub(crate) chain: Chain,
    pub(crate) node: String,
    pub(crate) boot: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JournalMetrics,
    pub(crate) mode: Mode,
    pub(crate) rotation: Rotation,
    pub(crate) space: Arc<Space>,
    pub(crate) seal: Arc<Seal>,
    pub(crate) stand: Arc<Guarded<Stand>>,
    pub(crate) writable: Arc<AtomicBool>,
    /// Whether the bound leaves no room for intents.
    pub(crate) full: Arc<AtomicBool>,
    /// Refusals that found no place in the queue.
    pub(crate) crowded: Arc<AtomicU64>,
    pub(crate) unproved: Arc<Unproved>,
    pub(crate) intents: Rooms,
    pub(crate) keeper: Option<Sender<Ask>>,
    pub(crate) closing: Option<Sender<u64>>,
    /// Ends when the thread that compresses has.
    pub(crate) closed: Option<Receiver<()>>,
    /// Held as long as anything is written.
    pub(crate) _lock: Arc<File>,
    pub(crate) shares: Shares,
    pub(crate) state: State,
}

/// What refusals may take, apart for those of proved applications and for sums.
pub(crate) struct Shares {
    pub(crate) refusals: Share,
    pub(crate) sums: Share,
}

/// What changes from write to write.
#[derive(Default)]
pub(crate) struct State {
    buffer: Vec<u8>,
    kinds: Vec<RecordKind>,
    /// The end of the chain before the write that is being put together.
    before: Option<Link>,
    refusals: VecDeque<Noted>,
    /// Intents on record without an outcome on record.
    pub(crate) open: BTreeSet<u64>,
    /// Outcomes whose write failed.
    late: Vec<(u64, Entry)>,
    losses: Losses,
    records: u64,
    checkpoint_due: bool,
    checkpointed: Duration,
    ticked: Duration,
    began: Option<Duration>,
    /// Closed segments that are handed over once a checkpoint follows them.
    closed: Vec<u64>,
    /// Segments that somebody else took away, as is on record.
    gone: BTreeSet<u64>,
    house: Vec<Entry>,
    /// Whom to tell once there has been the last write.
    stop: Option<SyncSender<Result<(), JournalDown>>>,
    /// Empty between writes; kept, so that the next one does not allocate.
    waiters: Vec<Waiter>,
}

impl Writer {
    /// Writes what is queued, as one write. Says whether there may be more.
    pub(crate) fn write(&mut self, queue: &Receiver<Message>) -> bool {
        let mut waiters = std::mem::take(&mut self.state.waiters);
        for message in queue.try_iter() {
            match message {
                Message::Intent(entry, room, unmade, told) if self.has_room(1) => {
                    let number = self.add(&entry);
                    waiters.push(Waiter::Intent(number, entry, room, unmade, told));
                }
                Message::Intent(entry, room, unmade, told) => {
                    self.unrecorded_intent(&entry, room, unmade, told);
                }
                Message::Outcome(entry, ticket, told) => {
                    self.add(&entry);
                    waiters.push(Waiter::Outcome(entry, ticket, told));
                }
                Message::Deed(entry, told) => {
                    self.add(&entry);
                    waiters.push(Waiter::Deed(entry, told));
                }
                Message::Refusal(entry, room) => {
                    self.state.refusals.push_back(Noted::Refusal(entry, room));
                }
                Message::Shadow(entry, count, room) => {
                    self.state.refusals.push_back(Noted::Shadow(entry, count, room));
                }
                Message::Sums(sums, room) => {
                    let room = Arc::new(room);
                    let sums = sums.into_iter();
                    self.state
                        .refusals
                        .extend(sums.map(|sum| Noted::Sum(sum, Some(Arc::clone(&room)))));
                }
                Message::Tampered(what, boot, segment) => self.tampered(what, &boot, segment),
                Message::Stop(done) => self.state.stop = Some(done),
            }
            if self.state.stop.is_some() || waiters.len() == BATCH {
                break;
            }
        }
        let full = waiters.len() == BATCH;
        let committed = self.commit();
        waiters.drain(..).for_each(|waiter| self.tell(waiter, committed));
        self.state.waiters = waiters;
        self.metrics.open_intents(i64::try_from(self.intents.taken()).unwrap_or(i64::MAX));
        full
    }

    /// What is left to do after a write; whom to tell of the stop, if it is time.
    pub(crate) fn keep_on(&mut self) -> Option<SyncSender<Result<(), JournalDown>>> {
        let stop = self.state.stop.take();
        self.keep_house();
        self.note_refusals(if stop.is_some() { usize::MAX } else { REFUSALS });
        stop
    }

    /// The last records, and the end.
    pub(crate) fn end(
        mut self,
        queue: Receiver<Message>,
        done: &SyncSender<Result<(), JournalDown>>,
    ) {
        let stopped = self.stop();
        // First, so that whoever is told finds the queue closed and the folder free.
        drop(queue);
        self.end_others();
        drop(self);
        // Whoever asked may have stopped waiting.
        done.try_send(stopped).ok();
    }

    /// Whether there is work without a message.
    pub(crate) fn is_due(&self) -> bool {
        let state = &self.state;
        let due = state.checkpoint_due
            || !state.house.is_empty()
            || !state.late.is_empty()
            || !state.refusals.is_empty();
        state.stop.is_some() || (due && self.writable.load(Ordering::Relaxed))
    }

    /// Whether the next write is a write and no more.
    pub(crate) fn is_quick(&self) -> bool {
        let (_, good, _) = self.segment.place();
        self.writable.load(Ordering::Relaxed)
            && !self.is_due()
            && !self.has_its_size_or_age(good, self.clock.now().monotonic)
    }

    /// Looks at the segment and at the time, if it is time.
    pub(crate) fn tick_if_due(&mut self) {
        if self.clock.now().monotonic.saturating_sub(self.state.ticked) >= TICK {
            self.tick();
        }
    }

    /// Looks at the segment and at the time.
    pub(crate) fn tick(&mut self) {
        let now = self.clock.now().monotonic;
        self.state.ticked = now;
        if self.writable.load(Ordering::Relaxed) {
            let watched = self.segment.watch();
            self.take_closed();
            if let Err(error) = watched {
                tracing::error!(%error, "journal takes no records");
                self.set_writable(false);
            }
        } else {
            let probed = self.segment.probe().is_ok();
            self.take_closed();
            self.set_writable(probed);
        }
        if now.saturating_sub(self.state.checkpointed) >= CHECKPOINT {
            self.state.checkpoint_due = true;
        }
    }

    /// Whether the bound leaves room for `lanes` reserves.
    fn has_room(&self, lanes: u64) -> bool {
        let (_, good, _) = self.segment.place();
        let used = self.space.closed() + good + self.state.buffer.len() as u64;
        let room = used + lanes * self.space.reserve() < self.space.bound;
        if lanes == 1 && self.full.swap(!room, Ordering::Relaxed) == room {
            match room {
                true => tracing::info!("journal has room again"),
                false => tracing::error!(bound = self.space.bound, "journal is at its bound"),
            }
            self.metrics.writable(room && self.writable.load(Ordering::Relaxed));
        }
        room
    }

    /// Puts a record into the next write.
    pub(crate) fn add(&mut self, entry: &Entry) -> u64 {
        let state = &mut self.state;
        state.before.get_or_insert(self.chain.last());
        state.kinds.push(entry.kind);
        self.chain.add(&mut state.buffer, entry)
    }

    /// Writes what was added, or nothing that counts: its numbers are used again then.
    pub(crate) fn commit(&mut self) -> Result<(), JournalDown> {
        let Some(before) = self.state.before.take() else { return Ok(()) };
        let began = self.clock.now().monotonic;
        let appended = self.rotate(began).and_then(|()| self.segment.append(&self.state.buffer));
        let took = self.clock.now().monotonic.saturating_sub(began);
        self.state.buffer.clear();
        let kinds = std::mem::take(&mut self.state.kinds);
        self.take_closed();
        match &appended {
            Ok(()) => {
                kinds.iter().for_each(|kind| self.metrics.record(*kind));
                self.metrics.committed(took.as_secs_f64());
                self.state.records += kinds.len() as u64;
                self.state.began.get_or_insert(began);
                *self.stand.lock() = self.stands();
            }
            Err(error) => {
                self.chain.back_to(before);
                self.metrics.write_error();
                if self.writable.load(Ordering::Relaxed) {
                    tracing::error!(%error, "journal takes no records");
                }
            }
        }
        // The vector is used again, so the next batch does not allocate.
        self.state.kinds = kinds;
        self.state.kinds.clear();
        self.set_writable(appended.is_ok());
        appended.map_err(|_| JournalDown)
    }

    /// Closes a segment that has its size or its age.
    fn rotate(&mut self, now: Duration) -> std::io::Result<()> {
        let (_, good, _) = self.segment.place();
        if self.has_its_size_or_age(good, now) {
            self.segment.rotate()?;
        }
        Ok(())
    }

    fn has_its_size_or_age(&self, good: u64, now: Duration) -> bool {
        let aged = |began: Duration| now.saturating_sub(began) >= self.rotation.time;
        good >= self.rotation.bytes || (good > 0 && self.state.began.is_some_and(aged))
    }

    fn set_writable(&self, writable: bool) {
        let before = self.writable.swap(writable, Ordering::Relaxed);
        self.metrics.writable(writable && !self.full.load(Ordering::Relaxed));
        if writable && !before {
            tracing::info!("journal takes records");
        }
    }

    fn tell(&mut self, waiter: Waiter, committed: Result<(), JournalDown>) {
        match waiter {
            Waiter::Intent(number, entry, room, unmade, told) => match committed {
                Ok(()) => {
                    self.state.open.insert(number);
                    // A waiter that has gone drops its ticket, which settles the intent.
                    told.send(Ok(unmade.ticket(number, room))).ok();
                }
                Err(JournalDown) => self.unrecorded_intent(&entry, room, unmade, told),
            },
            Waiter::Outcome(entry, ticket, told) => {
                let intent = ticket.close();
                match committed {
                    Ok(()) => {
                        self.state.open.remove(&intent);
                    }
                    Err(JournalDown) if self.state.late.len() < LATE => {
                        self.state.late.push((intent, entry));
                    }
                    Err(JournalDown) => {
                        self.state.losses.add(Unrecorded::Outcome, entry.time, &self.metrics);
                    }
                }
                told.send(self.unless_lost(committed)).ok();
            }
            Waiter::Deed(entry, told) => {
                if committed.is_err() && self.mode == Mode::BestEffort {
                    self.state.losses.add(Unrecorded::Deed, entry.time, &self.metrics);
                }
                told.send(self.unless_lost(committed)).ok();
            }
        }
    }

    fn unless_lost(&self, committed: Result<(), JournalDown>) -> Result<(), JournalDown> {
        match self.mode {
            Mode::Strict => committed,
            Mode::BestEffort => Ok(()),
        }
    }

    /// An intent that cannot be on record: its call is refused, or made all the same and counted.
    fn unrecorded_intent(&mut self, entry: &Entry, room: Room, unmade: Unmade, told: Told<Ticket>) {
        match self.mode {
            Mode::Strict => drop(told.send(Err(JournalDown))),
            Mode::BestEffort => {
                self.state.losses.add(Unrecorded::Intent, entry.time, &self.metrics);
                told.send(Ok(unmade.ticket(0, room))).ok();
            }
        }
    }

    /// Writes some of the refusals that wait, as far as their share goes.
    fn note_refusals(&mut self, most: usize) {
        let count = self.state.refusals.len().min(most);
        let batch: Vec<_> = self.state.refusals.drain(..count).collect();
        let stopping = most == usize::MAX;
        let now = self.clock.now();
        let mut rooms = Vec::new();
        let (mut added, mut lost) = (Vec::new(), 0);
        let (mut sampled, mut differences_lost) = (0, 0);
        for noted in batch {
            match noted {
                Noted::Refusal(entry, room) => {
                    let share = self.shares.refusals.take(entry.members.len() + 350, now.monotonic);
                    if share && self.has_room(2) {
                        self.add(&entry);
                        added.push(None);
                    } else {
                        lost += 1;
                    }
                    rooms.push(Some(room));
                }
                Noted::Shadow(entry, count, room) => {
                    let share = self.shares.refusals.take(entry.members.len() + 350, now.monotonic);
                    if share && self.has_room(2) {
                        self.add(&entry);
                        sampled += count;
                    } else {
                        differences_lost += count;
                    }
                    rooms.push(Some(room));
                }
                Noted::Sum(((caller, code), sum), _room) => {
                    let Ok(members) = line::refusal_sum(caller, code, sum) else { continue };
                    let share =
                        stopping || self.shares.sums.take(members.len() + 350, now.monotonic);
                    if share && self.has_room(2) {
                        let (kind, time) = (RecordKind::Refusal, now.wall);
                        self.add(&Entry { kind, time, members });
                        added.push(Some(((caller, code), sum)));
                    } else {
                        // It goes on growing.
                        self.unproved.give_back(caller, code, sum);
                    }
                }
            }
        }
        if self.commit().is_err() {
            differences_lost += sampled;
            for one in added {
                match one {
                    Some(((caller, code), sum)) if !stopping => {
                        self.unproved.give_back(caller, code, sum)
                    }
                    Some((_, sum)) => lost += sum.count,
                    None => lost += 1,
                }
            }
        }
        drop(rooms);
        self.metrics.refusals_lost(lost);
        self.metrics.differences_lost(differences_lost);
        self.state.losses.refusals(lost, now.wall);
    }
}
