//! A text without what its language reads over: escapes inside words, strings that are put together, other blanks.
//!
//! Looked at besides the text as it is written, never instead of it, because what one language reads over means something
//! in another one.

use esbgate_model::ScriptLanguage;

use super::{Languages, lines::lines_with};

/// A text that says the same in fewer signs.
pub(super) struct Plain {
    pub(super) text: Vec<u8>,
    /// Where a byte stands here and where it stood, wherever the two drift apart.
    drifts: Vec<(usize, usize)>,
    /// The lines that have fewer signs, from where to where.
    pub(super) fresh: Vec<(usize, usize)>,
}

impl Plain {
    /// None if there is nothing to leave out.
    pub(super) fn of(written: &[u8], languages: Languages) -> Option<Self> {
        if languages == Languages::one(ScriptLanguage::Shell) {
            return None;
        }
        let signs = Signs::of(languages);
        let mut plain = Self { text: Vec::new(), drifts: Vec::new(), fresh: Vec::new() };
        let (mut at, mut copied) = (0, 0);
        while let Some(rest) = written.get(at..) {
            let Some(next) = rest.iter().position(|byte| signs.may_begin(*byte)) else { break };
            at += next;
            let Some((length, instead)) = signs.left_out(written, at) else {
                at += 1;
                continue;
            };
            plain.text.extend_from_slice(written.get(copied..at).unwrap_or_default());
            plain.text.extend(instead);
            at += length;
            copied = at;
            plain.drifts.push((plain.text.len(), at));
        }
        if copied == 0 {
            return None;
        }
        plain.text.extend_from_slice(written.get(copied..).unwrap_or_default());
        plain.fresh = lines_with(&plain.text, plain.drifts.iter().map(|(here, _)| *here));
        Some(plain)
    }

    /// Where a byte of the text stood.
    pub(super) fn origin(&self, offset: usize) -> usize {
        let after = self.drifts.partition_point(|(here, _)| *here <= offset);
        let drift = after.checked_sub(1).and_then(|at| self.drifts.get(at));
        drift.map_or(offset, |(here, there)| there + (offset - here))
    }
}

/// What the languages of a text leave out.
#[derive(Debug, Clone, Copy)]
struct Signs {
    bat: bool,
    powershell: bool,
    strings: bool,
}

impl Signs {
    fn of(languages: Languages) -> Self {
        let (bat, powershell) =
            (languages.has(ScriptLanguage::Bat), languages.has(ScriptLanguage::Powershell));
        Self { bat, powershell, strings: languages != Languages::one(ScriptLanguage::Bat) }
    }

    fn may_begin(self, byte: u8) -> bool {
        match byte {
            b'^' | b',' | b';' | b'=' => self.bat,
            b'`' | 0xc2 | 0xe2 => self.powershell,
            b'\'' | b'"' => self.strings,
            _ => false,
        }
    }

    /// How many bytes at `at` say nothing, and what a reader sees in their place.
    fn left_out(self, text: &[u8], at: usize) -> Option<(usize, Option<u8>)> {
        match text.get(at..)? {
            [b'^', next, ..] if *next != b'\n' && *next != b'\r' => Some((1, None)),
            // To `cmd` these part words as blanks do.
            [b',' | b';' | b'=', ..] if self.bat => Some((1, Some(b' '))),
            [b'`', next, ..] if !next.is_ascii_whitespace() => Some((1, None)),
            [0xc2, 0xa0, ..] => Some((2, Some(b' '))),
            [0xe2, 0x80, last, ..] => match last {
                0x80..=0x8b => Some((3, Some(b' '))),
                0x93..=0x95 => Some((3, Some(b'-'))),
                0x98..=0x9b => Some((3, Some(b'\''))),
                0x9c..=0x9f => Some((3, Some(b'"'))),
                _ => None,
            },
            [b'\'' | b'"', rest @ ..] => seam(rest).map(|length| (length + 1, None)),
            _ => None,
        }
    }
}

/// Longest seam between two strings, which keeps the cost of a sign constant.
const SEAM: usize = 32;

/// The bytes after the end of a string up to the start of the next, if the two are one.
fn seam(rest: &[u8]) -> Option<usize> {
    let blanks =
        |bytes: &[u8]| bytes.iter().take(SEAM).take_while(|b| b.is_ascii_whitespace()).count();
    let before = blanks(rest);
    let sign = usize::from(matches!(rest.get(before), Some(b'+' | b'.')));
    let after = blanks(rest.get(before + sign..)?);
    let whole = before + sign + after;
    let opens = matches!(rest.get(whole), Some(b'\'' | b'"'));
    // Without a sign between them only blanks make two strings one; nothing at all is an empty string.
    (opens && (sign > 0 || before > 0)).then_some(whole + 1)
}
