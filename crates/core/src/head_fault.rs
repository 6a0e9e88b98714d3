//! What is wrong with the raw bytes of a head: things that an HTTP library repairs or drops before
//! anybody can judge them.

use esbgate_model::{Code, Faults, Rule};

use crate::Rejection;

/// Why a head has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// Other than one `Content-Length` of digits, or one beside `Transfer-Encoding` (RFC 9112 §6.3).
    Length,
    /// Other than one `Transfer-Encoding` that is `chunked`.
    Coding,
    /// A fragment in the target, which no client sends (RFC 9112 §3.2).
    Fragment,
    /// A line that does not end in CRLF, is folded, has a control byte, or no colon right behind a name;
    /// or a request line that is not three words with one blank between them.
    Line,
}

impl From<HeadFault> for Rejection {
    fn from(fault: HeadFault) -> Self {
        let (code, path, expected) = match fault {
            HeadFault::Length => (Code::BadFraming, "content-length", "one Content-Length alone"),
            HeadFault::Coding => (Code::BadFraming, "transfer-encoding", "`chunked` alone"),
            HeadFault::Fragment => (Code::BadHeader, "target", "no fragment"),
            HeadFault::Line => {
                (Code::BadHeader, "head", "lines that end in CRLF, no folds, no control bytes")
            }
        };
        let faults = Box::new(Faults::one(path, Rule::Header { expected }));
        Self::Malformed { code, faults }
    }
}
