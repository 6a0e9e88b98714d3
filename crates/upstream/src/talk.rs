//! One request and its answer on a connection that is theirs alone.
//!
//! The connection is driven in the caller's own future, not in a task: once that future is gone nothing
//! more can be written, so the count of bytes is final. It is used again only where that was asked for, and only
//! after an answer that was whole, with nothing behind it: whatever is wrong with an answer shall hurt no other call.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use esbgate_core::Anomaly;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, Connection, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::wire::{Allowance, Wire, Written};

const HEAD_LIMIT: usize = 64 * 1024;
const MOST_FIELDS: usize = 100;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body, within its limit.
    pub(crate) body: Bytes,
}

/// A connection that a request can be sent on.
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// Boxed: it is large, and moves with each call.
    connection: Box<Connection<TokioIo<Wire>, Full<Bytes>>>,
    written: Written,
    allowance: Allowance,
}

impl Line {
    /// Over a connection that was just opened. Nothing is written yet.
    pub(crate) async fn new(wire: Wire) -> Result<Self, Anomaly> {
        let (written, allowance) = (wire.written(), wire.allowance());
        let (sender, connection) = http1::Builder::new()
            .max_headers(MOST_FIELDS)
            .max_header_size(HEAD_LIMIT)
            .max_buf_size(HEAD_LIMIT)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|_| Anomaly::Cut)?;
        Ok(Self { sender, connection: Box::new(connection), written, allowance })
    }

    /// The count of bytes of the request.
    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Counts the bytes of another request and its answer.
    pub(crate) fn count_anew(&self) {
        self.written.reset();
        self.allowance.reset();
    }

    /// Whether it waits for a request, and nothing has come.
    pub(crate) fn is_at_rest(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.poll_without_shutdown(cx).is_pending() && self.sender.is_ready()
    }
}

/// Sends `request` and reads its answer. Has no timeout of its own. Where it is to `keep` the connection, gives it
/// back if it can be used again.
pub(crate) async fn talk(
    line: Line,
    request: Request<Full<Bytes>>,
    limit: usize,
    keep: bool,
) -> Result<(Reply, Option<Line>), Anomaly> {
    let Line { mut sender, mut connection, written, allowance } = line;
    let size = size(&request);
    // Interim answers count too. Twice, because a buffer of what follows is read along.
    allowance.grant(2 * HEAD_LIMIT);
    let reply = {
        let mut reading = pin!(read(sender.try_send_request(request), limit, &allowance));
        // First the connection, which brings what is waited for, so that one wake-up is enough for both.
        let early = poll_fn(|cx| {
            let ended = connection.poll_without_shutdown(cx).is_ready();
            match reading.as_mut().poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending if ended => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match early.await {
            Some(reply) => reply,
            None => reading.await,
        }
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(_) if allowance.is_exceeded() => return Err(Anomaly::TooLarge),
        Err(anomaly) => return Err(anomaly),
    };
    if written.bytes() < size {
        return Err(Anomaly::Early);
    }
    let mut line = Line { sender, connection, written, allowance };
    if keep && poll_fn(|cx| Poll::Ready(line.is_at_rest(cx))).await {
        return Ok((reply, Some(line)));
    }
    let parts = line.connection.into_parts();
    // Bytes after the answer mean that its length, or the answer itself, is not to be believed.
    if parts.read_buf.is_empty() && is_over(&mut parts.io.into_inner()).await {
        Ok((reply, None))
    } else {
        Err(Anomaly::Surplus)
    }
}

async fn read(
    sent: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>>>,
    limit: usize,
    allowance: &Allowance,
) -> Result<Reply, Anomaly> {
    let (head, body) = sent.await.map_err(|error| anomaly(error.error()))?.into_parts();
    check(head.status, &head.headers)?;
    let body = read_body(body, limit, allowance).await?;
    Ok(Reply { status: head.status, body })
}

async fn read_body(
    mut body: Incoming,
    limit: usize,
    allowance: &Allowance,
) -> Result<Bytes, Anomaly> {
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(Anomaly::TooLarge);
    }
    allowance.grant(2 * HEAD_LIMIT);
    // Never reserved by what the answer announces.
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| anomaly(&error))?.into_data() else { continue };
        if data.len() > limit.saturating_sub(whole.len()) {
            return Err(Anomaly::TooLarge);
        }
        // A quarter for the frames of chunks: no server sends a body by the byte.
        allowance.grant(data.len() + data.len() / 4);
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// What hyper takes and a careful client does not.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), Anomaly> {
    // We never ask for another protocol, so nobody may offer one (CVE-2024-23326).
    if status == StatusCode::SWITCHING_PROTOCOLS || headers.contains_key(UPGRADE) {
        return Err(Anomaly::Upgrade);
    }
    // RFC 9112 §6.3: both together are an error, and so is a coding before `chunked` that was not asked
    // for. Equal lengths said twice are one length (RFC 9110 §8.6).
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !chunked || codings.next().is_some() || headers.contains_key(CONTENT_LENGTH) {
            return Err(Anomaly::Framing);
        }
    }
    let identity = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        Ok(())
    } else {
        Err(Anomaly::Encoded)
    }
}

fn anomaly(error: &hyper::Error) -> Anomaly {
    if error.is_parse() { Anomaly::Head } else { Anomaly::Cut }
}

/// The fewest bytes that `request` can be written in.
fn size(request: &Request<Full<Bytes>>) -> u64 {
    let line = request.method().as_str().len() + " HTTP/1.1\r\n".len() + 1;
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let head = line + target + fields.sum::<usize>() + "\r\n".len();
    u64::try_from(head).unwrap_or(u64::MAX).saturating_add(request.body().size_hint().lower())
}

/// Whether nothing more has arrived. Does not wait: a peer that closes late has still answered.
async fn is_over(wire: &mut Wire) -> bool {
    poll_fn(|cx| {
        let mut space = [0; 1];
        let mut space = ReadBuf::new(&mut space);
        let read: Poll<io::Result<()>> = Pin::new(&mut *wire).poll_read(cx, &mut space);
        Poll::Ready(!matches!(read, Poll::Ready(Ok(()))) || space.filled().is_empty())
    })
    .await
}
