//! Tests of a policy that stand beside it.

use std::path::{Path, PathBuf};

use esbgate_config::{Lookup, PolicyDocument, Problem};

/// Adds every `.yaml` file of the folder `tests` that belongs to a policy: in it where it is a folder, else beside it.
pub(crate) fn add_tests(
    policy: &Path,
    document: &mut PolicyDocument,
    port: &dyn Lookup,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for file in files(policy)? {
        let name = file.display().to_string();
        let read = port.file(&name).map_err(|why| unreadable(&file, &why));
        if let Err(more) = read.and_then(|text| document.add_tests(&name, &text)) {
            problems.extend(more);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The files of tests, in the order of their names.
fn files(policy: &Path) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let home = if policy.is_dir() { Some(policy) } else { policy.parent() };
    let folder = home.unwrap_or(Path::new("")).join("tests");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| unreadable(&folder, &error))?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Vec<Problem> {
    let name = path.display().to_string();
    vec![Problem::of_file(&name, format!("it cannot be read: {error}"))]
}
