//! The thread that looks after what is on disk: writes HEAD, looks at closed segments and at the space that is left.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use esbgate_core::{Clock, JournalMetrics};

use crate::{
    chain::Link,
    seal::Seal,
    segment::Segment,
    shelf::{Guarded, Shelf, Space},
    turn::Queue,
    witness::{Point, Witness},
    writer::Message,
};

/// How often it looks: what is done to a segment is noticed within a second.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// Looks between two HEADs while records come.
const HEAD_TICKS: u32 = 2;

/// How far the writer is, and the file that is to be on disk before HEAD says so.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    pub(crate) point: Point,
    pub(crate) file: Arc<File>,
}

impl Stand {
    /// A segment without records, after the record `link`.
    pub(crate) fn of(segment: &Segment, link: Link) -> Self {
        let (number, offset, file) = segment.place();
        Self { point: Point { segment: number, offset, link }, file: Arc::clone(file) }
    }
}

/// What the thread is asked.
pub(crate) enum Ask {
    /// HEAD now.
    Head,
    /// HEAD for the last time; told when it is on disk.
    Stop(SyncSender<()>),
}

pub(crate) struct Keeper {
    pub(crate) stand: Arc<Guarded<Stand>>,
    pub(crate) witness: Witness,
    pub(crate) seal: Arc<Seal>,
    pub(crate) shelf: Arc<Guarded<Shelf>>,
    pub(crate) space: Arc<Space>,
    pub(crate) dir: File,
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JournalMetrics,
    /// The record that HEAD has, and whether HEAD could be written.
    pub(crate) written: (u64, bool),
    pub(crate) low: bool,
}

impl Keeper {
    /// Runs until it is stopped or nobody is left to ask.
    pub(crate) fn run(mut self, asked: Receiver<Ask>) {
        self.look();
        let (mut ticks, mut looked) = (0, self.clock.now().monotonic);
        loop {
            let ask = asked.recv_timeout(TICK);
            let now = self.clock.now().monotonic;
            let idle = matches!(ask, Err(RecvTimeoutError::Timeout));
            if idle || now.saturating_sub(looked) >= TICK {
                looked = now;
                ticks += 1;
                self.look();
            }
            match ask {
                Ok(Ask::Head) => self.head(),
                Ok(Ask::Stop(done)) => {
                    self.head();
                    done.try_send(()).ok();
                    return;
                }
                Err(RecvTimeoutError::Timeout) if ticks % HEAD_TICKS == 0 => self.head(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes HEAD where it is behind. What it says is on disk first.
    pub(crate) fn head(&mut self) {
        let stand = self.stand.lock().clone();
        if stand.point.link.seq == self.written.0 && self.written.1 {
            return;
        }
        let written = self.write(&stand);
        if let Err(error) = &written {
            self.metrics.witness_error();
            if self.written.1 {
                tracing::error!(%error, path = %self.witness.path.display(), "HEAD cannot be written");
            }
        }
        self.written = (stand.point.link.seq, written.is_ok());
    }

    fn write(&self, stand: &Stand) -> io::Result<()> {
        stand.file.sync_data()?;
        self.witness.write(&stand.point, self.clock.now().wall, &self.seal)
    }

    fn look(&mut self) {
        let seen = self.shelf.lock().look();
        for (what, boot, segment) in seen {
            // Without a writer there is nobody to tell.
            self.queue.send(Message::Tampered(what, boot, segment)).ok();
        }
        let held = self.space.closed() + self.stand.lock().point.offset;
        let free = rustix::fs::fstatvfs(&self.dir)
            .map_or(u64::MAX, |met| met.f_bavail.saturating_mul(met.f_frsize));
        let free = free.min(self.space.bound.saturating_sub(held));
        let low = free < self.space.bound / 5;
        self.metrics.space(held, free, low);
        if low && !self.low {
            tracing::warn!(held, free, bound = self.space.bound, "journal has little space left");
        }
        self.low = low;
    }
}
