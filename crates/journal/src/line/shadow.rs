//! The fields of what a next policy would decide otherwise.

use esbgate_core::ShadowRecord;
use esbgate_model::Name;
use serde::Serialize;

use super::{Text, members};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ShadowLine<'a> {
    request_id: Text<'a>,
    received_at: String,
    app: Option<&'a str>,
    user: Option<&'a str>,
    component: Option<&'static str>,
    result: &'static str,
    code_name: Option<&'static str>,
    grant: Option<Text<'a>>,
    next_code_name: Option<&'static str>,
    next_grant: Option<Text<'a>>,
    generation: Option<u64>,
    next_sha256: &'a str,
    count: u64,
}

/// The members of a difference.
pub(crate) fn shadow(record: &ShadowRecord<'_>) -> serde_json::Result<Vec<u8>> {
    members(&ShadowLine {
        request_id: record.request_id.into(),
        received_at: record.received_at.to_string(),
        app: record.app.map(Name::as_str),
        user: record.user.map(Name::as_str),
        component: record.component,
        result: record.result.as_str(),
        code_name: record.now.code_name,
        grant: record.now.grant.map(Text::from),
        next_code_name: record.next.code_name,
        next_grant: record.next.grant.map(Text::from),
        generation: record.generation,
        next_sha256: record.next_sha256,
        count: record.count,
    })
}
