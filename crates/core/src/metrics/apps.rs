//! Which applications have series of their own.

use std::{
    collections::HashSet,
    sync::{
        PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Applications with series of their own, unless the start-up file says another number.
pub const NAMED_APPS: usize = 1000;

#[expect(clippy::disallowed_types, reason = "taken where a policy is bound, never by a request")]
type Lock<T> = std::sync::Mutex<T>;

/// The applications that were named so far. Series stay as long as the process, so a name that was taken stays taken:
/// the limit bounds all generations of policy together.
#[derive(Debug)]
pub(super) struct NamedApps {
    limit: AtomicUsize,
    names: Lock<HashSet<Box<str>>>,
}

impl Default for NamedApps {
    fn default() -> Self {
        Self { limit: AtomicUsize::new(NAMED_APPS), names: Lock::default() }
    }
}

impl NamedApps {
    pub(super) fn limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Whether `app` has series of its own. The first ones that ask have.
    pub(super) fn has(&self, app: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let room = names.len() < self.limit.load(Ordering::Relaxed);
        names.contains(app) || (room && names.insert(app.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_taken_stays_taken_and_one_beyond_the_limit_gets_none() {
        let apps = NamedApps::default();
        apps.limit(2);
        assert!(apps.has("a") && apps.has("b"));
        assert!(!apps.has("c") && apps.has("a") && apps.has("b"));
    }
}
