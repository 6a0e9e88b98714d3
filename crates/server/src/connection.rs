//! One connection, from its handshake to its end: HTTP limits, the peer, the call of the service.

use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use esbgate_core::{CertificateName, Clock, Peer};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::{
    Downstream, ListenerTls, ServerLimits,
    activity::{Activity, Over},
    certificate,
    heads::{Finding, Findings},
    listener::{Accepted, Moving},
    watched::{Spoken, Watched},
};

/// Fields a head may have; bytes alone do not bound them on HTTP/2, where a field can cost one.
const FIELDS: usize = 100;
/// hyper refuses to read through less.
const LEAST_BUFFER: usize = 8 * 1024;
const STREAMS: u32 = 100;
const RESETS: usize = 20;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
const PING: Duration = Duration::from_secs(20);

/// What every connection of a listener shares.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) service: S,
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) limits: ServerLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) drain: CancellationToken,
    pub(crate) http: Http,
}

/// The HTTP limits; heads and idleness have their deadlines in [`Activity`].
#[derive(Debug, Clone)]
pub(crate) struct Http {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Http {
    /// `pipeline_flush` stays off: with it hyper never sends its own 400 and 431, because the faulty
    /// bytes that are still buffered look like a next request.
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(limits.headers.max(LEAST_BUFFER))
            .max_headers(FIELDS)
            // A client may close its sending side after a whole request and still wait for the answer.
            .half_close(true)
            .keep_alive(true);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self { http1, http2 }
    }
}

/// What a connection keeps whether it is busy or at rest.
struct Lasting {
    peer: Peer,
    activity: Arc<Activity>,
    findings: Arc<Findings>,
}

impl<S> Connection<S>
where
    S: Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    /// Serves a connection until it ends.
    pub(crate) async fn run(&self, accepted: Moving) {
        match accepted.arrived() {
            Ok(Accepted::Tcp(stream, address)) => {
                let peer = Peer::new(Some(address), Arc::default());
                self.secure(stream, peer).await;
            }
            Ok(Accepted::Unix(stream)) => {
                self.secure(stream, Peer::new(None, Arc::default())).await;
            }
            Err(error) => tracing::warn!(%error, "cannot serve a connection"),
        }
    }

    async fn secure<I>(&self, stream: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = &self.tls else {
            return self.speak(stream, peer).await;
        };
        let handshake = TlsAcceptor::from(tls.now()).accept(stream);
        let secured = tokio::select! {
            secured = tokio::time::timeout(self.limits.header_time, handshake) => secured,
            // Nothing was asked yet, so nothing is owed.
            () = self.drain.cancelled() => return,
        };
        match secured {
            Ok(Ok(stream)) => {
                let peer = Peer::new(peer.socket(), shown(&stream));
                self.speak(stream, peer).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = ?peer.socket(), "TLS handshake failed")
            }
            Err(_) => tracing::debug!(peer = ?peer.socket(), "TLS handshake took too long"),
        }
    }

    async fn speak<I>(&self, stream: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(self.limits.header_time, self.limits.idle_time);
        let findings = Arc::new(Findings::default());
        let mut io = Watched::new(stream, Arc::clone(&activity), Arc::clone(&findings));
        let lasting = Lasting { peer, activity, findings };
        loop {
            let spoken = tokio::select! {
                begun = io.begin() => match begun {
                    Ok(Some(spoken)) => spoken,
                    Ok(None) => return,
                    Err(error) => return broke_off(&error, &lasting.peer),
                },
                () = lasting.activity.expired() => return waited(&lasting.peer),
                // Nothing was asked yet, so nothing is owed.
                () = self.drain.cancelled() => return,
            };
            // Boxed, so that a connection at rest does not hold the room of a busy one.
            let rested = match spoken {
                Spoken::Http1 => Box::pin(self.speak_http1(io, &lasting)).await,
                Spoken::Http2 => return Box::pin(self.speak_http2(io, &lasting)).await,
            };
            match rested {
                Some(rested) => io = rested,
                None => return,
            }
        }
    }

    /// Serves requests until the connection ends, or gives it back when it is at rest: an idle one needs none of the
    /// buffers that a request is read and answered through.
    async fn speak_http1<I>(&self, io: Watched<I>, lasting: &Lasting) -> Option<Watched<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request, lasting));
        let mut connection = self.http.http1.serve_connection(TokioIo::new(io), service);
        let mut timer = pin!(lasting.activity.timer());
        let mut drained = pin!(self.drain.cancelled());
        let mut draining = false;
        let over = poll_fn(|cx| {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(Err(ended));
            }
            if !draining && drained.as_mut().poll(cx).is_ready() {
                draining = true;
                Pin::new(&mut connection).graceful_shutdown();
                if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(Err(ended));
                }
            }
            lasting.activity.poll_over(!draining, timer.as_mut(), cx).map(Ok)
        });
        match over.await {
            Ok(Over::Rest) => {
                let parts = connection.into_parts();
                let mut io = parts.io.into_inner();
                io.unread(&parts.read_buf);
                return Some(io);
            }
            Ok(Over::Patience) => waited(&lasting.peer),
            Err(Ok(())) => {}
            Err(Err(error)) => broke_off(&error, &lasting.peer),
        }
        None
    }

    async fn speak_http2<I>(&self, io: Watched<I>, lasting: &Lasting)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request, lasting));
        let connection = self.http.http2.serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let mut expired = pin!(lasting.activity.expired());
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        broke_off(&error, &lasting.peer);
                    }
                    return;
                }
                () = expired.as_mut() => return waited(&lasting.peer),
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        lasting: &Lasting,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + use<S> {
        let running = lasting.activity.start(request.version() == Version::HTTP_2);
        let crowded = request.headers().len() > FIELDS;
        let (head_fault, last) = match lasting.findings.next() {
            Finding::Clear => (None, false),
            Finding::Last => (None, true),
            Finding::Fault(fault) => (Some(fault), true),
        };
        let (peer, received_at) = (lasting.peer.clone(), self.clock.now());
        let downstream = Downstream { request, peer, received_at, head_fault };
        let mut service = self.service.clone();
        async move {
            let _running = running;
            if crowded {
                let mut refused = Response::new(Full::default());
                *refused.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                return Ok(refused);
            }
            poll_fn(|cx| service.poll_ready(cx)).await?;
            let mut answer = service.call(downstream).await?.map(Full::new);
            if last {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(answer)
        }
    }
}

fn broke_off(error: &impl std::fmt::Display, peer: &Peer) {
    tracing::debug!(%error, peer = ?peer.socket(), "connection broke off");
}

fn waited(peer: &Peer) {
    tracing::debug!(peer = ?peer.socket(), "connection waited too long");
}

fn shown<I>(stream: &TlsStream<I>) -> Arc<[CertificateName]> {
    let chain = stream.get_ref().1.peer_certificates();
    chain.and_then(<[_]>::first).map(|own| certificate::names(own)).unwrap_or_default()
}
