//! What only the log and the metrics need of a request: written once by the steps, read when the last
//! holder lets go.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use esbgate_model::{Code, Component, Executed, Language, Name};

use crate::{Peer, ReceivedAt, Rejection, RiskMatch, metrics::OutcomeClass, policy::App};

/// Who is told when a request is over.
pub trait TraceSink: Send + Sync + std::fmt::Debug {
    /// The request is over, whatever became of it.
    fn ended(&self, trace: &Trace);
}

/// Nobody is told: of a request that is only tried.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl TraceSink for Nobody {
    fn ended(&self, _: &Trace) {}
}

/// What of the calls' budget is left, for the answer's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLeft {
    /// Calls that may come at once.
    pub limit: u32,
    /// Calls that may still come now.
    pub remaining: u32,
    /// Seconds until all may come again.
    pub reset_seconds: u64,
}

/// Facts about one request.
#[derive(Debug)]
pub struct Trace {
    request_id: Box<str>,
    peer: Peer,
    received_at: ReceivedAt,
    /// The caller's language.
    pub language: OnceLock<Language>,
    /// The component.
    pub component: OnceLock<Component>,
    /// The application, once it is proved.
    pub app: OnceLock<Arc<App>>,
    /// The user, once it is proved.
    pub user: OnceLock<Name>,
    /// The generation of policy that judged.
    pub generation: OnceLock<u64>,
    /// The budget of calls after admission.
    pub budget: OnceLock<BudgetLeft>,
    /// The rule that allows the call: its place among those of the application.
    pub rule: OnceLock<usize>,
    /// Host-runs that were paid.
    pub host_runs: OnceLock<u64>,
    /// The risk rules that the call matches, once it is judged.
    pub risk: OnceLock<Arc<[RiskMatch]>>,
    /// The code of our own answer, with the reason for the log.
    pub rejection: OnceLock<(Code, String)>,
    /// How it ended.
    pub outcome: OnceLock<(OutcomeClass, Executed)>,
    /// The ESB's request id.
    pub upstream_request_id: OnceLock<Box<str>>,
    /// The ESB's message, where it was withheld from the caller.
    pub upstream_message: OnceLock<Box<str>>,
    departed: AtomicBool,
    abandoned: AtomicBool,
    sink: Arc<dyn TraceSink>,
}

impl Trace {
    /// A trace of a request that has just arrived.
    #[must_use]
    pub fn new(
        request_id: Box<str>,
        peer: Peer,
        received_at: ReceivedAt,
        sink: Arc<dyn TraceSink>,
    ) -> Arc<Self> {
        Arc::new(Self {
            request_id,
            peer,
            received_at,
            language: OnceLock::new(),
            component: OnceLock::new(),
            app: OnceLock::new(),
            user: OnceLock::new(),
            generation: OnceLock::new(),
            budget: OnceLock::new(),
            rule: OnceLock::new(),
            host_runs: OnceLock::new(),
            risk: OnceLock::new(),
            rejection: OnceLock::new(),
            outcome: OnceLock::new(),
            upstream_request_id: OnceLock::new(),
            upstream_message: OnceLock::new(),
            departed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            sink,
        })
    }

    /// The id of the request, 32 hexadecimal digits.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The other end of the connection, and the caller behind it.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// When the request arrived.
    #[must_use]
    pub fn received_at(&self) -> ReceivedAt {
        self.received_at
    }

    /// The caller's language; English until the head was read.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language.get().copied().unwrap_or_default()
    }

    /// The name of the rule that allows the call, once it is judged.
    #[must_use]
    pub fn rule_name(&self) -> Option<&str> {
        let (app, place) = (self.app.get()?, *self.rule.get()?);
        app.allow.get(place).map(|rule| &*rule.name)
    }

    /// Whether a byte of the call may have left the gateway.
    #[must_use]
    pub fn departed(&self) -> bool {
        self.departed.load(Ordering::Acquire)
    }

    pub(crate) fn depart(&self) {
        self.departed.store(true, Ordering::Release);
    }

    /// Notes a refusal, where it happened: the caller may be gone by the time it would be answered. What
    /// is known already holds.
    pub fn refuse(&self, rejection: &Rejection) {
        note(&self.rejection, (rejection.code(), rejection.to_string()));
        note(&self.outcome, (rejection.outcome(), rejection.code().executed()));
    }

    /// Notes that the caller left before its answer.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether the caller left before its answer.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let sink = Arc::clone(&self.sink);
        sink.ended(self);
    }
}

/// Writes a fact; the first one holds.
pub(crate) fn note<T>(slot: &OnceLock<T>, fact: T) {
    // A step runs once for a request, so a second fact does not come; if it did, the first holds.
    drop(slot.set(fact));
}
