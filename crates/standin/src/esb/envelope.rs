//! The one JSON object that every answer is, with its members in an order that varies.

use serde_json::Value;

use super::error::EsbError;
use crate::http::Answer;
use crate::job::Reply;

/// Members in writing order before they are turned; `None` is left out.
type Members<'a> = [Option<(&'a str, Vec<u8>)>];

/// What JOB answered, with the gaps filled as the ESB does.
pub(crate) fn of_job(reply: Reply, job_request_id: &str, request_id: &str) -> Answer {
    let quoted = |text: &str| json_text(text);
    let members = match reply {
        Reply::Done(data) => vec![
            Some(("result", b"true".to_vec())),
            Some(("code", b"0".to_vec())),
            Some(("message", quoted(""))),
            Some(("data", data)),
            Some(("job_request_id", quoted(job_request_id))),
            Some(("request_id", quoted(request_id))),
        ],
        Reply::Refused(refusal) => vec![
            Some(("result", b"false".to_vec())),
            Some(("code", refusal.code.to_string().into_bytes())),
            Some(("message", quoted(&refusal.message))),
            Some(("data", b"null".to_vec())),
            refusal.permission.map(|permission| ("permission", json_bytes(&permission))),
            Some(("job_request_id", quoted(job_request_id))),
            Some(("request_id", quoted(request_id))),
        ],
    };
    Answer::json(200, object(&members, turn(request_id)))
}

/// What the ESB says itself.
pub(crate) fn of_error(error: &EsbError, component: &str, request_id: &str) -> Answer {
    let row = error.row(component);
    let members = [
        Some(("result", b"false".to_vec())),
        row.code.map(|code| ("code", code.to_string().into_bytes())),
        Some(("data", b"null".to_vec())),
        Some(("message", json_text(&row.message))),
        row.shows_request_id.then(|| ("request_id", json_text(request_id))),
    ];
    Answer::json(row.status, object(&members, turn(request_id)))
}

/// An error whose message is already JSON text, so that a test decides on every escape.
pub(crate) fn of_echo(message_text: &str, request_id: &str) -> Answer {
    let members = [
        Some(("result", b"false".to_vec())),
        Some(("code", b"1306000".to_vec())),
        Some(("data", b"null".to_vec())),
        Some(("message", format!("\"{message_text}\"").into_bytes())),
        Some(("request_id", json_text(request_id))),
    ];
    Answer::json(200, object(&members, turn(request_id)))
}

/// The first digit of the id decides the order: random, yet the same for the same answer.
fn turn(request_id: &str) -> usize {
    request_id.bytes().next().map_or(0, usize::from)
}

fn object(members: &Members<'_>, turn: usize) -> Vec<u8> {
    let there: Vec<_> = members.iter().flatten().collect();
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    for nth in 0..there.len() {
        if let Some((name, value)) = there.get((nth + turn) % there.len()) {
            if nth > 0 {
                out.extend_from_slice(b", ");
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\": ");
            out.extend_from_slice(value);
        }
    }
    out.push(b'}');
    out
}

pub(crate) fn json_text(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap_or_default()
}

pub(crate) fn json_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
