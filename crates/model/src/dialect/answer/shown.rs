//! What of the ESB's JSON a caller sees: each token as the ESB wrote it, but for echoes.
//!
//! Tokens, not values: a number keeps its digits whatever its size, and nothing recurses.

use crate::Needles;

/// Names that the contracts know (esb §6, jobv3 §1): a secret that happens to be one of them must not take
/// the answer apart.
const KNOWN: [&str; 10] = [
    "code",
    "data",
    "job_instance_id",
    "job_instance_name",
    "job_request_id",
    "message",
    "permission",
    "request_id",
    "result",
    "step_instance_id",
];

/// What stands for a text that is an echo, or that no text can hold.
const BLANK: &str = "\"***\"";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Text,
    Number,
    Open,
    Close,
    /// White space, commas, colons and the three words.
    Other,
}

/// How deeply arrays and objects stand in each other in `json`, which is well-formed.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, json);
    while let Some((token, _, after)) = next(rest) {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Text | Token::Number | Token::Other => {}
        }
        deepest = deepest.max(depth);
        rest = after;
    }
    deepest
}

/// Writes `json`, which is well-formed, without echoes.
pub(super) fn without_echoes(json: String, echoes: &Needles) -> String {
    // Behind escapes of JSON a secret that itself looks escaped is seen only once those alone are gone.
    let found = echoes.found_in(&json);
    if !found && !json.contains('\\') {
        return json;
    }
    let (mut clean, mut rest) = (String::with_capacity(json.len()), json.as_str());
    while let Some((token, text, after)) = next(rest) {
        match token {
            Token::Text => push_text(&mut clean, text, (is_name(after), found), echoes),
            Token::Number if echoes.hold(text) => clean.push_str(BLANK),
            Token::Number | Token::Open | Token::Close | Token::Other => clean.push_str(text),
        }
        rest = after;
    }
    clean
}

fn push_text(clean: &mut String, literal: &str, (is_name, found): (bool, bool), echoes: &Needles) {
    // Half a surrogate pair has no text that could be searched.
    let Ok(text) = serde_json::from_str::<String>(literal) else {
        return clean.push_str(if found { BLANK } else { literal });
    };
    let blanked = echoes.blank(&text);
    if blanked == text || is_name && KNOWN.contains(&text.as_str()) {
        clean.push_str(literal);
    } else {
        clean.push_str(&serde_json::Value::from(blanked).to_string());
    }
}

fn is_name(after: &str) -> bool {
    after.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(':')
}

/// The first token, its text, and what follows.
fn next(json: &str) -> Option<(Token, &str, &str)> {
    let bytes = json.as_bytes();
    let run = |of: fn(&u8) -> bool| bytes.iter().take_while(|byte| of(byte)).count();
    let (token, length) = match bytes.first()? {
        b'"' => (Token::Text, text_length(bytes)),
        b'[' | b'{' => (Token::Open, 1),
        b']' | b'}' => (Token::Close, 1),
        byte if is_numeric(byte) => {
            (Token::Number, run(|byte| is_numeric(byte) || b"+.eE".contains(byte)))
        }
        _ => (Token::Other, run(|byte| !is_numeric(byte) && !b"\"[]{}".contains(byte))),
    };
    let (text, after) = json.split_at_checked(length)?;
    Some((token, text, after))
}

fn is_numeric(byte: &u8) -> bool {
    byte.is_ascii_digit() || *byte == b'-'
}

/// The length of the string that `bytes` begins with, quotes included.
fn text_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        without_echoes(json.to_owned(), &Needles::new(["esb-secret-1", "12345678", "request_id"]))
    }

    #[test]
    fn what_holds_no_echo_is_the_same_to_the_byte() {
        for json in ["{}", "[ -1.50E+30 , 1e999,\t{\"a\\u00e9\\\"\":null}]", "{\"\\ud800\":[true]}"]
        {
            assert_eq!(shown(json), json);
        }
    }

    #[test]
    fn an_echo_goes_and_everything_around_it_stays_as_it_was() {
        assert_eq!(
            shown(r#"{"esb-secret-1" : [1.0,"a\u00e9 \"esb-secret\u002d1\"", 123456789, "é\/"]}"#),
            r#"{"***" : [1.0,"aé \"***\"", 123456789, "é\/"]}"#
        );
    }

    #[test]
    fn a_number_that_is_a_secret_goes_and_one_that_only_contains_it_stays() {
        let json = r#"{"a":12345678,"b":123456789,"c":"x12345678"}"#;
        assert_eq!(shown(json), r#"{"a":"***","b":123456789,"c":"x***"}"#);
    }

    #[test]
    fn a_name_of_the_contract_stays_even_if_it_is_a_secret() {
        let json = r#"{"request_id":"request_id","code" : 12345678}"#;
        assert_eq!(shown(json), r#"{"request_id":"***","code" : "***"}"#);
    }

    #[test]
    fn half_a_surrogate_pair_beside_an_echo_is_no_text() {
        assert_eq!(shown(r#"["\ud83d esb-secret-1","esb-secret-1"]"#), r#"["***","***"]"#);
    }

    #[test]
    fn a_secret_that_looks_escaped_is_found_behind_the_escapes_of_json() {
        let secret = r#"\"a\%aa""#;
        let json = serde_json::json!([secret]).to_string();
        assert_eq!(without_echoes(json, &Needles::new([secret])), r#"["***"]"#);
    }

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        assert_eq!(depth(r#"{"a":[[],"[[[[\"[["],"b":{}}"#), 3);
        assert_eq!(depth("1"), 0);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_answer_it_stays_json_and_no_secret_is_left(
            parts in proptest::collection::vec("[a-z\"\\\\%éß😀\n ]{0,6}", 1..8),
            secret in "[a-z\"\\\\%é😀+/ ]{8,20}",
            cut in 0_usize..8,
        ) {
            let text = parts.join(&secret);
            let json = serde_json::json!([{text.clone(): [1.5, text]}, parts.get(cut), secret]);
            let clean = without_echoes(json.to_string(), &Needles::new([secret.as_str()]));
            let value: serde_json::Value = serde_json::from_str(&clean).unwrap();
            proptest::prop_assert_eq!(&value[2], "***");
            proptest::prop_assert_eq!(depth(&clean), 3);
            let [name] = value[0].as_object().unwrap().keys().collect::<Vec<_>>()[..] else { panic!() };
            for text in [name.as_str(), value[0][name][1].as_str().unwrap()] {
                proptest::prop_assert!(!text.contains(&secret), "{}", text);
            }
        }
    }
}
