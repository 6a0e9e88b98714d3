//! Records that a call was not made, after whatever ended it between its intent and its first byte.
//!
//! The queue alone is held, not the journal: a ticket may be dropped on the writer's own thread, which must
//! not come to wait for its own end.

use std::sync::Arc;

use esbgate_core::{Clock, OutcomeClass, OutcomeRecord, RecordKind, Room, Ticket};
use esbgate_model::{Code, Executed};
use tokio::sync::oneshot;

use crate::{
    line,
    turn::Queue,
    writer::{Entry, Message},
};

/// What the outcome of such a call needs.
pub(crate) struct Unmade {
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) request_id: Box<str>,
}

impl Unmade {
    /// The ticket of the intent with this number; dropped before its call departs it records that.
    pub(crate) fn ticket(self, intent: u64, room: Room) -> Ticket {
        Ticket::new(intent, room).on_release(move |room| self.record(intent, room))
    }

    /// Queues the outcome. Never waits.
    fn record(self, intent: u64, room: Room) {
        let outcome = OutcomeRecord::unanswered(
            &self.request_id,
            (OutcomeClass::Unavailable, Executed::No),
            Some(Code::InternalServerError),
        );
        let Ok(members) = line::outcome(intent, &outcome) else { return };
        let entry = Entry { kind: RecordKind::Outcome, time: self.clock.now().wall, members };
        let (waiter, _nobody) = oneshot::channel();
        let message = Message::Outcome(entry, Ticket::new(intent, room), waiter);
        // Where the writer has ended, the next start closes the intent.
        self.queue.send(message).ok();
    }
}
