//! What the gateway counts. Labels come from closed sets and from policy, so hostile input adds no series;
//! series are resolved at `bind`, so a request touches atomics only.

mod apps;
mod journal;
mod login;
mod next_policy;
mod reload;
mod risk;
mod shadow;
mod sink;
mod standing;
mod upstream;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use esbgate_model::{Code, Component};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use self::apps::NamedApps;
use crate::Grant;

pub use self::{
    apps::NAMED_APPS,
    journal::{JournalMetrics, RecordKind, Tampered, Unrecorded},
    login::{CacheResult, LoginMetrics, LoginResult},
    next_policy::{NextPolicyMetrics, ShadowResult},
    reload::ReloadMetrics,
    risk::RiskMetrics,
    shadow::ShadowMetrics,
    sink::{SinkMetrics, SinksMetrics},
    standing::{Standing, StandingMetrics},
    upstream::{UpstreamMetrics, UpstreamResult},
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeClass {
    /// The script was started.
    Success,
    /// The ESB or JOB refused the call before anything ran.
    Failed,
    /// Sent, and nobody knows.
    Unknown,
    /// Refused by the gateway; the caller or the policy can mend it.
    Rejected,
    /// Refused because login, journal, upstream or room was not there.
    Unavailable,
}

impl OutcomeClass {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Success, Self::Failed, Self::Unknown, Self::Rejected, Self::Unavailable];

    /// The label and the word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Unknown => 2,
            Self::Rejected => 3,
            Self::Unavailable => 4,
        }
    }
}

/// The label of requests whose path names no component.
const NONE: &str = "none";

/// The label of requests for a component that no grant names, or none of the application's.
const OTHER: &str = "other";

/// From a refusal in memory to an ESB that takes its legal 90 seconds.
const REQUEST_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0];

#[derive(Debug, Clone)]
struct Red {
    requests: [IntCounter; 5],
    duration: [Histogram; 5],
}

/// Every family, registered once.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    none: Red,
    other: Red,
    /// Resolved when a grant first names the component; all generations share them.
    components: Arc<HashMap<&'static str, OnceLock<Red>>>,
    app_requests: IntCounterVec,
    app_host_runs: IntCounterVec,
    rejections: HashMap<Code, IntCounter>,
    in_flight: IntGauge,
    body_bytes: IntGauge,
    connections: IntGauge,
    limits: [IntGauge; 3],
    panics: IntCounter,
    generation: IntGauge,
    apps: IntGauge,
    loaded: Gauge,
    files_read: IntGauge,
    named: Arc<NamedApps>,
    credential_refusals: IntCounterVec,
    credential_retries: IntCounterVec,
    risk_matches: IntCounterVec,
    limit_shadowed: IntCounterVec,
    /// The ESB client's.
    pub upstream: UpstreamMetrics,
    /// The login client's.
    pub login: LoginMetrics,
    /// The journal's.
    pub journal: JournalMetrics,
    /// Those of changes of policy.
    pub reload: ReloadMetrics,
    /// What of the policy depends on the time.
    pub standing: StandingMetrics,
    /// A next policy's.
    pub next_policy: NextPolicyMetrics,
    /// The sinks'.
    pub sinks: SinksMetrics,
}

/// The series of one application.
#[derive(Debug, Clone)]
pub struct AppMetrics {
    requests: Vec<(Component, [IntCounter; 5])>,
    other: [IntCounter; 5],
    host_runs: Vec<(Component, IntCounter)>,
    credential_refusals: IntCounter,
    credential_retries: IntCounter,
    shadowed: ShadowMetrics,
}

impl AppMetrics {
    /// Counts a request that ended.
    pub fn finished(&self, component: Component, outcome: OutcomeClass) {
        let series = self.requests.iter().find(|(known, _)| *known == component);
        let series = series.map_or(&self.other, |(_, all)| all);
        if let Some(counter) = series.get(outcome.index()) {
            counter.inc();
        }
    }

    /// Counts hosts that were touched.
    pub fn ran_on(&self, component: Component, hosts: u64) {
        if let Some((_, counter)) = self.host_runs.iter().find(|(known, _)| *known == component) {
            counter.inc_by(hosts);
        }
    }

