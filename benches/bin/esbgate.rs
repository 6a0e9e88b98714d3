//! `esbgate`, built with the bench's profile.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    esbgate_gateway::command::run(esbgate_gateway::command::Cli::parse())
}
