//! `audit query` and `audit export`.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::ValueEnum;
use esbgate_audit::{Call, call_event, export, query::Query};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Asked,
    cells::{COLUMNS, csv, of_call, visible},
    open,
};
use crate::command::columns::columns;

/// How calls that were found are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Told {
    /// In columns.
    Table,
    /// One object a line, with intent and outcome.
    Json,
    /// Comma-separated values.
    Csv,
}

/// What other systems read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::command) enum Export {
    /// One object a line, with intent and outcome.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Events of the BlueKing audit center, one a line.
    #[value(name = "bk_audit")]
    BkAudit,
}

fn heads() -> Vec<String> {
    COLUMNS.iter().map(|name| name.to_lowercase()).collect()
}

fn whole(call: &Call) -> serde_json::Value {
    json!({"intent": call.intent, "outcome": call.outcome})
}

/// Tells the calls that are asked for, or those of them that have one of some keyed hashes.
pub(super) fn query(asked: &Asked, hmacs: Vec<String>) -> io::Result<ExitCode> {
    let journal = open(&asked.dir)?;
    let query = Query {
        app: asked.app.clone(),
        user: asked.user.clone(),
        host: asked.host,
        business: asked.business,
        job: asked.job,
        script_sha: asked.script_sha.as_ref().map(|sha| sha.to_ascii_lowercase()),
        outcome: asked.outcome.clone(),
        request_id: asked.request_id.clone(),
        hmacs,
        since: asked.since,
        until: asked.until,
        limit: Some(asked.limit),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if asked.format == Told::Csv {
        out.write_all(csv(&heads()).as_bytes())?;
    }
    let mut rows = Vec::new();
    let mut note = |segment: &esbgate_audit::SegmentId, fault: &io::Error| {
        eprintln!("esbgate: {segment} was read whole: its index cannot be used: {fault}");
    };
    let tally = esbgate_audit::query::query(&journal, &query, &mut note, &mut |call| {
        match asked.format {
            Told::Table => rows.push(of_call(call).iter().map(|cell| visible(cell)).collect()),
            Told::Json => writeln!(out, "{}", whole(call))?,
            Told::Csv => out.write_all(csv(&of_call(call)).as_bytes())?,
        }
        Ok(())
    })?;
    if asked.format == Told::Table {
        out.write_all(columns(&COLUMNS, rows).as_bytes())?;
    }
    out.flush()?;
    if tally.more {
        eprintln!("esbgate: there are more; --limit {} was reached", asked.limit);
    }
    if tally.untold > 0 {
        let at_least = if tally.more { "at least " } else { "" };
        eprintln!(
            "esbgate: of {at_least}{} more call(s) it cannot be told whether they touched the host: their hosts are on record as a hash, as groups or as topology nodes",
            tally.untold
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn export(
    dir: &Path,
    format: Export,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> io::Result<ExitCode> {
    let journal = open(dir)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if format == Export::Csv {
        out.write_all(csv(&heads()).as_bytes())?;
    }
    export::calls(&journal, since, until, &mut |call| match format {
        Export::Jsonl => writeln!(out, "{}", whole(call)),
        Export::Csv => out.write_all(csv(&of_call(call)).as_bytes()),
        Export::BkAudit => {
            writeln!(out, "{}", call_event(Some(&call.intent), call.outcome.as_ref()))
        }
    })?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
