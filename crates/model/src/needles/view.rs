//! A text, or what is left of it when a layer of escapes is taken off, with the places it came from.

use std::{borrow::Cow, ops::Range};

use memchr::{memchr2, memmem};

use super::{
    Needles,
    beginnings::{base64_core, url_safe},
};
use crate::hex;

/// Bytes, and where in the original text each one began.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    /// One more than there are bytes; none where the bytes are the text itself.
    places: Option<Vec<usize>>,
}

impl<'t> View<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), places: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn place(&self, at: usize) -> usize {
        match &self.places {
            Some(places) => places.get(at).copied().unwrap_or_default(),
            None => at,
        }
    }

    /// The same with one layer of `%XX` and `\` escapes taken off, if there is one.
    pub(super) fn unescaped(&self) -> Option<View<'static>> {
        memchr2(b'%', b'\\', &self.bytes)?;
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut places = Vec::with_capacity(self.bytes.len() + 1);
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let mut buffer = [0; 4];
            let (unit, taken) = match escape(rest, &mut buffer) {
                Some((length, taken)) => (buffer.get(..length).unwrap_or_default(), taken),
                None => (rest.get(..1).unwrap_or_default(), 1),
            };
            bytes.extend_from_slice(unit);
            places.extend(std::iter::repeat_n(self.place(at), unit.len()));
            at += taken;
        }
        if bytes.len() == self.bytes.len() {
            return None;
        }
        places.push(self.place(at));
        Some(View { bytes: Cow::Owned(bytes), places: Some(places) })
    }

    /// Adds where `secret` stands.
    pub(super) fn find(&self, secret: &str, spans: &mut Vec<Range<usize>>) {
        self.find_each(secret.as_bytes(), spans);
        if secret.contains(' ') {
            self.find_each(secret.replace(' ', "+").as_bytes(), spans);
        }
        // A cookie's token is escaped already, and some take that off.
        if let Some(plain) = View::of(secret).unescaped()
            && plain.bytes.len() >= Needles::SHORTEST
        {
            self.find_each(&plain.bytes, spans);
        }
        // A long secret costs nothing in a short answer.
        if self.bytes.len() >= secret.len() / 3 * 4 - 4 {
            (0..3).for_each(|lead| self.find_base64(secret, lead, spans));
        }
        if self.bytes.len() >= secret.len() * 2 {
            let lower = hex(secret.as_bytes());
            self.find_each(lower.as_bytes(), spans);
            self.find_each(lower.to_ascii_uppercase().as_bytes(), spans);
        }
    }

    fn find_each(&self, spelling: &[u8], spans: &mut Vec<Range<usize>>) {
        let found = memmem::find_iter(&self.bytes, spelling);
        spans.extend(found.map(|at| self.place(at)..self.place(at + spelling.len())));
    }

    /// Finds what `secret` alone decides of a Base64 text when `lead` bytes, or three more each time, stand
    /// before it. All of the text is taken: what is left of it would still give some of the secret away.
    fn find_base64(&self, secret: &str, lead: usize, spans: &mut Vec<Range<usize>>) {
        let core = base64_core(secret.as_bytes(), lead);
        let url_safe = url_safe(&core);
        let standard = memmem::find_iter(&self.bytes, &core);
        let other = (url_safe != core).then(|| memmem::find_iter(&self.bytes, &url_safe));
        for at in standard.chain(other.into_iter().flatten()) {
            let (before, from) = self.bytes.split_at_checked(at).unwrap_or_default();
            let start = at - before.iter().rev().take_while(|byte| is_base64(**byte)).count();
            let letters = from.iter().take_while(|byte| is_base64(**byte)).count();
            let padding = from.iter().skip(letters).take_while(|byte| **byte == b'=').count();
            spans.push(self.place(start)..self.place(at + letters + padding));
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// Reads the escape that `rest` begins with into `buffer`: how long what it stands for is, and the escape.
fn escape(rest: &[u8], buffer: &mut [u8; 4]) -> Option<(usize, usize)> {
    match *rest {
        [b'%', high, low, ..] => {
            buffer[0] = byte(high, low)?;
            Some((1, 3))
        }
        [b'\\', b'x', high, low, ..] => {
            buffer[0] = byte(high, low)?;
            Some((1, 4))
        }
        [b'\\', b'u', ..] => {
            let (character, taken) = character(rest)?;
            Some((character.encode_utf8(buffer).len(), taken))
        }
        [b'\\', letter, ..] => {
            buffer[0] = match letter {
                b'"' | b'\\' | b'/' | b'\'' => letter,
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                _ => return None,
            };
            Some((1, 2))
        }
        _ => None,
    }
}

/// The character of `\uXXXX`, or of two of them, and how many bytes it takes.
fn character(rest: &[u8]) -> Option<(char, usize)> {
    let first = unit(rest)?;
    if let Some(one) = char::from_u32(first.into()) {
        return Some((one, 6));
    }
    let pair = [first, unit(rest.get(6..)?)?];
    char::decode_utf16(pair).next()?.ok().map(|two| (two, 12))
}

fn unit(rest: &[u8]) -> Option<u16> {
    match *rest {
        [b'\\', b'u', a, b, c, d, ..] => Some(u16::from_be_bytes([byte(a, b)?, byte(c, d)?])),
        _ => None,
    }
}

fn byte(high: u8, low: u8) -> Option<u8> {
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
