//! The port to the login service. An outage is not a verdict: no answer is never read as "nobody".

use std::future::Future;

use esbgate_model::{Name, Secret};

use crate::ReceivedAt;

/// The login service gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("login service gave no answer")]
pub struct LoginDown;

/// What the login service says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whose it is, if anyone's.
    pub user: Option<Name>,
    /// The answer is an old one, served because the service is down (`stale_if_error`).
    pub stale: bool,
}

/// The login service.
pub trait Login: Send + Sync {
    /// Whose token this is, if anyone's.
    fn introspect(
        &self,
        token: &Secret,
        at: ReceivedAt,
    ) -> impl Future<Output = Result<Verdict, LoginDown>> + Send;

    /// The same as far as it is known, without asking anybody and without a trace of it.
    fn known(&self, token: &Secret, at: ReceivedAt) -> Option<Verdict>;
}
