//! What every record has: the members it begins with, and the seal it ends with.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

/// `,"prev":"` and its 64 digits and `"`.
const PREV: usize = 9 + 64 + 1;
/// `,"hash":"` and its 64 digits and `"}`.
const HASH: usize = 9 + 64 + 2;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// The members with which a record begins, in the order in which the writer puts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The version of the fields.
    pub v: u32,
    /// The number in the node's journal, from 1.
    pub seq: u64,
    /// When it was made, RFC 3339.
    pub time: Cow<'a, str>,
    /// The node.
    pub node: Cow<'a, str>,
    /// The boot.
    pub boot: Cow<'a, str>,
    /// The kind.
    pub kind: Cow<'a, str>,
}

impl<'a> Head<'a> {
    /// Reads the beginning of a line; none where it does not begin as a record does.
    #[must_use]
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        let v = number(&mut rest, b"{\"v\":")?;
        let seq = number(&mut rest, b",\"seq\":")?;
        let time = text(&mut rest, b",\"time\":")?;
        let node = text(&mut rest, b",\"node\":")?;
        let boot = text(&mut rest, b",\"boot\":")?;
        let kind = text(&mut rest, b",\"kind\":")?;
        Some(Self { v: v.try_into().ok()?, seq, time, node, boot, kind })
    }
}

fn number(rest: &mut &[u8], name: &[u8]) -> Option<u64> {
    let after = rest.strip_prefix(name)?;
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = after.split_at_checked(digits)?;
    *rest = after;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn text<'a>(rest: &mut &'a [u8], name: &[u8]) -> Option<Cow<'a, str>> {
    let quoted = rest.strip_prefix(name)?;
    let inside = quoted.strip_prefix(b"\"")?;
    let mut escaped = false;
    let length = inside.iter().position(|&byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })?;
    let (text, _) = inside.split_at_checked(length)?;
    *rest = inside.get(length + 1..)?;
    if text.contains(&b'\\') {
        let whole = quoted.get(..length + 2)?;
        return serde_json::from_slice(whole).ok().map(Cow::Owned);
    }
    std::str::from_utf8(text).ok().map(Cow::Borrowed)
}

/// A line with the seal of a record: its hash, and that of the record before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed<'a> {
    covered: &'a [u8],
    /// The hash that the record before shall have.
    pub prev: [u8; 32],
    /// The hash that is written in the line.
    pub hash: [u8; 32],
}

impl<'a> Sealed<'a> {
    /// Takes a line apart; none where it does not end as a record does.
    #[must_use]
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let (covered, hash) = line.split_at_checked(line.len().checked_sub(HASH)?)?;
        let (_, prev) = covered.split_at_checked(covered.len().checked_sub(PREV)?)?;
        let prev = prev.strip_prefix(b",\"prev\":\"")?.strip_suffix(b"\"")?;
        let hash = hash.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?;
        Some(Self { covered, prev: unhex(prev)?, hash: unhex(hash)? })
    }

    /// Whether the line is what its hash was made of.
    #[must_use]
    pub fn holds(&self) -> bool {
        digest(&SHA256, self.covered).as_ref() == self.hash
    }
}

/// The bytes that lower hexadecimal digits stand for.
pub(crate) fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_with_its_escapes_and_in_its_order_only() {
        let line =
            br#"{"v":2,"seq":7,"time":"t","node":"a\"\u0041","boot":"b","kind":"stop","x":1"#;
        let head = Head::read(line).unwrap();
        assert_eq!((head.v, head.seq, &*head.node, &*head.kind), (2, 7, "a\"A", "stop"));
        for other in [
            &br#"{"seq":7,"v":2,"time":"t","node":"a","boot":"b","kind":"stop""#[..],
            br#"{"v":2,"seq":-7,"time":"t","node":"a","boot":"b","kind":"stop""#,
            br#"{"v":2,"seq":99999999999999999999,"time":"t","node":"a","boot":"b","kind":"s""#,
            br#"{"v":2,"seq":7,"time":"t","node":"a","boot":"b","kind":"stop"#,
            br#"{"v":2,"seq":7,"time":"t","node":"a","boot":7,"kind":"stop""#,
            b"",
        ] {
            assert_eq!(Head::read(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_seal_is_lower_digits_in_their_place() {
        let digits = |d: &str| d.repeat(64);
        let line = |prev: &str, hash: &str| {
            format!("{{\"a\":1,\"prev\":\"{prev}\",\"hash\":\"{hash}\"}}").into_bytes()
        };
        let whole = line(&digits("1"), &digits("a"));
        let sealed = Sealed::read(&whole).unwrap();
        assert_eq!((sealed.prev, sealed.hash), ([0x11; 32], [0xaa; 32]));
        assert!(!sealed.holds());
        for other in [line(&digits("1"), &digits("A")), line("11", &digits("a")), vec![]] {
            assert_eq!(Sealed::read(&other), None);
        }
    }
}
