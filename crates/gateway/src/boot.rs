//! From settings to a running gateway, and from a running one to a clean stop.
//!
//! `main`, the demo and the tests start the same thing.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use esbgate_core::{
    BodyBudget, Clock, FreezeHandle, HeadRules, JournalMetrics, Login, LoginDown, Metrics,
    ReceivedAt, Rooms, Verdict,
};
use esbgate_journal::FileJournal;
use esbgate_model::{Secret, dialect::Dialect};
use esbgate_server::{
    Core, Cores, Inherited, ListenerTls, LocalListener, ReadBody, Server, ServerLimits,
};
use esbgate_ship::{SinkOptions, Sinks};
use esbgate_upstream::{Esb, EsbOptions, LoginOptions, LoginService};
use prometheus::Registry;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::{self, Desk, Keep, KeepError, View},
    layers::Telemetry,
    minute::each_minute,
    monitor::Monitor,
    reload::{self, PolicySettings, Ports, Reloader, begin},
    reread::{Looked, Reread, keep_reading},
    shadow::Shadow,
    stack::{Parts, stack},
};

/// One address to listen on.
#[derive(Debug)]
pub struct ListenerSettings {
    /// `host:port`, `unix:/path` or `systemd:NAME`.
    pub address: String,
    /// TLS, if the listener speaks it.
    pub tls: Option<ListenerTls>,
}

/// What callers are held to.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Bytes of a body.
    pub body: u64,
    /// The time in which a body arrives.
    pub body_time: Duration,
    /// Requests inside.
    pub in_flight: u64,
    /// Bytes of all bodies.
    pub body_bytes: u64,
    /// What the server holds connections to.
    pub server: ServerLimits,
}

