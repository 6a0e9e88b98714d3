//! A call as an event of BlueKing's Audit Center.
//!
//! The members are those of the Audit Center's SDK (bk-audit-python-sdk, `AuditEvent`), whose collector knows a line by
//! `bk_log_scope`.

use esbgate_model::sha256_hex;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Members;

/// By which a collector knows an event.
const SCOPE: &str = "bk_audit_event";
/// `access_type` of a call by API.
const BY_API: i64 = 1;
/// `user_identify_type` of a person and of a platform's own account.
const PERSON: i64 = 0;
const PLATFORM: i64 = 1;
/// Digits of an event's id.
const ID: usize = 32;

/// What of an intent is the subject of the call.
const DATA: [&str; 13] = [
    "account",
    "script",
    "script_param",
    "target",
    "timeout",
    "callback",
    "rolling",
    "windows_interpreter",
    "start_task",
    "parameters",
    "shown",
    "sealed",
    "host_runs",
];
/// What of an intent says how it was allowed.
const EXTENDED: [&str; 8] =
    ["acts_as", "app_proofs", "generation", "grant", "risk", "shadowed", "losers", "dropped"];
/// What of an outcome says more than the result.
const RESULT: [&str; 8] = [
    "executed",
    "outcome",
    "code_name",
    "upstream_status",
    "upstream_code",
    "upstream_request_id",
    "job_request_id",
    "step_instance_id",
];

/// The event of a call: its intent with its outcome, a refusal in the place of the intent, or what is left of the two.
///
/// `event_id` is the same each time that the event is made, so that who gets one twice can tell.
#[must_use]
pub fn call_event(intent: Option<&Members>, outcome: Option<&Members>) -> Value {
    let both = Both { intent, outcome };
    let (node, seq) = (both.text("node"), both.number());
    let user = both.text("user");
    let proof = both.text("user_proof");
    let component = both.text("component");
    let (code, content) = both.result();
    json!({
        "event_id": sha256_hex(format!("esbgate-event\n{node}\n{seq}\n").as_bytes())
            .chars().take(ID).collect::<String>(),
        "event_content": format!("{component}: {content}"),
        "action_id": component,
        "request_id": both.text("request_id"),
        // The Audit Center takes no event without one.
        "username": if user.is_empty() { "unknown" } else { user },
        "user_identify_type": if proof == "exemption" { PLATFORM } else { PERSON },
        "user_identify_tenant_id": "",
        "user_identify_src": proof,
        "user_identify_src_username": user,
        "start_time": both.millis(&["received_at", "time"], intent.or(outcome)),
        "end_time": both.millis(&["time"], outcome.or(intent)),
        "bk_app_code": both.text("app"),
        "scope_type": both.text("scope_type"),
        "scope_id": both.digits("scope_id"),
        "access_type": BY_API,
        "access_source_ip": both.text("peer"),
        // The journal does not keep it.
        "access_user_agent": "",
        "resource_type_id": "job_instance",
        "instance_id": both.digits("job_instance_id"),
        "instance_name": both.text("task_name"),
        "instance_sensitivity": i64::from(both.member("sensitive") == Some(&Value::Bool(true))),
        "instance_data": chosen(intent, &DATA),
        "instance_origin_data": {},
        "result_code": code,
        "result_content": content,
        "extend_data": both.extended(),
        "bk_log_scope": SCOPE,
    })
}

struct Both<'a> {
    intent: Option<&'a Members>,
    outcome: Option<&'a Members>,
}

impl<'a> Both<'a> {
    fn member(&self, name: &str) -> Option<&'a Value> {
        let of = |record: Option<&'a Members>| record.and_then(|it| it.get(name));
        of(self.intent).filter(|value| !value.is_null()).or_else(|| of(self.outcome))
    }

    fn text(&self, name: &str) -> &'a str {
        self.member(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number or a text, as a text.
    fn digits(&self, name: &str) -> String {
        match self.member(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                String::new()
            }
        }
    }

    /// The number of the intent, which names the call.
    fn number(&self) -> u64 {
        let of = |record: Option<&Members>, name| {
            record.and_then(|it| it.get(name)).and_then(Value::as_u64)
        };
        of(self.intent, "seq").or_else(|| of(self.outcome, "intent")).unwrap_or_default()
    }

    fn millis(&self, names: &[&str], record: Option<&Members>) -> i64 {
        let read = |name: &&str| record?.get(*name)?.as_str()?.parse::<Timestamp>().ok();
        names.iter().find_map(read).map_or(0, Timestamp::as_millisecond)
    }

    /// 0 where the call was done, -1 where nobody knows, else the ESB's code, or 1.
    fn result(&self) -> (i64, String) {
        let refusal = self.text("kind") == "refusal";
        let outcome = match self.outcome {
            Some(outcome) => outcome.get("outcome").and_then(Value::as_str).unwrap_or("unknown"),
            None if refusal => "rejected",
            None => "unknown",
        };
        let theirs = self.outcome.and_then(|it| it.get("upstream_code")).and_then(Value::as_i64);
        let code = match outcome {
            "success" => 0,
            "unknown" => -1,
            _ => theirs.filter(|code| *code != 0).unwrap_or(1),
        };
        let own = self.text("code_name");
        let said = if own.is_empty() { outcome.into() } else { format!("{outcome}: {own}") };
        (code, said)
    }

    fn extended(&self) -> Value {
        let mut all = chosen(self.intent, &EXTENDED);
        all.append(&mut chosen(self.outcome, &RESULT));
        for (record, prefix) in [(self.intent, "intent"), (self.outcome, "outcome")] {
            for name in ["seq", "hash", "boot"] {
                if let Some(value) = record.and_then(|record| record.get(name)) {
                    all.insert(format!("{prefix}_{name}"), value.clone());
                }
            }
        }
        all.insert("node".into(), self.text("node").into());
        all.into()
    }
}

fn chosen(record: Option<&Members>, names: &[&str]) -> Members {
    let member = |name: &&str| {
        let value = record?.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    };
    names.iter().filter_map(member).collect()
}
