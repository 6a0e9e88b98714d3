//! The query of a GET, as the object that a POST would carry: one reader, one set of rules for both.
//!
//! Every value becomes a string here; the catalog's forms turn decimal text into integers afterwards.

use serde::ser::Serializer as _;

use super::PlainCall;
use crate::{
    Care, Component, Faults, Field, Form, Rule, Text,
    credential::is_identity,
    fault::{Step, write_step},
    json::Document,
};

/// Where faults of the whole stand.
const QUERY: &str = "query";

impl PlainCall {
    /// Reads flat parameters: pairs divided by `&`, UTF-8 in percent encoding, `+` for a blank, each name
    /// once. Identity and sealed parameters have no place in a URL, which every log on the way keeps.
    pub fn query_document(component: Component, query: &str) -> Result<Document, Faults> {
        let mut faults = Faults::default();
        let mut pairs: Vec<(String, String)> = Vec::new();
        // The ESB divides pairs at `;` as well, so one part would be read in two ways.
        if query.contains(';') {
            faults.push(
                QUERY,
                Rule::Header {
                    expected: Text {
                        en: "name=value pairs divided by & alone",
                        zh: "应为仅以 & 分隔的 name=value",
                    },
                },
            );
        }
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            let Some((name, value)) = decoded(pair) else {
                let expected = Text {
                    en: "name=value pairs of UTF-8 in percent encoding",
                    zh: "应为百分号编码的 UTF-8 name=value",
                };
                faults.push(QUERY, Rule::Header { expected });
                continue;
            };
            let mut path = String::new();
            write_step(&mut path, Step::Name(&name));
            let field = component.fields().iter().find(|field| field.name == name);
            if is_identity(&name) {
                faults.push(path, Rule::RefusedCredential);
            } else if field.is_some_and(|f| matches!(f.care, Care::Sealed | Care::Secret)) {
                faults.push(
                    path,
                    Rule::Header {
                        expected: Text {
                            en: "a member of the body of a POST",
                            zh: "应放在 POST 的请求体中",
                        },
                    },
                );
            } else {
                let value = spelled(field, value);
                pairs.push((name, value));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // A name that stands twice is found by the reader, which sorts names: a scan of all earlier pairs would
        // let a stranger's long query cost its square.
        let mut object = Vec::with_capacity(query.len() + 64);
        serde_json::Serializer::new(&mut object)
            .collect_map(pairs)
            .map_err(|_| Faults::one(QUERY, Rule::Utf8))?;
        Document::read(object)
    }
}

fn decoded(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    let name = decode(name)?;
    if name.is_empty() { None } else { Some((name, decode(value)?)) }
}

fn decode(text: &str) -> Option<String> {
    let hex = |digit: Option<u8>| char::from(digit?).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(hex(rest.next())? << 4 | hex(rest.next())?).ok()?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Python writes booleans with a capital letter into a query, and JOB takes them so.
fn spelled(field: Option<&Field>, value: String) -> String {
    let flag = field.is_some_and(|field| field.form == Form::Flag);
    match value.as_str() {
        "True" if flag => "true".into(),
        "False" if flag => "false".into(),
        _ => value,
    }
}
