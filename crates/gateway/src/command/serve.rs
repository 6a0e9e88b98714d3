//! `serve`: from the two files to a gateway that runs until it is told to stop.

use std::{error::Error, fmt, path::Path, process::ExitCode, sync::Arc, time::Duration};

use esbgate_config::{Boot, BootDocument, Durability, ListenTls, Plan, PolicyDocument, Problem};
use esbgate_core::{Clock as _, HeadRules};
use esbgate_server::ServerLimits;
use esbgate_upstream::{DEFAULT_ANSWER_LIMIT, EsbOptions, LoginOptions};
use rustls::{ClientConfig, ServerConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    SystemClock,
    boot::{ListenerSettings, RequestLimits, Settings},
    sources::Sources,
    start,
};

/// The ESB may legally take about 90 seconds (contract esb §5), so a stop waits a little longer.
const GRACE: Duration = Duration::from_secs(100);

pub(crate) fn run(config: &Path) -> ExitCode {
    super::log::init();
    let settings = match settings(config) {
        Ok(settings) => settings,
        Err(problems) => return super::failed(&problems.join("\n")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
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
    stop.told().await;
    tracing::info!("stopping");
    if running.stop(GRACE).await {
        ExitCode::SUCCESS
    } else {
        super::failed(&"the stop was not in order; the log says what is missing")
    }
}

/// Linux's number on every platform that is shipped; `SignalKind` does not name it.
const SIGXFSZ: SignalKind = SignalKind::from_raw(25);

/// The signals that end a gateway.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
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
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Reads and checks both files. Nothing has an effect yet.
pub fn settings(config: &Path) -> Result<Settings, Vec<String>> {
    let (boot, plan, warnings) = checked(config)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    into_settings(boot, plan).map_err(|problem| vec![problem])
}

fn shown(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// Both files, checked, with what somebody should look at.
pub(super) fn checked(config: &Path) -> Result<(Boot, Plan, Vec<String>), Vec<String>> {
    let name = config.display().to_string();
    let boot = BootDocument::read(&name, &text(&name)?).map_err(shown)?;
    let boot = boot.check(&Sources).map_err(shown)?;
    let policy = PolicyDocument::read(&boot.policy, &text(&boot.policy)?).map_err(shown)?;
    let now = SystemClock::start().now().wall;
    let (plan, warnings) = policy.check(&boot.credentials, &Sources, now).map_err(shown)?;
    Ok((boot, plan, warnings.iter().map(ToString::to_string).collect()))
}

fn text(path: &str) -> Result<String, Vec<String>> {
    std::fs::read_to_string(path).map_err(|error| vec![format!("{path}: {error}")])
}

fn into_settings(boot: Boot, plan: Plan) -> Result<Settings, String> {
    let mut listeners = Vec::new();
    for listener in boot.listeners {
        let tls = listener.tls.map(|tls| server_tls(&tls)).transpose()?;
        listeners.push(ListenerSettings { address: listener.address.to_string(), tls });
    }
    let tls = boot.upstream_ca.as_deref().map(client_tls).transpose()?;
    let login =
        boot.login.ok_or("login: name the login service; without it no bk_token is known")?;
    let limits = boot.limits;
    Ok(Settings {
        listeners,
        monitor: boot.monitor.to_string(),
        head: HeadRules { hosts: boot.hosts, trusted_peers: boot.trusted_peers },
        limits: RequestLimits {
            body: limits.body,
            body_time: limits.body_time,
            in_flight: limits.in_flight.into(),
            body_bytes: limits.body_bytes,
            server: ServerLimits {
                header_time: limits.header_time,
                idle_time: limits.header_time,
                headers: usize::try_from(limits.headers).unwrap_or(usize::MAX),
                connections: limits.connections.into(),
            },
        },
        dialect: boot.dialect,
        esb: EsbOptions {
            endpoints: boot.endpoints.iter().map(ToString::to_string).collect(),
            connect_timeout: boot.connect_timeout,
            answer_timeout: boot.answer_timeout,
            answer_limit: DEFAULT_ANSWER_LIMIT,
            tls: tls.clone(),
        },
        login: LoginOptions {
            url: login.url.to_string(),
            timeout: login.timeout,
            valid: login.valid,
            invalid: login.invalid,
            stale_if_error: login.stale_if_error,
            tls,
        },
        journal: esbgate_journal::Options {
            dir: (&*boot.journal.dir).into(),
            durability: match boot.journal.durability {
                Durability::Written => esbgate_journal::Durability::Written,
                Durability::Synced => esbgate_journal::Durability::Synced,
            },
            hmac_key: boot.journal.hmac_key,
            node: boot.journal.node.map_or_else(node, String::from),
            version: env!("CARGO_PKG_VERSION"),
            // Calls whose callers left are not counted in `in_flight` any more and still have an outcome.
            open_intents: u64::from(limits.in_flight).saturating_mul(16),
        },
        policy: Box::new(move |binding| plan.bind(binding)),
    })
}

/// The machine's name, as records show it when the file names none.
fn node() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "esbgate".into() } else { name.into() }
}

fn server_tls(tls: &ListenTls) -> Result<Arc<ServerConfig>, String> {
    let client_ca = tls.client_ca.as_deref().map(str::as_bytes);
    esbgate_server::tls_config(tls.certificate.as_bytes(), tls.key.expose().as_bytes(), client_ca)
        .map_err(|error| format!("listen: {error}"))
}

fn client_tls(ca: &str) -> Result<Arc<ClientConfig>, String> {
    esbgate_upstream::tls_config(ca.as_bytes()).map_err(|error| format!("upstream.ca: {error}"))
}
