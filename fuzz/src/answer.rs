//! The reader of the ESB's answers.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use esbgate_model::{
    Component, Executed, Needles,
    dialect::{Answer, Dialect, Outcome},
};
use http::StatusCode;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

const SECRETS: [&str; 2] = ["esb/secret\"canary\\1", "令牌-token-canary"];

/// An answer that is shown to a caller is one JSON object, holds no secret in any spelling, and says `no`
/// or `yes` only where the answer does.
pub fn answer(data: &[u8]) {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>() else { return };
    let status = 100 + u16::from_be_bytes([*high, *low]) % 900;
    let status = StatusCode::from_u16(status).unwrap();
    let body = echoing(rest);
    let needles = Needles::new(SECRETS);
    let read = Dialect::Esb.read(Component::fast_execute_script(), status, &body, &needles);
    tells_no_secret(&read, &needles);
    if read.meaning.outcome == Outcome::Unreadable {
        assert!(read.body.is_empty() && read.meaning.executed == Executed::Unknown);
        return;
    }
    // Members as they are written: a number may be larger than any that a program holds.
    let said: BTreeMap<String, &RawValue> = serde_json::from_slice(&body).unwrap();
    let shown: BTreeMap<String, &RawValue> = serde_json::from_slice(&read.body).unwrap();
    let executed = Value::from(read.meaning.executed.as_str()).to_string();
    assert_eq!(shown.get("executed").map(|value| value.get()), Some(&*executed));
    let result = said.get("result").map(|value| value.get());
    match read.meaning.executed {
        Executed::Yes => assert_eq!((result, read.meaning.code), (Some("true"), Some(0))),
        Executed::No => {
            assert_eq!(result, Some("false"));
            let code = read.meaning.code.unwrap();
            assert!(!(1_306_200..1_306_300).contains(&code), "{code} may have run");
            another_message_is_unknown(status, said, &needles);
        }
        Executed::Unknown => {}
    }
}

/// The text with secrets in it: each of some control bytes stands for one spelling of an echo.
fn echoing(data: &[u8]) -> Vec<u8> {
    let [first, second] = SECRETS;
    let mut body = Vec::with_capacity(data.len());
    for byte in data {
        match byte {
            1 => body.extend(quoted(first).bytes()),
            2 => body.extend(quoted(second).bytes()),
            3 => body.extend(quoted(first).replace('/', "\\/").bytes()),
            4 => body.extend(escaped(second).bytes()),
            5 => body.extend(STANDARD.encode(first).bytes()),
            6 => {
                body.extend(second.bytes().map(|b| format!("{b:02x}")).collect::<String>().bytes())
            }
            7 => body.extend(escaped(first).to_uppercase().replace("\\U", "\\u").bytes()),
            other => body.push(*other),
        }
    }
    body
}

/// The inside of a JSON string.
fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn tells_no_secret(read: &Answer, needles: &Needles) {
    let body = std::str::from_utf8(&read.body).unwrap();
    assert!(!needles.found_in(body), "{body}");
    hides(body);
    let meaning = &read.meaning;
    for text in
        [Some(&meaning.message), meaning.request_id.as_ref(), meaning.job_request_id.as_ref()]
    {
        let text = text.map_or("", |text| text);
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

/// No string of a JSON text, as a program reads it, holds a secret. Half a surrogate pair is no string.
fn hides(json: &str) {
    let hidden = |text: &str| {
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    };
    if let Ok(text) = serde_json::from_str::<String>(json) {
        hidden(&text);
    } else if let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json) {
        elements.iter().for_each(|element| hides(element.get()));
    } else if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) {
        members.iter().for_each(|(name, value)| {
            hidden(name);
            hides(value.get());
        });
    }
}

/// The list is of exact messages.
fn another_message_is_unknown(
    status: StatusCode,
    said: BTreeMap<String, &RawValue>,
    needles: &Needles,
) {
    let Some(message) = said.get("message") else { return };
    let message: Option<String> = serde_json::from_str(message.get()).unwrap();
    let longer = to_raw_value(&(message.unwrap_or_default() + ".")).unwrap();
    let mut said = said;
    said.insert("message".into(), &longer);
    let body = serde_json::to_vec(&said).unwrap();
    let read = Dialect::Esb.read(Component::fast_execute_script(), status, &body, needles);
    assert_eq!(read.meaning.executed, Executed::Unknown);
}
