//! The fields of each kind of record, and what of a call may stand in them.

mod admin;
mod house;
mod plain;
mod reload;
mod run;
#[cfg(test)]
pub(crate) mod schema;
mod shadow;

use std::{fmt::Write as _, io};

use esbgate_core::{Intent, Limit, OutcomeClass, OutcomeRecord, RefusalRecord, RiskMatch};
use esbgate_model::{CallbackUrl, ComponentCall, Executed, Name, Scope, sha256_hex};
use serde::Serialize;

pub(crate) use self::{admin::admin, house::*, reload::reload, shadow::shadow};
use self::{
    plain::{PlainLine, plain},
    run::{RunLine, run},
};
use crate::{
    keyed::{HashKey, Keyed},
    unproved::{Caller, Sum},
};

/// Longest free text that is written as it is, in characters.
const LONGEST_TEXT: usize = 256;
/// Most hosts that are written one by one.
const MOST_HOSTS: usize = 1000;

/// Free text, or its size and hash when it is long.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Text<'a> {
    Whole(&'a str),
    Long { chars: usize, sha256: String },
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        match text.chars().count() {
            chars if chars > LONGEST_TEXT => {
                Self::Long { chars, sha256: sha256_hex(text.as_bytes()) }
            }
            _ => Self::Whole(text),
        }
    }
}

/// A list, or its hash when it is long.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum List {
    Whole(Vec<String>),
    Long { sha256: String },
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TargetLine {
    host_ids: usize,
    hosts: usize,
    groups: usize,
    nodes: usize,
    host_id_list: List,
    ip_list: List,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CallbackLine<'a> {
    url: Text<'a>,
    query: Option<Keyed<'a>>,
}

/// What of a call is written, by its model.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum AskedLine<'a> {
    Run(Box<RunLine<'a>>),
    Plain(Box<PlainLine<'a>>),
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct IntentLine<'a> {
    request_id: Text<'a>,
    received_at: String,
    peer: Option<std::net::IpAddr>,
    app: &'a str,
    app_proofs: Vec<&'static str>,
    user: &'a str,
    user_proof: &'static str,
    token: Option<Keyed<'a>>,
    acts_as: &'a str,
    component: &'static str,
    scope_type: Option<&'static str>,
    scope_id: Option<i64>,
    #[serde(flatten)]
    asked: AskedLine<'a>,
    callback: Option<CallbackLine<'a>>,
    losers: &'a [&'static str],
    dropped: Vec<Text<'a>>,
    host_runs: u64,
    generation: u64,
    grant: Text<'a>,
    risk: Vec<RiskLine<'a>>,
    shadowed: Vec<&'static str>,
}

/// A risk rule that the call matches; never what it matched.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RiskLine<'a> {
    rule: &'a str,
    action: &'static str,
    field: &'static str,
    line: usize,
    column: usize,
    nesting: u8,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OutcomeLine<'a> {
    intent: Option<u64>,
    request_id: Option<Text<'a>>,
    executed: &'static str,
    outcome: &'static str,
    code_name: Option<&'static str>,
    upstream_status: Option<u16>,
    upstream_code: Option<i64>,
    upstream_request_id: Option<Text<'a>>,
    job_request_id: Option<Text<'a>>,
    job_instance_id: Option<i64>,
    step_instance_id: Option<i64>,
    closed_by: Option<&'static str>,
}

/// Stands for `count` refusals, so it has no request id.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RefusalSumLine {
    count: u64,
    first_at: String,
    last_at: String,
    peer: Option<String>,
    code_name: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RefusalLine<'a> {
    request_id: Text<'a>,
    received_at: String,
    peer: Option<std::net::IpAddr>,
    app: &'a str,
    user: Option<&'a str>,
    component: Option<&'static str>,
    code_name: &'static str,
    generation: Option<u64>,
    risk: Vec<RiskLine<'a>>,
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> List {
    if items.len() <= MOST_HOSTS {
        return List::Whole(items.iter().map(text).collect());
    }
    let mut all = String::new();
    for item in items {
        all.push_str(&text(item));
        all.push('\n');
    }
    List::Long { sha256: sha256_hex(all.as_bytes()) }
}

fn risk(matches: &[RiskMatch]) -> Vec<RiskLine<'_>> {
    let lines = matches.iter().map(|found| RiskLine {
        rule: &found.rule,
        action: found.action.as_str(),
        field: found.field.as_str(),
        line: found.line,
        column: found.column,
        nesting: found.nesting,
    });
    lines.collect()
}

fn callback<'a>(url: Option<&'a CallbackUrl>, key: &'a HashKey) -> Option<CallbackLine<'a>> {
    url.map(|url| CallbackLine {
        url: Text::from(url.without_query()),
        query: Some(url.query())
            .filter(|query| !query.is_empty())
            .map(|query| key.hash("callback_query", [query])),
    })
}

