//! The ESB client: the innermost service, where a call leaves the gateway or does not.
//!
//! The ESB closes its connection after every answer, so every call has its own, unless the upstream is one that keeps
//! them. Another endpoint is tried only while no byte can have left, or for a read, once.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use esbgate_core::{
    Anomaly, NoAnswer, NotSent, OutgoingMessage, Rejection, UpstreamAnswer, UpstreamMetrics,
    UpstreamRequest, UpstreamResult,
};
use esbgate_model::{
    Kind,
    dialect::{Answer, Message, Outcome},
};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use rustls::ClientConfig;
use tokio::time::{Instant, timeout};

use crate::{
    endpoint::{Endpoint, OptionsError},
    kept::Kept,
    talk::{Line, Reply, talk},
};

/// The largest answer that is read, unless told otherwise.
pub const DEFAULT_ANSWER_LIMIT: usize = 4 * 1024 * 1024;

const AUTHORIZATION: HeaderName = HeaderName::from_static("x-bkapi-authorization");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How the ESB is reached.
#[derive(Debug, Clone)]
pub struct EsbOptions {
    /// `http://host:port` or `https://host:port`, at least one.
    pub endpoints: Vec<String>,
    /// How long opening a connection may take, TLS included, per endpoint.
    pub connect_timeout: Duration,
    /// How long sending the call and reading its whole answer may take.
    pub answer_timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub answer_limit: usize,
    /// The TLS configuration; required by `https`.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long a connection waits for another call; without it every call has its own.
    pub keep_alive: Option<Duration>,
}

/// The ESB, as one core reaches it. Clones share what that core keeps.
#[derive(Clone)]
pub struct Esb {
    shared: Arc<Shared>,
    kept: Arc<Kept>,
}

struct Shared {
    endpoints: Box<[Endpoint]>,
    next: AtomicUsize,
    connect_timeout: Duration,
    answer_timeout: Duration,
    answer_limit: usize,
    keep_alive: Option<Duration>,
    metrics: UpstreamMetrics,
}

/// A connection to one of the endpoints.
struct Open {
    line: Line,
    endpoint: usize,
    /// Whether a call was sent on it before.
    used: bool,
}

/// How an exchange ended once a connection was open.
#[derive(Debug)]
enum Exchange {
    Answered(Reply),
    /// The connection was lost before the first byte.
    NotSent,
    Silent(NoAnswer),
}

impl Exchange {
    /// A read changes nothing, so it is asked once more where its connection was lost; nothing else ever
    /// is. An endpoint that is slow is not asked again: the answer would come twice as late.
    fn may_be_repeated(&self, kind: Kind) -> bool {
        let lost = match self {
            Self::NotSent | Self::Silent(NoAnswer::Broken(Anomaly::Cut)) => true,
            Self::Silent(NoAnswer::Timeout | NoAnswer::Broken(_)) | Self::Answered(_) => false,
        };
        match kind {
            Kind::Read => lost,
            Kind::Execute | Kind::Write => false,
        }
    }
}

impl std::fmt::Debug for Esb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Esb")
            .field("endpoints", &self.shared.endpoints.len())
            .finish_non_exhaustive()
    }
}

impl Esb {
    /// A client; opens nothing yet.
    pub fn new(options: EsbOptions, metrics: UpstreamMetrics) -> Result<Self, OptionsError> {
        let endpoints = options.endpoints.iter().map(|text| origin(text, options.tls.as_ref()));
        let endpoints = endpoints.collect::<Result<Box<[_]>, _>>()?;
        if endpoints.is_empty() {
            return Err(OptionsError::NoEndpoint);
        }
        let shared = Shared {
            endpoints,
            next: AtomicUsize::new(0),
            connect_timeout: options.connect_timeout,
            answer_timeout: options.answer_timeout,
            answer_limit: options.answer_limit,
            keep_alive: options.keep_alive,
            metrics,
        };
        Ok(Self::over(Arc::new(shared)))
    }

    fn over(shared: Arc<Shared>) -> Self {
        let kept = Kept::new(shared.keep_alive, shared.endpoints.len());
        Self { shared, kept: Arc::new(kept) }
    }

    /// The same ESB for another core, which keeps connections of its own.
    #[must_use]
    pub fn for_core(&self) -> Self {
        Self::over(Arc::clone(&self.shared))
    }
}

impl tower_service::Service<UpstreamRequest> for Esb {
    type Response = UpstreamAnswer;
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<UpstreamAnswer, Rejection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: UpstreamRequest) -> Self::Future {
        let Self { shared, kept } = self.clone();
        Box::pin(async move {
            let begin = Instant::now();
            let (result, answer) = shared.carry(&kept, request).await;
            shared.metrics.finished(result, begin.elapsed().as_secs_f64());
            Ok(answer)
        })
    }
}

