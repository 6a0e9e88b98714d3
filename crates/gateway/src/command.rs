//! The commands. Exit status: 0 good, 1 a problem was found, 2 wrong use; `audit verify` has 3 for a tail that no witness knows.

mod admin;
mod annotation;
mod audit;
mod columns;
mod exemptions;
mod explain;
mod files;
mod log;
mod log_event;
mod log_lines;
mod new_key;
mod policy_check;
mod policy_diff;
mod policy_replay;
mod policy_test;
mod rollback;
mod schema;
mod serve;
mod settings;
mod shape;
mod sinks;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use jiff::Timestamp;

pub use self::serve::settings;
use self::{
    admin::AdminCommand, audit::AuditCommand, explain::Explainer, policy_check::Format,
    policy_diff::FailOn,
};

/// What somebody new can run; packages are built without the demo.
#[cfg(feature = "demo")]
const EXAMPLE: &str = "Example: esbgate demo --once";
#[cfg(not(feature = "demo"))]
const EXAMPLE: &str = "Example: esbgate policy check /etc/esbgate/policy.yaml";

/// The one door through which internal teams run scripts on many hosts.
#[derive(Debug, Parser)]
#[command(name = "esbgate", version, about, after_help = EXAMPLE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves callers until it is told to stop (SIGTERM or Ctrl-C). SIGHUP has it look at its files again.
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
    /// Gives orders to the running gateway over its admin socket.
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Reads the journal: needs no running gateway.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
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
    #[command(after_help = "Example: esbgate policy check config/policy.yaml")]
    Check {
        /// The policy; else the one that the start-up file names, else config/policy.yaml.
        #[arg(value_name = "POLICY")]
        policy: Option<PathBuf>,
        /// The start-up file, which is checked as well; it names the credentials.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How problems are told.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Runs the policy's tests, those of the folder `tests` beside it included. Exit status 1 where one fails.
    #[command(after_help = "Example: esbgate policy test config/policy.yaml")]
    Test {
        /// The policy; else the one that the start-up file names, else config/policy.yaml.
        #[arg(value_name = "POLICY")]
        policy: Option<PathBuf>,
        /// The start-up file, which is checked as well.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How results are told.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Says who gains and loses which right between two policies. Exit status 1 only with --fail-on.
    #[command(
        after_help = "Example: esbgate policy diff old.yaml config/policy.yaml --fail-on widening"
    )]
    Diff {
        /// The policy as it was.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The policy as it shall be.
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// How changes are told.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
        /// What exit status 1 stands for.
        #[arg(long, value_name = "WHAT")]
        fail_on: Option<FailOn>,
    },
    /// Says what would become of a call, step by step, without making it. Exit status 1 where it is refused.
    ///
    /// Offline, with the policy's files; or with --socket of the running gateway, which holds the call against the
    /// policy in force and what an admin has frozen.
    #[command(after_help = "Example: esbgate policy explain config/examples/call.json")]
    Explain {
        /// The call: a JSON object of app, user, proof, peer, component and body.
        #[arg(value_name = "CALL")]
        call: PathBuf,
        /// The policy; else the one that the start-up file names, else config/policy.yaml.
        #[arg(long, value_name = "POLICY")]
        policy: Option<PathBuf>,
        /// The start-up file, which is checked as well.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The admin socket of the running gateway that is asked, such as /run/esbgate/admin.sock.
        #[arg(long, value_name = "PATH", conflicts_with_all = ["policy", "config"])]
        socket: Option<PathBuf>,
        /// When the call comes, with zone, such as 2027-01-04T10:00+08:00; else now.
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
        /// How it is told.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Lists the exemptions: whose they are, when they end and, with --journal, when they were last used.
    #[command(after_help = "Example: esbgate policy exemptions config/policy.yaml --within 60d")]
    Exemptions(exemptions::Asked),
    /// Holds the calls on record against another policy and lists what it would decide otherwise. Exit status 1 where it would.
    #[command(
        after_help = "Example: esbgate policy replay --policy new.yaml --journal /var/lib/esbgate/journal --since 7d"
    )]
    Replay(policy_replay::Asked),
    /// Prints the JSON Schema of a file, for editors and pipelines.
    #[command(after_help = "Example: esbgate policy schema esbgate")]
    Schema {
        /// The file that it is of.
        #[arg(value_name = "FILE", default_value = "policy")]
        of: schema::Of,
    },
    /// Goes back to an earlier generation of policy, which holds until the policy's files change; or lists what is kept.
    #[command(
        after_help = "Example: esbgate policy rollback --config /etc/esbgate/esbgate.yaml --list"
    )]
    Rollback {
        /// The generation; else the one before that in force.
        #[arg(long, value_name = "N")]
        to: Option<u64>,
        /// Lists what is kept in the state folder that --config names; changes nothing and needs no gateway.
        #[arg(long, requires = "config", conflicts_with = "to")]
        list: bool,
        #[command(flatten)]
        at: admin::At,
    },
    /// Says what policy.next.yaml would have decided otherwise since the running gateway evaluates it.
    #[command(after_help = "Example: esbgate policy shadow --config /etc/esbgate/esbgate.yaml")]
    Shadow {
        #[command(flatten)]
        at: admin::At,
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
        Command::Admin { command } => admin::run(command),
        Command::Audit { command } => audit::run(command),
        Command::Policy { command: PolicyCommand::Check { policy, config, format } } => {
            policy_check::run(policy.as_deref(), config.as_deref(), format)
        }
        Command::Policy { command: PolicyCommand::Test { policy, config, format } } => {
            policy_test::run(policy.as_deref(), config.as_deref(), format)
        }
        Command::Policy { command: PolicyCommand::Diff { old, new, format, fail_on } } => {
            policy_diff::run(&old, &new, format, fail_on)
        }
        Command::Policy {
            command: PolicyCommand::Explain { call, policy, config, socket, at, format },
        } => {
            let files = Explainer::Files { policy, config };
            explain::run(&call, &socket.map_or(files, Explainer::Gateway), at, format)
        }
        Command::Policy { command: PolicyCommand::Exemptions(asked) } => exemptions::run(&asked),
        Command::Policy { command: PolicyCommand::Replay(asked) } => policy_replay::run(&asked),
        Command::Policy { command: PolicyCommand::Schema { of } } => schema::run(of),
        Command::Policy { command: PolicyCommand::Rollback { to, list, at } } => {
            match at.config().filter(|_| list) {
                Some(config) => rollback::list(config),
                None => admin::run(AdminCommand::Rollback { to, at }),
            }
        }
        Command::Policy { command: PolicyCommand::Shadow { at } } => {
            admin::run(AdminCommand::Shadow { at })
        }
        Command::Policy { command: PolicyCommand::NewKey } => new_key::run(),
    }
}

/// Ends with what is wrong with the files.
pub(crate) fn faulty(problems: &[esbgate_config::Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    failed(&format_args!("{} problem(s)", problems.len()))
}

/// Ends with a problem on standard error.
pub(crate) fn failed(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("esbgate: {problem}");
    ExitCode::from(1)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn examples(command: &clap::Command) -> Vec<String> {
        let own = command.get_after_help().map(ToString::to_string);
        own.into_iter().chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn every_example_is_a_command_of_this_build() {
        let examples = examples(&Cli::command());
        assert!(examples.len() > 3);
        for text in examples {
            let example = text.strip_prefix("Example: ").unwrap();
            let parsed = Cli::try_parse_from(example.split(' '));
            assert!(parsed.is_ok(), "{example}");
        }
    }
}
