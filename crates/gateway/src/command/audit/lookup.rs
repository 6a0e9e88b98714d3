//! `audit lookup`: calls by a value of which the journal has a keyed hash.

use std::{io, process::ExitCode};

use esbgate_journal::HashedField;
use serde_json::json;

use super::read;
use crate::{
    admin::protocol::{Done, LONGEST_LINE},
    command::admin::{Gateway, ask, stdin},
};

/// What is looked for.
#[derive(Debug, clap::Args)]
pub(in crate::command) struct Look {
    /// Reads the value from standard input, without its last line end; it is shown and recorded nowhere.
    #[arg(long, required = true)]
    value_from_stdin: bool,
    /// The field.
    #[arg(long, value_name = "FIELD", value_parser = clap::builder::PossibleValuesParser::new(names()))]
    field: String,
    #[command(flatten)]
    gateway: Gateway,
    #[command(flatten)]
    calls: super::Asked,
}

fn names() -> Vec<&'static str> {
    HashedField::all().into_iter().map(HashedField::name).collect()
}

pub(super) fn run(asked: &Look) -> io::Result<ExitCode> {
    let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    // Before the gateway is asked: each look-up counts.
    super::open(&asked.calls.dir)?;
    let socket = asked.gateway.socket().map_err(io::Error::other)?;
    let text = stdin("a value may be", longest).map_err(io::Error::other)?;
    let value =
        text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(io::Error::other("standard input has no value"));
    }
    let order = json!({"lookup": {"field": asked.field, "value": value}});
    let hashed = match ask(&socket, &order) {
        Ok(answer) => match (answer.done, answer.refused) {
            (Some(Done::Hashed(hashed)), None) => hashed,
            (_, Some(refused)) => {
                let why = format_args!("refused: {} ({})", refused.message, refused.code);
                return Ok(crate::command::failed(&why));
            }
            (Some(_) | None, None) => {
                return Ok(crate::command::failed(&"the gateway's answer has no hashes"));
            }
        },
        Err(why) => return Ok(crate::command::failed(&why)),
    };
    let mut keys: Vec<&str> = hashed.iter().map(|one| &*one.key_id).collect();
    keys.dedup();
    eprintln!("esbgate: looked for under {} key(s): {}", keys.len(), keys.join(", "));
    read::query(&asked.calls, hashed.into_iter().map(|one| one.hmac).collect())
}
