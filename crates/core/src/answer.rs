//! What the upstream makes of a request: the fate of the call, together with everything that has to be
//! settled. Until the call departs, dropping it releases all of that; afterwards only settling ends it.

use std::sync::Arc;

use esbgate_model::{Component, dialect::Answer};

use crate::{BodyPermit, Ticket, Trace, policy::App, room::Room, toll::Paid};

/// Why no byte of a call left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// No endpoint takes connections.
    #[error("connection refused")]
    Refused,
    /// No connection in time.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The handshake failed.
    #[error("tls handshake failed")]
    Tls,
    /// The connection closed before a byte was written.
    #[error("connection closed before sending")]
    Closed,
}

/// Why a call that departed has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// None in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came was no answer.
    #[error("{0}")]
    Broken(Anomaly),
}

/// What was wrong with what came in place of an answer. For the log; a caller is told the same of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Anomaly {
    /// The connection ended first, or a chunk is none.
    #[error("the answer broke off")]
    Cut,
    /// It has no head that HTTP/1 knows, or too many fields.
    #[error("the head of the answer cannot be read")]
    Head,
    /// There is more of it than is read: interim answers, head, or body.
    #[error("the answer is too large")]
    TooLarge,
    /// Its length is told in two ways, or in one that is not known.
    #[error("the answer does not say in one way how long it is")]
    Framing,
    /// It has a `Content-Encoding`, though none was asked for.
    #[error("the answer is encoded")]
    Encoded,
    /// It offers another protocol, or begins one.
    #[error("the answer switches protocols")]
    Upgrade,
    /// Bytes follow it.
    #[error("something follows the answer")]
    Surplus,
    /// It came before the call was sent whole.
    #[error("the answer came before the whole call had left")]
    Early,
}

impl Anomaly {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Cut,
        Self::Head,
        Self::TooLarge,
        Self::Framing,
        Self::Encoded,
        Self::Upgrade,
        Self::Surplus,
        Self::Early,
    ];
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Fate {
    Answered(Answer),
    NotSent(NotSent),
    Silent(NoAnswer),
}

/// What has to be settled when a call ends.
#[derive(Debug)]
pub(crate) struct Obligations {
    pub(crate) trace: Arc<Trace>,
    pub(crate) app: Arc<App>,
    pub(crate) component: Component,
    pub(crate) host_runs: u64,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) paid: Paid,
    pub(crate) slot: Option<Room>,
    /// Held until the call ends: the message that is sent is about as large as the body, and a call whose
    /// caller has left is still inside.
    pub(crate) _permit: BodyPermit,
}

/// A call that is about to be sent.
#[derive(Debug)]
pub struct Pending(Obligations);

/// A call of which a byte may have left.
#[derive(Debug)]
pub struct Departed(Obligations);

/// The fate of a call, and what has to be settled.
#[derive(Debug)]
pub struct UpstreamAnswer {
    fate: Fate,
    obligations: Obligations,
}

impl UpstreamAnswer {
    pub(crate) fn into_parts(self) -> (Fate, Obligations) {
        (self.fate, self.obligations)
    }
}

impl Pending {
    pub(crate) fn new(obligations: Obligations) -> Self {
        Self(obligations)
    }

    /// Ends a call of which no byte left.
    #[must_use]
    pub fn not_sent(self, why: NotSent) -> UpstreamAnswer {
        UpstreamAnswer { fate: Fate::NotSent(why), obligations: self.0 }
    }

    /// To be called just before the first byte may leave: from here on the charge stands.
    #[must_use]
    pub fn depart(mut self) -> Departed {
        self.0.trace.depart();
        self.0.paid.keep();
        if let Some(ticket) = &mut self.0.ticket {
            ticket.depart();
        }
        Departed(self.0)
    }
}

impl Departed {
    /// Counts that the ESB turned the credential's current secret down, so that the call is sent with the next.
    pub fn credential_retried(&self) {
        self.0.app.metrics.credential_retried();
    }

    /// Ends a call of which, by the count of bytes written, none left after all.
    #[must_use]
    pub fn not_sent(self, why: NotSent) -> UpstreamAnswer {
        UpstreamAnswer { fate: Fate::NotSent(why), obligations: self.0 }
    }

    /// Ends a call that was answered.
    #[must_use]
    pub fn answered(self, answer: Answer) -> UpstreamAnswer {
        UpstreamAnswer { fate: Fate::Answered(answer), obligations: self.0 }
    }

    /// Ends a call that was not answered.
    #[must_use]
    pub fn silent(self, why: NoAnswer) -> UpstreamAnswer {
        UpstreamAnswer { fate: Fate::Silent(why), obligations: self.0 }
    }
}
