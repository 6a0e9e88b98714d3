//! What the writer says of the journal itself: checkpoints, losses, what was changed, the stop.

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};

use esbgate_core::{JournalDown, RecordKind, Tampered};
use serde::Serialize;

use super::{Ask, Entry, Stand, Writer};
use crate::{
    line::{self, CheckpointLine, LossLine, RepairLine, StopLine},
    loss::Losses,
};

/// Longest wait for the last HEAD and for the segment that is being compressed.
const LAST: Duration = Duration::from_secs(2);
/// Most records of our own that wait for a journal that takes records again.
const MOST: usize = 1024;

impl Writer {
    /// Puts a record of our own into the next write.
    pub(crate) fn say(&mut self, kind: RecordKind, value: &impl Serialize) {
        // Our own lines are plain structures, which always have a text.
        let Ok(members) = line::members(value) else { return };
        let time = self.clock.now().wall;
        self.add(&Entry { kind, time, members });
    }

    /// Writes what is due, in writes of its own.
    pub(super) fn keep_house(&mut self) {
        if !self.writable.load(Ordering::Relaxed) {
            return;
        }
        self.settle_late();
        let house = std::mem::take(&mut self.state.house);
        for entry in &house {
            self.add(entry);
        }
        if self.commit().is_err() {
            self.state.house = house;
            return;
        }
        if self.state.checkpoint_due {
            self.checkpoint();
            if self.commit().is_ok() {
                self.checkpointed();
            }
        }
    }

    /// Writes outcomes whose first write failed.
    fn settle_late(&mut self) {
        let late = std::mem::take(&mut self.state.late);
        for (_, entry) in &late {
            self.add(entry);
        }
        match self.commit() {
            Ok(()) => {
                for (intent, _) in &late {
                    self.state.open.remove(intent);
                }
            }
            Err(JournalDown) => self.state.late = late,
        }
    }

    /// Puts the losses so far, and a signature over all that was written, into the next write.
    pub(crate) fn checkpoint(&mut self) {
        let crowded = self.crowded.swap(0, Ordering::Relaxed);
        self.state.losses.refusals(crowded, self.clock.now().wall);
        if let Some(loss) = self.state.losses.line() {
            self.say(RecordKind::Loss, &loss);
        }
        let last = self.chain.last();
        let (node, boot, seq, prev) = (&self.node, &self.boot, last.seq + 1, last.text());
        let text = format!("esbgate-checkpoint-2\n{node}\n{boot}\n{seq}\n{prev}\n");
        let seal = Arc::clone(&self.seal);
        self.say(
            RecordKind::Checkpoint,
            &CheckpointLine {
                records: self.state.records + self.state.kinds.len() as u64,
                open_intents: self.state.open.iter().copied().collect(),
                public_key: seal.public(),
                signature: seal.sign(&text),
            },
        );
    }

    /// What a checkpoint that is on record brings.
    pub(crate) fn checkpointed(&mut self) {
        let state = &mut self.state;
        state.records = 0;
        state.checkpoint_due = false;
        state.checkpointed = self.clock.now().monotonic;
        state.losses = Losses::default();
        if let Some(closing) = &self.closing {
            // What a thread that has ended leaves, the next start takes.
            for number in state.closed.drain(..) {
                closing.send(number).ok();
            }
        }
        self.ask(Ask::Head);
    }

    fn ask(&self, ask: Ask) {
        if let Some(keeper) = &self.keeper {
            // Without its thread HEAD stays behind, which a reader sees.
            keeper.send(ask).ok();
        }
    }

    /// Where the writer is.
    pub(crate) fn stands(&self) -> Stand {
        Stand::of(&self.segment, self.chain.last())
    }

    /// Notes what the segment has noticed and which ones were closed.
    pub(super) fn take_closed(&mut self) {
        for (what, number) in self.segment.take_tampered() {
            let boot = self.boot.clone();
            self.tampered(what, &boot, Some(number));
            if matches!(what, Tampered::Removed | Tampered::Moved) {
                self.state.gone.insert(number);
            }
        }
        let closed = self.segment.take_closed();
        for closed in &closed {
            self.state.began = None;
            self.state.checkpoint_due = true;
            if !self.state.gone.remove(&closed.number) && closed.named {
                self.state.closed.push(closed.number);
            }
            if closed.uncut {
                let line = RepairLine {
                    of_boot: Some(self.boot.clone()),
                    segment: Some(closed.number),
                    at: closed.good,
                    bytes: 0,
                    sha256: None,
                    reason: Some("what a failed write left cannot be cut".into()),
                };
                self.remember(RecordKind::Repair, line::members(&line));
            }
        }
    }

    /// Somebody else changed what is ours.
    pub(super) fn tampered(&mut self, what: Tampered, boot: &str, segment: Option<u64>) {
        self.metrics.tampered(what);
        tracing::error!(
            what = what.as_str(),
            boot,
            segment,
            "journal was changed by somebody else"
        );
        let now = self.clock.now().wall.to_string();
        let line = LossLine {
            since: now.clone(),
            until: now,
            what: Some(what.as_str()),
            of_boot: Some(boot),
            segment,
            ..LossLine::default()
        };
        self.remember(RecordKind::Loss, line::members(&line));
    }

    /// Keeps a record of our own until it can be written.
    fn remember(&mut self, kind: RecordKind, members: serde_json::Result<Vec<u8>>) {
        let Ok(members) = members else { return };
        if self.state.house.len() < MOST {
            let time = self.clock.now().wall;
            self.state.house.push(Entry { kind, time, members });
        }
    }

    /// The last records.
    pub(super) fn stop(&mut self) -> Result<(), JournalDown> {
        let _tampered = self.segment.watch();
        self.take_closed();
        self.settle_late();
        for entry in std::mem::take(&mut self.state.house) {
            self.add(&entry);
        }
        self.checkpoint();
        // Those alone that are on record: an intent whose call was not recorded has no outcome to wait for.
        let open_intents = self.state.open.len() as u64;
        self.say(RecordKind::Stop, &StopLine { open_intents });
        let stopped = self.commit().and_then(|()| {
            self.checkpointed();
            self.segment.sync().map_err(|_| JournalDown)
        });
        self.set_writable(false);
        stopped
    }

    /// Waits for the last HEAD and the end of what is being compressed. Nobody is answered any more, so the other
    /// threads do not wait either.
    pub(super) fn end_others(&mut self) {
        let (done, ended) = mpsc::sync_channel(1);
        self.ask(Ask::Stop(done));
        // A HEAD that is late is behind, and says so.
        ended.recv_timeout(LAST).ok();
        self.closing = None;
        if let Some(closed) = self.closed.take() {
            closed.recv_timeout(LAST).ok();
        }
    }
}
