//! A record as a message of RFC 5424.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::json;

use crate::{batch::Record, options::SyslogOptions};

/// Severities of RFC 5424 §6.2.1.
const WARNING: u8 = 4;
const INFORMATIONAL: u8 = 6;

/// The message with the record's own text.
pub(crate) fn message(record: &Record, options: &SyslogOptions) -> String {
    with(record, options, &record.line)
}

/// The message of a record whose text is too long for a datagram: what names it stands in its place.
pub(crate) fn stub(record: &Record, options: &SyslogOptions) -> String {
    let text = json!({
        "seq": record.seq, "kind": record.kind, "hash": record.hash_text(),
        "bytes": record.line.len(), "left_out": true,
    });
    with(record, options, &text.to_string())
}

/// The text comes without a byte order mark, so as MSG-ANY: collectors read JSON from its first byte on.
fn with(record: &Record, options: &SyslogOptions, text: &str) -> String {
    let severity = match &*record.kind {
        "loss" | "repair" | "refusal" => WARNING,
        _ => INFORMATIONAL,
    };
    let priority = u32::from(options.facility) * 8 + u32::from(severity);
    // TIME-SECFRAC has six digits at most.
    let time = record.timestamp().map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    let mut message = format!(
        "<{priority}>1 {} {} {} - {} [esbgate@{}",
        time.as_deref().unwrap_or("-"),
        name(&record.node, 255),
        name(&options.app_name, 48),
        name(&record.kind, 32),
        options.enterprise,
    );
    let seq = record.seq.to_string();
    let hash = record.hash_text();
    let data = [("node", Some(&*record.node)), ("boot", Some(&*record.boot))];
    let data = data.into_iter().chain([("seq", Some(&*seq)), ("hash", hash.as_deref())]);
    for (name, value) in data.filter_map(|(name, value)| Some((name, value?))) {
        // Writing to a text cannot fail.
        write!(message, " {name}=\"{}\"", escaped(value)).ok();
    }
    message.push_str("] ");
    message.push_str(text);
    message
}

/// A header's name: printable ASCII of a bounded length, or `-`.
fn name(text: &str, longest: usize) -> Cow<'_, str> {
    if !text.is_empty() && text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic()) {
        return text.into();
    }
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".into() } else { kept.into() }
}

/// `"`, `\` and `]` are escaped (RFC 5424 §6.3.3).
fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['"', '\\', ']']) {
        return value.into();
    }
    let mut escaped = String::with_capacity(value.len() + 4);
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::options::{Confirm, SyslogAddress};

    fn options() -> SyslogOptions {
        SyslogOptions {
            address: SyslogAddress::Unix(PathBuf::new()),
            confirm: Confirm::Close,
            facility: 13,
            app_name: "esbgate".into(),
            enterprise: 32_473,
            datagram: 8192,
        }
    }

    fn record(node: &str, kind: &str) -> Record {
        Record {
            line: "{\"a\":\"é\"}".into(),
            seq: 7,
            node: node.into(),
            boot: "b".into(),
            time: "2027-01-01T00:00:00.123456789Z".into(),
            kind: kind.into(),
            hash: Some([0xab; 32]),
            segment: esbgate_audit::SegmentId { boot: "b".into(), number: 1 },
            offset: 0,
        }
    }

    #[test]
    fn a_message_is_what_rfc_5424_says() {
        let hash = "ab".repeat(32);
        assert_eq!(
            message(&record("gate-1", "intent"), &options()),
            format!(
                "<110>1 2027-01-01T00:00:00.123456Z gate-1 esbgate - intent \
                 [esbgate@32473 node=\"gate-1\" boot=\"b\" seq=\"7\" hash=\"{hash}\"] {{\"a\":\"é\"}}"
            )
        );
        let odd = Record { time: "soon".into(), hash: None, ..record("a b]\"\\é", "loss") };
        assert_eq!(
            message(&odd, &options()),
            "<108>1 - ab]\"\\ esbgate - loss [esbgate@32473 node=\"a b\\]\\\"\\\\é\" boot=\"b\" seq=\"7\"] {\"a\":\"é\"}"
        );
        let stub = stub(&record("gate-1", "intent"), &options());
        let (_, text) = stub.split_once("] ").unwrap();
        let text: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(text["hash"], hash);
        assert_eq!((text["seq"].as_u64(), text["bytes"].as_u64()), (Some(7), Some(10)));
    }
}
