//! What the ESB's answer means, and what of it a caller sees.
//!
//! The HTTP status is 200 on almost every failure (contract esb §6), so the body decides. A closed list
//! of code and exact message means that nothing was run; success means that it was; all else is unknown,
//! because 1306201 also covers a JOB that failed after it had started.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::mask::Mask;
use crate::{Component, Executed, Needles};

/// The outcome of a call that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The call was carried out.
    Success,
    /// The ESB or JOB refused the call before anything ran.
    Failed,
    /// The answer does not say.
    Unknown,
    /// It is no answer of an ESB: HTML, cut, or not JSON.
    Unreadable,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The outcome.
    pub outcome: Outcome,
    /// Whether the call was carried out.
    pub executed: Executed,
    /// `code`, if it is a number.
    pub code: Option<i64>,
    /// `message`, blanked of credentials. For the record and the log.
    pub message: Box<str>,
    /// `data.job_instance_id`.
    pub job_instance_id: Option<i64>,
    /// `data.step_instance_id`.
    pub step_instance_id: Option<i64>,
    /// The ESB's own `request_id`.
    pub request_id: Option<Box<str>>,
    /// JOB's `job_request_id`.
    pub job_request_id: Option<Box<str>>,
    /// The ESB refused the gateway's own credential.
    pub credential_refused: bool,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// What it says.
    pub meaning: Meaning,
    /// The ESB's status.
    pub status: StatusCode,
    /// The ESB's object for the caller, with `executed` unless the component is a read; empty when the
    /// answer is unreadable.
    pub body: Bytes,
}

/// Answers after which nothing was run: (code, exact message). Contract esb §6, jobv3 §1.5.
const NOT_EXECUTED: &[(i64, &str)] = &[
    (
        1306000,
        "Signature [bk_signature] and APP Secret [bk_app_secret] cannot be empty at the same time",
    ),
    (1306000, "APP Code [bk_app_code] cannot be empty"),
    (1306000, WRONG_SECRET),
    (
        1306000,
        "User authentication failed, please provide a valid user identity, such as bk_token, bk_username",
    ),
    (1306000, "User authentication failed, please check if the bk_token is valid"),
    (
        1306406,
        "Parameters error, request header X-Bkapi-Authorization is not a valid JSON format string",
    ),
    (1306405, "Not found, inactive channel"),
    (1240003, "错误的请求"),
    (1240003, "Bad Request"),
    (1243049, "业务/业务集不存在或已被归档"),
    (1243049, "Business/Business Set not exist or archived"),
    (1244001, "主机为空"),
    (1244001, "Host is empty"),
    (1243001, "脚本不存在"),
    (1243001, "Script not exist"),
    (1244019, "高危脚本，禁止执行"),
    (1244019, "Dangerous script, cannot be executed"),
];

/// The ESB echoes bkauth's message, which is "ok", when the secret is wrong.
const WRONG_SECRET: &str = "ok";

/// Messages of 13062xx hold internal URLs and certificate paths (contract esb §13 row 23).
const INTERNAL: std::ops::RangeInclusive<i64> = 1_306_200..=1_306_299;

#[derive(Deserialize)]
struct Envelope {
    result: Option<bool>,
    #[serde(default)]
    code: Code,
    message: Option<String>,
    request_id: Option<String>,
    job_request_id: Option<String>,
    data: Option<Ignored<Data>>,
}

