//! The commands. Exit status: 0 good, 1 a problem was found, 2 wrong use.

mod log;
mod new_key;
mod policy_check;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[cfg(feature = "demo")]
pub(crate) use self::new_key::sha256_hex;
pub use self::serve::settings;

/// The one door through which internal teams run scripts on many hosts.
#[derive(Debug, Parser)]
#[command(name = "esbgate", version, about, after_help = "Example: esbgate demo --once")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves callers until it is told to stop (SIGTERM or Ctrl-C).
    #[command(after_help = "Example: esbgate serve --config /etc/esbgate/esbgate.yaml")]
    Serve {
        /// The start-up file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Runs the gateway with stand-ins for ESB, login and JOB in this process.
    #[cfg(feature = "demo")]
    #[command(after_help = "Example: esbgate demo --once")]
    Demo {
        /// Sends the document's sample call, tells what each step said, and ends.
        #[arg(long)]
        once: bool,
    },
    /// Works on the policy file.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Checks the policy as a start would, and reports every problem with its place.
    #[command(after_help = "Example: esbgate policy check --config config/esbgate.yaml")]
    Check {
        /// The start-up file; it names the policy and the credentials.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Makes a key for an application: prints it once, and the line to paste into the policy.
    #[command(after_help = "Example: esbgate policy new-key")]
    NewKey,
}

/// Runs a command.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve { config } => serve::run(&config),
        #[cfg(feature = "demo")]
        Command::Demo { once } => crate::demo::run(once),
        Command::Policy { command: PolicyCommand::Check { config } } => policy_check::run(&config),
        Command::Policy { command: PolicyCommand::NewKey } => new_key::run(),
    }
}

/// Ends with a problem on standard error.
pub(crate) fn failed(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("esbgate: {problem}");
    ExitCode::from(1)
}
