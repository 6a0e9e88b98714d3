//! Who writes: the journal's own thread, or, where a record is kept once the kernel has it, whoever has one.
//!
//! To hand a record to another thread and to be woken by it costs more than the write. So under `written` a caller
//! queues its record, lets the others on its thread do the same, and then writes all that is queued, if nobody else is
//! at it. Whatever may take long (a sync, another segment, a repair, a signature) is the thread's.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    task::Poll,
    time::Duration,
};

use esbgate_core::JournalDown;
use tokio::sync::oneshot;

use crate::{
    shelf::Guarded,
    writer::{Message, Writer},
};

/// How often the segment is looked at, and a journal that failed is tried, while nothing arrives.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// Where records are queued.
#[derive(Clone)]
pub(crate) struct Queue {
    messages: Sender<Message>,
    bell: SyncSender<()>,
}

/// What wakes the thread, and what it reads.
pub(crate) struct Waiting {
    messages: Receiver<Message>,
    bell: Receiver<()>,
}

impl Queue {
    pub(crate) fn new() -> (Self, Waiting) {
        let (messages, queued) = mpsc::channel();
        let (bell, rung) = mpsc::sync_channel(1);
        (Self { messages, bell }, Waiting { messages: queued, bell: rung })
    }

    /// Queues a message for the thread.
    pub(crate) fn send(&self, message: Message) -> Result<(), JournalDown> {
        self.messages.send(message).map_err(|_| JournalDown)?;
        self.ring();
        Ok(())
    }

    fn ring(&self) {
        // A bell that rings already is heard after this.
        self.bell.try_send(()).ok();
    }
}

/// The one place at the journal.
pub(crate) struct Turn {
    seat: Guarded<Option<Seat>>,
    /// Whether callers write.
    shared: bool,
}

struct Seat {
    writer: Writer,
    messages: Receiver<Message>,
}

impl Turn {
    /// For `writer`, whom callers relieve if it is `shared`; with what its thread runs.
    pub(crate) fn new(
        writer: Writer,
        waiting: Waiting,
        shared: bool,
    ) -> (Arc<Self>, impl FnOnce() + Send) {
        let Waiting { messages, bell } = waiting;
        let turn = Arc::new(Self { seat: Guarded::new(Some(Seat { writer, messages })), shared });
        let own = Arc::clone(&turn);
        (turn, move || own.run(&bell))
    }

    /// Runs until it is stopped or nobody is left to ask.
    fn run(&self, bell: &Receiver<()>) {
        let mut busy = false;
        loop {
            let rung = if busy { Ok(()) } else { bell.recv_timeout(TICK) };
            let mut place = self.seat.lock();
            let Some(seat) = &mut *place else { return };
            match rung {
                Ok(()) => seat.writer.tick_if_due(),
                Err(RecvTimeoutError::Timeout) => seat.writer.tick(),
                Err(RecvTimeoutError::Disconnected) => return *place = None,
            }
            let full = seat.writer.write(&seat.messages);
            let done = seat.writer.keep_on();
            busy = full || seat.writer.is_due();
            if let Some(done) = done
                && let Some(Seat { writer, messages }) = place.take()
            {
                drop(place);
                return writer.end(messages, &done);
            }
        }
    }

    /// Writes what is queued, or leaves it to whoever writes already, or to the thread where it may take long.
    fn take(&self, queue: &Queue) {
        let mut place = self.seat.try_lock();
        let seat = place.as_deref_mut().and_then(Option::as_mut);
        let left = match seat.filter(|seat| seat.writer.is_quick()) {
            Some(seat) => seat.writer.write(&seat.messages) || seat.writer.is_due(),
            None => true,
        };
        if left {
            queue.ring();
        }
    }

    /// Queues a record and returns once it is kept, or cannot be.
    pub(crate) async fn keep<T>(
        &self,
        queue: &Queue,
        message: Message,
        mut told: oneshot::Receiver<Result<T, JournalDown>>,
    ) -> Result<T, JournalDown> {
        if self.shared {
            // Should this end here, the thread finds the record when it looks next.
            queue.messages.send(message).map_err(|_| JournalDown)?;
            others_first().await;
            if let Ok(kept) = told.try_recv() {
                return kept;
            }
            self.take(queue);
        } else {
            queue.send(message)?;
        }
        told.await.unwrap_or(Err(JournalDown))
    }
}

/// Lets every task run once that is ready.
async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
