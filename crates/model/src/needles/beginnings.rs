//! How every spelling of some secrets begins, so that a text without any is told by one look at each of its places.
//!
//! Nearly every answer is such a text, and to write down all spellings and look for each costs more than the rest of
//! an answer's way.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::{Zeroize as _, Zeroizing};

use super::view::View;
use crate::{base64_text, digest::hex_digit};

/// Every spelling is at least as long ([`super::Needles::SHORTEST`]).
const LENGTH: usize = 8;

/// Bytes of a secret that decide how each spelling begins.
const HEAD: usize = 12;

/// The first bytes of all spellings.
pub(super) struct Beginnings {
    /// A bit for each value of [`slot`] that one of them has.
    slots: Zeroizing<[u64; 32]>,
    words: Zeroizing<Vec<[u8; LENGTH]>>,
}

fn slot(word: [u8; LENGTH]) -> (usize, u32) {
    let mixed = u64::from_le_bytes(word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53;
    // Eleven bits: five name the word, six its bit.
    ((mixed >> 6) as usize, (mixed & 63) as u32)
}

impl Beginnings {
    pub(super) fn none() -> Self {
        Self { slots: Zeroizing::new([0; 32]), words: Zeroizing::new(Vec::with_capacity(48)) }
    }

    /// Adds those of `secret`, as [`View::find`] spells it.
    pub(super) fn of(&mut self, secret: &str) {
        self.add(secret.as_bytes());
        let head = secret.as_bytes().get(..HEAD).unwrap_or(secret.as_bytes());
        if head.contains(&b' ') {
            let joined: Vec<_> =
                head.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect();
            self.add(&Zeroizing::new(joined));
        }
        if let Some(plain) = View::of(secret).unescaped() {
            self.add(plain.bytes());
        }
        for lead in 0..3 {
            self.add_base64(head, lead);
        }
        let mut digits = [0; LENGTH];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(head) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        self.add(&digits);
        digits.make_ascii_uppercase();
        self.add(&digits);
    }

    /// As [`base64_core`] and [`url_safe`] spell it.
    fn add_base64(&mut self, head: &[u8], lead: usize) {
        let mut bytes = [0; HEAD + 2];
        let length = lead + head.len();
        let whole = length / 3 * 3;
        if let Some(place) = bytes.get_mut(lead..length) {
            place.copy_from_slice(head);
        }
        let mut text = [0; (HEAD + 2).div_ceil(3) * 4];
        let written = STANDARD.encode_slice(bytes.get(..whole).unwrap_or_default(), &mut text);
        let from = if lead > 0 { 4 } else { 0 };
        let mut core =
            written.ok().and_then(|end| text.get(from..end)?.first_chunk::<LENGTH>().copied());
        if let Some(core) = &mut core {
            self.add(core);
            for byte in core.iter_mut() {
                *byte = match *byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    same => same,
                };
            }
            self.add(core);
        }
        bytes.zeroize();
        text.zeroize();
        core.zeroize();
    }

    fn add(&mut self, spelling: &[u8]) {
        let Some(word) = spelling.first_chunk() else { return };
        if !self.words.contains(word) {
            self.words.push(*word);
            let (place, bit) = slot(*word);
            if let Some(slots) = self.slots.get_mut(place) {
                *slots |= 1 << bit;
            }
        }
    }

    /// Whether one of them stands in `text`.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        text.array_windows().any(|word| {
            let (place, bit) = slot(*word);
            self.slots.get(place).is_some_and(|slots| slots >> bit & 1 == 1)
                && self.words.contains(word)
        })
    }
}

/// What `secret` alone decides of a Base64 text when `lead` bytes, or three more each time, stand before it.
pub(super) fn base64_core(secret: &[u8], lead: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0; lead]);
    bytes.extend_from_slice(secret);
    let whole = bytes.len() / 3 * 3;
    bytes.truncate(whole);
    let mut text = base64_text::encode(&bytes);
    // The first group also holds the lead.
    if lead > 0 { text.split_off(4) } else { text }
}

/// The same text in the other alphabet.
pub(super) fn url_safe(core: &str) -> String {
    core.replace('+', "-").replace('/', "_")
}
