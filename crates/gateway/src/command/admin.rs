//! `admin`: orders to the running gateway, over its admin socket. Exit status: 0 done, 1 refused, 2 wrong use.

mod client;
mod table;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use esbgate_config::BootDocument;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use self::client::ask;
use super::{
    explain::{self, Explainer},
    policy_check::Format,
    shape::Shape,
};
use crate::admin::protocol::{Answer, Business, FrozenText, Order, Subject};

/// Where the socket is if nothing is said.
const SOCKET: &str = "/run/esbgate/admin.sock";

/// Longest token that is taken.
const LONGEST_TOKEN: u64 = 16 << 10;

/// Where the gateway is.
#[derive(Debug, Args)]
pub(super) struct Gateway {
    /// The admin socket; else the one that --config names, else /run/esbgate/admin.sock.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// The start-up file, whose `admin.socket` is meant.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Gateway {
    /// The file of its admin socket.
    pub(super) fn socket(&self) -> Result<PathBuf, String> {
        match (&self.socket, &self.config) {
            (Some(socket), _) => Ok(socket.clone()),
            (None, None) => Ok(SOCKET.into()),
            (None, Some(config)) => named(config),
        }
    }
}

/// Where the gateway is, and how it is told.
#[derive(Debug, Args)]
pub(super) struct At {
    #[command(flatten)]
    gateway: Gateway,
    /// How the answer is told.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Shape,
}

impl At {
    /// The start-up file.
    pub(super) fn config(&self) -> Option<&Path> {
        self.gateway.config.as_deref()
    }
}

/// What is stopped, why and for how long.
#[derive(Debug, Args)]
pub(super) struct FreezeArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Why, on one line; callers read it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The first instant at which it holds, with zone; else now.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The first instant at which it no longer holds, with zone; else until it is taken out.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SubjectArgs {
    /// Every call.
    #[arg(long)]
    everything: bool,
    /// The calls of one application.
    #[arg(long, value_name = "CODE")]
    app: Option<String>,
    /// The calls about one business.
    #[arg(long, value_name = "ID")]
    business: Option<i64>,
    /// The calls about one business set.
    #[arg(long, value_name = "ID")]
    business_set: Option<i64>,
    /// The calls about one tenant set.
    #[arg(long, value_name = "ID")]
    tenant_set: Option<i64>,
    /// The calls whose script content has this SHA-256.
    #[arg(long, value_name = "HEX")]
    script_sha256: Option<String>,
    /// The calls of one version of a script.
    #[arg(long, value_name = "ID")]
    script_version: Option<i64>,
    /// The calls that name a script by this id.
    #[arg(long, value_name = "ID")]
    script_id: Option<String>,
}