/// The members of an intent.
pub(crate) fn intent(intent: &Intent<'_>, key: &HashKey) -> serde_json::Result<Vec<u8>> {
    let call = intent.call;
    members(&IntentLine {
        request_id: intent.request_id.into(),
        received_at: intent.received_at.wall.to_string(),
        peer: intent.peer,
        app: intent.app.as_str(),
        app_proofs: intent.app_proofs.iter().map(|proof| proof.as_str()).collect(),
        user: intent.user.as_str(),
        user_proof: intent.user_proof.as_str(),
        token: intent.token.map(|token| key.hash("token", [token.expose()])),
        acts_as: intent.acts_as.as_str(),
        component: intent.component,
        scope_type: call.scope().map(Scope::kind),
        scope_id: call.scope().map(Scope::id),
        asked: match call {
            ComponentCall::FastExecuteScript(call) => AskedLine::Run(Box::new(run(call, key))),
            ComponentCall::Plain(own) => AskedLine::Plain(Box::new(plain(own, call, key)?)),
        },
        callback: callback(call.callback(), key),
        losers: call.losers(),
        dropped: call.dropped().iter().map(|name| Text::from(name.as_str())).collect(),
        host_runs: intent.host_runs,
        generation: intent.generation,
        grant: intent.grant.into(),
        risk: risk(intent.risk),
        shadowed: intent.shadowed.iter().map(Limit::as_str).collect(),
    })
}

/// The members of an outcome of the intent with this sequence number.
pub(crate) fn outcome(intent: u64, outcome: &OutcomeRecord<'_>) -> serde_json::Result<Vec<u8>> {
    members(&OutcomeLine {
        // The ticket of an intent that is on no record has no number.
        intent: (intent > 0).then_some(intent),
        request_id: Some(outcome.request_id.into()),
        executed: outcome.executed.as_str(),
        outcome: outcome.outcome,
        code_name: outcome.code_name,
        upstream_status: outcome.upstream_status,
        upstream_code: outcome.upstream_code,
        upstream_request_id: outcome.upstream_request_id.map(Text::from),
        job_request_id: outcome.job_request_id.map(Text::from),
        job_instance_id: outcome.job_instance_id,
        step_instance_id: outcome.step_instance_id,
        closed_by: None,
    })
}

/// The members of the outcome of an intent that a start found open.
pub(crate) fn closed(intent: u64, request_id: Option<&str>) -> serde_json::Result<Vec<u8>> {
    members(&OutcomeLine {
        intent: Some(intent),
        request_id: request_id.map(Text::from),
        executed: Executed::Unknown.as_str(),
        outcome: OutcomeClass::Unknown.as_str(),
        code_name: None,
        upstream_status: None,
        upstream_code: None,
        upstream_request_id: None,
        job_request_id: None,
        job_instance_id: None,
        step_instance_id: None,
        closed_by: Some("recovery"),
    })
}

/// The members of a refusal of a proved application.
pub(crate) fn refusal(refusal: &RefusalRecord<'_>, app: &Name) -> serde_json::Result<Vec<u8>> {
    members(&RefusalLine {
        request_id: refusal.request_id.into(),
        received_at: refusal.received_at.wall.to_string(),
        peer: refusal.peer,
        app: app.as_str(),
        user: refusal.user.map(Name::as_str),
        component: refusal.component,
        code_name: refusal.code_name,
        generation: refusal.generation,
        risk: risk(refusal.risk),
    })
}

/// The members of a sum of refusals.
pub(crate) fn refusal_sum(
    caller: Caller,
    code_name: &'static str,
    sum: Sum,
) -> serde_json::Result<Vec<u8>> {
    members(&RefusalSumLine {
        count: sum.count,
        first_at: sum.first.to_string(),
        last_at: sum.last.to_string(),
        peer: match caller {
            Caller::Network(network) => Some(network.to_string()),
            Caller::Others => Some("other".into()),
            Caller::Socket => None,
        },
        code_name,
    })
}

/// Writes characters that move or hide text on a terminal as escapes.
struct Visible;

impl serde_json::ser::Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut text = String::with_capacity(fragment.len());
        for c in fragment.chars() {
            match c {
                '\u{7f}'..='\u{9f}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => {
                    write!(text, "\\u{:04x}", u32::from(c)).map_err(io::Error::other)?;
                }
                _ => text.push(c),
            }
        }
        writer.write_all(text.as_bytes())
    }
}

/// `value` as one line of JSON.
pub(crate) fn members(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Visible))?;
    Ok(bytes)
}
