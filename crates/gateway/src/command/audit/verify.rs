//! `audit verify`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use esbgate_audit::verify::{
    Asked, Finding, KeyFrom, Progress, PublicKey, Report, Verdict, verify,
};

use super::{cells::visible, open};
use crate::command::shape::Shape;

/// A key, or a file that holds one.
pub(super) fn key(text: &str) -> Result<PublicKey, String> {
    text.parse::<PublicKey>().or_else(|fault| {
        let file = std::fs::read_to_string(text);
        file.map_err(|missing| format!("{fault}, and no file: {missing}"))?
            .parse()
            .map_err(str::to_owned)
    })
}

pub(super) fn run(dir: &Path, asked: &Asked, format: Shape) -> io::Result<ExitCode> {
    let journal = open(dir)?;
    let mut bar = Bar::default();
    let report = verify(&journal, asked, &mut |progress| bar.show(progress));
    bar.end();
    let report = report?;
    let mut out = io::stdout().lock();
    match format {
        Shape::Json => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        Shape::Text => out.write_all(told(&report).as_bytes())?,
    }
    Ok(ExitCode::from(match report.verdict {
        Verdict::Whole => 0,
        Verdict::Problem => 1,
        Verdict::UnwitnessedTail => 3,
    }))
}

/// A line on a terminal that says how far it is; elsewhere nothing.
#[derive(Debug, Default)]
struct Bar {
    shown: Option<u64>,
}

impl Bar {
    fn show(&mut self, progress: Progress) {
        let percent = progress.done.saturating_mul(100) / progress.total.max(1);
        if self.shown != Some(percent) && io::stderr().is_terminal() {
            let filled = usize::try_from(percent / 4).unwrap_or_default();
            eprint!("\rverifying [{:<25}] {percent:>3} %", "=".repeat(filled));
            self.shown = Some(percent);
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            eprint!("\r{:45}\r", "");
        }
    }
}

fn told(report: &Report) -> String {
    let mut out = match &report.finding {
        Some(finding) => pictured(finding),
        None if report.verdict == Verdict::Whole => "whole\n".into(),
        None => format!("whole, but for {} record(s) after the witness\n", report.tail),
    };
    let number = |seq: Option<u64>| seq.map_or_else(|| "none".into(), |seq| seq.to_string());
    out +=
        &format!("  read       {} record(s) in {} segment(s)\n", report.records, report.segments);
    out += &format!("  records    {} to {}\n", number(report.first_seq), number(report.last_seq));
    out += &format!("  signed     up to {}\n", number(report.signed_seq));
    out += &format!("  witnessed  up to {}\n", number(report.witnessed_seq));
    let from = match report.key_from {
        Some(KeyFrom::Given) => "given",
        Some(KeyFrom::Witness) => "of the witness that was given",
        Some(KeyFrom::Journal) | None => {
            "named by the journal itself: compare it with the gateway's log, or give --public-key"
        }
    };
    for key in &report.keys {
        out += &format!("  key        {key} ({from})\n");
    }
    if let Some(torn) = &report.torn {
        out += &format!(
            "  torn       {} byte(s) at {}: a write that is under way or was cut off\n",
            torn.bytes, torn.place
        );
    }
    for note in &report.notes {
        out += &format!("  note       {}\n", visible(note));
    }
    out
}

/// What is wrong, between what is good before it and where it shows.
fn pictured(finding: &Finding) -> String {
    let good = finding.good.as_ref().map_or_else(|| "nothing".into(), ToString::to_string);
    format!(
        "{}: {}\n  good up to {good}\n       |\n       v\n  {} at {}\n",
        finding.fault.as_str(),
        visible(&finding.text),
        finding.fault.as_str(),
        finding.place,
    )
}
