//! SHA-256 and hexadecimal digits, as policy, records and logs write them.

/// SHA-256 of a text.
#[must_use]
pub fn sha256(text: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text).as_ref());
    hash
}

/// SHA-256 of a text, in lower hexadecimal digits.
#[must_use]
pub fn sha256_hex(text: &[u8]) -> String {
    hex(&sha256(text))
}

/// Lower hexadecimal digits, two a byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut written = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        written.push(char::from(hex_digit(byte >> 4)));
        written.push(char::from(hex_digit(byte & 15)));
    }
    written
}

/// The lower digit of a number below 16.
pub(crate) fn hex_digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

/// The SHA-256 that 64 hexadecimal digits, lower or upper, stand for; none if it is anything else.
#[must_use]
pub fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_lower_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
    }

    #[test]
    fn a_hash_is_read_from_64_digits_and_from_nothing_else() {
        let hash = sha256(b"abc");
        let digits = hex(&hash);
        assert_eq!(sha256_from_hex(&digits), Some(hash));
        assert_eq!(sha256_from_hex(&digits.to_uppercase()), Some(hash));
        for other in
            ["", &"a".repeat(63), &"a".repeat(62), &format!("{digits}0"), &digits.replace('a', "g")]
        {
            assert_eq!(sha256_from_hex(other), None, "{other}");
        }
    }
}
