use super::*;
use crate::base64_text;

const SECRET: &str = "s3cr\"t/k?y+ü1 z";

fn percent(text: &str, unreserved: &[u8]) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || unreserved.contains(&b);
    text.bytes()
        .map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[test]
fn an_echo_is_blanked_in_every_spelling() {
    let needles = Needles::new([SECRET]);
    let hex: String = SECRET.bytes().map(|b| format!("{b:02x}")).collect();
    let quoted = serde_json::Value::from(SECRET).to_string();
    for echo in [
        SECRET.to_owned(),
        quoted.trim_matches('"').to_owned(),
        quoted.trim_matches('"').replace('\\', "\\\\"),
        percent(SECRET, b"-._~"),
        percent(SECRET, b"/?+ \""),
        percent(SECRET, b"").to_ascii_lowercase(),
        percent(&percent(SECRET, b""), b""),
        SECRET.bytes().map(|b| format!("%{b:02x}")).collect(),
        SECRET.bytes().map(|b| format!("\\x{b:02x}")).collect(),
        percent(SECRET, b" ").replace(' ', "+"),
        escaped(SECRET),
        escaped(SECRET).to_ascii_uppercase().replace("\\U", "\\u"),
        escaped(SECRET).replace('\\', "\\\\"),
        format!("{}{}", escaped("s3cr"), SECRET.strip_prefix("s3cr").unwrap()),
        SECRET.replace('/', "\\/"),
        hex.to_ascii_uppercase(),
        hex,
    ] {
        let text = format!("before {echo} after");
        assert_eq!(needles.blank(&text), "before *** after");
        assert!(needles.found_in(&text));
    }
    assert!(matches!(needles.blank("nothing here, 100% sure \\o/"), Cow::Borrowed(_)));
}

#[test]
fn a_base64_text_that_holds_a_secret_goes_whole_at_each_alignment() {
    let secret = "<>?~esb-1";
    let needles = Needles::new([secret]);
    for lead in ["", "a", "ab", "abc"] {
        for tail in ["", "y", "yz"] {
            let standard = base64_text::encode(format!("{lead}{secret}{tail}").as_bytes());
            let url_safe = standard.replace('+', "-").replace('/', "_");
            for text in [standard.clone(), url_safe, standard.replace('=', "")] {
                let text = format!("Basic {text}, then");
                assert_eq!(needles.blank(&text), "Basic ***, then", "{lead:?} {tail:?}");
            }
        }
    }
    let escaped = percent(&base64_text::encode(secret.as_bytes()), b"");
    assert_eq!(needles.blank(&format!("a={escaped}&b")), "a=***&b");
}

#[test]
fn the_shortest_secret_is_found_at_each_alignment_and_a_shorter_one_not_at_all() {
    let secret = "hunter22";
    assert_eq!(secret.len(), Needles::SHORTEST);
    for lead in ["", "a", "ab"] {
        let text = base64_text::encode(format!("{lead}{secret}").as_bytes());
        assert_eq!(Needles::new([secret]).blank(&text), BLANK);
    }
    assert_eq!(Needles::new(["hunter2", ""]).blank("hunter2 and more"), "hunter2 and more");
}

#[test]
fn a_character_beyond_the_first_plane_is_found_behind_its_two_escapes() {
    let needles = Needles::new(["pass😀word"]);
    assert_eq!(needles.blank(&format!("({})", escaped("pass😀word"))), "(***)");
    assert_eq!(needles.blank("\\ud83d, cut"), "\\ud83d, cut");
}

#[test]
fn a_token_that_was_escaped_is_found_where_somebody_took_that_off() {
    let needles = Needles::new(["bkcrypt%24abc%3D"]);
    assert_eq!(needles.blank("token bkcrypt$abc= is bad"), "token *** is bad");
    assert_eq!(needles.blank("?bk_token=bkcrypt%2524abc%253D&x"), "?bk_token=***&x");
}

#[test]
fn places_that_overlap_are_blanked_once() {
    let needles = Needles::new(["abcdefgh", "efghijkl", "cdefghij"]);
    assert_eq!(needles.blank("-abcdefghijkl-abcdefgh-"), "-***-***-");
}

#[test]
fn needles_do_not_print() {
    assert!(!format!("{:?}", Needles::new(["hunter22"])).contains("hunter22"));
}
