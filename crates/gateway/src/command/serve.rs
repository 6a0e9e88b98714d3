//! `serve`: from the two files to a gateway that runs until it is told to stop.

use std::{error::Error, fmt, path::Path, process::ExitCode, sync::Arc, time::Duration};

use esbgate_core::ReloadCause;
use esbgate_server::Inherited;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::files::checked;
use crate::{Running, SystemClock, boot::Settings, start};

/// The ESB may legally take about 90 seconds (contract esb §5), so a stop waits a little longer.
const GRACE: Duration = Duration::from_secs(100);

pub(crate) fn run(config: &Path) -> ExitCode {
    let _rest = match super::log::init() {
        Ok(rest) => rest,
        Err(error) => return super::failed(&error),
    };
    // The runtime brings threads; until then the environment may be changed.
    let inherited = Inherited::from_env();
    let settings = match settings(config) {
        Ok(settings) => Settings { inherited, ..settings },
        Err(problems) => return super::failed(&problems.join("\n")),
    };
    // For what is not a call; those have threads of their own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::failed(&error),
    };
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> ExitCode {
    // Before anything is up: a stop that arrives while the gateway starts must be a stop, not a kill.
    let mut stop = match Stop::listen() {
        Ok(stop) => stop,
        Err(error) => return super::failed(&error),
    };
    let running = match start(settings, Arc::new(SystemClock::start())).await {
        Ok(running) => running,
        Err(error) => return super::failed(&Causes(&error)),
    };
    tracing::info!(
        addresses = ?running.addresses(),
        monitor = ?running.monitor(),
        journal = %running.journal_path().display(),
        "serving"
    );
    let mut said = told(&mut stop, &running).await;
    while said == Told::LookAgain {
        // A stop does not wait until a look is over.
        said = tokio::select! {
            next = told(&mut stop, &running) => next,
            () = look_again(&running) => told(&mut stop, &running).await,
        };
    }
    tracing::info!("stopping");
    if running.stop(GRACE).await {
        ExitCode::SUCCESS
    } else {
        super::failed(&"the stop was not in order; the log says what is missing")
    }
}

/// What the gateway is told next, by a signal or by an admin.
async fn told(stop: &mut Stop, running: &Running) -> Told {
    tokio::select! {
        told = stop.told() => told,
        () = running.asked_to_stop() => {
            tracing::info!("an admin asks for a stop");
            Told::Stop
        }
    }
}

/// Looks at all that may change without a restart; what is wrong is logged where it is found.
async fn look_again(running: &Running) {
    let (policy, files) =
        tokio::join!(running.policy().reload(ReloadCause::Signal), running.look_again());
    match policy {
        Ok(reloaded) => tracing::info!(policy = ?reloaded, ?files, "looked again"),
        Err(error) => tracing::error!(%error, ?files, "looked again: the policy in force stays"),
    }
}

/// Linux's number on every platform that is shipped; `SignalKind` does not name it.
const SIGXFSZ: SignalKind = SignalKind::from_raw(25);

/// The signals that a gateway is told by.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stop,
    LookAgain,
}

/// An error with what lies behind it, each cause once.
struct Causes<'a>(&'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        let mut behind = self.0.source();
        while let Some(cause) = behind {
            let text = cause.to_string();
            // Some errors say their cause themselves.
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            behind = cause.source();
        }
        f.write_str(&said)
    }
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        // Under a limit on file sizes the kernel kills who writes on, unless the signal is caught. The
        // write then fails like on a full disk, and the journal refuses calls. Caught once is for good.
        drop(signal(SIGXFSZ)?);
        let (interrupt, hangup) = (signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
        Ok(Self { terminate, interrupt, hangup })
    }

    async fn told(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::LookAgain,
        }
    }
}

/// Reads and checks both files. Nothing has an effect yet.
pub fn settings(config: &Path) -> Result<Settings, Vec<String>> {
    let settings = checked(config, None).and_then(|checked| {
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        super::settings::settings(config, checked)
    });
    settings.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}
