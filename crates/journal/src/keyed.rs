//! Keyed hashes of what is never written in clear.
//!
//! The name of the field goes into the hash, so that equal values of two fields cannot be told to be equal.

use aws_lc_rs::hmac;
use esbgate_model::{Secret, hex, sha256_hex};
use serde::Serialize;

/// The key of the hashes, and its id.
#[derive(Debug)]
pub(crate) struct HashKey {
    key: hmac::Key,
    id: String,
}

/// What a record holds in place of a value.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Keyed<'k> {
    hmac: String,
    key_id: &'k str,
    bytes: usize,
}

impl HashKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        let mut id = sha256_hex(bytes);
        id.truncate(8);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes), id }
    }

    /// The hash of `values` of the field named `field`; each value is framed by its length.
    pub(crate) fn hash<'v>(
        &self,
        field: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Keyed<'_> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(field.as_bytes());
        let mut bytes = 0;
        for value in values {
            bytes += value.len();
            context.update(&[0]);
            context.update(&(value.len() as u64).to_be_bytes());
            context.update(value.as_bytes());
        }
        Keyed { hmac: hex(context.sign().as_ref()), key_id: &self.id, bytes }
    }
}

/// The key that records are written with, and those that were in use before it.
#[derive(Debug)]
pub struct Keys {
    current: HashKey,
    previous: Vec<HashKey>,
}

/// The hash of a value under one key, as records have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// `key_id` in records.
    pub key_id: String,
    /// `hmac` in records.
    pub hmac: String,
}

impl Keys {
    /// Keys of at least 32 bytes each.
    #[must_use]
    pub fn new(current: &Secret, previous: &[Secret]) -> Self {
        let previous = previous.iter().map(HashKey::new).collect();
        Self { current: HashKey::new(current), previous }
    }

    pub(crate) fn current(&self) -> &HashKey {
        &self.current
    }

    /// The hashes of `values` of the field named `field` under each key, the current one first. Most fields have one
    /// value; `host_password_list` has one for each host.
    #[must_use]
    pub fn hashes(&self, field: &str, values: &[&str]) -> Vec<Hashed> {
        let keys = std::iter::once(&self.current).chain(&self.previous);
        let hashes = keys.map(|key| {
            let Keyed { hmac, key_id, .. } = key.hash(field, values.iter().copied());
            Hashed { key_id: key_id.into(), hmac }
        });
        hashes.collect()
    }
}
