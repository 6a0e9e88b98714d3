//! `policy schema`: the JSON Schema of a file, for editors and pipelines.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use clap::ValueEnum;
use esbgate_config::{BOOT_SCHEMA, POLICY_SCHEMA, TESTS_SCHEMA};

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Of {
    /// A policy, or a file of one.
    Policy,
    /// A file of tests beside a policy.
    Tests,
    /// The start-up file.
    Esbgate,
}

pub(super) fn run(of: Of) -> ExitCode {
    let schema = match of {
        Of::Policy => POLICY_SCHEMA,
        Of::Tests => TESTS_SCHEMA,
        Of::Esbgate => BOOT_SCHEMA,
    };
    match stdout().write_all(schema.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::failed(&format_args!("the schema cannot be written: {error}")),
    }
}
