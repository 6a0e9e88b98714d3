//! `policy explain`: what would become of a call, for people and for programs; offline, or of a running gateway.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use esbgate_config::{Call, Explanation, Problem};
use esbgate_core::{Clock as _, Metrics};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::{Value, json};

use super::{
    admin::ask,
    annotation::{Annotation, Level},
    files::{offline, text},
    policy_check::Format,
};
use crate::{SystemClock, admin::protocol::Done, explained::Explained};

/// Who explains.
#[derive(Debug)]
pub(super) enum Explainer {
    /// This command, with a policy and a start-up file.
    Files {
        /// The policy.
        policy: Option<PathBuf>,
        /// The start-up file.
        config: Option<PathBuf>,
    },
    /// The gateway behind an admin socket.
    Gateway(PathBuf),
}

/// Why there is no explanation.
enum Unexplained {
    Problems(Vec<Problem>),
    Gateway(String),
}

impl From<Vec<Problem>> for Unexplained {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

pub(super) fn run(
    call: &Path,
    explainer: &Explainer,
    at: Option<Timestamp>,
    format: Format,
) -> ExitCode {
    // A verdict has the status 1, so that what keeps one from being given has another.
    match explained(call, explainer, at) {
        Ok(explained) => {
            match format {
                Format::Text => print!("{}", explained.table()),
                Format::Json => println!("{}", json!(explained)),
                Format::Github => println!("{}", annotated(call, &explained)),
            }
            ExitCode::from(u8::from(!explained.allowed))
        }
        Err(Unexplained::Problems(problems)) => {
            super::faulty(&problems);
            ExitCode::from(2)
        }
        Err(Unexplained::Gateway(why)) => {
            super::failed(&why);
            ExitCode::from(2)
        }
    }
}

fn explained(
    path: &Path,
    explainer: &Explainer,
    at: Option<Timestamp>,
) -> Result<Explained, Unexplained> {
    let name = path.display().to_string();
    let said = text(&name)?;
    // Before anybody is asked, so that what is wrong with the file is told at its place.
    let call = Call::read(&name, &said)?;
    match explainer {
        Explainer::Files { policy, config } => {
            let at = at.unwrap_or_else(|| SystemClock::start().now().wall);
            let plan = offline(policy.as_deref(), config.as_deref())?;
            let internal = |what: &str| vec![Problem::of_file(&name, what)];
            let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
                .map_err(|_| internal("the counters cannot be made"))?;
            // No port of a walk waits, so it is over the first time it is asked.
            let walk = plan.explain(&call, at, &metrics).now_or_never();
            let waits = || internal("a step waits for something that is not here");
            Ok(Explained::new(&walk.ok_or_else(waits)?, None))
        }
        Explainer::Gateway(socket) => asked(socket, &said, at).map_err(Unexplained::Gateway),
    }
}

/// What the gateway says of a call, which it gets as the file has it.
fn asked(socket: &Path, call: &str, at: Option<Timestamp>) -> Result<Explained, String> {
    let answer = ask(socket, &json!({"explain": {"call": call, "at": at}}))?;
    match (answer.done, answer.refused) {
        (_, Some(refused)) => Err(format!("refused: {} ({})", refused.message, refused.code)),
        (Some(Done::Explained(explained)), None) => Ok(*explained),
        (Some(_) | None, None) => Err("the gateway's answer explains nothing".into()),
    }
}

pub(super) fn table(explanation: &Explanation) -> String {
    Explained::new(explanation, None).table()
}

pub(super) fn object(explanation: &Explanation) -> Value {
    json!(Explained::new(explanation, None))
}

/// The verdict at the file of the call.
fn annotated(call: &Path, explained: &Explained) -> String {
    let refused = explained.refused.as_ref().map(|refused| &refused.code_name);
    let rule = explained.rule.as_deref().unwrap_or_default();
    Annotation {
        level: if refused.is_some() { Level::Error } else { Level::Notice },
        file: &call.display().to_string(),
        line: 0,
        column: 0,
        title: &refused.map_or(format!("allowed: {rule}"), |code| format!("refused: {code}")),
        message: &explained.table(),
    }
    .to_string()
}
