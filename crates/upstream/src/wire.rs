//! A connection that counts the bytes of the call that may have left, the one fact that tells *sent* from
//! *not sent*, and the bytes of the answer, which have a limit.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// How many bytes of the call may have left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<AtomicU64>);

impl Written {
    /// Another request is to be counted.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// The number. Final once the connection is dropped or waits for another request.
    pub(crate) fn bytes(&self) -> u64 {
        // `Relaxed`: one task writes and reads; the count guards no other memory.
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// How many bytes may still be read. Counted on the wire, so that nothing between two parts of an answer is
/// free: interim answers, chunk extensions, trailers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowance(Arc<AtomicI64>);

impl Allowance {
    /// Lets so many more be read.
    pub(crate) fn grant(&self, bytes: usize) {
        self.0.fetch_add(i64::try_from(bytes).unwrap_or(i64::MAX / 4), Ordering::Relaxed);
    }

    /// Another answer is to be counted.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether more were read than were granted. Such a read has failed.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) < 0
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        self.0.fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX / 4), Ordering::Relaxed);
        if self.is_exceeded() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An open connection and its count. The TLS handshake is no part of a call and is not counted.
pub(crate) struct Wire {
    stream: Stream,
    written: Written,
    allowance: Allowance,
}

impl Wire {
    /// Over TCP.
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self::over(Stream::Plain(stream))
    }

    /// Over TLS, shaken hands.
    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::over(Stream::Tls(Box::new(stream)))
    }

    fn over(stream: Stream) -> Self {
        Self { stream, written: Written::default(), allowance: Allowance::default() }
    }

    /// The count, which outlives the connection.
    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }

    /// How much of an answer is read; nothing until it is granted.
    pub(crate) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    fn count(&self, polled: &Poll<io::Result<usize>>, offered: usize) {
        match (polled, &self.stream) {
            (Poll::Ready(Ok(bytes)), _) => self.written.add(*bytes),
            // Records of this very text may have left before a later one failed.
            (Poll::Ready(Err(_)), Stream::Tls(_)) => self.written.add(offered),
            (Poll::Ready(Err(_)), Stream::Plain(_)) | (Poll::Pending, _) => {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let read = buf.filled().len().saturating_sub(before);
        ready!(polled)?;
        Poll::Ready(self.allowance.spend(read))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.count(&polled, buf.len());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        self.count(&polled, bufs.iter().map(|buf| buf.len()).sum());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
