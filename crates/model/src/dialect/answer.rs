//! What the ESB's answer means, and what of it a caller sees.
//!
//! The HTTP status is 200 on almost every failure (contract esb §6), so the body decides. A closed list
//! of code and exact message means that nothing was run; success means that it was; all else is unknown,
//! because 1306201 also covers a JOB that failed after it had started.

mod shown;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::mask::Mask;
use crate::{Component, Executed, Needles};

/// The outcome of a call that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The script was started.
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
    /// `code`, if it is an integer or the text of one.
    pub code: Option<i64>,
    /// `message`, blanked of secrets, or why the answer is unreadable. For the log.
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
    /// The ESB's object for the caller, with `executed`; empty when the answer is unreadable.
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

/// Why an answer is none. For the log; a caller is told the same of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NoEnvelope {
    #[error("the answer has a status that no ESB gives")]
    Status,
    #[error("the answer is not UTF-8")]
    Encoding,
    #[error("the answer is not one JSON object with each name once")]
    Object,
    #[error("the answer is nested too deeply")]
    Depth,
    #[error("the answer has no result that is true or false")]
    Result,
    #[error("the answer has a code that is no number")]
    Code,
    #[error("the answer has a message that is no text")]
    Message,
    #[error("the answer cannot be told from what it must not show")]
    Mask,
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
    understand(component, status, body, echoes).unwrap_or_else(|why| unreadable(status, why))
}

fn understand(
    component: Component,
    status: StatusCode,
    body: &[u8],
    echoes: &Needles,
) -> Result<Answer, NoEnvelope> {
    // The ESB does not redirect and does not leave its answer out; whoever does stands in between.
    if !matches!(status.as_u16(), 200..=203 | 400..=599) {
        return Err(NoEnvelope::Status);
    }
    let text = std::str::from_utf8(body).map_err(|_| NoEnvelope::Encoding)?;
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| NoEnvelope::Object)?;
    if shown::depth(text) > MOST_DEPTH {
        return Err(NoEnvelope::Depth);
    }
    let result = match members.raw("result") {
        Some("true") => true,
        Some("false") => false,
        Some(_) | None => return Err(NoEnvelope::Result),
    };
    let code = members.code()?;
    let message: Option<String> = match members.raw("message") {
        Some(raw) => serde_json::from_str(raw).map_err(|_| NoEnvelope::Message)?,
        None => None,
    };
    let message = message.unwrap_or_default();
    let (outcome, executed) = judge(result, code, &message);
    // Serde would take a list for the members in their order.
    let data = members.raw("data").filter(|raw| raw.starts_with('{'));
    let data: Option<Data> = data.and_then(|raw| serde_json::from_str(raw).ok());
    let short = |id: Option<String>| id.map(|id| shortened(&id, LONGEST_ID, echoes));
    let meaning = Meaning {
        outcome,
        executed,
        code,
        credential_refused: !result && code == Some(1_306_000) && message == WRONG_SECRET,
        message: shortened(&message, LONGEST_MESSAGE, echoes),
        job_instance_id: data.as_ref().and_then(|data| data.job_instance_id),
        step_instance_id: data.as_ref().and_then(|data| data.step_instance_id),
        request_id: short(members.text("request_id")),
        job_request_id: short(members.text("job_request_id")),
    };
    let internal = code.is_some_and(|code| INTERNAL.contains(&code));
    let said = component.kind().tells_executed().then_some(executed);
    let mask = Mask::new(component.hidden());
    // Fails closed: what cannot be masked is not passed on.
    let body = for_caller(&members, said, internal, echoes, mask).ok_or(NoEnvelope::Mask)?;
    Ok(Answer { meaning, status, body })
}

/// Blanked first: half an echo would not be found.
fn shortened(text: &str, longest: usize, echoes: &Needles) -> Box<str> {
    let clean = echoes.blank(text);
    // A text has at most as many characters as bytes.
    let end = if clean.len() <= longest { None } else { clean.char_indices().nth(longest) };
    end.and_then(|(end, _)| clean.get(..end)).unwrap_or(&clean).into()
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

fn unreadable(status: StatusCode, why: NoEnvelope) -> Answer {
    let meaning = Meaning {
        outcome: Outcome::Unreadable,
        executed: Executed::Unknown,
        code: None,
        message: why.to_string().into(),
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

impl Members<'_> {
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// A text; what is none is left out of account.
    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// `code`: a number, or, from components of third parties, its text.
    fn code(&self) -> Result<Option<i64>, NoEnvelope> {
        let Some(raw) = self.raw("code").filter(|raw| *raw != "null") else { return Ok(None) };
        // `+0`, `-0` and `00` are other codes than 0.
        let canonical =
            |text: &str| text.parse().ok().filter(|code: &i64| code.to_string() == text);
        match canonical(raw) {
            Some(code) => Ok(Some(code)),
            None => {
                let text: String = serde_json::from_str(raw).map_err(|_| NoEnvelope::Code)?;
                Ok(canonical(&text))
            }
        }
    }
}

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

/// An answer of JOB has about ten levels (`permission`); a caller's parser need not survive more than this.
const MOST_DEPTH: usize = 64;

/// What of a message goes to the log.
const LONGEST_MESSAGE: usize = 1024;

/// What of a request id goes to the log.
const LONGEST_ID: usize = 128;

const WITHHELD: &str = "\"the ESB reports a fault behind it; its text is in the gateway's log\"";

fn for_caller(
    members: &Members<'_>,
    executed: Option<Executed>,
    internal: bool,
    echoes: &Needles,
    mask: Mask,
) -> Option<Bytes> {
    let mut text = String::with_capacity(256);
    text.push('{');
    for (name, value) in &members.0 {
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
    let mut clean = shown::without_echoes(text, echoes);
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

#[cfg(test)]
mod tests;
