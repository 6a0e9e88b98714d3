//! Base64 in a text, whatever is said of it there: `base64 -d`, `b64decode`, `-EncodedCommand` and all that decodes
//! under another name are found by what they decode.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Shortest text that is tried, in characters: six bytes.
const SHORTEST: usize = 8;

/// Shortest line that may go on in the next.
const WRAPPED: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Gives `take` what each run of Base64 in `text` decodes to, with the run's offset.
pub(super) fn payloads(text: &[u8], mut take: impl FnMut(usize, Vec<u8>)) {
    let (mut decoder, mut wrapped) = (Decoder::default(), Vec::new());
    let mut wrapped_at = 0;
    let mut at = 0;
    while let Some(next) = next_run(text, at, wrapped.is_empty()) {
        at = next;
        let run = run(text, at);
        decoder.one(at, run, &mut take);
        // Base64 that is broken into lines is one run as well.
        if wrapped.is_empty() {
            wrapped_at = at;
        }
        at += run.len();
        let line_end = match text.get(at..) {
            Some([b'\n', ..]) => 1,
            Some([b'\r', b'\n', ..]) => 2,
            _ => 0,
        };
        let goes_on = line_end > 0
            && run.len() >= WRAPPED
            && text.get(at + line_end).is_some_and(|byte| url_safe(*byte));
        if goes_on || !wrapped.is_empty() {
            wrapped.extend_from_slice(run);
        }
        if !goes_on {
            if wrapped.len() > run.len() {
                decoder.one(wrapped_at, &wrapped, &mut take);
            }
            wrapped.clear();
        }
        at += line_end;
    }
}

/// Where the next run begins that is long enough, or, inside lines that are one, the next of any length.
fn next_run(text: &[u8], mut at: usize, long: bool) -> Option<usize> {
    if !long {
        return Some(at).filter(|at| *at < text.len());
    }
    // A run from here has its last byte there; if it has not, none begins before it.
    while let Some(eight) = text.get(at..at + SHORTEST) {
        match eight.iter().rposition(|byte| !url_safe(*byte)) {
            None => return Some(at),
            Some(other) => at += other + 1,
        }
    }
    None
}

/// Decodes runs, into the same memory.
#[derive(Default)]
struct Decoder {
    standard: Vec<u8>,
    bytes: Vec<u8>,
}

impl Decoder {
    /// Decodes a run; with `-` and `_` in it also the pieces between them.
    fn one(&mut self, at: usize, run: &[u8], take: &mut impl FnMut(usize, Vec<u8>)) {
        if run.len() < SHORTEST {
            return;
        }
        self.decoded(at, run, take);
        if !run.iter().all(|byte| standard(*byte)) {
            let mut start = 0;
            for piece in run.split(|byte| !standard(*byte)) {
                self.decoded(at + start, piece, take);
                start += piece.len() + 1;
            }
        }
    }

    fn decoded(&mut self, at: usize, run: &[u8], take: &mut impl FnMut(usize, Vec<u8>)) {
        if run.len() < SHORTEST || !may_be_text(run) {
            return;
        }
        let length = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
        self.standard.clear();
        self.standard.extend(run.iter().take(length).map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        }));
        self.bytes.clear();
        if ENGINE.decode_vec(&self.standard, &mut self.bytes).is_err() {
            return;
        }
        let narrow = narrowed(&self.bytes);
        let bytes = narrow.as_deref().unwrap_or(&self.bytes);
        let plain = |byte: &&u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
        // A word of a language is a run, too, and decodes to noise.
        if bytes.iter().filter(plain).count() * 4 >= bytes.len() * 3 {
            take(at, bytes.to_vec());
        }
    }
}

/// Whether not too many bytes of what a run decodes to have their highest bit, each of which is one bit of a sign.
/// Text has it in at most a quarter of its bytes, and so has text in UTF-16.
fn may_be_text(run: &[u8]) -> bool {
    let (fours, rest) = run.as_chunks::<4>();
    let high = |[first, second, third, _]: &[u8; 4]| {
        usize::from(value(*first) >> 5 & 1)
            + usize::from(value(*second) >> 3 & 1)
            + usize::from(value(*third) >> 1 & 1)
    };
    let high: usize = fours.iter().map(high).sum();
    let bytes = fours.len() * 3 + rest.len().saturating_sub(1);
    high * 4 <= bytes
}

/// What a sign of Base64 stands for.
fn value(sign: u8) -> u8 {
    static VALUES: [u8; 256] = {
        let (mut values, mut sign) = ([0; 256], 0_u8);
        while sign < 0x80 {
            values[sign as usize] = match sign {
                b'A'..=b'Z' => sign - b'A',
                b'a'..=b'z' => sign - b'a' + 26,
                b'0'..=b'9' => sign - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => 0,
            };
            sign += 1;
        }
        values
    };
    VALUES.get(usize::from(sign)).copied().unwrap_or(0)
}

/// UTF-16 in little endian, which PowerShell wants, as UTF-8.
fn narrowed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let zeros = pairs.iter().filter(|[_, high]| *high == 0).count();
    if pairs.is_empty() || !rest.is_empty() || zeros * 4 < pairs.len() * 3 {
        return None;
    }
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let text: String =
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.into_bytes())
}

fn run(text: &[u8], at: usize) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().position(|byte| !url_safe(*byte)).unwrap_or(rest.len());
    rest.get(..length).unwrap_or_default()
}

fn standard(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// A look-up costs less than comparing, for every byte of every text.
fn url_safe(byte: u8) -> bool {
    static SIGNS: [bool; 256] = {
        let (mut signs, mut byte) = ([false; 256], 0_u8);
        while byte < 0x80 {
            signs[byte as usize] =
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
            byte += 1;
        }
        signs
    };
    SIGNS.get(usize::from(byte)).is_some_and(|sign| *sign)
}
