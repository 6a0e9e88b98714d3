//! Keyed names and sealed values.

use aws_lc_rs::hmac;
use esbgate_model::Secret;

/// Bytes of an HMAC-SHA256.
const TAG: usize = 32;

/// A value that was not sealed under this key for this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value was not sealed by this fleet")]
pub struct Broken;

/// Names and seals under a key that all gateways of a fleet share.
#[derive(Debug)]
pub struct Seal {
    names: hmac::Key,
    values: hmac::Key,
}

impl Seal {
    /// Derives a key for names and one for values, so that neither says anything of the other.
    #[must_use]
    pub fn new(key: &Secret) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        let derived = |purpose: &str| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
        };
        Self { names: derived("esbgate names 1"), values: derived("esbgate values 1") }
    }

    /// The name under which `parts` of a `kind` are kept. Parts are framed by their length, so that no
    /// two lists of parts share a name.
    #[must_use]
    pub fn name(&self, kind: &str, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.names);
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        esbgate_model::hex(context.sign().as_ref())
    }

    /// Seals a value for a name: a value that is moved to another name does not open.
    #[must_use]
    pub fn seal(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let tag = self.tag(name, value);
        let mut sealed = Vec::with_capacity(TAG + value.len());
        sealed.extend_from_slice(tag.as_ref());
        sealed.extend_from_slice(value);
        sealed
    }

    /// Opens a sealed value.
    pub fn open<'v>(&self, name: &str, sealed: &'v [u8]) -> Result<&'v [u8], Broken> {
        let (tag, value) = sealed.split_at_checked(TAG).ok_or(Broken)?;
        let framed = framed(name, value);
        hmac::verify(&self.values, &framed, tag).map_err(|_| Broken)?;
        Ok(value)
    }

    fn tag(&self, name: &str, value: &[u8]) -> hmac::Tag {
        hmac::sign(&self.values, &framed(name, value))
    }
}

fn framed(name: &str, value: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(8 + name.len() + value.len());
    framed.extend_from_slice(&(name.len() as u64).to_be_bytes());
    framed.extend_from_slice(name.as_bytes());
    framed.extend_from_slice(value);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&Secret::new("fleet-key"))
    }

    #[test]
    fn a_value_opens_under_its_own_name_and_key_alone() {
        let sealed = seal().seal("a", b"value");
        assert_eq!(seal().open("a", &sealed), Ok(b"value".as_slice()));
        assert_eq!(seal().open("b", &sealed), Err(Broken));
        assert_eq!(Seal::new(&Secret::new("other")).open("a", &sealed), Err(Broken));
        assert_eq!(seal().open("a", &sealed[..10]), Err(Broken));
        for index in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[index] ^= 1;
            assert_eq!(seal().open("a", &flipped), Err(Broken), "{index}");
        }
    }

    #[test]
    fn no_two_lists_of_parts_share_a_name_and_none_shows_its_parts() {
        let name = |kind: &str, parts: &[&[u8]]| seal().name(kind, parts);
        assert_ne!(name("k", &[b"ab", b"c"]), name("k", &[b"a", b"bc"]));
        assert_ne!(name("k", &[b"a"]), name("ka", &[]));
        assert_eq!(name("k", &[b"deploy_bot"]).len(), 64);
    }
}
