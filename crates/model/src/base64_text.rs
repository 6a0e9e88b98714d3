//! Base64 as JOB's decoder takes it, less what JOB's decoder would run as garbage.
//!
//! JOB skips characters outside both alphabets, stops at the first `=` and turns spare bits into a
//! missing script (contract jobv3 §1.3), so each of these is a fault here. What JOB decodes faithfully
//! is taken: both alphabets (mixed too), padding or none, white space.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::Text;

/// Why a text is not Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base64Fault {
    /// A character outside both alphabets.
    Alphabet,
    /// Something follows the padding, or the padding is longer than it can be.
    AfterPadding,
    /// One character is left over.
    Length,
    /// The last character has bits that stand for nothing.
    SpareBits,
    /// Nothing is left after decoding.
    Empty,
    /// A blank: the parameters were encoded one by one.
    Pieces,
}

impl Base64Fault {
    /// What is wrong, in both languages.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Alphabet => Text {
                en: "a character is outside the alphabet (was the text sent unencoded?)",
                zh: "含有字母表之外的字符（是否忘记编码？）",
            },
            Self::AfterPadding => Text {
                en: "something follows the padding `=`",
                zh: "填充符 = 之后还有内容",
            },
            Self::Length => Text {
                en: "one character is left over; the text is cut",
                zh: "多出一个字符，内容可能被截断",
            },
            Self::SpareBits => Text {
                en: "the last character has stray bits (was the text sent unencoded?)",
                zh: "末尾字符含有多余比特（是否忘记编码？）",
            },
            Self::Empty => Text { en: "it decodes to nothing", zh: "解码后为空" },
            Self::Pieces => Text {
                en: "blanks inside; encode the whole parameter string at once",
                zh: "中间有空格；请将整个参数字符串一次编码",
            },
        }
    }
}

/// Which blanks are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blanks {
    /// Blank, tab, carriage return and line feed.
    All,
    /// Carriage return and line feed.
    LineEnds,
}

const CANONICAL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes `text`; returns the bytes and the canonical text, borrowed when it was canonical already.
pub fn decode(text: &str, blanks: Blanks) -> Result<(Vec<u8>, Cow<'_, str>), Base64Fault> {
    let canonical = if is_canonical(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(canonicalize(text, blanks)?)
    };
    if canonical.is_empty() {
        return Err(Base64Fault::Empty);
    }
    // Alphabet, padding and length hold by now; what is left to find is stray bits.
    let bytes = CANONICAL.decode(canonical.as_bytes()).map_err(|_| Base64Fault::SpareBits)?;
    Ok((bytes, canonical))
}

/// Encodes in the canonical form.
#[must_use]
pub(crate) fn encode(bytes: &[u8]) -> String {
    CANONICAL.encode(bytes)
}

fn is_canonical(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

fn canonicalize(text: &str, blanks: Blanks) -> Result<String, Base64Fault> {
    let mut canonical = String::with_capacity(text.len() + 3);
    let mut padding = 0;
    for character in text.chars() {
        let data = match character {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' => character,
            '-' => '+',
            '_' => '/',
            '=' => {
                padding += 1;
                continue;
            }
            '\r' | '\n' => continue,
            ' ' | '\t' if blanks == Blanks::All => continue,
            ' ' | '\t' => return Err(Base64Fault::Pieces),
            _ => return Err(Base64Fault::Alphabet),
        };
        if padding > 0 {
            return Err(Base64Fault::AfterPadding);
        }
        canonical.push(data);
    }
    let due = match canonical.len() % 4 {
        0 => 0,
        1 => return Err(Base64Fault::Length),
        2 => 2,
        _ => 1,
    };
    if padding > due {
        return Err(if canonical.is_empty() {
            Base64Fault::Empty
        } else {
            Base64Fault::AfterPadding
        });
    }
    canonical.extend(std::iter::repeat_n('=', due));
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> Base64Fault {
        decode(text, Blanks::All).unwrap_err()
    }

    #[test]
    fn what_job_would_run_as_garbage_is_refused() {
        assert_eq!(fault("!!!!"), Base64Fault::Alphabet);
        assert_eq!(fault("你好"), Base64Fault::Alphabet);
        assert_eq!(fault("X==Y"), Base64Fault::AfterPadding);
        assert_eq!(fault("ZWNobyAx===="), Base64Fault::AfterPadding);
        assert_eq!(fault("ZWNobyAkM"), Base64Fault::Length);
        assert_eq!(fault("YR=="), Base64Fault::SpareBits);
        assert_eq!(fault("echo hi"), Base64Fault::SpareBits);
        assert_eq!(fault(""), Base64Fault::Empty);
        assert_eq!(fault("===="), Base64Fault::Empty);
        assert_eq!(decode("YQ== Yg==", Blanks::LineEnds), Err(Base64Fault::Pieces));
    }

    #[test]
    fn what_job_decodes_faithfully_is_taken_and_made_canonical() {
        for text in ["YSA/Pn4=", "YSA_Pn4=", "YSA/Pn4", "YSA/\r\nPn4=", "Y S\tA/Pn4"] {
            let (bytes, canonical) = decode(text, Blanks::All).unwrap();
            assert_eq!((bytes.as_slice(), &*canonical), (b"a ?>~".as_slice(), "YSA/Pn4="));
        }
    }

    proptest! {
        #[test]
        fn a_canonical_text_is_not_encoded_again(bytes in prop::collection::vec(any::<u8>(), 1..99)) {
            let text = encode(&bytes);
            let (decoded, canonical) = decode(&text, Blanks::LineEnds).unwrap();
            prop_assert_eq!(decoded, bytes);
            prop_assert!(matches!(canonical, Cow::Borrowed(_)));
        }

        #[test]
        fn whatever_is_taken_encodes_to_its_canonical_text(text in "[A-Za-z0-9+/_= \n-]{0,40}") {
            if let Ok((bytes, canonical)) = decode(&text, Blanks::All) {
                prop_assert_eq!(encode(&bytes), canonical);
            }
        }
    }
}
