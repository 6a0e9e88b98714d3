//! The current ESB: identity in `X-Bkapi-Authorization`, the call alone in the body.

use bytes::Bytes;
use http::HeaderValue;

use super::{Message, Sender, Unwritable};
use crate::ComponentCall;

pub(super) fn write(sender: Sender<'_>, call: &ComponentCall) -> Result<Message, Unwritable> {
    let authorization = authorization(sender)?;
    let mut body = Vec::with_capacity(call.size_hint());
    serde_json::to_writer(&mut body, call).map_err(|_| Unwritable)?;
    Ok(Message { authorization: Some(authorization), body: Bytes::from(body) })
}

/// `X-Bkapi-Authorization`.
pub(super) fn authorization(sender: Sender<'_>) -> Result<HeaderValue, Unwritable> {
    let (key, value) = sender.user.member();
    let identity = [
        ("bk_app_code", sender.app_code.as_str()),
        ("bk_app_secret", sender.app_secret.expose()),
        (key, value),
    ];
    let mut header = String::with_capacity(128);
    for (index, (key, value)) in identity.into_iter().enumerate() {
        header.push(if index == 0 { '{' } else { ',' });
        push_ascii(&mut header, key);
        header.push(':');
        push_ascii(&mut header, value);
    }
    header.push('}');
    let mut authorization = HeaderValue::try_from(header).map_err(|_| Unwritable)?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

/// Writes a JSON string in ASCII: the ESB decodes raw UTF-8 bytes of a header as Latin-1.
fn push_ascii(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_string_is_ascii_and_says_the_same() {
        for text in ["plain", "a\"b\\c", "张三😀", "\r\nX-A: b", "\u{0}\u{7f}"] {
            let mut out = String::new();
            push_ascii(&mut out, text);
            assert!(out.bytes().all(|b| (b' '..=b'~').contains(&b)), "{out}");
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
