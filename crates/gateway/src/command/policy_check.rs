//! `policy check`: what a start would say of the two files.

use std::{path::Path, process::ExitCode};

pub(crate) fn run(config: &Path) -> ExitCode {
    match super::serve::checked(config) {
        Ok((boot, _, warnings)) => {
            for warning in &warnings {
                println!("warning: {warning}");
            }
            println!("{}: good, {} warning(s)", boot.policy, warnings.len());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            super::failed(&format!("{} problem(s)", problems.len()))
        }
    }
}
