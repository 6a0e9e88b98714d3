//! JSON as the ESB reads it: Python's `json.loads`, not RFC 8259.
//!
//! The last of two equal names wins, `NaN` and `Infinity` are numbers, lone surrogates pass, integers have no end,
//! and UTF-16 or UTF-32 without a mark is found out. The gateway reads otherwise on purpose, so no reader is shared.

use serde_json::{Map, Number, Value};

/// Nesting that still passes, as measured between 200 (passes) and 500 (does not).
const DEPTH_PASSES: usize = 300;
/// Nesting from which even the parser gives up, measured between 500 and 900.
const DEPTH_PARSES: usize = 800;

/// Why a text is no parameter object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    Malformed,
    /// Parsed, but the component dies on it.
    TooDeep,
}

/// What was read, and whether JOB's stricter reader would take it when it is written again.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) finite: bool,
}

/// Reads bytes, their encoding guessed as Python guesses it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, JsonFault> {
    match bytes {
        [0, ..] => Err(JsonFault::Malformed),
        [_, 0, 0, 0, ..] => parse_text(&utf32le(bytes)?),
        [_, 0, ..] => parse_text(&utf16le(bytes)?),
        _ => parse_text(std::str::from_utf8(bytes).map_err(|_| JsonFault::Malformed)?),
    }
}

/// Reads a text that has been decoded already, as the auth header is.
pub(crate) fn parse_text(text: &str) -> Result<Document, JsonFault> {
    let mut reader = Reader { text, at: 0, deepest: 0, finite: true };
    reader.skip_blanks();
    let value = reader.value(1)?;
    reader.skip_blanks();
    if reader.at != text.len() {
        return Err(JsonFault::Malformed);
    }
    if reader.deepest > DEPTH_PASSES {
        return Err(JsonFault::TooDeep);
    }
    Ok(Document { value, finite: reader.finite })
}

fn utf16le(bytes: &[u8]) -> Result<String, JsonFault> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(JsonFault::Malformed);
    }
    let units = units.iter().map(|pair| u16::from_le_bytes(*pair));
    Ok(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

fn utf32le(bytes: &[u8]) -> Result<String, JsonFault> {
    let (units, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(JsonFault::Malformed);
    }
    let unit = |quad: &[u8; 4]| char::from_u32(u32::from_le_bytes(*quad));
    units.iter().map(unit).collect::<Option<String>>().ok_or(JsonFault::Malformed)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    deepest: usize,
    finite: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.take(byte) { Ok(()) } else { Err(JsonFault::Malformed) }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonFault> {
        if depth > DEPTH_PARSES {
            return Err(JsonFault::Malformed);
        }
        self.deepest = self.deepest.max(depth);
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => self.number(),
            _ if self.word("true") => Ok(Value::Bool(true)),
            _ if self.word("false") => Ok(Value::Bool(false)),
            _ if self.word("null") => Ok(Value::Null),
            _ => Err(JsonFault::Malformed),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonFault> {
        let mut members = Map::new();
        self.expect(b'{')?;
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.skip_blanks();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonFault> {
        let mut items = Vec::new();
        self.expect(b'[')?;
        self.skip_blanks();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_blanks();
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at).ok_or(JsonFault::Malformed)?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(JsonFault::Malformed),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let letter = self.text.as_bytes().get(self.at + 1).ok_or(JsonFault::Malformed)?;
        self.at += 2;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(*letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(JsonFault::Malformed),
        })
    }

    /// A lone surrogate is no fault; as no Rust string can hold it, it is read as U+FFFD.
    fn unicode(&mut self) -> Result<char, JsonFault> {
        let high = self.four_digits()?;
        if (0xD800..0xDC00).contains(&high) && self.word("\\u") {
            let before = self.at;
            let low = self.four_digits()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return char::from_u32(code).ok_or(JsonFault::Malformed);
            }
            self.at = before - 2;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(JsonFault::Malformed)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JsonFault::Malformed);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| JsonFault::Malformed)
    }

    fn number(&mut self) -> Result<Value, JsonFault> {
        let start = self.at;
        if self.word("NaN") || self.word("Infinity") || self.word("-Infinity") {
            self.finite = false;
            return Ok(Value::Null);
        }
        self.take(b'-');
        if !self.take(b'0') && !self.digits() {
            return Err(JsonFault::Malformed);
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                self.at = whole;
            }
        }
        self.exponent();
        let text = self.text.get(start..self.at).ok_or(JsonFault::Malformed)?;
        Ok(Value::Number(self.numeral(text, self.at == whole)?))
    }

    fn exponent(&mut self) {
        let before = self.at;
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            if !self.digits() {
                self.at = before;
            }
        }
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    /// Integers beyond 64 bits are kept as floats: every reader behind this one refuses them by size alone.
    fn numeral(&mut self, text: &str, integer: bool) -> Result<Number, JsonFault> {
        if integer && let Ok(exact) = text.parse::<i64>() {
            return Ok(exact.into());
        }
        if integer && let Ok(exact) = text.parse::<u64>() {
            return Ok(exact.into());
        }
        let float = text.parse::<f64>().map_err(|_| JsonFault::Malformed)?;
        self.finite &= integer || float.is_finite();
        Number::from_f64(float.clamp(f64::MIN, f64::MAX)).ok_or(JsonFault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        parse(text.as_bytes()).unwrap().value
    }

    #[test]
    fn the_last_of_two_names_wins_even_in_escapes() {
        assert_eq!(read(r#"{"a":1,"\u0061":2}"#), json!({"a": 2}));
    }

    #[test]
    fn what_python_takes_is_taken() {
        assert_eq!(read(" \r\n\t{} "), json!({}));
        assert_eq!(read(r#"{"a":-0,"b":1e2}"#), json!({"a": 0, "b": 100.0}));
        assert_eq!(read(r#""\ud83d\ude00 \/""#), json!("😀 /"));
        assert_eq!(read(r#""\ud800x""#), json!("\u{fffd}x"));
        assert_eq!(read(r#""\ud800\u0041""#), json!("\u{fffd}A"));
    }

    #[test]
    fn numbers_without_end_pass_but_are_marked() {
        for text in ["NaN", "[Infinity]", "-Infinity", "1e400"] {
            assert!(!parse(text.as_bytes()).unwrap().finite, "{text}");
        }
        assert!(parse(b"123456789012345678901234567890").unwrap().finite);
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for text in
            ["", "{", "{,}", "[1,]", "{'a':1}", "01", "1.", ".5", "+1", "\u{b}{}", "{}x", "\"\t\""]
        {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), JsonFault::Malformed, "{text:?}");
        }
        assert!(parse(b"\xef\xbb\xbf{}").is_err());
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"\0{\0}").is_err());
    }

    #[test]
    fn wide_encodings_are_found_out() {
        let text = r#"{"a":"é"}"#;
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf32: Vec<u8> = text.chars().flat_map(|each| u32::from(each).to_le_bytes()).collect();
        assert_eq!(parse(&utf16).unwrap().value, json!({"a": "é"}));
        assert_eq!(parse(&utf32).unwrap().value, json!({"a": "é"}));
    }

    #[test]
    fn nesting_passes_breaks_the_component_or_breaks_the_parser() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(200).as_bytes()).is_ok());
        assert_eq!(parse(nested(500).as_bytes()).unwrap_err(), JsonFault::TooDeep);
        assert_eq!(parse(nested(900).as_bytes()).unwrap_err(), JsonFault::Malformed);
    }
}
