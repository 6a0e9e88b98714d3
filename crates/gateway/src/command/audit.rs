//! `esbgate audit`: what the journal tells, and whether it is whole.

mod cells;
mod lookup;
mod read;
mod tail;
mod verify;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use esbgate_audit::{
    Journal,
    query::Host,
    verify::{Edge, PublicKey},
};
use jiff::Timestamp;

use self::{cells::Table, read::Export, verify::key};
use super::shape::Shape;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Says whether anything was changed, removed, inserted, swapped or cut off. Exit status 0 whole, 1 a problem, 3 whole but for records after the witness.
    #[command(after_help = "Example: esbgate audit verify /var/lib/esbgate/journal")]
    Verify {
        /// The folder of the journal.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// A copy of the file HEAD that was kept elsewhere.
        #[arg(long, value_name = "FILE")]
        witness: Option<PathBuf>,
        /// Begin with the segment in which this record's number or time lies.
        #[arg(long, value_name = "SEQ|TIME")]
        from: Option<Edge>,
        /// End with the first checkpoint after this record's number or time.
        #[arg(long, value_name = "SEQ|TIME")]
        to: Option<Edge>,
        /// A key that may have signed: 64 hexadecimal digits, or a file of them. May be given again.
        #[arg(long, value_name = "HEX|FILE", value_parser = key)]
        public_key: Vec<PublicKey>,
        /// How it is told.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Shape,
    },
    /// Finds calls, newest first.
    #[command(
        after_help = "Example: esbgate audit query /var/lib/esbgate/journal --host 10.0.0.0/24 --since 2027-01-04T00:00+08:00"
    )]
    Query(Box<Asked>),
    /// Finds calls by a value that they have as a keyed hash, such as their parameters: the running gateway hashes it, under
    /// all its keys. Each look-up is on record. Exit status 1 where the gateway is not there or refuses.
    #[command(
        after_help = "Example: esbgate audit lookup /var/lib/esbgate/journal --value-from-stdin --field script_param"
    )]
    Lookup(Box<lookup::Look>),
    /// Shows the newest records.
    #[command(after_help = "Example: esbgate audit tail /var/lib/esbgate/journal -f")]
    Tail {
        /// The folder of the journal.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Goes on as records come, until it is interrupted.
        #[arg(short, long)]
        follow: bool,
        /// How many of those that are there.
        #[arg(short = 'n', long, value_name = "COUNT", default_value = "10")]
        lines: usize,
        /// How it is told.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Table,
    },
    /// Writes all calls of a time, for other systems.
    #[command(
        after_help = "Example: esbgate audit export /var/lib/esbgate/journal --format bk_audit"
    )]
    Export {
        /// The folder of the journal.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// One object a line with intent and outcome, CSV, or events of the BlueKing audit center.
        #[arg(long, value_name = "FORMAT")]
        format: Export,
        /// From this time on, with zone.
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// Before this time, with zone.
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// Prints the JSON Schema of records, or what makes the table of a `postgres` sink.
    #[command(after_help = "Example: esbgate audit schema postgres --table audit.records")]
    Schema {
        /// What is printed.
        #[arg(value_name = "OF", default_value = "records")]
        of: Of,
        /// The name of the table, with its schema before a dot if it has one.
        #[arg(long, value_name = "NAME", default_value = "esbgate_journal", value_parser = table)]
        table: String,
    },
    /// Makes the sidecars anew that are missing or stale.
    #[command(after_help = "Example: esbgate audit index /var/lib/esbgate/journal")]
    Index {
        /// The folder of the journal.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// What is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Of {
    /// The records, as JSON Schema.
    Records,
    /// The table of a `postgres` sink, as SQL.
    Postgres,
}

/// The name of a table, as the start-up file takes it.
fn table(name: &str) -> Result<String, &'static str> {
    esbgate_config::check_table(name).map(|()| name.to_owned())
}

/// What calls are asked for. All that is given must match.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// The folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The application.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A host: its IPv4 address, a network, or its id.
    #[arg(long, value_name = "IP|CIDR|ID")]
    host: Option<Host>,
    /// The id of the business, business set or tenant set.
    #[arg(long, value_name = "ID")]
    business: Option<i64>,
    /// JOB's job_instance_id.
    #[arg(long, value_name = "ID")]
    job: Option<i64>,
    /// SHA-256 of the script's content.
    #[arg(long, value_name = "HEX")]
    script_sha: Option<String>,
    /// What came of it.
    #[arg(long, value_name = "OUTCOME", value_parser = ["success", "failed", "unknown", "unavailable", "open"])]
    outcome: Option<String>,
    /// From this time on, with zone.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time, with zone.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// The request's id.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Most calls.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: usize,
    /// How it is told.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: read::Told,
}

pub(super) fn run(command: AuditCommand) -> ExitCode {
    let done = match command {
        AuditCommand::Verify { dir, witness, from, to, public_key, format } => {
            let asked = esbgate_audit::verify::Asked { keys: public_key, witness, from, to };
            verify::run(&dir, &asked, format)
        }
        AuditCommand::Query(asked) => read::query(&asked, Vec::new()),
        AuditCommand::Lookup(asked) => lookup::run(&asked),
        AuditCommand::Tail { dir, follow, lines, format } => tail::run(&dir, follow, lines, format),
        AuditCommand::Export { dir, format, since, until } => {
            read::export(&dir, format, since, until)
        }
        AuditCommand::Schema { of, table } => schema(of, &table),
        AuditCommand::Index { dir } => index(&dir),
    };
    match done {
        Ok(code) => code,
        // Who reads has seen enough.
        Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("esbgate: {fault}");
            ExitCode::from(2)
        }
    }
}

fn schema(of: Of, table: &str) -> io::Result<ExitCode> {
    let text = match of {
        Of::Records => esbgate_journal::RECORDS_SCHEMA.into(),
        Of::Postgres => esbgate_ship::table_sql(table),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Opens a journal; a fault names the folder.
fn open(dir: &std::path::Path) -> io::Result<Journal> {
    let named =
        |fault: io::Error| io::Error::new(fault.kind(), format!("{}: {fault}", dir.display()));
    Journal::open(dir).map_err(named)
}

fn index(dir: &std::path::Path) -> io::Result<ExitCode> {
    let segments = open(dir)?.segments()?;
    let closed = segments.len().saturating_sub(1);
    let (mut current, mut made) = (0, 0);
    for segment in segments.iter().take(closed) {
        if esbgate_audit::index::is_current(segment) {
            current += 1;
            continue;
        }
        esbgate_audit::index::rebuild(segment)?;
        println!("{}", segment.id());
        made += 1;
    }
    println!("{made} made, {current} were there, the newest segment has none");
    Ok(ExitCode::SUCCESS)
}