    /// Counts a refusal of the gateway's own credential.
    pub fn credential_refused(&self) {
        self.credential_refusals.inc();
    }

    /// Counts a call that was sent again with the credential's next secret.
    pub(crate) fn credential_retried(&self) {
        self.credential_retries.inc();
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
fn red(requests: &IntCounterVec, duration: &HistogramVec, component: &str) -> Red {
    let labels = OutcomeClass::ALL.map(|outcome| [component, outcome.as_str()]);
    Red {
        requests: labels.map(|labels| requests.with_label_values(&labels)),
        duration: labels.map(|labels| duration.with_label_values(&labels)),
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(buckets.to_vec())
}

impl Metrics {
    /// Registers every family on `registry`. `version` is the gateway's own.
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub fn register(registry: &Registry, version: &str) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help));
        let requests = counter(
            "esbgate_requests_total",
            "Requests that ended, by component and outcome.",
            &["component", "outcome"],
        )?;
        let duration = register(
            registry,
            HistogramVec::new(
                histogram(
                    "esbgate_request_duration_seconds",
                    "From the whole head to the answer, by component and outcome.",
                    REQUEST_BUCKETS,
                ),
                &["component", "outcome"],
            ),
        )?;
        let rejections = counter(
            "esbgate_rejections_total",
            "Answers that the gateway gave on its own behalf, by code.",
            &["code_name"],
        )?;
        let build = register(
            registry,
            GaugeVec::new(Opts::new("esbgate_build_info", "Always 1."), &["version"]),
        )?;
        build.with_label_values(&[version]).set(1.0);
        Ok(Self {
            none: red(&requests, &duration, NONE),
            other: red(&requests, &duration, OTHER),
            components: Arc::new(Component::all().map(|c| (c.name(), OnceLock::new())).collect()),
            requests,
            duration,
            app_requests: counter(
                "esbgate_app_requests_total",
                "Requests of proved applications that ended.",
                &["app", "component", "outcome"],
            )?,
            app_host_runs: counter(
                "esbgate_app_host_runs_total",
                "Host-runs that were paid and may have happened.",
                &["app", "component"],
            )?,
            rejections: Code::ALL
                .iter()
                .map(|code| (*code, rejections.with_label_values(&[code.name()])))
                .collect(),
            in_flight: gauge("esbgate_requests_in_flight", "Requests inside the gateway.")?,
            body_bytes: gauge("esbgate_body_bytes_in_flight", "Bytes of bodies held.")?,
            connections: gauge("esbgate_connections", "Connections of callers.")?,
            limits: [
                gauge("esbgate_limit_requests_in_flight", "Most requests inside the gateway.")?,
                gauge("esbgate_limit_body_bytes", "Most bytes of bodies held.")?,
                gauge("esbgate_limit_connections", "Most connections of callers.")?,
            ],
            panics: register(
                registry,
                IntCounter::new("esbgate_panics_total", "Requests that ended in a panic."),
            )?,
            generation: gauge("esbgate_policy_generation", "The generation of policy in force.")?,
            apps: gauge("esbgate_policy_apps", "Applications in the policy in force.")?,
            loaded: register(
                registry,
                Gauge::new(
                    "esbgate_policy_load_timestamp_seconds",
                    "When the policy in force was loaded.",
                ),
            )?,
            files_read: gauge(
                "esbgate_files_reread_success",
                "0 while a changed secret or certificate file of the start-up file is not used.",
            )?,
            credential_refusals: counter(
                "esbgate_upstream_credential_refusals_total",
                "Times that the ESB refused the gateway's own credential.",
                &["credential"],
            )?,
            credential_retries: counter(
                "esbgate_upstream_credential_retries_total",
                "Calls that were sent again with the next secret, because the ESB refused the current one.",
                &["credential"],
            )?,
            risk_matches: counter(
                "esbgate_risk_matches_total",
                "Calls that a risk rule of the policy matched.",
                &["rule", "action"],
            )?,
            limit_shadowed: counter(
                "esbgate_limit_shadowed_total",
                "Times that a limit in shadow mode would have refused a call.",
                &["app", "limit"],
            )?,
            upstream: UpstreamMetrics::register(registry)?,
            login: LoginMetrics::register(registry)?,
            journal: JournalMetrics::register(registry)?,
            next_policy: NextPolicyMetrics::register(registry)?,
            reload: ReloadMetrics::register(registry)?,
            standing: StandingMetrics::register(registry)?,
            sinks: SinksMetrics::register(registry)?,
            named: Arc::default(),
            registry: registry.clone(),
        })
    }

