//! How Java reads values: Jackson's coercions (contract jobv3 §1.2) and Base64 by commons-codec (§1.3).

use crate::python::Value;

/// What JOB answers instead of running.
pub type Refusal = String;

/// `StringUtils.isBlank`: Java's white space, which leaves out the blanks that do not break.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, '\t'..='\r' | '\u{1c}'..='\u{20}' | '\u{1680}' | '\u{2000}'..='\u{2006}'
            | '\u{2008}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{205f}' | '\u{3000}')
    })
}

/// `String.trim`.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

pub fn mistyped<T>(name: &str) -> Result<T, Refusal> {
    Err(format!("1240003 type of {name}"))
}

/// `Long.parseLong` takes a sign and the decimal digits of every script.
pub fn parse_long(text: &str) -> Option<i64> {
    let digits: String = text
        .chars()
        .map(|c| match c {
            '\u{ff10}'..='\u{ff19}' => char::from(b'0' + (u32::from(c) - 0xff10) as u8),
            other => other,
        })
        .collect();
    digits.parse().ok()
}

/// Jackson's reading of a `Long`.
pub fn long(object: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    as_long(object.get(name).unwrap_or(&Value::Null), name)
}

pub fn as_long(value: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::Int(text) => text.parse().map(Some).or_else(|_| mistyped(name)),
        Value::Float(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number.abs() < 9.2e18 => Ok(Some(number as i64)),
            _ => mistyped(name),
        },
        Value::Text(text) if ["", "null"].contains(&trim(text)) => Ok(None),
        Value::Text(text) => parse_long(trim(text)).map(Some).map_or_else(|| mistyped(name), Ok),
        Value::Bool(_) | Value::List(_) | Value::Object(_) => mistyped(name),
    }
}

/// Jackson's reading of an `Integer`.
pub fn int(object: &Value, name: &str) -> Result<Option<i32>, Refusal> {
    long(object, name)?.map(|value| i32::try_from(value).or_else(|_| mistyped(name))).transpose()
}

/// Jackson's reading of a `String`.
pub fn text(object: &Value, name: &str) -> Result<Option<String>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text) | Value::Int(text) | Value::Float(text)) => Ok(Some(text.clone())),
        Some(Value::Bool(value)) => Ok(Some(value.to_string())),
        Some(Value::List(_) | Value::Object(_)) => mistyped(name),
    }
}

pub fn elements<'v>(object: &'v Value, name: &str) -> Result<&'v [Value], Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::List(elements)) => Ok(elements),
        Some(_) => mistyped(name),
    }
}

pub fn object<'v>(parent: &'v Value, name: &str) -> Result<Option<&'v Value>, Refusal> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(object)),
        Some(_) => mistyped(name),
    }
}

/// Base64 as commons-codec decodes it: both alphabets, everything else skipped, the first `=` ends it,
/// bits that are left over make it fail.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
        bits &= (1 << held) - 1;
    }
    (bits == 0 && held < 6).then_some(bytes)
}

#[test]
fn base64_is_decoded_as_commons_codec_does() {
    assert_eq!(decode("YS/+").unwrap(), decode("YS_-").unwrap());
    assert_eq!(decode("!!!!").unwrap(), b"");
    assert_eq!(decode("YQ==Yg==").unwrap(), b"a");
    assert_eq!(decode("Y Q\n").unwrap(), b"a");
    assert_eq!(decode("YR=="), None);
}
