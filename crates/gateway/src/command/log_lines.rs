//! Standard error, written many lines at a time: a call must not wait for each of its lines to be taken.
//!
//! A warning or an error is written at once, with all lines before it; other lines within [`LATEST`], and at the end.

use std::{
    io::{self, Write as _},
    sync::{Arc, MutexGuard, PoisonError},
    thread::{self, Thread},
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The longest that a line waits.
const LATEST: Duration = Duration::from_millis(50);
/// What may wait, in bytes; whoever brings more writes them.
const MOST: usize = 64 * 1024;

#[expect(clippy::disallowed_types, reason = "held for the copy of a line, never for a write")]
type Lock<T> = std::sync::Mutex<T>;

fn lock<T>(of: &Lock<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Lock<Vec<u8>>,
    /// Held by whoever writes, so that lines keep their order.
    out: Lock<()>,
}

impl Lines {
    fn write(&self) {
        let _turn = lock(&self.out);
        let lines = std::mem::take(&mut *lock(&self.waiting));
        // There is nowhere else to say that standard error is closed.
        io::stderr().write_all(&lines).ok();
    }
}

/// Where lines are put.
#[derive(Debug, Clone)]
pub(super) struct Log {
    lines: Arc<Lines>,
    writer: Thread,
}

/// Writes what still waits when it is dropped.
#[derive(Debug)]
pub(crate) struct Rest(Arc<Lines>);

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.write();
    }
}

impl Log {
    pub(super) fn start() -> io::Result<(Self, Rest)> {
        let lines = Arc::<Lines>::default();
        let own = Arc::clone(&lines);
        let writing = move || loop {
            thread::park();
            thread::sleep(LATEST);
            own.write();
        };
        let thread = thread::Builder::new().name("log".into()).spawn(writing)?;
        let rest = Rest(Arc::clone(&lines));
        Ok((Self { lines, writer: thread.thread().clone() }, rest))
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self, urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { log: self, urgent: *metadata.level() <= Level::WARN }
    }
}

/// One line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    log: &'a Log,
    urgent: bool,
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Log { lines, writer } = self.log;
        let mut waiting = lock(&lines.waiting);
        let first = waiting.is_empty();
        waiting.extend_from_slice(bytes);
        let many = waiting.len() > MOST;
        drop(waiting);
        if self.urgent || many {
            lines.write();
        } else if first {
            writer.unpark();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
