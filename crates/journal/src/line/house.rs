//! The fields of what the journal says of itself.

use esbgate_core::LookupRecord;
use serde::Serialize;

use super::members;

/// The record that this boot follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Predecessor {
    pub(crate) boot: String,
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StartLine<'a> {
    pub(crate) version: &'a str,
    pub(crate) predecessor: Option<Predecessor>,
    pub(crate) public_key: &'a str,
    pub(crate) durability: &'a str,
    pub(crate) mode: &'a str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StopLine {
    pub(crate) open_intents: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CheckpointLine<'a> {
    pub(crate) records: u64,
    pub(crate) open_intents: Vec<u64>,
    pub(crate) public_key: &'a str,
    pub(crate) signature: String,
}

/// What a start found at the end of the journal, or a failed write left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RepairLine {
    /// Not `boot`, which is the one that writes this.
    pub(crate) of_boot: Option<String>,
    pub(crate) segment: Option<u64>,
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: Option<String>,
    pub(crate) reason: Option<String>,
}

/// What is on no record, or was done to what is.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LossLine<'a> {
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) intents: u64,
    pub(crate) outcomes: u64,
    pub(crate) refusals: u64,
    pub(crate) deeds: u64,
    pub(crate) what: Option<&'a str>,
    /// Not `boot`, which is the one that writes this.
    pub(crate) of_boot: Option<&'a str>,
    pub(crate) segment: Option<u64>,
}

/// A segment that is about to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RemovedLine {
    pub(crate) boot: String,
    pub(crate) segment: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) last_hash: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RetentionLine<'a> {
    pub(crate) segments: &'a [RemovedLine],
    pub(crate) cause: &'a str,
}

/// A look for records by a value.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LookupLine<'a> {
    field: Option<&'static str>,
    key_ids: &'a [&'a str],
    uid: u32,
    gid: u32,
    pid: Option<i32>,
    result: &'a str,
}

/// The members of a look-up.
pub(crate) fn lookup(record: &LookupRecord<'_>) -> serde_json::Result<Vec<u8>> {
    members(&LookupLine {
        field: record.field,
        key_ids: record.key_ids,
        uid: record.peer.uid,
        gid: record.peer.gid,
        pid: record.peer.pid,
        result: record.result,
    })
}
