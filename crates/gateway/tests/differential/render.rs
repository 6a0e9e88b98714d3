//! How each view writes what it says, so that equal meanings are equal texts. What the journal hashes is
//! hashed here as well, by a key that the test knows.

use aws_lc_rs::{digest, hmac};

pub const HMAC_KEY: &str = "differential-hmac-key-0123456789abcdef";

pub const ABSENT: &str = "absent";

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Free text as the record tells it: whole, or its length and hash.
pub fn free(text: &str) -> String {
    match text.chars().count() {
        chars if chars > 256 => long(chars, &sha256(text.as_bytes())),
        _ => format!("{text:?}"),
    }
}

pub fn long(chars: usize, sha256: &str) -> String {
    format!("{chars} characters sha256 {sha256}")
}

/// A list as the record tells it: whole, or its hash.
pub fn list(items: &[String]) -> String {
    if items.len() <= 1000 {
        return items.join(",");
    }
    let all: String = items.iter().map(|item| format!("{item}\n")).collect();
    format!("sha256 {}", sha256(all.as_bytes()))
}

pub fn counts(host_ids: usize, hosts: usize, groups: usize, nodes: usize) -> String {
    format!("{host_ids} host ids, {hosts} hosts, {groups} groups, {nodes} nodes")
}

pub fn content(sha256: &str, bytes: usize) -> String {
    format!("content sha256 {sha256} of {bytes} bytes")
}

pub fn keyed_text(hmac: &str, bytes: usize) -> String {
    format!("{bytes} bytes hmac {hmac}")
}

/// The keyed hash that the record holds in place of values.
pub fn keyed<'v>(field: &str, values: impl IntoIterator<Item = &'v str>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, HMAC_KEY.as_bytes());
    let mut framed = field.as_bytes().to_vec();
    let mut bytes = 0;
    for value in values {
        bytes += value.len();
        framed.push(0);
        framed.extend((value.len() as u64).to_be_bytes());
        framed.extend(value.as_bytes());
    }
    keyed_text(&hex(hmac::sign(&key, &framed).as_ref()), bytes)
}

/// A callback URL as the record tells it: clear before the query, hashed after.
pub fn callback(url: Option<&str>) -> (String, String) {
    let Some(url) = url else { return (ABSENT.into(), ABSENT.into()) };
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (plain, query) = url.split_at(end);
    let query = if query.is_empty() { ABSENT.into() } else { keyed("callback_query", [query]) };
    (free(plain), query)
}
