//! What a gateway logs, at the finest level that production lets through.

use std::{
    io,
    sync::{LazyLock, mpsc},
};

use crate::support::ON_THIS_THREAD;
use tracing::{Dispatch, Level, subscriber::DefaultGuard};
use tracing_subscriber::{Layer as _, Registry, filter::filter_fn, fmt, layer::SubscriberExt as _};

/// Wants every line and keeps none. While there is one subscriber, tracing asks only the thread that comes first to a
/// line whether anybody wants it, for good and for all: a test without a log would silence it for the test with one.
static WANTS_ALL: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Registry::default()));

/// The log of everything on this thread, from its start to its end.
pub struct Log {
    lines: mpsc::Receiver<Vec<u8>>,
    _guard: DefaultGuard,
}

impl Log {
    pub fn start() -> Self {
        ON_THIS_THREAD.set(true);
        LazyLock::force(&WANTS_ALL);
        let (sender, lines) = mpsc::channel();
        let ours = filter_fn(|metadata| {
            *metadata.level() <= Level::WARN || metadata.target().starts_with("esbgate")
        });
        let layer = fmt::layer().json().with_writer(move || Line(sender.clone())).with_filter(ours);
        let subscriber = tracing_subscriber::registry().with(layer);
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub fn text(self) -> String {
        let text: String =
            self.lines.try_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        crate::support::clean("the log", text.as_bytes());
        text
    }
}

struct Line(mpsc::Sender<Vec<u8>>);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A test that has read its log is over.
        drop(self.0.send(bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_is_logged_though_a_thread_without_a_log_came_to_it_first() {
    let log = Log::start();
    let line = || tracing::info!(target: "esbgate", "said by two threads");
    std::thread::spawn(line).join().unwrap();
    line();
    assert_eq!(log.text().matches("said by two threads").count(), 1);
}
