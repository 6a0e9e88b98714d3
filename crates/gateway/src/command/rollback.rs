//! `policy rollback --list`: the generations that can be gone back to.

use std::{io::ErrorKind, path::Path, process::ExitCode};

use esbgate_config::{BootDocument, Problem};

use super::files::text;
use crate::{Generation, Hold, Shelf, Sources};

/// What the state folder has.
struct Kept {
    hold: Option<Hold>,
    /// A damaged one is a number alone.
    generations: Vec<(u64, Option<Generation>)>,
}

pub(super) fn list(config: &Path) -> ExitCode {
    match kept(config) {
        Ok(kept) => {
            print!("{}", table(&kept));
            ExitCode::SUCCESS
        }
        Err(problems) => super::faulty(&problems),
    }
}

fn kept(config: &Path) -> Result<Kept, Vec<Problem>> {
    let name = config.display().to_string();
    let boot = BootDocument::read(&name, &text(&name)?)?.check(&Sources)?;
    let problem = |error: std::io::Error| {
        let message = format!("the state folder cannot be read: {error}");
        vec![Problem::of_file(&boot.state, message)]
    };
    let shelf = match Shelf::look(Path::new(&*boot.state)) {
        // Nothing was ever in force.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Kept { hold: None, generations: Vec::new() });
        }
        looked => looked.map_err(problem)?,
    };
    let numbers = shelf.numbers().map_err(problem)?.into_iter();
    let generations = numbers.map(|number| (number, shelf.load(number).ok())).collect();
    Ok(Kept { hold: shelf.hold().map_err(problem)?, generations })
}

fn table(kept: &Kept) -> String {
    let mut out =
        format!("{:>10}  {:<20}  {:<12}  {:>6}\n", "generation", "taken", "sha256", "apps");
    for (number, generation) in &kept.generations {
        let Some(generation) = generation else {
            out += &format!("{number:>10}  damaged\n");
            continue;
        };
        let time = generation.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let sha256: String = generation.sha256.chars().take(12).collect();
        let apps = generation.apps;
        out += &format!("{number:>10}  {time:<20}  {sha256:<12}  {apps:>6}");
        if let Some(hold) = kept.hold.as_ref().filter(|hold| hold.restores == *number) {
            out += &format!("  held as {}", hold.generation);
        }
        out.push('\n');
    }
    out
}
