//! A body that was written as YAML, as the JSON that a program would send.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;

use crate::node::{Key, Node, Value};

/// What a call of `fast_execute_script` asks for where nothing is said: it is without a fault, so that what is told of it
/// is told of who calls.
const USUAL: &str = r#"{"bk_biz_id":1,"account_alias":"root","script_language":1,"script_content":"dHJ1ZQ==","target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"127.0.0.1"}]}}"#;

/// The body that is meant where none is written.
pub(crate) fn usual() -> Vec<u8> {
    USUAL.into()
}

/// Why something is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// Neither a map nor a text.
    Kind,
    /// A text that is no JSON object.
    Json,
    /// A script in clear beside an encoded one.
    TwoScripts,
    /// A script in clear beside a body whose text is taken as it is.
    ScriptBesideText,
}

impl BodyFault {
    /// What is wrong.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Kind => "expected the parameters as keys with values, or a JSON object as a text",
            Self::Json => "the text of the body is no JSON object",
            Self::TwoScripts => "script and script_content of the body are both there: write one",
            Self::ScriptBesideText => {
                "a body that is a text is taken as it is: put the script into it"
            }
        }
    }
}

/// The JSON of a body, with `script` in it if there is one. Whole numbers keep their digits; other numbers keep their
/// spelling where it is JSON's.
pub(crate) fn json(body: Option<&Node>, script: Option<&str>) -> Result<Vec<u8>, BodyFault> {
    let Some(body) = body else {
        return Ok(script.map_or_else(usual, usual_with));
    };
    match &body.value {
        Value::Text(text) => {
            if script.is_some() {
                return Err(BodyFault::ScriptBesideText);
            }
            let read: Result<&RawValue, _> = serde_json::from_str(text);
            let read = read.map_err(|_| BodyFault::Json)?.get();
            if read.starts_with('{') { Ok(read.into()) } else { Err(BodyFault::Json) }
        }
        Value::Map(entries) => object(entries, script),
        Value::Null | Value::Bool(..) | Value::Whole(..) | Value::Number(_) | Value::List(_) => {
            Err(BodyFault::Kind)
        }
    }
}

fn usual_with(script: &str) -> Vec<u8> {
    USUAL.replace("dHJ1ZQ==", &STANDARD.encode(script)).into()
}

fn object(entries: &[(Key, Node)], script: Option<&str>) -> Result<Vec<u8>, BodyFault> {
    let mut out = String::new();
    let has = |name: &str| entries.iter().any(|(key, _)| key.name == name);
    map(entries, &mut out);
    let Some(script) = script else { return Ok(out.into()) };
    if has("script_content") {
        return Err(BodyFault::TwoScripts);
    }
    out.pop();
    if !entries.is_empty() {
        out.push(',');
    }
    if !has("script_language") {
        out += "\"script_language\":1,";
    }
    out += &format!("\"script_content\":\"{}\"}}", STANDARD.encode(script));
    Ok(out.into())
}

fn map(entries: &[(Key, Node)], out: &mut String) {
    let mut open = '{';
    for (key, node) in entries {
        out.push(open);
        text(&key.name, out);
        out.push(':');
        write(node, out);
        open = ',';
    }
    if entries.is_empty() {
        out.push('{');
    }
    out.push('}');
}

/// YAML is read to a bounded depth, so this one is bounded too.
fn write(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value, _) => out.push_str(if *value { "true" } else { "false" }),
        Value::Whole(value, spelled) => number(spelled, out, |out| *out += &value.to_string()),
        Value::Number(spelled) => number(spelled, out, |out| text(spelled, out)),
        Value::Text(said) => text(said, out),
        Value::List(list) => {
            out.push('[');
            for (index, element) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        Value::Map(entries) => map(entries, out),
    }
}

/// Writes a number as it is spelled, or `otherwise` where JSON spells it in another way.
fn number(spelled: &str, out: &mut String, otherwise: impl FnOnce(&mut String)) {
    let digits = spelled.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if digits && serde_json::from_str::<&RawValue>(spelled).is_ok() {
        out.push_str(spelled);
    } else {
        otherwise(out);
    }
}

fn text(said: &str, out: &mut String) {
    *out += &serde_json::Value::from(said).to_string();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{texts::Texts, yaml};

    fn written(text: &str, script: Option<&str>) -> Result<String, BodyFault> {
        let root = yaml::read(&Texts::one("t.yaml", text)).unwrap();
        json(root.first(), script).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn yaml_becomes_the_json_that_is_meant() {
        for (yaml, json) in [
            ("a: 1", r#"{"a":1}"#),
            ("a: 9223372036854775807", r#"{"a":9223372036854775807}"#),
            ("a: 99999999999999999999", r#"{"a":99999999999999999999}"#),
            ("a: -0", r#"{"a":-0}"#),
            ("a: 0x10", r#"{"a":16}"#),
            ("a: 1.50", r#"{"a":1.50}"#),
            ("a: +1.5", r#"{"a":"+1.5"}"#),
            ("a: \"1\"", r#"{"a":"1"}"#),
            ("a: [true, null, x, {}, []]", r#"{"a":[true,null,"x",{},[]]}"#),
            ("\"q\\\"\\n\": \"\\u4e2d\\\\\"", "{\"q\\\"\\n\":\"中\\\\\"}"),
            ("{}", "{}"),
            ("'{\"a\": 1.0, \"a\": 2}'", "{\"a\": 1.0, \"a\": 2}"),
        ] {
            assert_eq!(written(yaml, None).as_deref(), Ok(json), "{yaml}");
        }
    }

    #[test]
    fn a_script_in_clear_becomes_content_and_language() {
        let with = |yaml| written(yaml, Some("true")).unwrap();
        assert_eq!(with("{}"), r#"{"script_language":1,"script_content":"dHJ1ZQ=="}"#);
        assert_eq!(
            with("{script_language: 4}"),
            r#"{"script_language":4,"script_content":"dHJ1ZQ=="}"#
        );
        let usual = json(None, Some("id")).unwrap();
        assert!(std::str::from_utf8(&usual).unwrap().contains("\"aWQ=\""));
    }

    #[test]
    fn what_is_no_body_is_told_apart() {
        assert_eq!(written("[]", None), Err(BodyFault::Kind));
        assert_eq!(written("7", None), Err(BodyFault::Kind));
        assert_eq!(written("'[]'", None), Err(BodyFault::Json));
        assert_eq!(written("'{'", None), Err(BodyFault::Json));
        assert_eq!(written("'{}'", Some("x")), Err(BodyFault::ScriptBesideText));
        assert_eq!(written("{script_content: x}", Some("x")), Err(BodyFault::TwoScripts));
    }
}
