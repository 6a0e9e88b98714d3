//! The stream of a connection, between the socket or TLS and the HTTP library: what arrives is noticed and
//! read for heads, and the end is gentle.
//!
//! It outlives the library's state of a connection: its first bytes say which protocol is spoken before there is such
//! a state, and an idle connection goes on without one.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    activity::Activity,
    heads::{Findings, Heads, PREFACE},
};

pin_project! {
    /// A stream whose arriving bytes are noticed, and read for heads.
    #[derive(Debug)]
    pub(crate) struct Watched<I> {
        #[pin]
        inner: I,
        activity: Arc<Activity>,
        heads: Heads,
        findings: Arc<Findings>,
        // Bytes that were read before there was anybody to read them, and how many of them are taken.
        ahead: Vec<u8>,
        taken: usize,
        // Nothing is written any more.
        ended: bool,
    }
}

/// What a client speaks, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}

impl<I> Watched<I> {
    pub(crate) fn new(inner: I, activity: Arc<Activity>, findings: Arc<Findings>) -> Self {
        Self {
            inner,
            activity,
            heads: Heads::default(),
            findings,
            ahead: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    /// Gives bytes back that somebody has read and not used.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        self.ahead = bytes.to_vec();
        self.taken = 0;
    }
}

impl<I: AsyncRead + Unpin> Watched<I> {
    /// Waits for the first bytes; none if the client ends without one.
    pub(crate) async fn begin(&mut self) -> io::Result<Option<Spoken>> {
        loop {
            match PREFACE.strip_prefix(self.ahead.as_slice()) {
                Some([]) => return Ok(Some(Spoken::Http2)),
                // So far it may be either.
                Some(missing) => {
                    let mut space = [0; PREFACE.len()];
                    let space = space.get_mut(..missing.len()).unwrap_or_default();
                    let mut space = ReadBuf::new(space);
                    poll_fn(|cx| self.poll_arriving(cx, &mut space)).await?;
                    if space.filled().is_empty() {
                        return Ok((!self.ahead.is_empty()).then_some(Spoken::Http1));
                    }
                    self.ahead.extend_from_slice(space.filled());
                }
                None => return Ok(Some(Spoken::Http1)),
            }
        }
    }

    fn poll_arriving(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if !arrived.is_empty() {
            self.activity.noticed();
            self.heads.read(arrived, &self.findings);
        }
        polled
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let ahead = this.ahead.get(this.taken..).unwrap_or_default();
        if ahead.is_empty() {
            return this.poll_arriving(cx, buffer);
        }
        let fits = ahead.len().min(buffer.remaining());
        buffer.put_slice(ahead.get(..fits).unwrap_or_default());
        this.taken += fits;
        if this.taken == this.ahead.len() {
            (this.ahead, this.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.activity.writes(true);
        this.inner.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.activity.writes(true);
        this.inner.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// The library flushes once it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        ready!(this.inner.poll_flush(cx))?;
        this.activity.writes(false);
        Poll::Ready(Ok(()))
    }

    /// Ends the answers; then, where a body was not read to its end, throws away what still comes until
    /// the peer closes too. Closing at once would reset the connection, and a peer that is still sending
    /// may lose the answer that says why it should not (RFC 9112 §9.6). [`Activity::expired`] ends this.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        if !*this.ended {
            ready!(this.inner.as_mut().poll_shutdown(cx))?;
            *this.ended = true;
        }
        let mut scrap = [0; 4096];
        while this.heads.awaits_more() {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = ready!(this.inner.as_mut().poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