/// Everything that a start needs.
pub struct Settings {
    /// Threads that carry calls; without them the caller's runtime carries them too.
    pub cores: Option<NonZeroUsize>,
    /// Where callers come in.
    pub listeners: Vec<ListenerSettings>,
    /// The sockets that `systemd:NAME` means.
    pub inherited: Inherited,
    /// Where Prometheus and probes come in.
    pub monitor: String,
    /// The admin socket's file.
    pub admin: Option<String>,
    /// The folder of what is remembered over a restart.
    pub state: PathBuf,
    /// Applications with series of their own.
    pub named_apps: usize,
    /// What heads are held to.
    pub head: HeadRules,
    /// What callers are held to.
    pub limits: RequestLimits,
    /// How the upstream is spoken to.
    pub dialect: Dialect,
    /// The ESB.
    pub esb: EsbOptions,
    /// The login service, where an application's users come with a token.
    pub login: Option<LoginOptions>,
    /// The journal.
    pub journal: esbgate_journal::Options,
    /// Where the journal is shipped to.
    pub sinks: Vec<SinkOptions>,
    /// The files whose change needs no restart.
    pub reread: Reread,
    /// The policy, and where it is read again.
    pub policy: PolicySettings,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] esbgate_server::BindError),
    /// The journal cannot be opened.
    #[error("cannot open the journal: {0}")]
    Journal(#[from] esbgate_journal::OpenError),
    /// An endpoint of the ESB or the login service is wrong.
    #[error("upstream: {0}")]
    Upstream(#[from] esbgate_upstream::OptionsError),
    /// What is remembered over a restart cannot be read.
    #[error("cannot use the state folder {}", .0.display())]
    State(PathBuf, #[source] std::io::Error),
    /// The threads that carry calls cannot be started.
    #[error("cannot start the threads that carry calls")]
    Cores(#[source] std::io::Error),
    /// A sink has no thread.
    #[error("cannot start the sinks")]
    Sinks(#[source] std::io::Error),
    /// The policy would be in force without a record.
    #[error("cannot record the policy: the journal takes no records")]
    Unrecorded,
    /// The freezes that an admin has set cannot be read.
    #[error(transparent)]
    Freezes(#[from] KeepError),
    /// The metrics cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    monitor: Option<SocketAddr>,
    journal: FileJournal,
    drain: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
    servers: JoinSet<()>,
    /// Ends what is left of calls when it is dropped.
    _cores: Option<Cores>,
    shadow: Shadow,
    reloader: Reloader,
    looks: mpsc::Sender<oneshot::Sender<Looked>>,
    sinks: Sinks,
}

/// How long a stop waits for sinks. What they have not delivered by then they deliver after the next start.
const SINKS_GRACE: Duration = Duration::from_secs(5);

/// Starts a gateway.
pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))?;
    metrics.limit_apps(settings.named_apps);
    let (journal_dir, witness) = (settings.journal.dir.clone(), settings.journal.head());
    let journal = open_journal(settings.journal, &clock, metrics.journal.clone()).await?;
    let ports =
        Ports { journal: journal.clone(), metrics: metrics.clone(), clock: Arc::clone(&clock) };
    let folders = reload::watch(settings.policy.source.path());
    let (policy, reloader, asked_of_policy, worker) = begin(settings.policy, ports).await?;
    // Before anybody can call: what an admin has stopped stays stopped.
    let cursors = settings.state.join("sinks");
    let keep = open_keep(settings.state, policy.frozen()).await?;
    let esb = Esb::new(settings.esb, metrics.upstream.clone())?;
    let login = settings.login.map(|login| LoginService::new(login, metrics.login.clone()));
    let login = MaybeLogin(login.transpose()?);
    let stop = CancellationToken::new();
    let (inside, bodies) = (Rooms::default(), BodyBudget::new(settings.limits.body_bytes));
    let tasks = TaskTracker::new();
    let drain = CancellationToken::new();
    let sink = Arc::new(Telemetry {
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        journal: journal.clone(),
    });
    let limits = settings.limits;
    metrics.limited(limits.in_flight, limits.body_bytes, limits.server.connections);
    let head = Arc::new(settings.head);
    let shadow = Shadow::new(Arc::clone(&head), policy.frozen(), metrics.next_policy.clone());
    let parts = Parts {
        head,
        shadow: shadow.clone(),
        read_body: ReadBody::new(limits.body, limits.body_time, Arc::clone(&bodies)),
        policy: policy.clone(),
        dialect: settings.dialect,
        metrics: metrics.clone(),
        sink,
        in_flight: limits.in_flight,
        inside: inside.clone(),
        tasks: tasks.clone(),
    };
    let cores = settings.cores.map(Cores::start).transpose().map_err(StartError::Cores)?;
    let carrying = cores.as_ref().map_or_else(|| vec![Core::here()], |all| all.iter().collect());
    let carrying = carrying.into_iter().map(|core| {
        let esb = esb.for_core();
        (core, stack(parts.clone(), login.clone(), journal.clone(), esb))
    });
    let gateways: Vec<_> = carrying.collect();
    let server = Server::new(limits.server, Arc::clone(&clock), drain.clone());
    let mut servers = JoinSet::new();
    if let Some(path) = settings.admin {
        let view = View {
            clock: Arc::clone(&clock),
            journal: journal.clone(),
            policy: policy.clone(),
            reloader: reloader.clone(),
            shadow: shadow.clone(),
            login: login.0,
            inside: inside.clone(),
            callers: server.clone(),
            stopping: drain.clone(),
            stop: stop.clone(),
        };
        let listener = LocalListener::bind(&path)?;
        servers.spawn(admin::serve(listener, Desk::new(view, keep), drain.clone()));
    }
    let sinks = settings.sinks.into_iter().map(|sink| {
        let series = metrics.sinks.sink(&sink.name);
        (sink, series)
    });
    let sinks: Vec<_> = sinks.collect();
    let monitor = Monitor {
        metrics: metrics.clone(),
        sinks: sinks.iter().map(|(_, series)| series.clone()).collect(),
        clock: Arc::clone(&clock),
        policy,
        journal: journal.clone(),
        stopping: drain.clone(),
        inside,
        bodies,
        callers: server.clone(),
    };
    let mut addresses = Vec::new();
    let mut inherited = settings.inherited;
    for ListenerSettings { address, tls } in settings.listeners {
        let listener = match address.strip_prefix("systemd:") {
            Some(name) => inherited.take(name)?,
            None => esbgate_server::bind(&address)?,
        };
        addresses.extend(listener.local_addr());
        let (server, gateways) = (server.clone(), gateways.clone());
        servers.spawn(async move { server.serve_on(gateways, listener, tls).await });
    }
    let listener = esbgate_server::bind(&settings.monitor)?;
    let monitor_address = listener.local_addr();
    // A server of its own: probes are answered while callers' connections are at their limit.
    let probes = Server::new(limits.server, Arc::clone(&clock), drain.clone());
    servers.spawn(async move { probes.serve(listener, None, monitor).await });
    let (records, differences) = (journal.clone(), shadow.clone());
    servers.spawn(each_minute(drain.clone(), move || {
        records.sum_up();
        // While nothing can be written they go on growing, as sums do.
        if records.writable() {
            differences.put_on_record(&records);
        }
    }));
    servers.spawn(worker.run(asked_of_policy, folders, shadow.clone(), drain.clone()));
    let (looks, asked) = mpsc::channel(1);
    servers.spawn(keep_reading(settings.reread, asked, metrics, drain.clone()));
    let sinks = Sinks::start(sinks, &journal_dir, &witness, &cursors, &clock);
    Ok(Running {
        sinks: sinks.map_err(StartError::Sinks)?,
        shadow,
        reloader,
        looks,
        addresses,
        monitor: monitor_address,
        journal,
        drain,
        stop,
        tasks,
        servers,
        _cores: cores,
    })
}

/// The login service, or none. A policy that lets nobody use tokens asks nothing of it.
#[derive(Clone)]
struct MaybeLogin(Option<LoginService>);

impl Login for MaybeLogin {
    async fn introspect(&self, token: &Secret, at: ReceivedAt) -> Result<Verdict, LoginDown> {
        match &self.0 {
            Some(service) => service.introspect(token, at).await,
            None => Err(LoginDown),
        }
    }

    fn known(&self, token: &Secret, at: ReceivedAt) -> Option<Verdict> {
        self.0.as_ref()?.known(token, at)
    }
}

/// Reads what an admin has frozen, off the runtime's threads.
async fn open_keep(state: PathBuf, handle: FreezeHandle) -> Result<Keep, StartError> {
    match tokio::task::spawn_blocking(move || Keep::open(&state, handle)).await {
        Ok(keep) => Ok(keep?),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Opens the journal off the runtime's threads, because it writes its first record.
async fn open_journal(
    options: esbgate_journal::Options,
    clock: &Arc<dyn Clock>,
    metrics: JournalMetrics,
) -> Result<FileJournal, StartError> {
    let clock = Arc::clone(clock);
    let opened =
        tokio::task::spawn_blocking(move || FileJournal::open(options, clock, metrics)).await;
    match opened {
        Ok(journal) => Ok(journal?),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

impl Running {
    /// Addresses of the TCP listeners, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The monitor's address.
    #[must_use]
    pub fn monitor(&self) -> Option<SocketAddr> {
        self.monitor
    }

    /// Where this boot's records are.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        Path::to_path_buf(self.journal.path())
    }

    /// The next policy that is evaluated beside the one in force, if there is one.
    #[must_use]
    pub fn shadow(&self) -> &Shadow {
        &self.shadow
    }

    /// The policy in force, and what changes it.
    #[must_use]
    pub fn policy(&self) -> &Reloader {
        &self.reloader
    }

    /// Looks now, and not only every ten seconds, whether files of secrets and certificates have changed.
    pub async fn look_again(&self) -> Looked {
        let (told, looked) = oneshot::channel();
        // Only a gateway that stops does not look any more.
        if self.looks.send(told).await.is_err() {
            return Looked::Same;
        }
        looked.await.unwrap_or(Looked::Same)
    }

    /// Returns when an admin has asked for a stop.
    pub async fn asked_to_stop(&self) {
        self.stop.cancelled().await;
    }

    /// Stops: takes no connection, lets what runs end within `grace`, closes the journal. Says whether
    /// everything ended in time.
    pub async fn stop(mut self, grace: Duration) -> bool {
        self.drain.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(grace, async {
            while self.servers.join_next().await.is_some() {}
            self.tasks.wait().await;
        })
        .await
        .is_ok();
        self.servers.shutdown().await;
        self.shadow.put_on_record(&self.journal);
        let journal = self.journal;
        let closed = tokio::task::spawn_blocking(move || journal.close()).await;
        let closed = matches!(closed, Ok(Ok(())));
        // After the last record; what is not delivered now is no fault of the stop.
        self.sinks.finish(SINKS_GRACE).await;
        if !ended {
            tracing::error!("calls were still running when the time to stop was over");
        }
        if !closed {
            tracing::error!("journal has no stop record");
        }
        ended && closed
    }
}
