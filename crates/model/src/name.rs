//! The one pattern of application and user names.
//!
//! The ESB puts an application code into a URL path and hands a non-ASCII or padded user name to JOB
//! broken, so both are held to one strict ASCII pattern, wherever they come from.

use std::borrow::Borrow;

/// An application code or a user name: `[A-Za-z0-9_][A-Za-z0-9_.@-]*`, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of A-Z a-z 0-9 _ . @ - and begins with a letter, a digit or _")]
pub struct NameFault;

impl Name {
    /// Reads a name.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
        if first && rest && text.len() <= 64 { Ok(Self(text.into())) } else { Err(NameFault) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_strict_ascii() {
        for good in ["a", "deploy_bot", "bk-job", "zhang.san", "a@b", "_x", "0"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", " a", "a ", "a\n", "张三", ".a", "-a", "x/../y", "a;b", "*", "a\0", &long]
        {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
