//! One request and its answer on a connection of their own.
//!
//! The connection is driven in the caller's own future, not in a task: once that future is gone nothing
//! more can be written, so the count of bytes is final.

use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_ENCODING};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;

use crate::wire::Wire;

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

/// No whole answer: cut, too large, encoded, not HTTP, or more than one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Sends `request` and reads its answer. Has no timeout of its own.
pub(crate) async fn talk(
    wire: Wire,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Reply, Broken> {
    let (mut sender, mut connection) = http1::Builder::new()
        .max_headers(MOST_FIELDS)
        .max_header_size(HEAD_LIMIT)
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|_| Broken)?;
    let mut reading = pin!(read(sender.try_send_request(request), limit));
    let early = {
        let driving = poll_fn(|cx| connection.poll_without_shutdown(cx));
        tokio::select! {
            biased;
            reply = &mut reading => Some(reply),
            _ = driving => None,
        }
    };
    // Bytes after the answer mean that its length, or the answer itself, is not to be believed.
    let rest = connection.into_parts().read_buf;
    let reply = match early {
        Some(reply) => reply?,
        None => reading.await?,
    };
    if rest.is_empty() { Ok(reply) } else { Err(Broken) }
}

async fn read<E>(
    sent: impl Future<Output = Result<Response<Incoming>, E>>,
    limit: usize,
) -> Result<Reply, Broken> {
    let (head, body) = sent.await.map_err(|_| Broken)?.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS || is_encoded(&head.headers) {
        return Err(Broken);
    }
    let body = Limited::new(body, limit).collect().await.map_err(|_| Broken)?.to_bytes();
    Ok(Reply { status: head.status, body })
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let identity = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !identity(value))
}
