//! Records each request once, whatever became of it: the log line, the metrics, the refusal's record.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use esbgate_core::{
    Clock, HeadRules, Journal, Metrics, OutcomeClass, ReceivedAt, RefusalRecord, Trace, TraceSink,
};
use esbgate_model::{Component, Executed};
use esbgate_server::{Downstream, TracedRequest};
use tower_layer::Layer;
use tower_service::Service;

use super::BoxFuture;

/// Where what is observed goes.
pub struct Telemetry<J> {
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The series.
    pub metrics: Metrics,
    /// Refusals are recorded here.
    pub journal: J,
}

impl<J> std::fmt::Debug for Telemetry<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl<J: Journal> TraceSink for Telemetry<J> {
    fn ended(&self, trace: &Trace) {
        let seconds =
            self.clock.now().monotonic.saturating_sub(trace.received_at().monotonic).as_secs_f64();
        let component = trace.component.get().copied();
        let (outcome, executed) = trace
            .outcome
            .get()
            .copied()
            // A task that was ended before its call was settled leaves no outcome.
            .unwrap_or(if trace.departed() {
                (OutcomeClass::Unknown, Executed::Unknown)
            } else {
                (OutcomeClass::Rejected, Executed::No)
            });
        self.metrics.finished(component, outcome, seconds);
        let app = trace.app.get();
        if let (Some(app), Some(component)) = (app, component) {
            app.metrics.finished(component, outcome);
        }
        let code = trace.rejection.get().map(|(code, _)| *code);
        if let Some(code) = code {
            self.metrics.rejected(code);
            if !trace.departed() {
                self.journal.refuse(&RefusalRecord {
                    request_id: trace.request_id(),
                    received_at: trace.received_at(),
                    peer: trace.peer().address(),
                    app: app.map(|app| &app.code),
                    user: trace.user.get(),
                    component: component.map(Component::name),
                    code_name: code.name(),
                    generation: trace.generation.get().copied(),
                    risk: trace.risk.get().map(|matches| &**matches).unwrap_or_default(),
                });
            }
        }
        let via = trace.peer().socket().filter(|socket| trace.peer().address() != Some(*socket));
        tracing::info!(
            request_id = trace.request_id(),
            peer = ?trace.peer().address(),
            via = ?via,
            component = component.map(Component::name),
            app = app.map(|app| app.code.as_str()),
            user = trace.user.get().map(esbgate_model::Name::as_str),
            outcome = outcome.as_str(),
            executed = executed.as_str(),
            code = code.map(esbgate_model::Code::name),
            reason = trace.rejection.get().map(|(_, reason)| reason.as_str()),
            upstream_request_id = trace.upstream_request_id.get().map(|id| &**id),
            upstream_message = trace.upstream_message.get().map(|text| &**text),
            host_runs = trace.host_runs.get(),
            risk = risks(trace),
            caller_left = trace.abandoned(),
            seconds,
            "request ended"
        );
    }
}

/// The risk rules that the call matches, each with what it says is done.
fn risks(trace: &Trace) -> Option<String> {
    let matches = trace.risk.get().filter(|matches| !matches.is_empty())?;
    let said = matches.iter().map(|found| format!("{}: {}", found.rule, found.action.as_str()));
    Some(said.collect::<Vec<_>>().join(", "))
}

/// Gives each request its trace.
#[derive(Debug, Clone)]
pub struct ObserveLayer {
    head: Arc<HeadRules>,
    sink: Arc<dyn TraceSink>,
}

impl ObserveLayer {
    /// Tells `sink` of every request that is over, with the caller that the proxies of `head` name.
    #[must_use]
    pub fn new(head: Arc<HeadRules>, sink: Arc<dyn TraceSink>) -> Self {
        Self { head, sink }
    }
}

/// See [`ObserveLayer`].
#[derive(Debug, Clone)]
pub struct Observe<S> {
    layer: ObserveLayer,
    inner: S,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { layer: self.clone(), inner }
    }
}

/// A version 7 UUID of the time of arrival. It names a request and proves nothing, so its random bits need no call of
/// the system.
fn request_id(at: ReceivedAt) -> Box<str> {
    let milliseconds = u64::try_from(at.wall.as_millisecond()).unwrap_or_default();
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    let mut text = [0; uuid::fmt::Simple::LENGTH];
    (&*id.simple().encode_lower(&mut text)).into()
}

/// Notes that the caller left, unless the answer was ready first.
struct Watch(Option<Arc<Trace>>);

impl Watch {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(trace) = &self.0 {
            trace.abandon();
        }
    }
}

impl<S> Service<Downstream> for Observe<S>
where
    S: Service<TracedRequest, Error = Infallible, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = BoxFuture<Result<S::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut downstream: Downstream) -> Self::Future {
        let ObserveLayer { head, sink } = &self.layer;
        // Here, so that the records of all refusals name the caller and not a proxy.
        let peer = downstream.peer.behind(&head.trusted_proxies, downstream.request.headers());
        downstream.peer = peer.clone();
        let trace = Trace::new(
            request_id(downstream.received_at),
            peer,
            downstream.received_at,
            Arc::clone(sink),
        );
        let watch = Watch(Some(Arc::clone(&trace)));
        let answer = self.inner.call(TracedRequest { downstream, trace });
        Box::pin(async move {
            let answer = answer.await;
            watch.answered();
            answer
        })
    }
}
