//! One request, as it came: its bytes, and where its parts lie in them.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::history::Resolved;

/// Bodies above this are refused: `DATA_UPLOAD_MAX_MEMORY_SIZE` of the ESB.
pub(crate) const BODY_LIMIT: usize = 10_485_760;
const FIELD_COUNT_LIMIT: usize = 100;
const FIELD_LIMIT: usize = 8190;
const REQUEST_LINE_LIMIT: usize = 4094;
const HEAD_LIMIT: usize = FIELD_COUNT_LIMIT * (FIELD_LIMIT + 2) + REQUEST_LINE_LIMIT + 4;
const FIRST_BUFFER: usize = 4096;

/// One request that reached the stand-in, byte for byte.
pub struct Request {
    bytes: Vec<u8>,
    head: usize,
    /// The head with continuation lines joined; only there if it had any.
    unfolded: Option<Vec<u8>>,
    method: Range<usize>,
    target: Range<usize>,
    fields: Vec<(Range<usize>, Range<usize>)>,
    unread: bool,
    resolved: OnceLock<Resolved>,
}

/// Why a connection gives no (further) request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadFault {
    /// The peer left between two requests.
    Left,
    /// The peer left in the middle of one.
    Broken,
    /// Answered with an HTML page by the server, before any application sees it.
    Refused(&'static str),
}

impl Request {
    /// The method as it was written.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.part(&self.method)).unwrap_or_default()
    }

    /// The request target as it was written, query included.
    #[must_use]
    pub fn target(&self) -> &str {
        std::str::from_utf8(self.part(&self.target)).unwrap_or_default()
    }

    /// Every byte from the request line to the empty line.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.bytes.get(..self.head).unwrap_or_default()
    }

    /// The bytes that `Content-Length` announced.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.head..).unwrap_or_default()
    }

    /// Names and values in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| {
            (std::str::from_utf8(self.part(name)).unwrap_or_default(), self.part(value))
        })
    }

    /// The values of one header, its name compared without case.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers()
            .filter(move |(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// What the ESB made of it; none if it was refused before that, or is still held by a fault.
    #[must_use]
    pub fn resolved(&self) -> Option<&Resolved> {
        self.resolved.get()
    }

    pub(crate) fn resolve(&self, resolved: Resolved) {
        // A second resolution would be the same: a request is handled once.
        drop(self.resolved.set(resolved));
    }

    /// What a WSGI application sees under a name: `_` and `-` are one letter, several values are joined by `,`.
    pub(crate) fn environ(&self, name: &str) -> Option<Vec<u8>> {
        let same = |each: &str| {
            each.len() == name.len()
                && each.bytes().zip(name.bytes()).all(|(one, other)| fold(one) == fold(other))
        };
        let mut values = self.headers().filter(|(each, _)| same(each)).map(|(_, value)| value);
        let mut joined = values.next()?.to_vec();
        for value in values {
            joined.push(b',');
            joined.extend_from_slice(value);
        }
        Some(joined)
    }

    /// Whether bytes of it may still lie unread on the connection.
    pub(crate) fn has_unread_bytes(&self) -> bool {
        self.unread
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.unfolded.as_ref().unwrap_or(&self.bytes).get(range.clone()).unwrap_or_default()
    }
}

/// Without the bytes, because they hold credentials.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.target().split('?').next())
            .field("head_bytes", &self.head().len())
            .field("body_bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}

fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// Reads the next request; what came after it stays in `buffer`.
pub(crate) async fn read<W>(wire: &mut W, buffer: &mut Vec<u8>) -> Result<Request, ReadFault>
where
    W: AsyncRead + AsyncWrite + Unpin,
{
    let head = read_head(wire, buffer).await?;
    let mut request = parse(buffer, head)?;
    request.bytes = std::mem::take(buffer);
    let end = head + body_length(&request)?;
    if request.header("expect").any(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        let go_on = wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        go_on.map_err(|_| ReadFault::Broken)?;
    }
    request.bytes.reserve(end.saturating_sub(request.bytes.len()));
    while request.bytes.len() < end {
        fill(wire, &mut request.bytes).await?;
    }
    *buffer = request.bytes.split_off(end);
    request.unread = !buffer.is_empty() || request.header("transfer-encoding").next().is_some();
    Ok(request)
}

async fn read_head<W>(wire: &mut W, buffer: &mut Vec<u8>) -> Result<usize, ReadFault>
where
    W: AsyncRead + Unpin,
{
    let mut seen = 0;
    loop {
        let from = buffer.get(seen..).unwrap_or_default();
        if let Some(end) = from.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(seen + end + 4);
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(ReadFault::Refused("Request Header Fields Too Large"));
        }
        seen = buffer.len().saturating_sub(3);
        if buffer.capacity() == buffer.len() {
            buffer.reserve(FIRST_BUFFER);
        }
        fill(wire, buffer).await?;
    }
}

async fn fill<W: AsyncRead + Unpin>(wire: &mut W, buffer: &mut Vec<u8>) -> Result<(), ReadFault> {
    match wire.read_buf(buffer).await {
        Ok(0) | Err(_) if buffer.is_empty() => Err(ReadFault::Left),
        Ok(0) | Err(_) => Err(ReadFault::Broken),
        Ok(_) => Ok(()),
    }
}

fn parse(buffer: &[u8], head: usize) -> Result<Request, ReadFault> {
    let raw = buffer.get(..head).unwrap_or_default();
    let unfolded = unfold(raw);
    let text = unfolded.as_deref().unwrap_or(raw);
    let mut slots = [httparse::EMPTY_HEADER; FIELD_COUNT_LIMIT];
    let mut parsed = httparse::Request::new(&mut slots);
    match parsed.parse(text) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(ReadFault::Refused("Invalid HTTP request")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(ReadFault::Refused("limit request headers fields"));
        }
        Err(_) => return Err(ReadFault::Refused("Invalid HTTP request")),
    }
    let within = |part: &[u8]| {
        let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        start..start + part.len()
    };
    let method = parsed.method.unwrap_or_default();
    let target = parsed.path.unwrap_or_default();
    check_request_line(text, method)?;
    let mut fields = Vec::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        if field.name.len() + field.value.len() + 2 > FIELD_LIMIT {
            return Err(ReadFault::Refused("limit request headers fields size"));
        }
        fields.push((within(field.name.as_bytes()), within(field.value)));
    }
    let (method, target) = (within(method.as_bytes()), within(target.as_bytes()));
    let (bytes, resolved) = (Vec::new(), OnceLock::new());
    Ok(Request { bytes, head, unfolded, method, target, fields, unread: false, resolved })
}

