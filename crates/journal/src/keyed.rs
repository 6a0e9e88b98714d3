//! Keyed hashes of what is never written in clear.
//!
//! The name of the field goes into the hash, so that equal values of two fields cannot be told to be equal.

use aws_lc_rs::hmac;
use esbgate_model::{Care, Carried, Component, Secret, hex, sha256_hex};
use serde::Serialize;
use zeroize::Zeroizing;

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

/// The fields of which records hold a keyed hash, by the name that goes into it.
const OWN: [&str; 4] = ["token", "script_param", "callback_query", HOST_PASSWORDS];
/// The one of them that has a value for each host.
const HOST_PASSWORDS: &str = "host_password_list";
/// The one that begins with the `?` or `#` of its URL.
const CALLBACK_QUERY: &str = "callback_query";

/// A field whose values can be looked for: one that calls have on record as a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedField {
    name: &'static str,
    /// A component's parameter, whose hash is of its JSON.
    parameter: bool,
    own: bool,
}

impl HashedField {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let own = OWN.iter().map(|name| Self { name, parameter: false, own: true });
        let mut all: Vec<Self> = own.collect();
        let fields = Component::all().flat_map(|component| component.fields());
        for field in fields.filter(|field| matches!(field.care, Care::Sealed | Care::Secret)) {
            match all.iter_mut().find(|known| known.name == field.name) {
                Some(known) => known.parameter = true,
                None => all.push(Self { name: field.name, parameter: true, own: false }),
            }
        }
        all
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|field| field.name == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What records may have hashed where this was the value: several, because the same text may be a parameter's text or
    /// the JSON of one.
    fn forms(self, value: &str) -> serde_json::Result<Vec<Vec<Zeroizing<String>>>> {
        let one = |text: &str| vec![Zeroizing::new(text.to_owned())];
        let mut forms = Vec::new();
        if self.name == HOST_PASSWORDS {
            forms.push(value.lines().flat_map(one).collect());
        } else if self.name == CALLBACK_QUERY && !value.starts_with(['?', '#']) {
            forms.push(one(&format!("?{value}")));
        } else if self.own {
            forms.push(one(value));
        }
        if self.parameter {
            forms.push(vec![Zeroizing::new(serde_json::to_string(value)?)]);
            if let Some(carried) = Carried::read(value) {
                forms.push(vec![Zeroizing::new(serde_json::to_string(&carried)?)]);
            }
        }
        Ok(forms)
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

    fn all(&self) -> impl Iterator<Item = &HashKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The ids of the keys, the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.all().map(|key| key.id.as_str()).collect()
    }

    /// What records may have where this is the value of a field, under each key, the current one first. Passwords of hosts
    /// are one a line, in the order of the call.
    ///
    /// # Errors
    /// Where the value has no JSON.
    pub fn hashes(&self, field: HashedField, value: &str) -> serde_json::Result<Vec<Hashed>> {
        let forms = field.forms(value)?;
        let hashed = |key: &HashKey, form: &Vec<Zeroizing<String>>| {
            let Keyed { hmac, key_id, .. } =
                key.hash(field.name, form.iter().map(|text| text.as_str()));
            Hashed { key_id: key_id.into(), hmac }
        };
        Ok(self.all().flat_map(|key| forms.iter().map(move |form| hashed(key, form))).collect())
    }
}
