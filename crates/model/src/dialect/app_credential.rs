//! The credential that the gateway holds and a caller never sees.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{Name, Secret};

/// An application of the ESB that calls are sent as. Its secrets may be replaced while calls are under way.
#[derive(Debug)]
pub struct Credential {
    /// `bk_app_code`.
    pub app_code: Name,
    secrets: ArcSwap<AppSecrets>,
}

/// What proves the application to the ESB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSecrets {
    /// `bk_app_secret`.
    pub current: Secret,
    /// The one that takes its place, or has taken it already at the ESB.
    pub next: Option<Secret>,
}

impl AppSecrets {
    /// One secret, and none in waiting.
    #[must_use]
    pub fn one(secret: impl Into<Box<str>>) -> Self {
        Self { current: Secret::new(secret), next: None }
    }
}

impl Credential {
    /// A credential.
    #[must_use]
    pub fn new(app_code: Name, secrets: AppSecrets) -> Self {
        Self { app_code, secrets: ArcSwap::from_pointee(secrets) }
    }

    /// Its secrets as they are now. A call takes them once, so that it never mixes old and new ones.
    #[must_use]
    pub fn secrets(&self) -> Arc<AppSecrets> {
        self.secrets.load_full()
    }

    /// Replaces the secrets for messages that are not written yet.
    pub fn replace(&self, secrets: AppSecrets) {
        self.secrets.store(Arc::new(secrets));
    }
}