fn check_request_line(text: &[u8], method: &str) -> Result<(), ReadFault> {
    let line = text.split(|byte| *byte == b'\r').find(|line| !line.iter().all(|b| *b == b'\n'));
    if line.unwrap_or_default().len() > REQUEST_LINE_LIMIT {
        return Err(ReadFault::Refused("Request Line is too large"));
    }
    // gunicorn's own pattern, whose range from `$` to `_` has capitals but no small letters.
    if !(3..=20).contains(&method.len()) || !method.bytes().all(|b| (b'$'..=b'_').contains(&b)) {
        return Err(ReadFault::Refused("Invalid Method"));
    }
    Ok(())
}

/// Joins continuation lines without moving a byte, so that every range holds for the raw head too.
fn unfold(raw: &[u8]) -> Option<Vec<u8>> {
    let is_fold = |three: &[u8]| matches!(three, [b'\r', b'\n', b' ' | b'\t']);
    raw.windows(3).position(is_fold)?;
    let mut joined = raw.to_vec();
    for at in 0..joined.len() {
        if let Some([one, two, b' ' | b'\t']) = joined.get_mut(at..at + 3)
            && (*one, *two) == (b'\r', b'\n')
        {
            (*one, *two) = (b' ', b' ');
        }
    }
    Some(joined)
}

/// The last `Content-Length` wins, whatever else the head says.
fn body_length(request: &Request) -> Result<usize, ReadFault> {
    let Some(last) = request.header("content-length").last() else { return Ok(0) };
    let length = std::str::from_utf8(last).ok().and_then(|text| text.trim().parse::<usize>().ok());
    match length {
        None => Err(ReadFault::Refused("Invalid HTTP Header: 'CONTENT-LENGTH'")),
        Some(length) if length > BODY_LIMIT => Err(ReadFault::Refused("Request body too large")),
        Some(length) => Ok(length),
    }
}
