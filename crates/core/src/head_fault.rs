//! What is wrong with the raw bytes of a head: things that an HTTP library repairs or drops before
//! anybody can judge them.

use esbgate_model::{Code, Faults, Rule, Text};

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
            HeadFault::Length => (
                Code::BadFraming,
                "content-length",
                Text { en: "one Content-Length alone", zh: "应仅有一个 Content-Length" },
            ),
            HeadFault::Coding => (
                Code::BadFraming,
                "transfer-encoding",
                Text { en: "`chunked` alone", zh: "应仅为 `chunked`" },
            ),
            HeadFault::Fragment => {
                (Code::BadHeader, "target", Text { en: "no fragment", zh: "不应带片段（#）" })
            }
            HeadFault::Line => (
                Code::BadHeader,
                "head",
                Text {
                    en: "lines that end in CRLF, no folds, no control bytes",
                    zh: "每行应以 CRLF 结尾，不折行，不含控制字符",
                },
            ),
        };
        let faults = Box::new(Faults::one(path, Rule::Header { expected }));
        Self::Malformed { code, faults }
    }
}
