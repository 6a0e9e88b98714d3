//! The log: one JSON object a line, on standard error.
//!
//! Levels of the HTTP and TLS crates are clamped, whatever the environment asks for, because at debug
//! they print heads.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{
    log_event::JsonLine,
    log_lines::{Log, Rest},
};

/// Crates that may not log below warnings.
const CLAMPED: [&str; 5] = ["hyper", "hyper_util", "h2", "rustls", "tokio_rustls"];

/// Starts logging until what it returns is dropped. `RUST_LOG` sets the levels of our own crates; the default is `info`.
pub(crate) fn init() -> io::Result<Rest> {
    let (log, rest) = Log::start()?;
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A filter of its own, because the most specific directive of the environment would win over ours.
    let filter = asked.and(filter_fn(allowed));
    let layer = fmt::layer().event_format(JsonLine).with_writer(log).with_filter(filter);
    if tracing_subscriber::registry().with(layer).try_init().is_err() {
        eprintln!("esbgate: a log is set up already; it is kept");
    }
    Ok(rest)
}

fn allowed(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !CLAMPED.contains(&crate_name)
}
