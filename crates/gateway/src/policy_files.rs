//! A policy on the disk: one file, or a folder of files that are one policy.

use std::{fs, path::Path};

use esbgate_config::{PolicyText, Problem};

use crate::regular_file;

/// What is evaluated beside a policy is no part of it.
const NEXT: &str = "policy.next.yaml";

/// More is not even read; what a policy may have is told by its reader.
const LONGEST: u64 = 64 << 20;

/// The texts of a policy: of `path`, or of each `*.yaml` in it where it is a folder. Hidden files, such as editors and
/// ConfigMaps leave them, and `policy.next.yaml` are left out. What is no regular file, or a link to none, is a problem.
pub(crate) fn texts(path: &str) -> Result<Vec<PolicyText>, Vec<Problem>> {
    if !fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        return text(path, LONGEST).map(|text| vec![text]).map_err(|problem| vec![problem]);
    }
    let (mut texts, mut problems, mut left) = (Vec::new(), Vec::new(), LONGEST);
    for name in names(path).map_err(|problem| vec![problem])? {
        match text(&name, left) {
            Ok(text) => {
                left = left.saturating_sub(text.text.len() as u64);
                texts.push(text);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if texts.is_empty() && problems.is_empty() {
        problems.push(Problem::of_file(path, "there is no *.yaml in the policy's folder"));
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// The text of a file of at most `longest` bytes.
fn text(path: &str, longest: u64) -> Result<PolicyText, Problem> {
    regular_file::read_text(Path::new(path), longest)
        .map(|text| PolicyText { name: path.into(), text: text.into() })
        .map_err(|error| Problem::of_file(path, format!("the file cannot be read: {error}")))
}

/// The paths of a folder's files, in their order.
fn names(folder: &str) -> Result<Vec<String>, Problem> {
    let failed = |error: std::io::Error| {
        Problem::of_file(folder, format!("the folder cannot be read: {error}"))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else {
            return Err(Problem::of_file(folder, "a file's name in the folder is no UTF-8"));
        };
        if name.ends_with(".yaml") && !name.starts_with('.') && name != NEXT {
            names.push(Path::new(folder).join(name).display().to_string());
        }
    }
    names.sort();
    Ok(names)
}
