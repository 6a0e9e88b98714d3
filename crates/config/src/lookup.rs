//! The port to variables and files, so that checks do no I/O of their own.

use std::path::Path;

use serde::Deserialize;

use crate::{node::Spanned, problem::Faults};

/// Where named values come from.
pub trait Lookup {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The text of a file; the error says why it cannot be read, without its content.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// A value that stands elsewhere.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "secret"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// In an environment variable.
    Env(Spanned<String>),
    /// In a file.
    File(Spanned<String>),
}

/// A text that stands in a file.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "`{file: PATH}`"))]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSource {
    /// The path, relative to the folder of the file that names it.
    pub(crate) file: Spanned<String>,
}

/// `path`, seen from the folder of `from`.
pub(crate) fn beside(from: &str, path: &str) -> String {
    Path::new(from).parent().map_or_else(|| path.into(), |dir| dir.join(path).display().to_string())
}

/// The text of a file, or a problem at its path.
pub(crate) fn text(
    source: &FileSource,
    port: &dyn Lookup,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<String> {
    file(&source.file, port, path, faults)
}

fn file(
    name: &Spanned<String>,
    port: &dyn Lookup,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<String> {
    match port.file(&beside(faults.texts.name(name.place), &name.value)) {
        Ok(text) if !text.trim().is_empty() => Some(text),
        Ok(_) => faults.none(name, path, "the file is empty"),
        Err(why) => faults.unresolved(name, path, format!("the file cannot be read: {why}")),
    }
}

/// A secret, without the line end that editors leave, or a problem at its source.
pub(crate) fn secret(
    source: &Source,
    port: &dyn Lookup,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<String> {
    match source {
        Source::File(name) => {
            file(name, port, path, faults).map(|text| text.trim_end_matches(['\r', '\n']).into())
        }
        Source::Env(name) => match port.env(&name.value) {
            Some(value) if !value.trim().is_empty() => Some(value),
            Some(_) => faults.none(name, path, "the environment variable is empty"),
            None => faults.unresolved(name, path, "the environment variable is not set"),
        },
    }
}
