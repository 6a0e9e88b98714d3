//! Every answer the gateway gives on its own behalf: one closed enum, one exhaustive match.

use std::time::Duration;

use esbgate_model::{Code, Faults};

use crate::{JournalDown, Limit, LoginDown, OutcomeClass, jwt::JwtFault};

/// Why the gateway answered instead of the ESB.
///
/// `Display` and the sources are for the log. The caller sees the code's text and the faults.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The body is over the limit.
    #[error("body over the limit")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("body did not arrive in time")]
    BodyTimeout,
    /// The peer broke off.
    #[error("body broke off")]
    BodyBroken,
    /// Too many requests, or bytes of bodies, are inside.
    #[error("no room")]
    NoRoom,
    /// The head or the body has no single meaning.
    #[error("{code:?}: {faults}")]
    Malformed {
        /// The code of it.
        code: Code,
        /// Where.
        faults: Box<Faults>,
    },
    /// Nothing is published at this path.
    #[error("no such component")]
    NoRoute,
    /// The application is not proved.
    #[error("application is not proved: {0}")]
    AppUnproved(#[from] AppFault),
    /// The same, once too often from this peer.
    #[error("too many failed proofs: {fault}")]
    ProofThrottled {
        /// What failed.
        fault: AppFault,
        /// When the next failure is answered with its reason.
        retry_after: Duration,
    },
    /// Calls are spent.
    #[error("calls are spent: {}", reached.key())]
    CallsSpent {
        /// Which limit says so.
        reached: Limit,
        /// When the next call fits.
        retry_after: Duration,
        /// The limit, for the caller.
        faults: Box<Faults>,
    },
    /// Slots are taken.
    #[error("slots are taken")]
    SlotsTaken,
    /// The call has faults.
    #[error("faults: {0}")]
    Faulty(Box<Faults>),
    /// Whose token it is cannot be found out.
    #[error("cannot introspect")]
    LoginDown(#[from] LoginDown),
    /// The user is not proved.
    #[error("user is not proved: {0}")]
    UserUnproved(#[from] UserFault),
    /// There is no ledger for a keyed call.
    #[error("no idempotency ledger")]
    Keyed,
    /// What the call is about is stopped.
    #[error("frozen: {0}")]
    Frozen(Box<Faults>),
    /// No grant covers the call.
    #[error("not granted: {code:?} {faults}")]
    NotGranted {
        /// What is not covered.
        code: Code,
        /// Where.
        faults: Box<Faults>,
    },
    /// One call touches too many hosts.
    #[error("{hosts} hosts in one call, {limit} allowed: {}", reached.key())]
    TooManyHosts {
        /// Which limit says so.
        reached: Limit,
        /// Asked for.
        hosts: u64,
        /// Allowed.
        limit: u64,
        /// The limit, for the caller.
        faults: Box<Faults>,
    },
    /// Host-runs are spent.
    #[error("host-runs are spent: {}", reached.key())]
    HostRunsSpent {
        /// Which limit says so.
        reached: Limit,
        /// When this call fits.
        retry_after: Duration,
        /// The limit, for the caller.
        faults: Box<Faults>,
    },
    /// The intent cannot be put on record.
    #[error("cannot journal")]
    Unrecorded(#[from] JournalDown),
    /// A fault of ours before anything was sent.
    #[error("internal fault")]
    Internal,
    /// A fault of ours after a byte may have left.
    #[error("internal fault after departure")]
    Aborted,
}

/// Why an application is not proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppFault {
    /// No application is named.
    #[error("no application is named")]
    CodeMissing,
    /// An application is named and nothing proves it.
    #[error("no key is shown")]
    SecretMissing,
    /// The application is unknown, or the key is not one of its keys.
    #[error("unknown application or wrong key")]
    Wrong,
    /// The key is past its end.
    #[error("the key has expired")]
    Expired,
    /// A token does not hold.
    #[error("{0}")]
    Jwt(#[from] JwtFault),
    /// Two proofs name two applications.
    #[error("proofs name different applications")]
    Disagree,
}

/// Why a user is not proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserFault {
    /// No user is named.
    #[error("no user is named")]
    Missing,
    /// The token is nobody's.
    #[error("token belongs to nobody")]
    Nobody,
    /// Two proofs name two users.
    #[error("proofs name different users")]
    Disagree,
    /// The application may not use tokens.
    #[error("application may not use bk_token")]
    TokenNotAllowed,
    /// No exemption names the user.
    #[error("user is not exempt")]
    NotExempt,
    /// The exemption has ended.
    #[error("exemption has expired")]
    Expired,
}

impl Rejection {
    /// The code of the answer.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::BodyTooLarge => Code::BodyTooLarge,
            Self::BodyTimeout => Code::RequestTimeout,
            Self::BodyBroken => Code::BadFraming,
            Self::NoRoom => Code::ServiceUnavailable,
            Self::Malformed { code, .. } | Self::NotGranted { code, .. } => *code,
            Self::NoRoute => Code::ApiNotFound,
            Self::AppUnproved(AppFault::Expired) => Code::KeyExpired,
            Self::AppUnproved(AppFault::Jwt(_)) => Code::JwtVerifyFailed,
            Self::AppUnproved(AppFault::Disagree) => Code::ProofsDisagree,
            Self::AppUnproved(
                AppFault::CodeMissing | AppFault::SecretMissing | AppFault::Wrong,
            ) => Code::AppVerifyFailed,
            Self::ProofThrottled { .. } => Code::ProofThrottled,
            Self::CallsSpent { .. } => Code::RateLimitRestriction,
            Self::SlotsTaken => Code::ConcurrencyLimitRestriction,
            Self::Faulty(_) => Code::InvalidArgs,
            Self::LoginDown(_) => Code::LoginUnavailable,
            Self::UserUnproved(UserFault::Missing) => Code::UserMissing,
            Self::UserUnproved(UserFault::Nobody) => Code::UserVerifyFailed,
            Self::UserUnproved(UserFault::Disagree) => Code::ProofsDisagree,
            Self::UserUnproved(UserFault::TokenNotAllowed) => Code::TokenNotAllowed,
            Self::UserUnproved(UserFault::NotExempt) => Code::UserNotExempt,
            Self::UserUnproved(UserFault::Expired) => Code::ExemptionExpired,
            Self::Keyed => Code::IdempotencyUnavailable,
            Self::Frozen(_) => Code::Frozen,
            Self::TooManyHosts { .. } => Code::HostsPerCallExceeded,
            Self::HostRunsSpent { .. } => Code::HostBudgetSpent,
            Self::Unrecorded(_) => Code::AuditUnavailable,
            Self::Internal => Code::InternalServerError,
            Self::Aborted => Code::Aborted,
        }
    }

    /// Whether an HTTP/1.1 connection ends with the answer: what follows the bytes of a caller who is
    /// not yet known is not parsed as a new request.
    #[must_use]
    pub fn closes(&self) -> bool {
        match self {
            Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::NoRoom
            | Self::Malformed { .. }
            | Self::NoRoute
            | Self::AppUnproved(_)
            | Self::ProofThrottled { .. }
            | Self::Internal
            | Self::Aborted => true,
            Self::CallsSpent { .. }
            | Self::SlotsTaken
            | Self::Faulty(_)
            | Self::LoginDown(_)
            | Self::UserUnproved(_)
            | Self::Keyed
            | Self::Frozen(_)
            | Self::NotGranted { .. }
            | Self::TooManyHosts { .. }
            | Self::HostRunsSpent { .. }
            | Self::Unrecorded(_) => false,
        }
    }

    /// When a repetition may succeed, in whole seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::CallsSpent { retry_after, .. }
            | Self::HostRunsSpent { retry_after, .. }
            | Self::ProofThrottled { retry_after, .. } => {
                Some(retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0))
            }
            Self::NoRoom | Self::SlotsTaken | Self::LoginDown(_) | Self::Unrecorded(_) => Some(1),
            Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::Malformed { .. }
            | Self::NoRoute
            | Self::AppUnproved(_)
            | Self::Faulty(_)
            | Self::UserUnproved(_)
            | Self::Keyed
            | Self::Frozen(_)
            | Self::NotGranted { .. }
            | Self::TooManyHosts { .. }
            | Self::Internal
            | Self::Aborted => None,
        }
    }

    /// The places that a caller can mend.
    #[must_use]
    pub fn faults(&self) -> Option<&Faults> {
        match self {
            Self::Malformed { faults, .. } | Self::NotGranted { faults, .. } => Some(faults),
            Self::Faulty(faults)
            | Self::Frozen(faults)
            | Self::CallsSpent { faults, .. }
            | Self::TooManyHosts { faults, .. }
            | Self::HostRunsSpent { faults, .. } => Some(faults),
            Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::NoRoom
            | Self::NoRoute
            | Self::AppUnproved(_)
            | Self::ProofThrottled { .. }
            | Self::SlotsTaken
            | Self::LoginDown(_)
            | Self::UserUnproved(_)
            | Self::Keyed
            | Self::Unrecorded(_)
            | Self::Internal
            | Self::Aborted => None,
        }
    }

    /// The class that metrics count it under.
    #[must_use]
    pub fn outcome(&self) -> OutcomeClass {
        match self {
            Self::NoRoom
            | Self::LoginDown(_)
            | Self::Keyed
            | Self::Unrecorded(_)
            | Self::Internal => OutcomeClass::Unavailable,
            Self::Aborted => OutcomeClass::Unknown,
            Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::Malformed { .. }
            | Self::NoRoute
            | Self::AppUnproved(_)
            | Self::ProofThrottled { .. }
            | Self::CallsSpent { .. }
            | Self::SlotsTaken
            | Self::Faulty(_)
            | Self::UserUnproved(_)
            | Self::Frozen(_)
            | Self::NotGranted { .. }
            | Self::TooManyHosts { .. }
            | Self::HostRunsSpent { .. } => OutcomeClass::Rejected,
        }
    }
}
