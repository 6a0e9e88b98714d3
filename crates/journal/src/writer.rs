//! The one thread that writes: numbers records, commits them in groups and tells who waits.

use std::{
    collections::VecDeque,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use esbgate_core::{Clock, JournalDown, JournalMetrics, RecordKind, Room, Rooms, Ticket};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    line::{self, StopLine, VERSION},
    segment::Segment,
};

/// Most records in one write.
const BATCH: usize = 1024;
/// Most refusals in one write: what an intent may have to wait for.
const REFUSALS: usize = 128;
/// How often a journal that failed is tried while nothing arrives.
const PROBE: Duration = Duration::from_secs(1);

/// A record without its number.
pub(crate) struct Entry {
    pub(crate) kind: RecordKind,
    pub(crate) time: Timestamp,
    pub(crate) members: Vec<u8>,
}

/// What the thread is asked. Each record carries its place, so the queue is bounded by places.
pub(crate) enum Message {
    Intent(Entry, Room, oneshot::Sender<Result<Ticket, JournalDown>>),
    Outcome(Entry, Ticket, oneshot::Sender<Result<(), JournalDown>>),
    Refusal(Noted),
    /// What the gateway itself did.
    Deed(Entry, oneshot::Sender<Result<(), JournalDown>>),
    /// The sums of one minute.
    Sums(Vec<Noted>),
    Stop(SyncSender<Result<(), JournalDown>>),
}

/// A record of refusals that nobody waits for.
pub(crate) struct Noted {
    pub(crate) entry: Entry,
    /// How many refusals it stands for.
    pub(crate) count: u64,
    /// Its place; of the sums of a minute the last one holds it.
    pub(crate) room: Option<Room>,
}

enum Waiter {
    Intent(u64, Room, oneshot::Sender<Result<Ticket, JournalDown>>),
    Outcome(Ticket, oneshot::Sender<Result<(), JournalDown>>),
    Deed(oneshot::Sender<Result<(), JournalDown>>),
}

pub(crate) struct Writer {
    pub(crate) segment: Segment,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JournalMetrics,
    pub(crate) writable: Arc<AtomicBool>,
    pub(crate) intents: Rooms,
    /// `"node":…,"boot":…,`
    pub(crate) origin: Vec<u8>,
    pub(crate) next: u64,
    pub(crate) buffer: Vec<u8>,
    pub(crate) kinds: Vec<RecordKind>,
    pub(crate) refusals: VecDeque<Noted>,
}

impl Writer {
    /// Runs until it is stopped or nobody is left to ask.
    pub(crate) fn run(mut self, queue: Receiver<Message>) {
        while let Some(first) = self.first(&queue) {
            let mut waiters = Vec::new();
            let mut stop = None;
            for message in first.into_iter().chain(queue.try_iter()) {
                match message {
                    Message::Intent(entry, room, waiter) => {
                        waiters.push(Waiter::Intent(self.add(&entry), room, waiter));
                    }
                    Message::Outcome(entry, ticket, waiter) => {
                        self.add(&entry);
                        waiters.push(Waiter::Outcome(ticket, waiter));
                    }
                    Message::Deed(entry, waiter) => {
                        self.add(&entry);
                        waiters.push(Waiter::Deed(waiter));
                    }
                    Message::Refusal(noted) => self.refusals.push_back(noted),
                    Message::Sums(noted) => self.refusals.extend(noted),
                    Message::Stop(done) => stop = Some(done),
                }
                if stop.is_some() || waiters.len() == BATCH {
                    break;
                }
            }
            let committed = self.commit();
            waiters.into_iter().for_each(|waiter| waiter.tell(committed));
            self.note_refusals(if stop.is_some() { usize::MAX } else { REFUSALS });
            self.metrics.open_intents(i64::try_from(self.intents.taken()).unwrap_or(i64::MAX));
            if let Some(done) = stop {
                let stopped = self.stop();
                // First, so that whoever is told finds the queue closed.
                drop(queue);
                // Whoever asked may have stopped waiting.
                done.try_send(stopped).ok();
                return;
            }
        }
    }

    /// The next message; `Some(None)` when there is work without one.
    fn first(&mut self, queue: &Receiver<Message>) -> Option<Option<Message>> {
        if !self.refusals.is_empty() {
            return Some(None);
        }
        if self.writable.load(Ordering::Relaxed) {
            return queue.recv().ok().map(Some);
        }
        match queue.recv_timeout(PROBE) {
            Ok(message) => Some(Some(message)),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                let probed = self.segment.probe().is_ok();
                self.set_writable(probed);
                Some(None)
            }
        }
    }

    /// Puts a record into the next write.
    pub(crate) fn add(&mut self, entry: &Entry) -> u64 {
        let number = self.next;
        self.next += 1;
        let Entry { kind, time, members } = entry;
        let head = format!("{{\"v\":{VERSION},\"seq\":{number},\"time\":\"{time}\",");
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(&self.origin);
        // Writing to a vector cannot fail.
        write!(self.buffer, "\"kind\":\"{}\",", kind.as_str()).ok();
        self.buffer.extend_from_slice(members.get(1..).unwrap_or(b"}"));
        self.buffer.push(b'\n');
        self.kinds.push(*kind);
        number
    }

    /// Writes what was added. Numbers of a failed write are not used again.
    pub(crate) fn commit(&mut self) -> Result<(), JournalDown> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let began = self.clock.now().monotonic;
        let appended = self.segment.append(&self.buffer);
        let took = self.clock.now().monotonic.saturating_sub(began);
        self.buffer.clear();
        let kinds = std::mem::take(&mut self.kinds);
        match &appended {
            Ok(()) => {
                kinds.iter().for_each(|kind| self.metrics.record(*kind));
                self.metrics.committed(took.as_secs_f64());
            }
            Err(error) => {
                self.metrics.write_error();
                if self.writable.load(Ordering::Relaxed) {
                    tracing::error!(%error, "journal takes no records");
                }
            }
        }
        self.set_writable(appended.is_ok());
        appended.map_err(|_| JournalDown)
    }

    fn set_writable(&self, writable: bool) {
        let before = self.writable.swap(writable, Ordering::Relaxed);
        self.metrics.writable(writable);
        if writable && !before {
            tracing::info!("journal takes records");
        }
    }

    fn note_refusals(&mut self, most: usize) {
        let count = self.refusals.len().min(most);
        let batch: Vec<_> = self.refusals.drain(..count).collect();
        for noted in &batch {
            self.add(&noted.entry);
        }
        if self.commit().is_err() {
            batch.iter().for_each(|noted| self.metrics.noted_lost(noted.entry.kind, noted.count));
        }
    }

    fn stop(&mut self) -> Result<(), JournalDown> {
        let members = line::members(&StopLine { open_intents: self.intents.taken() })
            .map_err(|_| JournalDown)?;
        let time = self.clock.now().wall;
        self.add(&Entry { kind: RecordKind::Stop, time, members });
        self.commit()?;
        let synced = self.segment.sync().map_err(|_| JournalDown);
        self.set_writable(false);
        synced
    }
}

impl Waiter {
    fn tell(self, committed: Result<(), JournalDown>) {
        // A waiter that has gone gives its place up with the message.
        match self {
            Self::Intent(number, room, waiter) => {
                waiter.send(committed.map(|()| Ticket::new(number, room))).ok();
            }
            Self::Outcome(ticket, waiter) => {
                ticket.close();
                waiter.send(committed).ok();
            }
            Self::Deed(waiter) => {
                waiter.send(committed).ok();
            }
        }
    }
}
