//! Answers for the gateway: the one place where a refusal, or a settled answer, becomes a response.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use esbgate_core::{HttpStatus, Rejection, Reply, RiskAction, SettledAnswer, Trace};
use esbgate_model::{Code, Faults, Kind, Language};
use esbgate_server::TracedRequest;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header};
use serde::Serialize;
use tower_layer::Layer;
use tower_service::Service;

use super::BoxFuture;

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct RespondLayer;

/// See [`RespondLayer`].
#[derive(Debug, Clone)]
pub struct Respond<S> {
    inner: S,
}

impl<S> Layer<S> for RespondLayer {
    type Service = Respond<S>;

    fn layer(&self, inner: S) -> Respond<S> {
        Respond { inner }
    }
}

impl<S> Service<TracedRequest> for Respond<S>
where
    S: Service<TracedRequest, Response = SettledAnswer, Error = Rejection>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // No layer of this stack makes a caller wait for its turn; each refuses instead.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: TracedRequest) -> Self::Future {
        let trace = Arc::clone(&request.trace);
        let version = request.downstream.request.version();
        let outcome = self.inner.call(request);
        Box::pin(async move {
            let mut response = match outcome.await {
                Ok(answer) => settled(answer.into_reply(), &trace),
                Err(rejection) => refused(&rejection, &trace, version),
            };
            finish(&mut response, &trace);
            Ok(response)
        })
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    result: bool,
    code: u32,
    code_name: &'a str,
    message: String,
    data: Option<JobIds>,
    request_id: &'a str,
    executed: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_faults: Option<usize>,
}

#[derive(Serialize)]
struct JobIds {
    job_instance_id: Option<i64>,
    step_instance_id: Option<i64>,
}

#[derive(Serialize)]
struct FaultText<'a> {
    path: &'a str,
    rule: &'a str,
    hint: String,
}

const ERROR_CODE: HeaderName = HeaderName::from_static("x-bkapi-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-bkapi-error-message");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-bkapi-request-id");

fn settled(reply: Reply, trace: &Trace) -> Response<Bytes> {
    match reply {
        Reply::Upstream { status, body } => json(status, body),
        Reply::Own(code) => {
            note(trace, code, String::new());
            own(code, None, None, trace)
        }
        Reply::Unrecorded { job_instance_id, step_instance_id } => {
            note(trace, Code::OutcomeUnrecorded, String::new());
            let data = JobIds { job_instance_id, step_instance_id };
            own(Code::OutcomeUnrecorded, None, Some(data), trace)
        }
    }
}

fn note(trace: &Trace, code: Code, reason: String) {
    // The first reason holds; a request is answered once.
    drop(trace.rejection.set((code, reason)));
}

fn refused(rejection: &Rejection, trace: &Trace, version: Version) -> Response<Bytes> {
    let code = rejection.code();
    trace.refuse(rejection);
    let mut response = own(code, rejection.faults(), None, trace);
    let headers = response.headers_mut();
    if let Some(seconds) = rejection.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if code == Code::MethodNotAllowed {
        let reads = trace.component.get().is_some_and(|known| known.kind() == Kind::Read);
        let methods = if reads { "GET, POST" } else { "POST" };
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    // HTTP/2 has no such option; HTTP/1.0, which is refused, may ask to be kept alive.
    if rejection.closes() && version != Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn own(
    code: Code,
    faults: Option<&Faults>,
    data: Option<JobIds>,
    trace: &Trace,
) -> Response<Bytes> {
    let language = trace.language();
    let separator = match language {
        Language::En => "; ",
        Language::Zh => "；",
    };
    let list = faults.map(Faults::list).unwrap_or_default();
    let envelope = Envelope {
        result: false,
        code: code.number(),
        code_name: code.name(),
        message: [code.message().to(language), code.hint().to(language)].join(separator),
        data,
        request_id: trace.request_id(),
        executed: code.executed().as_str(),
        faults: list
            .iter()
            .map(|fault| FaultText {
                path: &fault.path,
                rule: fault.rule.name(),
                hint: fault.rule.hint(language),
            })
            .collect(),
        more_faults: faults.map(Faults::more).filter(|more| *more > 0),
    };
    // Strings, numbers and lists of them always serialise.
    let body = serde_json::to_vec(&envelope).unwrap_or_default();
    let esb_statuses = trace.app.get().is_some_and(|app| app.http_status == HttpStatus::Esb);
    let status = if esb_statuses { StatusCode::OK } else { code.status() };
    let mut response = json(status, body.into());
    if code != Code::OutcomeUnrecorded {
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from(code.number()));
        headers.insert(ERROR_MESSAGE, HeaderValue::from_static(code.message().en));
    }
    response
}

fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// The risk rules that warn, each with the line: `rule;line=3, …`.
fn warnings(trace: &Trace) -> Option<HeaderValue> {
    let warn = trace.risk.get()?.iter().filter(|found| found.action == RiskAction::Warn);
    let said: Vec<_> = warn.map(|found| format!("{};line={}", found.rule, found.line)).collect();
    if said.is_empty() { None } else { HeaderValue::try_from(said.join(", ")).ok() }
}

fn finish(response: &mut Response<Bytes>, trace: &Trace) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(trace.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(value) = warnings(trace) {
        headers.insert(HeaderName::from_static("x-esbgate-risk"), value);
    }
    if let Some(budget) = trace.budget.get() {
        let numbers = [
            (HeaderName::from_static("x-bkapi-ratelimit-limit"), u64::from(budget.limit)),
            (HeaderName::from_static("x-bkapi-ratelimit-remaining"), budget.remaining.into()),
            (HeaderName::from_static("x-bkapi-ratelimit-reset"), budget.reset_seconds),
        ];
        for (name, value) in numbers {
            headers.insert(name, HeaderValue::from(value));
        }
        let plugin = HeaderName::from_static("x-bkapi-ratelimit-plugin");
        headers.insert(plugin, HeaderValue::from_static("esbgate"));
    }
}
