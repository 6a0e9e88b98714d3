//! The stream of a connection, between the socket or TLS and the HTTP library: what arrives is noticed and
//! read for heads, and the end is gentle.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    activity::Activity,
    heads::{Findings, Heads},
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
        // Nothing is written any more.
        ended: bool,
    }
}

impl<I> Watched<I> {
    pub(crate) fn new(inner: I, activity: Arc<Activity>, findings: Arc<Findings>) -> Self {
        Self { inner, activity, heads: Heads::default(), findings, ended: false }
    }
}

impl<I: AsyncRead> AsyncRead for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let polled = this.inner.poll_read(cx, buffer);
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if !arrived.is_empty() {
            this.activity.noticed();
            this.heads.read(arrived, this.findings);
        }
        polled
    }
}

impl<I: AsyncRead + AsyncWrite> AsyncWrite for Watched<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
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
