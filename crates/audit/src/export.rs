//! All calls of a time, in the order in which they ended: for other systems.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::{Call, Members},
    journal::Journal,
    record::Head,
    verify::Edge,
};

/// Shows each call whose intent was recorded from `since` on and before `until`: when its outcome comes, and those that
/// have none at the end. Holds the open calls in memory.
///
/// # Errors
/// What the system says, what is wrong with a segment, and what `see` says.
pub fn calls(
    journal: &Journal,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    see: &mut dyn FnMut(&Call) -> io::Result<()>,
) -> io::Result<u64> {
    let segments = journal.segments()?;
    let first = crate::verify::segment_of(&segments, since.map(Edge::Time).as_ref())?;
    let mut open = BTreeMap::<u64, Members>::new();
    let mut count = 0;
    for segment in segments.iter().skip(first) {
        let mut lines = match segment.lines() {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        while let Some(line) = lines.read_line()? {
            let Some(head) = Head::read(line.bytes) else { continue };
            if head.kind == "intent" {
                let time: Option<Timestamp> = head.time.parse().ok();
                let asked = since.is_none_or(|since| time.is_none_or(|time| time >= since))
                    && until.is_none_or(|until| time.is_none_or(|time| time < until));
                if let (true, Ok(intent)) = (asked, serde_json::from_slice(line.bytes)) {
                    open.insert(head.seq, intent);
                }
            } else if head.kind == "outcome" && !open.is_empty() {
                let Ok(outcome) = serde_json::from_slice::<Members>(line.bytes) else { continue };
                let intent = outcome.get("intent").and_then(Value::as_u64);
                if let Some(intent) = intent.and_then(|intent| open.remove(&intent)) {
                    see(&Call { intent, outcome: Some(outcome) })?;
                    count += 1;
                }
            }
        }
    }
    for intent in open.into_values() {
        see(&Call { intent, outcome: None })?;
        count += 1;
    }
    Ok(count)
}

/// Milliseconds since 1970; 0 where there is no time.
fn milliseconds(time: Option<&Value>) -> i64 {
    let time = time.and_then(Value::as_str).and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or(0, Timestamp::as_millisecond)
}

/// A call as an event of the BlueKing audit center (`bk_audit.log.models.AuditEvent` of its Python SDK).
///
/// The event's id is made of the node and the number, so that an event that is sent again is the same one. The result is 0
/// for a success, 1 for a failure, 2 where the ESB was not reached, and -1 where it is not known.
#[must_use]
pub fn bk_audit(call: &Call) -> Value {
    let intent = &call.intent;
    let came = |name: &str| call.came(name).cloned().unwrap_or(Value::Null);
    let asked = |name: &str| intent.get(name).cloned().unwrap_or(Value::Null);
    let result_code = match call.outcome() {
        "success" => 0,
        "failed" => 1,
        "unavailable" => 2,
        _ => -1,
    };
    let ended = call.outcome.as_ref().and_then(|outcome| outcome.get("time"));
    let scope_id = intent.get("scope_id").and_then(Value::as_i64);
    let job = call.came("job_instance_id").map(Value::to_string).unwrap_or_default();
    json!({
        "event_id": format!("{}-{}", call.text("node"), call.seq()),
        "event_content": format!("{} by {}", call.text("component"), call.text("app")),
        "action_id": call.text("component"),
        "request_id": call.text("request_id"),
        "username": call.text("user"),
        // 0 a person, 1 a platform's account.
        "user_identify_type": i32::from(call.text("user_proof") == "exemption"),
        "user_identify_tenant_id": "",
        "user_identify_src": call.text("user_proof"),
        "user_identify_src_username": call.text("user"),
        "start_time": milliseconds(intent.get("received_at")),
        "end_time": milliseconds(ended),
        "bk_app_code": call.text("app"),
        "scope_type": call.text("scope_type"),
        "scope_id": scope_id.map(|id| id.to_string()).unwrap_or_default(),
        // 1 is an API.
        "access_type": 1,
        "access_source_ip": call.text("peer"),
        "access_user_agent": "",
        "resource_type_id": "job_instance",
        "instance_id": job,
        "instance_name": call.text("task_name"),
        "instance_sensitivity": 0,
        "instance_data": {
            "target": asked("target"), "script": asked("script"), "account": asked("account"),
            "host_runs": asked("host_runs"),
        },
        "instance_origin_data": {},
        "result_code": result_code,
        "result_content": call.outcome(),
        "extend_data": {
            "executed": came("executed"), "code_name": came("code_name"),
            "upstream_code": came("upstream_code"), "grant": asked("grant"),
            "generation": asked("generation"), "risk": asked("risk"), "seq": asked("seq"),
            "hash": asked("hash"),
        },
        "bk_log_scope": "bk_audit_event",
    })
}
