//! `audit tail`: the newest records, and those that come.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use esbgate_audit::{Follow, Members, Next};
use serde_json::Value;

use super::{
    cells::{Table, visible},
    open,
};

/// How often it looks for more.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(dir: &Path, goes_on: bool, lines: usize, format: Table) -> io::Result<ExitCode> {
    let mut follow = Follow::newest(open(dir)?)?;
    let mut last = VecDeque::new();
    let mut begun = false;
    loop {
        match follow.read_next()? {
            Next::Record(record) if begun => show(record.line.bytes, format)?,
            Next::Record(record) => {
                last.push_back(record.line.bytes.to_vec());
                if last.len() > lines {
                    last.pop_front();
                }
            }
            Next::Again(segment) => {
                eprintln!("esbgate: a write of {segment} was taken back; its records come again");
            }
            Next::End => {
                for line in last.drain(..) {
                    show(&line, format)?;
                }
                begun = true;
                if !goes_on {
                    return Ok(ExitCode::SUCCESS);
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}

fn show(line: &[u8], format: Table) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let text = String::from_utf8_lossy(line);
    let members = serde_json::from_str::<Members>(&text).ok();
    match (format, members) {
        (Table::Table, Some(members)) => writeln!(out, "{}", row(&members))?,
        (Table::Json | Table::Table, _) => writeln!(out, "{}", visible(&text))?,
    }
    out.flush()
}

/// One line; what a kind does not have stands as `-`.
fn row(members: &Members) -> String {
    let cell = |name: &str| match members.get(name) {
        Some(Value::String(text)) => visible(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => "-".into(),
    };
    let [time, seq, kind, app, user] = ["time", "seq", "kind", "app", "user"].map(cell);
    let [component, outcome, code] = ["component", "outcome", "code_name"].map(cell);
    let id = cell("request_id");
    format!(
        "{time:<27}  {seq:>8}  {kind:<10}  {app:<16}  {user:<16}  {component:<24}  {outcome:<11}  {code:<24}  {id}"
    )
}
