//! Keyed hashes of what is never written in clear.
//!
//! The name of the field goes into the hash, so that equal values of two fields cannot be told to be equal.

use aws_lc_rs::hmac;
use esbgate_model::{Secret, hex, sha256_hex};
use serde::Serialize;

/// The key of the hashes, and its id.
pub(crate) struct HashKey {
    key: hmac::Key,
    id: String,
}

/// What a record holds in place of a value.
#[derive(Debug, Serialize)]
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
