//! An answer before it meets the wire, and the one place that writes heads.

use std::io::Write as _;

use crate::clock;

/// An answer of the ESB, of the login service or of the server before them.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// An answer to HEAD says how long its body would be and sends none.
    pub(crate) bodiless: bool,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: "application/json; charset=utf-8", body, bodiless: false }
    }

    pub(crate) fn html(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: "text/html; charset=utf-8", body, bodiless: false }
    }

    /// The page with which the server refuses what it does not take for HTTP.
    pub(crate) fn bad_request(why: &str) -> Self {
        let page = format!(
            "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n    \
             <h1><p>Bad Request</p></h1>\n    {why}\n  </body>\n</html>\n"
        );
        Self::html(400, page.into_bytes())
    }

    /// Head and body in one piece.
    pub(crate) fn encode(&self, keep_alive: bool) -> Vec<u8> {
        let mut bytes = self.head(keep_alive, &Framing::Length(self.body.len()), b"");
        if !self.bodiless {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head alone, with any framing and with `extra` lines (each with its line end) before the last.
    pub(crate) fn head(&self, keep_alive: bool, framing: &Framing, extra: &[u8]) -> Vec<u8> {
        let mut head = Vec::with_capacity(320 + self.body.len() + extra.len());
        let connection = if keep_alive { "keep-alive" } else { "close" };
        // Writing to a Vec cannot fail.
        let _written = write!(
            head,
            "HTTP/1.1 {} {}\r\nServer: gunicorn/19.9.0\r\nDate: {}\r\nConnection: {connection}\r\n\
             Content-Type: {}\r\nVary: Accept-Language, Cookie\r\nX-Frame-Options: SAMEORIGIN\r\n\
             Content-Language: en\r\n",
            self.status,
            reason(self.status),
            clock::http_date(clock::now_millis()),
            self.content_type,
        );
        let _written = match framing {
            Framing::Length(length) => write!(head, "Content-Length: {length}\r\n"),
            Framing::Chunked => write!(head, "Transfer-Encoding: chunked\r\n"),
            Framing::Both(length) => {
                write!(head, "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n")
            }
        };
        head.extend_from_slice(extra);
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// How an answer says where its body ends; the real ones always give a length.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    Both(usize),
}

/// One chunk of a chunked body.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        _ => "Unknown",
    }
}
