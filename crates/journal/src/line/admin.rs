//! The fields of what an admin did.

use std::collections::BTreeMap;

use esbgate_core::AdminRecord;
use serde::Serialize;

use super::{Text, members};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminLine<'a> {
    operation: &'static str,
    arguments: BTreeMap<&'static str, Text<'a>>,
    uid: u32,
    gid: u32,
    pid: Option<i32>,
    result: &'static str,
}

/// The members of what an admin did.
pub(crate) fn admin(record: &AdminRecord<'_>) -> serde_json::Result<Vec<u8>> {
    let arguments = record.arguments.iter();
    members(&AdminLine {
        operation: record.operation,
        arguments: arguments.map(|(name, value)| (*name, Text::from(value.as_str()))).collect(),
        uid: record.peer.uid,
        gid: record.peer.gid,
        pid: record.peer.pid,
        result: record.result,
    })
}
