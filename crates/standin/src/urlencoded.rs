//! Percent encoding and form fields as Django reads them: `&` and `;` part fields, the last of two equal names
//! wins, bytes that are no UTF-8 are replaced.

/// More fields than this are refused with HTTP 400.
pub(crate) const FIELD_LIMIT: usize = 1000;

/// A form or query string with more than [`FIELD_LIMIT`] fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyFields;

/// Decodes once; what is not two hexadecimal digits stays as it is.
pub(crate) fn percent_decode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (*first, tail)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// Everything but letters, digits and `-._~` becomes `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else if write!(out, "%{byte:02X}").is_err() {
            return out;
        }
    }
    out
}

/// The fields in order, `+` read as a blank.
pub(crate) fn fields(raw: &[u8]) -> Result<Vec<(String, String)>, TooManyFields> {
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    let parts = raw.split(|byte| matches!(byte, b'&' | b';'));
    if parts.clone().count() > FIELD_LIMIT {
        return Err(TooManyFields);
    }
    Ok(parts.filter(|part| !part.is_empty()).map(field).collect())
}

fn field(part: &[u8]) -> (String, String) {
    let mut halves = part.splitn(2, |byte| *byte == b'=');
    let mut half = || {
        let plain: Vec<u8> = halves
            .next()
            .unwrap_or_default()
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        String::from_utf8_lossy(&percent_decode(&plain)).into_owned()
    };
    (half(), half())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_decoded_exactly_once() {
        assert_eq!(percent_decode(b"a%2541%zz%4"), b"a%41%zz%4");
    }

    #[test]
    fn a_semicolon_parts_fields_too() {
        let read = fields(b"a=1;b=x+y&c").unwrap();
        let expected = [("a", "1"), ("b", "x y"), ("c", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn encoding_and_decoding_meet() {
        let text = "bkcrypt%24é=+ /";
        assert_eq!(percent_decode(percent_encode(text).as_bytes()), text.as_bytes());
    }

    #[test]
    fn a_thousand_fields_are_the_limit() {
        assert!(fields("a&".repeat(999).as_bytes()).is_ok());
        assert_eq!(fields("a&".repeat(1000).as_bytes()), Err(TooManyFields));
    }
}
