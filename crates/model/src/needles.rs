//! Finds secrets in a text that somebody else wrote, in every spelling that an echo takes, and blanks them.
//!
//! The ESB's error texts echo what they were sent (contract esb §13 row 23), so an answer is searched for
//! our credential and the caller's before anybody sees it.

use std::borrow::Cow;

use crate::base64_text;

/// Shorter secrets are not searched for: they would blank ordinary words.
const SHORTEST: usize = 6;

/// What is put in a secret's place.
const BLANK: &str = "***";

/// The spellings of some secrets.
pub struct Needles(Vec<String>);

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Needles").field(&self.0.len()).finish()
    }
}

impl Needles {
    /// The plain, JSON, percent, hexadecimal and Base64 spellings of each secret.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut spellings = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            spellings.push(secret.to_owned());
            spellings.push(escaped(secret));
            for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
                spellings.push(percent(secret, digits));
                spellings.push(hexadecimal(secret, digits));
            }
            spellings.extend((0..3).flat_map(|lead| aligned(secret, lead)));
        }
        spellings.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        spellings.dedup();
        Self(spellings)
    }

    /// Whether a spelling stands in `text`.
    #[must_use]
    pub fn found_in(&self, text: &str) -> bool {
        self.0.iter().any(|spelling| text.contains(spelling.as_str()))
    }

    /// Blanks every spelling.
    #[must_use]
    pub fn blank<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for spelling in &self.0 {
            if clean.contains(spelling.as_str()) {
                clean = Cow::Owned(clean.replace(spelling.as_str(), BLANK));
            }
        }
        clean
    }
}

fn escaped(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted.trim_matches('"').to_owned()
}

/// Both digits of a byte.
fn pair(byte: u8, digits: &[u8; 16]) -> [char; 2] {
    [byte >> 4, byte & 15].map(|half| digits.get(usize::from(half)).map_or('0', |b| char::from(*b)))
}

fn hexadecimal(secret: &str, digits: &[u8; 16]) -> String {
    let mut written = String::with_capacity(secret.len() * 2);
    secret.bytes().for_each(|byte| written.extend(pair(byte, digits)));
    written
}

fn percent(secret: &str, digits: &[u8; 16]) -> String {
    let mut written = String::with_capacity(secret.len() * 3);
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push('%');
            written.extend(pair(byte, digits));
        }
    }
    written
}

/// The characters of a Base64 text that a secret alone decides when `lead` bytes stand before it.
fn aligned(secret: &str, lead: usize) -> Vec<String> {
    let mut bytes = vec![0; lead];
    bytes.extend_from_slice(secret.as_bytes());
    bytes.truncate(bytes.len() / 3 * 3);
    let text = base64_text::encode(&bytes);
    // The first group also holds the lead.
    let skip = if lead == 0 { 0 } else { 4 };
    match text.get(skip..) {
        Some(core) if core.len() >= SHORTEST => {
            let safe = core.replace('+', "-").replace('/', "_");
            vec![core.to_owned(), safe]
        }
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_blanked_in_every_spelling() {
        let secret = "s3cr\"t/k?y+1";
        let needles = Needles::new([secret]);
        for lead in ["", "a", "ab", "abc"] {
            let base64 = base64_text::encode(format!("{lead}{secret}zz").as_bytes());
            let blanked = needles.blank(&base64).into_owned();
            assert!(blanked.contains(BLANK), "{lead}: {blanked}");
        }
        for echo in [
            secret.to_owned(),
            r#"s3cr\"t/k?y+1"#.into(),
            "s3cr%22t%2Fk%3Fy%2B1".into(),
            "s3cr%22t%2fk%3fy%2b1".into(),
            "7333637222742f6b3f792b31".into(),
            "7333637222742F6B3F792B31".into(),
        ] {
            let text = format!("before {echo} after");
            assert_eq!(needles.blank(&text), "before *** after");
            assert!(needles.found_in(&text));
        }
        assert!(matches!(needles.blank("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_short_secret_does_not_blank_ordinary_words() {
        assert_eq!(Needles::new(["xxx", ""]).blank("xxx and more"), "xxx and more");
    }

    #[test]
    fn needles_do_not_print() {
        assert!(!format!("{:?}", Needles::new(["hunter22"])).contains("hunter22"));
    }
}