    /// Lets at most `apps` applications have series of their own; the others share `other`.
    pub fn limit_apps(&self, apps: usize) {
        self.named.limit(apps);
    }

    /// Resolves the series of one application: those of the components that its grants name. Beyond the limit of
    /// applications these are the series of `other`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub fn app(&self, app: &str, acts_as: &str, allow: &[Grant]) -> AppMetrics {
        let app = if self.named.has(app) { app } else { OTHER };
        let granted = |component: &Component| {
            allow.iter().any(|grant| grant.components.covers(|c| c == component))
        };
        let requests = |name: &str| {
            OutcomeClass::ALL
                .map(|outcome| self.app_requests.with_label_values(&[app, name, outcome.as_str()]))
        };
        let granted = Component::all().filter(granted);
        for component in granted.clone() {
            if let Some(series) = self.components.get(component.name()) {
                series.get_or_init(|| red(&self.requests, &self.duration, component.name()));
            }
        }
        let host_runs = granted.clone().filter(|component| component.runs_on_hosts());
        AppMetrics {
            requests: granted.map(|component| (component, requests(component.name()))).collect(),
            other: requests(OTHER),
            host_runs: host_runs
                .map(|component| {
                    let labels = [app, component.name()];
                    (component, self.app_host_runs.with_label_values(&labels))
                })
                .collect(),
            credential_refusals: self.credential_refusals.with_label_values(&[acts_as]),
            credential_retries: self.credential_retries.with_label_values(&[acts_as]),
            shadowed: ShadowMetrics::default(),
        }
    }

    /// Counts a request that ended.
    pub fn finished(&self, component: Option<Component>, outcome: OutcomeClass, seconds: f64) {
        let red = match component {
            None => &self.none,
            Some(component) => {
                let granted = self.components.get(component.name()).and_then(OnceLock::get);
                granted.unwrap_or(&self.other)
            }
        };
        if let Some(counter) = red.requests.get(outcome.index()) {
            counter.inc();
        }
        if let Some(histogram) = red.duration.get(outcome.index()) {
            histogram.observe(seconds);
        }
    }

    /// Counts an answer of our own.
    pub fn rejected(&self, code: Code) {
        if let Some(counter) = self.rejections.get(&code) {
            counter.inc();
        }
    }

    /// Counts a panic.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Sets what is read from live counts at a scrape.
    pub fn sample(&self, in_flight: u64, body_bytes: u64, connections: u64) {
        self.in_flight.set(whole(in_flight));
        self.body_bytes.set(whole(body_bytes));
        self.connections.set(whole(connections));
    }

    /// Notes the limits of what [`Self::sample`] sets.
    pub fn limited(&self, in_flight: u64, body_bytes: u64, connections: u64) {
        for (gauge, limit) in self.limits.iter().zip([in_flight, body_bytes, connections]) {
            gauge.set(whole(limit));
        }
    }

    /// Notes the policy in force.
    pub fn policy_loaded(&self, generation: u64, apps: usize, at: jiff::Timestamp) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.apps.set(i64::try_from(apps).unwrap_or(i64::MAX));
        self.loaded.set(at.as_duration().as_secs_f64());
    }

    /// Notes whether the files of secrets and certificates are in use as they stand.
    pub fn files_read(&self, success: bool) {
        self.files_read.set(success.into());
    }

    /// The text that Prometheus scrapes.
    pub fn encode(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A registry of its own for an adapter that is tested alone.
#[expect(
    clippy::panic,
    reason = "the families are constants; registering them on a new registry holds"
)]
fn alone<T>(register: impl FnOnce(&Registry) -> prometheus::Result<T>) -> T {
    match register(&Registry::new()) {
        Ok(metrics) => metrics,
        Err(error) => panic!("{error}"),
    }
}
