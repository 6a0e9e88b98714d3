//! The log: one JSON object a line, on standard error.
//!
//! Levels of the HTTP and TLS crates are clamped, whatever the environment asks for, because at debug
//! they print heads.

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Crates that may not log below warnings.
const CLAMPED: [&str; 5] = ["hyper", "hyper_util", "h2", "rustls", "tokio_rustls"];

/// Starts logging. `RUST_LOG` sets the levels of our own crates; the default is `info`.
pub(crate) fn init() {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A filter of its own, because the most specific directive of the environment would win over ours.
    let filter = asked.and(filter_fn(allowed));
    let layer = fmt::layer().json().with_writer(std::io::stderr).with_filter(filter);
    if tracing_subscriber::registry().with(layer).try_init().is_err() {
        eprintln!("esbgate: a log is set up already; it is kept");
    }
}

fn allowed(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !CLAMPED.contains(&crate_name)
}
