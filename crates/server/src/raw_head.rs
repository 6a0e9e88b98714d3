//! One head of HTTP/1, byte by byte, held to a single reading. Keeps no bytes of it.

use esbgate_core::HeadFault;

const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";
const CHUNKED: &[u8] = b"chunked";

/// How a whole head says that its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes; after none where there is no `Content-Length`.
    Length(u64),
    /// With its last chunk.
    Chunked,
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(crate) struct RawHead {
    place: Place,
    /// Blanks of the request line.
    blanks: u8,
    name: Name,
    value: Value,
    length: Option<u64>,
    chunked: bool,
}

/// Where in a head the next byte stands.
#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Before the request line. Empty lines are skipped (RFC 9112 §2.2).
    #[default]
    Start,
    /// Behind the CR of such an empty line.
    StartEnd,
    RequestLine,
    /// Before a field, or before the empty line that ends the head.
    Line,
    Name,
    Value,
    /// Behind the CR of a line.
    LineEnd,
    /// Behind the CR of the empty line.
    HeadEnd,
}

impl RawHead {
    /// Reads one more byte. Says how the body ends once the head is whole.
    pub(crate) fn push(&mut self, byte: u8) -> Result<Option<Framing>, HeadFault> {
        self.place = match (self.place, byte) {
            (Place::Start, b'\r') => Place::StartEnd,
            (Place::StartEnd, b'\n') => Place::Start,
            (Place::Start | Place::RequestLine, _) => self.request_line(byte)?,
            (Place::LineEnd, b'\n') => Place::Line,
            (Place::Line, b'\r') => Place::HeadEnd,
            (Place::Line, _) if is_token(byte) => {
                self.name = Name::default();
                self.name.push(byte);
                Place::Name
            }
            (Place::Name, _) if is_token(byte) => {
                self.name.push(byte);
                Place::Name
            }
            (Place::Name, b':') => {
                self.value = Value::of(&self.name);
                Place::Value
            }
            (Place::Value, b'\r') => {
                self.keep_value()?;
                Place::LineEnd
            }
            (Place::Value, _) if is_text(byte) => {
                self.value.push(byte)?;
                Place::Value
            }
            (Place::HeadEnd, b'\n') if self.chunked => return Ok(Some(Framing::Chunked)),
            (Place::HeadEnd, b'\n') => {
                return Ok(Some(Framing::Length(self.length.unwrap_or_default())));
            }
            _ => return Err(HeadFault::Line),
        };
        Ok(None)
    }

    /// How many of these bytes change nothing: most of a head is text of fields that say nothing about
    /// the body.
    pub(crate) fn plain(&self, bytes: &[u8]) -> usize {
        match (self.place, &self.value) {
            (Place::Value, Value::Other) => text(bytes),
            (Place::Line, _) => plain_lines(bytes),
            (Place::RequestLine, _) => {
                let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
                bytes.iter().position(|byte| !plain(byte)).unwrap_or(bytes.len())
            }
            _ => 0,
        }
    }

    fn request_line(&mut self, byte: u8) -> Result<Place, HeadFault> {
        match byte {
            b'\r' if self.blanks == 2 => return Ok(Place::LineEnd),
            b'#' => return Err(HeadFault::Fragment),
            b' ' if self.blanks < 2 => self.blanks += 1,
            _ if byte.is_ascii_graphic() || !byte.is_ascii() => {}
            _ => return Err(HeadFault::Line),
        }
        Ok(Place::RequestLine)
    }

    fn keep_value(&mut self) -> Result<(), HeadFault> {
        match &self.value {
            Value::Other => {}
            Value::Length { number, .. } => {
                let number = number.filter(|_| self.length.is_none() && !self.chunked);
                self.length = Some(number.ok_or(HeadFault::Length)?);
            }
            Value::Coding { known, .. } => {
                if self.length.is_some() {
                    return Err(HeadFault::Length);
                }
                if self.chunked || *known < CHUNKED.len() {
                    return Err(HeadFault::Coding);
                }
                self.chunked = true;
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_text(*byte)).unwrap_or(bytes.len())
}

/// The length of the whole lines that `bytes` begin with, as far as each is one plain field.
fn plain_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(line) = bytes.get(at..).and_then(plain_line) {
        at += line;
    }
    at
}

/// The length of the first line, if it is a whole field that says nothing about the body.
fn plain_line(bytes: &[u8]) -> Option<usize> {
    let name = bytes.iter().position(|byte| !is_token(*byte))?;
    // By their length alone names that might say something are left to be read byte by byte.
    if name == 0 || name == LENGTH.len() || name == CODING.len() {
        return None;
    }
    let value = bytes.get(name..)?.strip_prefix(b":")?;
    let end = text(value);
    value.get(end..)?.starts_with(b"\r\n").then_some(name + 1 + end + 2)
}

/// RFC 9110 §5.5.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'#'..=b'\''
        | b'*' | b'+' | b'^' | b'`' | b'|' | b'~')
}

/// The name of a field, as far as it may be one that says how the body ends.
#[derive(Debug, Default)]
struct Name {
    lower: [u8; CODING.len()],
    len: usize,
}

impl Name {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.lower.get_mut(self.len) {
            *place = byte.to_ascii_lowercase();
        }
        self.len += 1;
    }

    fn is(&self, name: &[u8]) -> bool {
        self.lower.get(..self.len) == Some(name)
    }
}

/// What the value of a field has said so far.
#[derive(Debug, Default)]
enum Value {
    /// Nothing about the body.
    #[default]
    Other,
    Length {
        number: Option<u64>,
        /// Blanks follow the digits.
        ended: bool,
    },
    Coding {
        /// Bytes of `chunked`.
        known: usize,
        /// Blanks follow them.
        ended: bool,
    },
}

impl Value {
    fn of(name: &Name) -> Self {
        if name.is(LENGTH) {
            Self::Length { number: None, ended: false }
        } else if name.is(CODING) {
            Self::Coding { known: 0, ended: false }
        } else {
            Self::Other
        }
    }

    fn push(&mut self, byte: u8) -> Result<(), HeadFault> {
        let blank = byte == b' ' || byte == b'\t';
        match self {
            Self::Other => {}
            Self::Length { number, ended } if blank => *ended = number.is_some(),
            Self::Coding { known, ended } if blank => *ended = *known > 0,
            Self::Length { number, ended } => {
                let digit = byte.is_ascii_digit() && !*ended;
                let next = number.unwrap_or_default().checked_mul(10);
                let next = next.and_then(|tens| tens.checked_add(u64::from(byte & 0x0f)));
                *number = Some(next.filter(|_| digit).ok_or(HeadFault::Length)?);
            }
            Self::Coding { known, ended } => {
                let expected = CHUNKED.get(*known).filter(|_| !*ended);
                if expected != Some(&byte.to_ascii_lowercase()) {
                    return Err(HeadFault::Coding);
                }
                *known += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
