//! Everything that can go wrong on the far side, as values that a test arms.
//!
//! A [`Fault`] becomes a [`Rule`] (how often, for which component, with or without the job being run) and the
//! [`Faults`] desk of a service hands rules out, first armed first.

mod desk;
mod script;

use crate::esb::EsbError;

pub use desk::{Armed, Faults, Missing};
pub(crate) use desk::{Hit, Listening};
pub(crate) use script::{After, play, script};

/// One way to fail. Unless a variant says otherwise the request is read and the job is run first; [`Rule::running`]
/// and [`Rule::without_running`] change that.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing fails: lets requests by before a later rule has its turn.
    Pass,
    /// The connection is accepted and ended (FIN) before a byte is read.
    CloseOnAccept,
    /// The connection is accepted and reset before a byte is read.
    ResetOnAccept,
    /// The connection is accepted and not read (nor shaken hands with over TLS) until released.
    HoldOnAccept,
    /// A whole good answer is sent before the request is read; the request is then read, recorded and not run.
    AnswerBeforeRead,
    /// The request is held before it is handled, until released or cleared, whether its peer stays or not. It
    /// then meets the next rule that is armed, or is answered as usual.
    HoldBeforeRun,
    /// The request is handled but not answered until released, or until the peer leaves.
    Silence,
    /// The connection is ended (FIN) instead of an answer.
    Close,
    /// The connection is reset instead of an answer.
    Reset,
    /// The ESB answers this error; the job is run only if the error leaves that open.
    Refuse(EsbError),
    /// This answer is sent instead, well framed.
    Respond {
        /// The HTTP status.
        status: u16,
        /// The value of `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// These bytes are sent instead, and the connection ends.
    Raw(Vec<u8>),
    /// An error whose message holds the app secret and the token that came with the request; not run.
    Echo(Echo),
    /// The answer ends (FIN) after so many bytes of it, head included.
    Cut(usize),
    /// The answer is reset after so many bytes of it, head included.
    CutAndReset(usize),
    /// The answer stops after so many bytes of it; the rest follows on release.
    Stall(usize),
    /// `Content-Length` is off by so much: above 0 it announces more than comes, below 0 less.
    LengthOff(i64),
    /// A chunked answer that has a `Content-Length` too.
    LengthAndChunked,
    /// A chunked answer in good order.
    Chunked,
    /// A chunked answer that ends (FIN) before its last chunk.
    ChunkedCut,
    /// So many interim answers of this status before the real one.
    Interim {
        /// A status from 100 to 199.
        status: u16,
        /// How many of them.
        count: usize,
    },
    /// `101 Switching Protocols`, then the answer.
    SwitchProtocols,
    /// The answer with another status line, written without its line end.
    StatusLine(String),
    /// A good JSON answer, blown up to so many bytes of body.
    HugeBody(u64),
    /// A chunked body that goes on until the peer leaves.
    EndlessBody,
    /// So many extra header fields, each with a value of so many bytes.
    HeaderBomb {
        /// How many fields.
        fields: usize,
        /// How long each value is.
        size: usize,
    },
    /// Extra header lines as raw bytes, line ends included.
    Header(Vec<u8>),
    /// `Content-Encoding: gzip` over a body that is none.
    GzipLabel,
    /// The answer, twice.
    Twice,
}

/// How a credential is written when it is echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// As it came.
    Plain,
    /// Each byte but letters and digits as `%XX`.
    Percent,
    /// Base64, standard alphabet with padding.
    Base64,
    /// Each character as `\uXXXX` in the JSON text.
    Escaped,
    /// As it came, with a chunk boundary inside.
    Split,
}

impl Fault {
    /// A proxy's HTML page under any status, 200 included.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let body = format!("<html><body><h1>{status}</h1><hr>nginx</body></html>\n").into_bytes();
        Self::Respond { status, content_type: "text/html", body }
    }

    /// A JSON answer with this text, whether it is JSON or not.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Respond { status, content_type: "application/json; charset=utf-8", body: body.into() }
    }

    /// HTTP 200 with no body.
    #[must_use]
    pub fn empty() -> Self {
        Self::json(200, "")
    }

    /// `result: false` with this code and message, as JOB or the ESB would say it; not run.
    #[must_use]
    pub fn refusal(code: i64, message: impl Into<String>) -> Self {
        Self::Refuse(EsbError::Other { code, message: message.into() })
    }

    /// Code 1306201 after 30 s of waiting for JOB; the job is run.
    #[must_use]
    pub fn job_timeout() -> Self {
        Self::Refuse(EsbError::JobTimeout)
    }

    /// For the next request only.
    pub fn once(self) -> Rule {
        self.times(1)
    }

    /// For the next `count` requests.
    pub fn times(self, count: usize) -> Rule {
        Rule { left: Some(count), ..Rule::from(self) }
    }

    /// Until cleared.
    pub fn always(self) -> Rule {
        Rule::from(self)
    }

    pub(crate) fn is_before_read(&self) -> bool {
        matches!(
            self,
            Self::CloseOnAccept | Self::ResetOnAccept | Self::HoldOnAccept | Self::AnswerBeforeRead
        )
    }

    fn runs(&self) -> bool {
        if let Self::Refuse(error) = self {
            error.may_have_run()
        } else {
            !matches!(self, Self::Echo(_))
        }
    }
}

/// A fault with its terms.
#[derive(Debug, Clone)]
#[must_use = "a rule does nothing until it is armed"]
pub struct Rule {
    fault: Fault,
    left: Option<usize>,
    component: Option<String>,
    runs: bool,
}

impl Rule {
    /// Only for requests whose path holds this, such as a component's name. Faults before reading know no path
    /// and never meet such a rule.
    pub fn on(mut self, component: impl Into<String>) -> Self {
        self.component = Some(component.into());
        self
    }

    /// The request is judged as usual, but JOB does nothing.
    pub fn without_running(mut self) -> Self {
        self.runs = false;
        self
    }

    /// The job is run even though the answer denies it.
    pub fn running(mut self) -> Self {
        self.runs = true;
        self
    }
}

impl Rule {
    fn meets_request(&self, target: &str) -> bool {
        !self.fault.is_before_read()
            && self.component.as_ref().is_none_or(|part| target.contains(part.as_str()))
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        let runs = fault.runs();
        Self { fault, left: None, component: None, runs }
    }
}
