//! What is wrong with a file, where, and what to do.

use std::fmt;

use esbgate_model::Name;
use garde::Validate;
use serde::de::DeserializeOwned;

use crate::{
    constraint::{Unfit, unfit},
    node::{Node, Place, Spanned},
    picture::Hide,
    texts::Texts,
};

/// A fault of a file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: Box<str>,
    /// Counts from 1; 0 when the whole file is meant.
    pub line: u64,
    /// Counts from 1.
    pub column: u64,
    /// The keys that lead to it, with dots.
    pub path: Box<str>,
    /// What is wrong.
    pub message: Box<str>,
    /// What to do.
    pub hint: Option<Box<str>>,
    /// The line, masked.
    pub snippet: Option<Box<str>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: ", self.file)?,
            line => write!(f, "{}:{line}:{}: ", self.file, self.column)?,
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(line) = &self.snippet {
            let indent = usize::try_from(self.column.saturating_sub(1)).unwrap_or_default();
            write!(f, "\n  | {line}\n  | {:indent$}^", "")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

impl Problem {
    /// A problem of a whole file.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<Box<str>>) -> Self {
        Self::at(file, Place::default(), "", message)
    }

    pub(crate) fn at(file: &str, at: Place, path: &str, message: impl Into<Box<str>>) -> Self {
        Self {
            file: file.into(),
            line: at.line,
            column: at.column,
            path: path.into(),
            message: message.into(),
            hint: None,
            snippet: None,
        }
    }
}

/// Something that loads, and that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub Problem);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The faults of a document, as they are found.
pub(crate) struct Faults<'t> {
    pub(crate) texts: &'t Texts,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
    /// Whether something had the wrong shape, so that no spec was made of it.
    pub(crate) misshapen: bool,
    alone: bool,
}

impl<'t> Faults<'t> {
    pub(crate) fn new(texts: &'t Texts) -> Self {
        Self { texts, problems: Vec::new(), warnings: Vec::new(), misshapen: false, alone: false }
    }

    /// The same, where variables and files of the gateway's machine cannot be expected.
    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// `value` with the warnings if nothing is wrong, else all problems in the order of the files.
    pub(crate) fn end<T>(mut self, value: T) -> Result<(T, Vec<Warning>), Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok((value, self.warnings));
        }
        self.problems.sort_by(|one, other| {
            let place = |problem: &Problem| (problem.line, problem.column);
            one.file.cmp(&other.file).then_with(|| place(one).cmp(&place(other)))
        });
        Err(self.problems)
    }

    fn problem<T>(&self, at: &Spanned<T>, path: &str, message: String) -> Problem {
        let snippet = self.texts.picture(at.place, Hide::Nothing);
        Problem { snippet, ..Problem::at(self.texts.name(at.place), at.place, path, message) }
    }

    /// Makes a spec of a piece; a fault of its shape is a problem like any other, and so is each value in it that its
    /// key does not allow.
    pub(crate) fn spec<T: DeserializeOwned + Validate<Context = ()>>(
        &mut self,
        node: &Node,
        path: &str,
    ) -> Option<T> {
        let fault = match node.spec() {
            Ok(spec) => {
                for Unfit { place, path, message } in unfit(&spec, node, path) {
                    self.add(&Spanned { place, value: () }, &path, message);
                }
                return Some(spec);
            }
            Err(fault) => fault,
        };
        self.misshapen = true;
        let at = fault.place.unwrap_or(node.place);
        let snippet = self.texts.picture(at, fault.hide);
        let hint = fault.hint.map(Into::into);
        let problem = Problem::at(self.texts.name(at), at, path, fault.message);
        self.problems.push(Problem { hint, snippet, ..problem });
        None
    }

    pub(crate) fn add<T>(&mut self, at: &Spanned<T>, path: &str, message: impl Into<String>) {
        self.problems.push(self.problem(at, path, message.into()));
    }

    pub(crate) fn hinted<T>(
        &mut self,
        at: &Spanned<T>,
        path: &str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let problem = self.problem(at, path, message.into());
        self.problems.push(Problem { hint: hint.map(Into::into), ..problem });
    }

    /// Adds a problem where a value was due.
    pub(crate) fn none<T, V>(
        &mut self,
        at: &Spanned<T>,
        path: &str,
        message: impl Into<String>,
    ) -> Option<V> {
        self.add(at, path, message);
        None
    }

    /// Adds a problem, or a warning where the other machine may know better.
    pub(crate) fn unresolved<T, V>(
        &mut self,
        at: &Spanned<T>,
        path: &str,
        message: impl Into<String>,
    ) -> Option<V> {
        if self.alone {
            self.warn(at, path, message);
            return None;
        }
        let hint = "set it for the gateway's process, or name another";
        self.hinted(at, path, message, Some(hint.into()));
        None
    }

    pub(crate) fn warn<T>(&mut self, at: &Spanned<T>, path: &str, message: impl Into<String>) {
        self.warnings.push(Warning(self.problem(at, path, message.into())));
    }
}

/// A name of the file as it may be told: what is no name may be a secret in the wrong place.
pub(crate) fn named(name: &str) -> &str {
    if Name::new(name).is_ok() { name } else { "?" }
}

/// The known name that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| format!("did you mean `{name}`?"))
}
