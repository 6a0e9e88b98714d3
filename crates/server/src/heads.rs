//! Reads the heads of an HTTP/1 connection as raw bytes, beside the HTTP library.
//!
//! The library repairs what it reads: it drops a `Content-Length` beside `Transfer-Encoding`, joins equal
//! ones, takes a bare LF for a line end and cuts a fragment off, and no service can see that it did. A
//! proxy in front of the gateway may have read the same bytes another way, so each of these is refused.
//!
//! To know where the next head begins, a body is followed by its `Content-Length`. A chunked one is not
//! followed: its request is the last of its connection, so nothing behind it is ever taken for a head.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use esbgate_core::HeadFault;

use crate::raw_head::{Framing, RawHead};

/// What a client of HTTP/2 sends first (RFC 9113 §3.4); such a connection has no heads in raw form.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is known of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It has one reading, and the next head will be read too.
    Clear,
    /// It has one reading, and what follows its body is not read.
    Last,
    /// It has several readings.
    Fault(HeadFault),
}

/// The findings of one connection. Requests reach the service in the order of their heads, one at a time,
/// and never before all bytes of the head were read here.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    served: AtomicU64,
    /// The head at which reading stopped, counted from 0, and what it is.
    stop: OnceLock<(u64, Finding)>,
}

impl Findings {
    /// What is known of the head whose request reached the service next.
    pub(crate) fn next(&self) -> Finding {
        // `Relaxed`: one task reads and serves a connection.
        let head = self.served.fetch_add(1, Ordering::Relaxed);
        match self.stop.get() {
            Some((stop, finding)) if head == *stop => *finding,
            Some((stop, _)) if head > *stop => Finding::Fault(HeadFault::Line),
            Some(_) | None => Finding::Clear,
        }
    }
}

/// Reads the heads of one connection, in whatever pieces they come.
#[derive(Debug)]
pub(crate) struct Heads {
    place: Place,
    head: RawHead,
    /// Heads that were whole.
    whole: u64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// So many bytes of what may be the preface of HTTP/2 have come.
    Preface(usize),
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    /// Behind a head of two readings or with a chunked body: nothing is read any more.
    Stopped,
    /// The connection speaks HTTP/2.
    Http2,
}

impl Default for Heads {
    fn default() -> Self {
        Self { place: Place::Preface(0), head: RawHead::default(), whole: 0 }
    }
}

impl Heads {
    /// Reads bytes that the HTTP library is about to get.
    pub(crate) fn read(&mut self, mut bytes: &[u8], findings: &Findings) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.place {
                Place::Stopped | Place::Http2 => return,
                Place::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(here..).unwrap_or_default();
                    self.follow(left - here as u64);
                    continue;
                }
                Place::Preface(known) if PREFACE.get(known) == Some(&byte) => {
                    let whole = known + 1 == PREFACE.len();
                    self.place = if whole { Place::Http2 } else { Place::Preface(known + 1) };
                }
                Place::Preface(known) => {
                    self.place = Place::Head;
                    self.read(PREFACE.get(..known).unwrap_or_default(), findings);
                    continue;
                }
                Place::Head => {
                    let plain = self.head.plain(bytes);
                    if plain > 0 {
                        bytes = bytes.get(plain..).unwrap_or_default();
                        continue;
                    }
                    self.push(byte, findings);
                }
            }
            bytes = rest;
        }
    }

    /// Whether bytes of a request that was begun may still be on their way.
    pub(crate) fn awaits_more(&self) -> bool {
        match self.place {
            Place::Body(_) | Place::Stopped => true,
            Place::Preface(_) | Place::Head | Place::Http2 => false,
        }
    }

    fn push(&mut self, byte: u8, findings: &Findings) {
        match self.head.push(byte) {
            Ok(None) => {}
            Ok(Some(Framing::Length(length))) => {
                self.head = RawHead::default();
                self.whole += 1;
                self.follow(length);
            }
            Ok(Some(Framing::Chunked)) => self.stop(Finding::Last, findings),
            Err(fault) => self.stop(Finding::Fault(fault), findings),
        }
    }

    fn follow(&mut self, length: u64) {
        self.place = if length == 0 { Place::Head } else { Place::Body(length) };
    }

    fn stop(&mut self, finding: Finding, findings: &Findings) {
        self.place = Place::Stopped;
        // The first one holds, and there is no second.
        findings.stop.get_or_init(|| (self.whole, finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
    const POST: &str = "POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\na\n#";
    const CHUNKED: &str = "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    const TWICE: &str = "POST /a HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc";

    /// The findings of `count` heads, however the bytes were cut in two.
    fn findings(bytes: &[u8], count: usize) -> Vec<Finding> {
        let cut = |at: usize| {
            let (mut heads, findings) = (Heads::default(), Findings::default());
            let (before, after) = bytes.split_at(at);
            heads.read(before, &findings);
            heads.read(after, &findings);
            (0..count).map(|_| findings.next()).collect::<Vec<_>>()
        };
        let whole = cut(0);
        for at in 0..bytes.len() {
            assert_eq!(cut(at), whole, "cut at {at}");
        }
        whole
    }

    #[test]
    fn each_head_is_found_behind_the_body_before_it() {
        let fault = Finding::Fault(HeadFault::Length);
        let clear = Finding::Clear;
        for (parts, expected) in [
            (&[GET, GET, POST, GET] as &[&str], &[clear; 4] as &[Finding]),
            (&[POST, GET, TWICE, GET], &[clear, clear, fault]),
            (&[TWICE], &[fault]),
            (&[POST, CHUNKED, "GET"], &[clear, Finding::Last]),
            (
                &["PRI * HTTP/2.0\r\n\r\nSx y z HTTP/1.1\r\n"],
                &[clear, Finding::Fault(HeadFault::Line)],
            ),
            (&["POST /a HTTP/1.1\nhost: x\n\n"], &[Finding::Fault(HeadFault::Line)]),
        ] {
            let bytes = parts.concat();
            assert_eq!(findings(bytes.as_bytes(), expected.len()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_behind_a_stop_is_clear() {
        let after = [CHUNKED, GET].concat();
        assert_eq!(findings(after.as_bytes(), 2)[1], Finding::Fault(HeadFault::Line));
    }

    #[test]
    fn frames_of_http_2_are_no_heads() {
        let bytes = [PREFACE.as_slice(), b"\0\0\0\x04\0\0\0\0\0\n#"].concat();
        assert_eq!(findings(&bytes, 3), [Finding::Clear; 3]);
    }
}
