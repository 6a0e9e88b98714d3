//! The fields of what became of a policy.

use esbgate_core::ReloadRecord;
use serde::Serialize;

use super::{List, list, members};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ReloadLine<'a> {
    cause: &'static str,
    result: &'static str,
    generation: Option<u64>,
    replaces: Option<u64>,
    restores: Option<u64>,
    overrides: Option<&'a str>,
    sha256: Option<&'a str>,
    files: List,
    apps: Option<usize>,
    problems: usize,
    warnings: usize,
}

/// The members of what became of a policy.
pub(crate) fn reload(record: &ReloadRecord<'_>) -> serde_json::Result<Vec<u8>> {
    members(&ReloadLine {
        cause: record.cause.as_str(),
        result: record.result.as_str(),
        generation: record.generation,
        replaces: record.replaces,
        restores: record.restores,
        overrides: record.overrides,
        sha256: record.sha256,
        files: list(record.files, |name| (*name).to_owned()),
        apps: record.apps,
        problems: record.problems,
        warnings: record.warnings,
    })
}
