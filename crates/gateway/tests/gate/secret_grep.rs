//! Looks for secrets in all that a gateway puts out, in every spelling that could carry one.
//!
//! Every secret of the tests has `-canary` in it, and so has nothing else that is put out. A gate greps each answer, and
//! all that is in its folder when it is dropped, so no test has to think of it; `secrets` holds all suites to it.

use std::{ops::Deref, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use esbgate_audit::{Form, Journal};
use memchr::{memchr2, memmem};
use tempfile::TempDir;

/// What every secret has in it.
const MARK: &str = "-canary";

/// How often escapes are taken off.
const DEPTH: usize = 3;

/// Fails if a secret is in `text`.
pub fn clean(place: &str, text: &[u8]) {
    clean_of(&[MARK], place, text);
}

/// Fails if what secrets have in them is in `text`.
fn clean_of(marks: &[&str], place: &str, text: &[u8]) {
    for mark in marks {
        if let Some((spelling, text)) = found(mark, text) {
            panic!("{mark} ({spelling}) in {place}: {}", String::from_utf8_lossy(&text));
        }
    }
}

/// The folder of a gateway's files. What is in it at the end is grepped.
pub struct Folder {
    dir: TempDir,
    marks: &'static [&'static str],
}

impl Folder {
    pub fn new() -> Self {
        Self::marked(&[MARK])
    }

    /// One in which secrets have other marks.
    pub fn marked(marks: &'static [&'static str]) -> Self {
        Self { dir: TempDir::new().unwrap(), marks }
    }
}

impl Deref for Folder {
    type Target = TempDir;

    fn deref(&self) -> &TempDir {
        &self.dir
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            clean_folder(self.marks, self.dir.path());
        }
    }
}

/// Greps all files under a folder but those that hold secrets, or name them, because a test put them there.
fn clean_folder(marks: &[&str], folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let given = ["secret", "key", "pem", "yaml", "trace"].map(Some);
        let ending = path.extension().and_then(|ending| ending.to_str());
        let call = path.ends_with("call.json");
        if kind.is_dir() {
            clean_folder(marks, &path);
            clean_closed(marks, &path);
        } else if kind.is_file() && !call && !given.contains(&ending) {
            // A file that the gateway is just replacing may be gone.
            let text = std::fs::read(&path).unwrap_or_default();
            clean_of(marks, &path.display().to_string(), &text);
        }
    }
}

/// Greps the closed segments of a folder, if it is a journal.
fn clean_closed(marks: &[&str], folder: &Path) {
    let segments = Journal::open(folder).and_then(|journal| journal.segments());
    let closed = segments.unwrap_or_default().into_iter().filter(|it| it.form() == Form::Archived);
    for segment in closed {
        let mut lines = segment.lines().unwrap();
        while let Some(line) = lines.read_line().unwrap() {
            clean_of(marks, &segment.id().to_string(), line.bytes);
        }
    }
}

/// The spelling in which a mark is in a text, and the text as far as its escapes were taken off.
fn found(mark: &str, text: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let mut text = text.to_vec();
    for _ in 0..=DEPTH {
        let lower = text.to_ascii_lowercase();
        let has = |text: &[u8], part: &str| memmem::find(text, part.as_bytes()).is_some();
        if has(&lower, &mark.to_ascii_lowercase()) {
            return Some(("plain, or behind escapes", text));
        }
        if has(&lower, &esbgate_model::hex(mark.as_bytes())) {
            return Some(("hexadecimal", text));
        }
        if based(mark).iter().any(|part| has(&text, part)) {
            return Some(("Base64", text));
        }
        let plainer = unescaped(&text);
        if plainer == text {
            return None;
        }
        text = plainer;
    }
    None
}

/// What Base64 of anything with the mark in it has in it, by where the mark begins.
fn based(mark: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let text = [&b"xxx"[..before], mark.as_bytes()].concat();
        let whole = text.len() * 8 / 6;
        let coded = STANDARD.encode(&text);
        // The first characters and the last have bits of what is around the mark.
        coded.chars().take(whole).skip((before * 8).div_ceil(6)).collect()
    })
}

/// Takes off one layer of `%41`, `\u0041` and `\x41`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr2(b'%', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let digits = |lead: &[u8], count: usize| {
            let digits = rest.strip_prefix(lead)?.get(..count)?;
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let escape = digits(b"%", 2).map(|code| (code, 3));
        let escape = escape.or_else(|| Some((digits(b"\\u", 4)?, 6)));
        let escape = escape.or_else(|| Some((digits(b"\\x", 2)?, 4)));
        match escape.and_then(|(code, length)| Some((u8::try_from(code).ok()?, length))) {
            Some((byte, length)) => {
                out.push(byte);
                rest = &rest[length..];
            }
            None => {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

#[test]
fn a_secret_is_found_in_every_spelling_and_nothing_else_is() {
    let secret = "caller-key-canary-1";
    let each = |format: fn(u8) -> String| secret.bytes().map(format).collect::<String>();
    let mut spellings = vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.replace('-', "%2D"),
        secret.replace('-', "%252d"),
        secret.replace("can", "\\u0063a%6e"),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("\\x{byte:02x}")),
        each(|byte| format!("{byte:02x}")),
        each(|byte| format!("{byte:02X}")),
    ];
    for before in ["", "a", "ab", "abc"] {
        let coded = STANDARD.encode(format!("{before}{secret}{before}"));
        spellings.extend([coded.clone(), coded.replace('=', "%3D"), coded.replace('+', "-")]);
    }
    for spelling in spellings {
        let text = format!("{{\"message\":\"cannot take {spelling}\"}}");
        assert!(found(MARK, text.as_bytes()).is_some(), "{text}");
    }
    for text in ["canary", "a canary-word", "%2g%", "\\u00", "LWNhbm", "2d63616e617", ""] {
        assert!(found(MARK, text.as_bytes()).is_none(), "{text}");
    }
}
