//! Which signatures of tokens held: the one costly part of a proof by JWT, and the one that never changes.
//!
//! Nothing else of a token is remembered. Issuer, key, audience, times and claims are judged each time, by
//! the policy and the arrival of the call at hand, so a token is not believed beyond its `exp` or the life of
//! its key, and a reload needs no purge.

use aws_lc_rs::digest::{Context, SHA256};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use quick_cache::sync::Cache;

/// Tokens in use at once whose signatures are remembered; 32 bytes each.
const MOST: usize = 10_000;

/// A key with its algorithm, and a token, under one hash: who reads this memory finds no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 32]);

impl Mark {
    /// Of this token under this key. Each part is framed by its length, so no two triples are one text.
    pub(crate) fn new(algorithm: Algorithm, key: &DecodingKey, token: &str) -> Self {
        let (first, second) = match key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => (bytes.as_slice(), &[][..]),
            DecodingKeyKind::RsaModulusExponent { n, e } => (n.as_slice(), e.as_slice()),
        };
        let mut context = Context::new(&SHA256);
        context.update(&[algorithm as u8]);
        for part in [first, second, token.as_bytes()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

/// A signature that holds. Nothing but [`Signatures::holds`] makes one.
#[derive(Debug)]
pub(crate) struct Verified {
    mark: Mark,
    known: bool,
}

/// Signatures that held, bounded; the least used ones make room.
#[derive(Debug)]
pub(crate) struct Signatures(Cache<Mark, ()>);

impl Default for Signatures {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Signatures {
    /// A memory of none.
    pub(crate) fn none() -> Self {
        Self(Cache::new(0))
    }

    /// Whether the signature holds; asks `verify` unless that is remembered.
    pub(crate) fn holds(&self, mark: Mark, verify: impl FnOnce() -> bool) -> Option<Verified> {
        let known = self.0.get(&mark).is_some();
        (known || verify()).then_some(Verified { mark, known })
    }

    /// Remembers it.
    pub(crate) fn keep(&self, verified: Verified) {
        if !verified.known {
            self.0.insert(verified.mark, ());
        }
    }
}

#[cfg(test)]
mod tests;
