//! Patterns of user names, for exemptions that name a family of users instead of each one.

use regex::bytes::{Regex, RegexBuilder};

use crate::PatternFault;

/// Longest pattern, in bytes.
const LONGEST: usize = 256;

/// Most that one compiled pattern takes, in bytes.
const PATTERN_BYTES: usize = 64 << 10;

/// What names of people are parted by.
const SEPARATORS: [u8; 3] = *b".-@";

/// How long the parts of a name are that nobody has.
const PARTS: [usize; 4] = [1, 2, 4, 8];

/// Longest name.
const LONGEST_NAME: usize = 64;

/// A pattern that a whole user name must match.
///
/// Linear in the name whatever the pattern; classes such as `\w` are ASCII, as names are.
#[derive(Debug, Clone)]
pub struct UserPattern {
    text: Box<str>,
    regex: Regex,
}

impl UserPattern {
    /// Compiles a pattern. One that matches the empty text, or a name in which one character is all there is, is too
    /// wide to name anybody.
    pub fn new(text: &str) -> Result<Self, PatternFault> {
        if text.len() > LONGEST {
            return Err(PatternFault::new(format!("the pattern is longer than {LONGEST} bytes")));
        }
        if !text.is_ascii() {
            return Err(PatternFault::new("names are ASCII, so their patterns are"));
        }
        // On its own first: what closes a group that it has not opened must not end ours.
        compiled(text)?;
        let regex = compiled(&format!(r"\A(?:{text})\z"))?;
        let wide = |name: &[u8]| regex.is_match(name);
        let mut characters = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z').chain([b'_']);
        let repeated = |one: u8| {
            let longest = [one; LONGEST_NAME];
            (1..=LONGEST_NAME).any(|length| longest.get(..length).is_some_and(wide))
        };
        let parted = |one: u8| {
            let part = |length| std::iter::repeat_n(one, length);
            let lengths = PARTS.into_iter().flat_map(|first| PARTS.map(|last| (first, last)));
            let mut names = lengths.flat_map(|(first, last)| {
                SEPARATORS.map(|by| part(first).chain([by]).chain(part(last)).collect::<Vec<u8>>())
            });
            names.any(|name| wide(&name))
        };
        if wide(b"") || characters.any(|one| repeated(one) || parted(one)) {
            return Err(PatternFault::new(
                "it matches the empty text, or a name that is one character over and over, \
                 in one part or two",
            ));
        }
        Ok(Self { text: text.into(), regex })
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name.as_bytes())
    }
}

/// The same text is the same pattern.
impl PartialEq for UserPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UserPattern {}

fn compiled(text: &str) -> Result<Regex, PatternFault> {
    let regex = RegexBuilder::new(text).unicode(false).size_limit(PATTERN_BYTES).build();
    regex.map_err(PatternFault::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, yes, no) in [
            (
                "svc_[a-z]+",
                &["svc_a", "svc_deploy"][..],
                &["svc_", "svc_A", "xsvc_a", "svc_a1", "svc_a\n"][..],
            ),
            ("a|ab", &[][..], &[][..]),
            ("svc_a|svc_ab", &["svc_a", "svc_ab"], &["svc_abc", "xsvc_a"]),
            (r"(?i)svc_\w+", &["SVC_x"], &["svc_é"]),
            (r"ci-\d{3}", &["ci-123"], &["ci-12", "ci-١٢٣"]),
            ("^ci-x$", &["ci-x"], &["ci-x\nci-x"]),
            ("(?m)^ci-x$", &["ci-x"], &["ci-x\nci-x"]),
        ] {
            let Ok(pattern) = UserPattern::new(pattern) else {
                assert!(yes.is_empty(), "{pattern}");
                continue;
            };
            assert!(!yes.is_empty(), "{pattern:?} is too wide");
            assert!(yes.iter().all(|name| pattern.matches(name)), "{pattern:?}");
            assert!(!no.iter().any(|name| pattern.matches(name)), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_that_names_nobody_in_particular_is_refused() {
        let long = format!("svc_{}", "a".repeat(LONGEST));
        for (pattern, words) in [
            ("", "empty text"),
            (".*", "empty text"),
            (".+", "over and over"),
            ("...", "over and over"),
            ("[a-p]+", "over and over"),
            ("[^q].*", "over and over"),
            ("svc_a|.{64}", "over and over"),
            (r".*\..*", "in one part or two"),
            (r"[a-z]+\.[a-z]+", "in one part or two"),
            ("[a-z]+-.+", "in one part or two"),
            (r"\w{2,}@\w{4}", "in one part or two"),
            ("svc_(", "unclosed group"),
            ("svc_a)|(.*", "unopened group"),
            (r"(svc)\1", "not supported"),
            ("(?=svc)svc_a", "not supported"),
            ("服务_.*", "ASCII"),
            ("svc_a{1000}{1000}", "more than 65536 bytes"),
            (&long, "longer than 256 bytes"),
        ] {
            let fault = UserPattern::new(pattern).unwrap_err().to_string();
            assert!(fault.contains(words), "{pattern}: {fault}");
        }
    }
}