impl Shared {
    async fn carry(
        &self,
        kept: &Kept,
        request: UpstreamRequest,
    ) -> (UpstreamResult, UpstreamAnswer) {
        let (mut message, pending) = request.into_parts();
        let open = match self.open(kept).await {
            Ok(open) => open,
            Err(reason) => return (UpstreamResult::NotSent, pending.not_sent(reason)),
        };
        let departed = pending.depart();
        let used = open.used;
        let mut exchange = self.exchange(kept, open, &message).await;
        // What was kept may be closed by now. No byte has left, so this is still the first time.
        let closed = used && matches!(exchange, Exchange::NotSent);
        if (closed || exchange.may_be_repeated(message.component.kind()))
            && let Ok(open) = Box::pin(self.connect()).await
        {
            // Boxed: what is rare takes no room in every call.
            exchange = Box::pin(self.exchange(kept, open, &message)).await;
        }
        if let Some((refused, second)) = refused(&exchange, &mut message) {
            // Nothing was executed, and nothing is if the second does not get as far as the ESB.
            let Ok(open) = Box::pin(self.connect()).await else {
                return (UpstreamResult::Answered, departed.answered(refused));
            };
            departed.credential_retried();
            (message.authorization, message.body) = (second.authorization, second.body);
            exchange = Box::pin(self.exchange(kept, open, &message)).await;
            if matches!(exchange, Exchange::NotSent) {
                return (UpstreamResult::Answered, departed.answered(refused));
            }
        }
        match exchange {
            Exchange::Answered(reply) => {
                let answer = read(&reply, &message);
                let result = match answer.meaning.outcome {
                    Outcome::Success | Outcome::Failed | Outcome::Unknown => {
                        UpstreamResult::Answered
                    }
                    Outcome::Unreadable => UpstreamResult::Broken,
                };
                (result, departed.answered(answer))
            }
            Exchange::NotSent => (UpstreamResult::NotSent, departed.not_sent(NotSent::Closed)),
            Exchange::Silent(reason) => {
                let result = match reason {
                    NoAnswer::Timeout => UpstreamResult::Timeout,
                    NoAnswer::Broken(_) => UpstreamResult::Broken,
                };
                (result, departed.silent(reason))
            }
        }
    }

    /// A connection to the next endpoint: one that is kept, or a new one.
    async fn open(&self, kept: &Kept) -> Result<Open, NotSent> {
        if kept.keeps() {
            // Its turn is not over: `connect` counts it where there is none.
            let endpoint = self.next.load(Ordering::Relaxed) % self.endpoints.len();
            if let Some(line) = kept.take(endpoint).await {
                self.next.fetch_add(1, Ordering::Relaxed);
                return Ok(Open { line, endpoint, used: true });
            }
        }
        self.connect().await
    }

    /// Opens a connection to the next endpoint that takes one; each is tried once.
    async fn connect(&self) -> Result<Open, NotSent> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.endpoints.len();
        let (before, after) = self.endpoints.split_at(first);
        let mut reason = NotSent::Refused;
        let turns = (first..).zip(after).chain((0..).zip(before));
        for (number, endpoint) in turns {
            match endpoint.dial(self.connect_timeout).await {
                Ok(wire) => {
                    let line = Line::new(wire).await.map_err(|_| NotSent::Closed)?;
                    return Ok(Open { line, endpoint: number, used: false });
                }
                Err(fault) => reason = fault,
            }
        }
        Err(reason)
    }

    /// Sends the message once and waits for its answer.
    async fn exchange(&self, kept: &Kept, open: Open, message: &OutgoingMessage) -> Exchange {
        let Some(endpoint) = self.endpoints.get(open.endpoint) else { return Exchange::NotSent };
        let written = open.line.written();
        let request = compose(endpoint.authority().clone(), message, kept.keeps());
        let talking = talk(open.line, request, self.answer_limit, kept.keeps());
        let reason = match timeout(self.answer_timeout, talking).await {
            Ok(Ok((reply, line))) => {
                if let Some(line) = line {
                    kept.put(open.endpoint, line);
                }
                return Exchange::Answered(reply);
            }
            Ok(Err(anomaly)) => NoAnswer::Broken(anomaly),
            Err(_) => NoAnswer::Timeout,
        };
        // The connection is gone by now: nothing can leave any more.
        if written.bytes() == 0 { Exchange::NotSent } else { Exchange::Silent(reason) }
    }
}

fn read(reply: &Reply, message: &OutgoingMessage) -> Answer {
    message.dialect.read(message.component, reply.status, &reply.body, &message.echoes)
}

/// The answer that turns the current secret down, and the message that is sent in that case, at most once a call:
/// the ESB's workers remember a refusal for 300 s, each its own, so no call can tell for another.
fn refused(exchange: &Exchange, message: &mut OutgoingMessage) -> Option<(Answer, Message)> {
    let Exchange::Answered(reply) = exchange else { return None };
    // Most messages have no second, and their answer is read once, by who passes it on.
    let second = message.second.take()?;
    let answer = read(reply, message);
    answer.meaning.credential_refused.then_some((answer, second))
}

fn origin(text: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Endpoint, OptionsError> {
    let (endpoint, path) = Endpoint::read(text, tls)?;
    // The path is the component's, never the configuration's.
    if &*path == "/" { Ok(endpoint) } else { Err(OptionsError::Url(text.into())) }
}

fn compose(host: HeaderValue, message: &OutgoingMessage, keep: bool) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(message.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(message.component.path());
    let headers = request.headers_mut();
    for (name, value) in &message.headers {
        headers.append(name.clone(), value.clone());
    }
    // Last and by replacement: no listed header can add to these.
    headers.insert(HOST, host);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, JSON);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(message.body.len()));
    if !keep {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.remove(AUTHORIZATION);
    if let Some(authorization) = &message.authorization {
        let mut authorization = authorization.clone();
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
    }
    request
}

#[cfg(test)]
mod tests;
