//! `policy check`: what a start would say of the files, for people and for programs.

use std::{path::Path, process::ExitCode};

use clap::ValueEnum;
use esbgate_config::{Problem, Warning};
use serde_json::{Value, json};

use super::{
    annotation::{self, Level},
    files::{POLICY, alone, checked},
};

/// How problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With a picture of the line.
    Text,
    /// One object: `good`, `note` and `problems`, each with severity, file, line, column, path, message and hint.
    Json,
    /// An annotation for each problem, as GitHub's workflows show it at its line.
    Github,
}

pub(super) fn run(policy: Option<&Path>, config: Option<&Path>, format: Format) -> ExitCode {
    let (found, note) = match config {
        Some(config) => {
            let found = checked(config, policy).and_then(|mut checked| {
                let warnings = std::mem::take(&mut checked.warnings);
                super::settings::settings(config, checked).map(|_| warnings)
            });
            (found, None)
        }
        None => {
            let note = "without --config the names in acts_as are not checked";
            let found = alone(policy.unwrap_or(Path::new(POLICY)));
            (found.map(|(_, warnings)| warnings), Some(note))
        }
    };
    match format {
        Format::Text => text(&found, note),
        Format::Json => println!("{}", object(&found, note)),
        Format::Github => print!("{}", annotations(&found)),
    }
    if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn text(found: &Result<Vec<Warning>, Vec<Problem>>, note: Option<&str>) {
    if let Some(note) = note {
        println!("note: {note}");
    }
    match found {
        Ok(warnings) => {
            for warning in warnings {
                println!("warning: {warning}");
            }
            println!("good, {} warning(s)", warnings.len());
        }
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            eprintln!("esbgate: {} problem(s)", problems.len());
        }
    }
}

fn annotations(found: &Result<Vec<Warning>, Vec<Problem>>) -> String {
    let told: Vec<String> = match found {
        Ok(warnings) => {
            warnings.iter().map(|warning| annotation::problem(Level::Warning, &warning.0)).collect()
        }
        Err(problems) => {
            problems.iter().map(|one| annotation::problem(Level::Error, one)).collect()
        }
    };
    told.into_iter().map(|line| line + "\n").collect()
}

fn object(found: &Result<Vec<Warning>, Vec<Problem>>, note: Option<&str>) -> Value {
    let problems: Vec<Value> = match found {
        Ok(warnings) => warnings.iter().map(|warning| element("warning", &warning.0)).collect(),
        Err(problems) => problems.iter().map(|problem| element("error", problem)).collect(),
    };
    json!({ "good": found.is_ok(), "note": note, "problems": problems })
}

fn element(severity: &str, problem: &Problem) -> Value {
    json!({
        "severity": severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    })
}