/// The orders.
#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Stops everything, an application, a business or a script, from now on and over restarts.
    #[command(
        after_help = "Example: esbgate admin freeze --app deploy_bot --reason INC-77 --until 2027-02-01T00:00+08:00"
    )]
    Freeze {
        #[command(flatten)]
        freeze: FreezeArgs,
        #[command(flatten)]
        at: At,
    },
    /// Takes a freeze out that `admin freeze` has set; those of the policy are taken out there.
    #[command(after_help = "Example: esbgate admin unfreeze 3fa9c01e")]
    Unfreeze {
        /// Its id, as `admin freezes` shows it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Lists what `admin freeze` has set.
    #[command(after_help = "Example: esbgate admin freezes --format json")]
    Freezes {
        #[command(flatten)]
        at: At,
    },
    /// Forgets what the login service said, of all users or of one token.
    #[command(after_help = "Example: esbgate admin purge --token-stdin")]
    Purge {
        /// Reads one bk_token from standard input; it is shown and recorded nowhere.
        #[arg(long)]
        token_stdin: bool,
        #[command(flatten)]
        at: At,
    },
    /// Ends the gateway as SIGTERM does: no new connection, and calls that run are waited for.
    #[command(after_help = "Example: esbgate admin drain --config /etc/esbgate/esbgate.yaml")]
    Drain {
        #[command(flatten)]
        at: At,
    },
    /// Looks at the policy's files now, and takes what they say.
    #[command(after_help = "Example: esbgate admin reload --config /etc/esbgate/esbgate.yaml")]
    Reload {
        #[command(flatten)]
        at: At,
    },
    /// Goes back to an earlier generation of policy, which holds until the policy's files change.
    #[command(after_help = "Example: esbgate admin rollback --to 12")]
    Rollback {
        /// The generation; else the one before that in force.
        #[arg(long, value_name = "N")]
        to: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Says what the next policy would have decided otherwise.
    #[command(after_help = "Example: esbgate admin shadow --format json")]
    Shadow {
        #[command(flatten)]
        at: At,
    },
    /// Says what would become of a call under the policy in force, without making it. Exit status 1 where it is refused,
    /// 2 where there is no verdict.
    #[command(after_help = "Example: esbgate admin explain config/examples/call.json")]
    Explain {
        /// The call: a JSON object of app, user, proof, peer, component and body.
        #[arg(value_name = "CALL")]
        call: PathBuf,
        /// When the call comes, with zone, such as 2027-01-04T10:00+08:00; else now.
        #[arg(long = "at", value_name = "TIME")]
        time: Option<Timestamp>,
        #[command(flatten)]
        at: At,
    },
    /// Says how the gateway is.
    #[command(after_help = "Example: esbgate admin status --socket /run/esbgate/admin.sock")]
    Status {
        #[command(flatten)]
        at: At,
    },
}

pub(super) fn run(command: AdminCommand) -> ExitCode {
    let (operation, at) = match command {
        AdminCommand::Freeze { freeze, at } => {
            (serde_json::to_value(order(freeze)).map(|order| json!({"freeze": order})), at)
        }
        AdminCommand::Unfreeze { id, at } => (Ok(json!({"unfreeze": {"id": id}})), at),
        AdminCommand::Freezes { at } => (Ok(json!("freezes")), at),
        AdminCommand::Purge { token_stdin: false, at } => (Ok(json!({"purge": {}})), at),
        AdminCommand::Purge { token_stdin: true, at } => match token() {
            Ok(token) => (Ok(json!({"purge": {"token": token}})), at),
            Err(why) => return misused(&why),
        },
        AdminCommand::Reload { at } => (Ok(json!("reload")), at),
        AdminCommand::Rollback { to, at } => (Ok(json!({"rollback": {"to": to}})), at),
        AdminCommand::Shadow { at } => (Ok(json!("shadow")), at),
        AdminCommand::Drain { at } => (Ok(json!("drain")), at),
        AdminCommand::Status { at } => (Ok(json!("status")), at),
        AdminCommand::Explain { call, time, at } => {
            let format = match at.format {
                Shape::Text => Format::Text,
                Shape::Json => Format::Json,
            };
            return match at.gateway.socket() {
                Ok(socket) => explain::run(&call, &Explainer::Gateway(socket), time, format),
                Err(why) => misused(&why),
            };
        }
    };
    let socket = match at.gateway.socket() {
        Ok(socket) => socket,
        Err(why) => return misused(&why),
    };
    let asked = operation.map_err(|error| error.to_string());
    match asked.and_then(|operation| ask(&socket, &operation)) {
        Ok(answer) => tell(&answer, at.format),
        Err(why) => super::failed(&why),
    }
}

fn tell(answer: &Answer, format: Shape) -> ExitCode {
    let good = answer.refused.is_none();
    match format {
        Shape::Json => println!("{}", serde_json::to_value(answer).unwrap_or(Value::Null)),
        Shape::Text => match (&answer.done, &answer.refused) {
            (_, Some(refused)) => {
                eprintln!("esbgate: refused: {} ({})", refused.message, refused.code);
            }
            (Some(done), None) => print!("{}", table::text(done)),
            (None, None) => return super::failed(&"the gateway's answer says nothing"),
        },
    }
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn misused(why: &str) -> ExitCode {
    eprintln!("esbgate: {why}");
    ExitCode::from(2)
}

fn order(freeze: FreezeArgs) -> Order {
    let FreezeArgs { subject: said, reason, from, until } = freeze;
    // Exactly one of them is there.
    let subject = said
        .app
        .map(Subject::App)
        .or(said.business.map(|id| Subject::Business(Business::Id(id))))
        .or(said.business_set.map(|id| Subject::Business(Business::Set(id))))
        .or(said.tenant_set.map(|id| Subject::Business(Business::TenantSet(id))))
        .or(said.script_sha256.map(|hash| Subject::Script(FrozenText::Sha256(hash))))
        .or(said.script_version.map(|id| Subject::Script(FrozenText::Version(id))))
        .or(said.script_id.map(|id| Subject::Script(FrozenText::Id(id))))
        .unwrap_or(Subject::Everything);
    Order { subject, reason, from, until }
}

fn named(config: &Path) -> Result<PathBuf, String> {
    let name = config.display().to_string();
    let problems = |problems: Vec<esbgate_config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let text = super::files::text(&name).map_err(problems)?;
    let boot = BootDocument::read(&name, &text).map_err(problems)?;
    let socket = boot.admin().map(PathBuf::from);
    socket.ok_or_else(|| format!("{name} has no admin.socket: add it, and restart the gateway"))
}

fn token() -> Result<String, String> {
    let token = stdin("a token", LONGEST_TOKEN)?;
    let token = token.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        return Err("standard input has no token".into());
    }
    Ok(token.to_owned())
}

/// All of standard input, where that is no longer than `longest` bytes.
pub(super) fn stdin(what: &str, longest: u64) -> Result<String, String> {
    let mut text = String::new();
    match std::io::stdin().take(longest + 1).read_to_string(&mut text) {
        Err(_) => Err("standard input is no text".into()),
        Ok(read) if u64::try_from(read).is_ok_and(|read| read > longest) => {
            Err(format!("standard input is longer than {what}"))
        }
        Ok(_) => Ok(text),
    }
}
