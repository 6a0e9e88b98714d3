//! What the login service said before, under a keyed hash of the token: who reads this memory finds no token,
//! and nobody outside can choose two tokens that meet.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_lc_rs::{hmac, rand::SystemRandom};
use esbgate_core::ReceivedAt;
use esbgate_model::{Name, Secret};
use quick_cache::sync::Cache;

use crate::endpoint::OptionsError;

const MOST_VALID: usize = 10_000;
const MOST_INVALID: usize = 1_000;

/// A token's keyed hash.
pub(super) type Fingerprint = [u8; 32];

/// Makes fingerprints under a key of this process alone.
pub(super) struct Fingerprints(hmac::Key);

impl Fingerprints {
    pub(super) fn new() -> Result<Self, OptionsError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.map(Self).map_err(|_| OptionsError::Random)
    }

    /// Of the exact bytes: another spelling of the same token is asked for on its own.
    pub(super) fn of(&self, token: &Secret) -> Fingerprint {
        let tag = hmac::sign(&self.0, token.expose().as_bytes());
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        fingerprint
    }
}

#[derive(Clone)]
struct Kept<T> {
    what: T,
    valid_until: Duration,
    generation: u64,
}

/// The answers that are still believed, good and bad apart.
pub(super) struct Verdicts {
    valid_for: Duration,
    invalid_for: Duration,
    stale_for: Duration,
    valid: Cache<Fingerprint, Kept<Name>>,
    invalid: Cache<Fingerprint, Kept<()>>,
    generation: AtomicU64,
}

impl Verdicts {
    pub(super) fn new(valid_for: Duration, invalid_for: Duration, stale_for: Duration) -> Self {
        Self {
            valid_for,
            invalid_for,
            stale_for,
            valid: Cache::new(MOST_VALID),
            invalid: Cache::new(MOST_INVALID),
            generation: AtomicU64::new(0),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        !self.valid_for.is_zero()
    }

    /// Grows with every purge, so that an answer under way during one is not believed after it.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// An answer within its time: a user, or nobody.
    pub(super) fn fresh(&self, of: &Fingerprint, at: ReceivedAt) -> Option<Option<Name>> {
        let now = at.monotonic;
        if let Some(kept) = self.valid.get(of).filter(|kept| self.holds(kept, now)) {
            return Some(Some(kept.what));
        }
        self.invalid.get(of).filter(|kept| self.holds(kept, now)).map(|_| None)
    }

    /// A good answer past its time that may serve while the service is down.
    pub(super) fn stale(&self, of: &Fingerprint, at: ReceivedAt) -> Option<Name> {
        let earliest = at.monotonic.saturating_sub(self.stale_for);
        self.valid.get(of).filter(|kept| self.holds(kept, earliest)).map(|kept| kept.what)
    }

    /// Keeps an answer, counted from when the asking call arrived.
    pub(super) fn keep(
        &self,
        of: Fingerprint,
        user: Option<Name>,
        at: ReceivedAt,
        generation: u64,
    ) {
        if !self.is_on() {
            return;
        }
        let until = |span| at.monotonic.saturating_add(span);
        match user {
            Some(what) => {
                let valid_until = until(self.valid_for);
                self.valid.insert(of, Kept { what, valid_until, generation });
                self.invalid.remove(&of);
            }
            None => {
                let valid_until = until(self.invalid_for);
                self.invalid.insert(of, Kept { what: (), valid_until, generation });
                // Signed out: the old answer must not come back as a stale one.
                self.valid.remove(&of);
            }
        }
    }

    /// Forgets what was said of one token.
    pub(super) fn forget(&self, of: &Fingerprint) {
        self.valid.remove(of);
        self.invalid.remove(of);
    }

    pub(super) fn purge(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.valid.clear();
        self.invalid.clear();
    }

    fn holds<T>(&self, kept: &Kept<T>, now: Duration) -> bool {
        kept.generation == self.generation() && now < kept.valid_until
    }
}