/// A code: a number, or its text from third-party components.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Code {
    Number(i64),
    Text(String),
    #[default]
    None,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ignored<T> {
    Known(T),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Data {
    job_instance_id: Option<i64>,
    step_instance_id: Option<i64>,
}

/// Reads an answer.
pub(super) fn read(
    component: Component,
    status: StatusCode,
    body: &[u8],
    echoes: &Needles,
) -> Answer {
    let text = std::str::from_utf8(body).ok();
    let members = text.and_then(|text| serde_json::from_str::<Members<'_>>(text).ok());
    let envelope = text.and_then(|text| serde_json::from_str::<Envelope>(text).ok());
    let (Some(Members(members)), Some(envelope)) = (members, envelope) else {
        return unreadable(status);
    };
    let Some(result) = envelope.result else { return unreadable(status) };
    let code = match &envelope.code {
        Code::Number(code) => Some(*code),
        Code::Text(text) => text.parse().ok(),
        Code::None => None,
    };
    let message = envelope.message.unwrap_or_default();
    let (outcome, executed) = judge(result, code, &message);
    let internal = code.is_some_and(|code| INTERNAL.contains(&code));
    let data = match envelope.data {
        Some(Ignored::Known(data)) => Some(data),
        Some(Ignored::Other(_)) | None => None,
    };
    let meaning = Meaning {
        outcome,
        executed,
        code,
        credential_refused: !result && code == Some(1_306_000) && message == WRONG_SECRET,
        message: echoes.blank(&message).chars().take(LONGEST_MESSAGE).collect::<String>().into(),
        job_instance_id: data.as_ref().and_then(|data| data.job_instance_id),
        step_instance_id: data.as_ref().and_then(|data| data.step_instance_id),
        request_id: envelope.request_id.map(|id| short(&id, echoes)),
        job_request_id: envelope.job_request_id.map(|id| short(&id, echoes)),
    };
    let said = component.kind().tells_executed().then_some(executed);
    // Fails closed: what cannot be masked is not passed on.
    for_caller(&members, said, internal, echoes, Mask::new(component.hidden()))
        .map_or_else(|| unreadable(status), |body| Answer { meaning, status, body })
}

fn short(id: &str, echoes: &Needles) -> Box<str> {
    echoes.blank(id).chars().take(LONGEST_ID).collect::<String>().into()
}

fn judge(result: bool, code: Option<i64>, message: &str) -> (Outcome, Executed) {
    match (result, code) {
        (true, Some(0)) => (Outcome::Success, Executed::Yes),
        (false, Some(code)) if NOT_EXECUTED.contains(&(code, message)) => {
            (Outcome::Failed, Executed::No)
        }
        (true | false, _) => (Outcome::Unknown, Executed::Unknown),
    }
}

fn unreadable(status: StatusCode) -> Answer {
    let meaning = Meaning {
        outcome: Outcome::Unreadable,
        executed: Executed::Unknown,
        code: None,
        message: "".into(),
        job_instance_id: None,
        step_instance_id: None,
        request_id: None,
        job_request_id: None,
        credential_refused: false,
    };
    Answer { meaning, status, body: Bytes::new() }
}

/// The members of an object in their order, values as they were written so that no number changes.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    if members.len() >= MOST_MEMBERS || members.iter().any(|(n, _)| *n == name) {
                        return Err(serde::de::Error::custom("an answer with two meanings"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// An envelope has about eight members; more than this is no answer of an ESB.
const MOST_MEMBERS: usize = 64;

/// What of a message goes to the log.
const LONGEST_MESSAGE: usize = 1024;

/// What of a request id goes to the log.
const LONGEST_ID: usize = 128;

const WITHHELD: &str = "\"the ESB reports a fault behind it; its text is in the gateway's log\"";

fn for_caller(
    members: &[(String, &RawValue)],
    executed: Option<Executed>,
    internal: bool,
    echoes: &Needles,
    mask: Mask,
) -> Option<Bytes> {
    let mut text = String::with_capacity(256);
    text.push('{');
    for (name, value) in members {
        // The ESB's own `executed` would contradict ours.
        if name == "executed" {
            continue;
        }
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        if internal && name == "message" {
            text.push_str(WITHHELD);
        } else {
            text.push_str(&mask.apply(value.get())?);
        }
        text.push(',');
    }
    // Ours comes after the blanking, so that no echo can touch it.
    let mut clean = without_echoes(text, echoes);
    if let Some(executed) = executed {
        clean.push_str("\"executed\":\"");
        clean.push_str(executed.as_str());
        clean.push('"');
    } else if clean.ends_with(',') {
        clean.pop();
    }
    clean.push('}');
    Some(Bytes::from(clean))
}

/// Blanks echoes in an object that still lacks its last member. An echo behind `\u` escapes is only seen
/// once they are gone; such an object is written anew.
fn without_echoes(text: String, echoes: &Needles) -> String {
    let clean = echoes.blank(&text).into_owned();
    if !clean.contains("\\u") {
        return clean;
    }
    let whole = format!("{}}}", clean.trim_end_matches(','));
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&whole) else { return clean };
    let plain = value.to_string();
    if !echoes.found_in(&plain) {
        return clean;
    }
    let blanked = echoes.blank(&plain).into_owned();
    blanked.strip_suffix('}').map_or(clean, |open| format!("{open},"))
}

#[cfg(test)]
mod tests;
