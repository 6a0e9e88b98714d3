//! Base64 as JOB really decodes it (commons-codec): both alphabets, anything else skipped, the rest dropped after
//! the first `=`, and a failure only when spare bits are set.

/// The decoded bytes, or none where the decoder throws.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0_u8);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let Some(six) = six_bits(byte) else { continue };
        bits = bits << 6 | six;
        count += 1;
        if count == 4 {
            let [_, one, two, three] = bits.to_be_bytes();
            out.extend([one, two, three]);
            (bits, count) = (0, 0);
        }
    }
    match count {
        2 if bits & 0xF != 0 => return None,
        3 if bits & 0x3 != 0 => return None,
        2 => out.extend((bits >> 4).to_be_bytes().last()),
        3 => {
            let [_, _, one, two] = (bits >> 2).to_be_bytes();
            out.extend([one, two]);
        }
        _ => {}
    }
    Some(out)
}

/// The decoded text, what is no UTF-8 replaced.
pub(crate) fn decode_text(text: &str) -> Option<String> {
    decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The size that JOB expects before it decodes.
pub(crate) fn estimated_size(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() * 3 / 4).saturating_sub(padding)
}

fn six_bits(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_blanks_and_alphabets_do_not_matter() {
        for text in ["ZWNobyAkMQ==", "ZWNobyAkMQ", "ZWNo\r\nbyAk MQ=", "ZWNobyAkMQ==ignored"] {
            assert_eq!(decode(text).unwrap(), b"echo $1", "{text}");
        }
        assert_eq!(decode("-_+/").unwrap(), decode("+/-_").unwrap());
        assert_eq!(decode("X==YYYY").unwrap(), b"");
    }

    #[test]
    fn rubbish_is_skipped_and_spare_bits_throw() {
        assert_eq!(decode("!!!!").unwrap(), b"");
        for text in ["YR==", "ZW", "rm -rf /"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode_text("gICA").unwrap(), "\u{fffd}\u{fffd}\u{fffd}");
        assert!(decode("echo hello").is_some());
    }

    #[test]
    fn sizes_are_guessed_from_the_length() {
        assert_eq!(estimated_size("ZWNobyAkMQ=="), 7);
        assert_eq!(estimated_size("ZWNobyAkMQ"), 7);
    }
}
