//! The log: one JSON object a line, on standard error.
//!
//! Levels of the HTTP and TLS crates are clamped, whatever the environment asks for, because at debug
//! they print heads.

use tracing_subscriber::{EnvFilter, fmt};

/// Crates that may not log below warnings.
const CLAMPED: [&str; 5] = ["hyper", "hyper_util", "h2", "rustls", "tokio_rustls"];

/// Starts logging. `RUST_LOG` sets the levels of our own crates; the default is `info`.
pub(crate) fn init() {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    for name in CLAMPED {
        if let Ok(directive) = format!("{name}=warn").parse() {
            filter = filter.add_directive(directive);
        }
    }
    let log = fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    if log.is_err() {
        eprintln!("esbgate: a log is set up already; it is kept");
    }
}
