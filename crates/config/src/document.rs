//! Reads YAML within bounds and gives every fault a place: the one module that knows the YAML library.
//!
//! A picture shows the file's own line, so whatever in it could be a secret is masked first.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Options, Spanned};

/// Longer files are refused unread.
const LONGEST: usize = 512 * 1024;

/// Words after which a line may hold a secret.
const GUARDED: [&str; 5] = ["sha256", "secret", "current", "hmac_key", "password"];

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
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
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

/// Something that loads, and that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub Problem);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The faults of one file, as they are found.
pub(crate) struct Faults<'t> {
    pub(crate) file: &'t str,
    text: &'t str,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'t> Faults<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new(), warnings: Vec::new() }
    }

    fn problem<T>(&self, at: &Spanned<T>, path: &str, message: String) -> Problem {
        place(self.file, self.text, at.referenced, path, message, None, false)
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

    pub(crate) fn warn<T>(&mut self, at: &Spanned<T>, path: &str, message: impl Into<String>) {
        self.warnings.push(Warning(self.problem(at, path, message.into())));
    }
}

/// The known name that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// Reads a document of type `T`.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Vec<Problem>> {
    let whole =
        |message: String| vec![place(file, text, Location::UNKNOWN, "", message, None, true)];
    if text.len() > LONGEST {
        return Err(whole(format!("the file has more than {LONGEST} bytes")));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error: serde_saphyr::Error| {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        let said = error.without_snippet().to_string();
        let (message, hint, guarded) = retell(&said);
        vec![place(file, text, at, "", message, hint, guarded)]
    })
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: 200_000,
        max_nodes: 100_000,
        max_aliases: 64,
        max_anchors: 64,
        max_depth: 32,
        max_documents: 1,
        max_merge_keys: 64,
        max_total_scalar_bytes: LONGEST,
    };
    let aliases = serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: aliases,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// The library's words without the values that it quotes; and whether the line must be masked.
fn retell(said: &str) -> (String, Option<String>, bool) {
    let said = said.split(" at line ").next().unwrap_or(said);
    let named = said.contains("unknown field") || said.contains("unknown variant");
    let mut ticks = said.split('`').skip(1).step_by(2);
    if named {
        let word = ticks.next().unwrap_or_default();
        let plain = word.len() <= 40 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let (_, list) = said.rsplit_once("expected one of ").unwrap_or_default();
        let known: Vec<&str> = list
            .split(|c: char| !c.is_alphanumeric() && !"_-".contains(c))
            .filter(|name| !name.is_empty())
            .collect();
        let hint = nearest(word, known.iter().copied())
            .or_else(|| (!known.is_empty()).then(|| format!("known here: {}", known.join(", "))));
        let kind = if said.contains("unknown field") { "unknown key" } else { "unknown choice" };
        // A misplaced secret can stand where a choice is due.
        let plain = plain && kind == "unknown key";
        let name = if plain { format!(" `{word}`") } else { String::new() };
        return (format!("{kind}{name}"), hint, !plain);
    }
    if let Some((_, field)) = said.split_once("missing field ") {
        return (format!("missing key {field}"), None, true);
    }
    if said.contains("duplicate") {
        return ("duplicate key".into(), Some("a key may stand once".into()), false);
    }
    let quotes = said.starts_with("invalid ") || said.contains('"') || said.contains('\'');
    match said.rsplit_once("expected ") {
        Some((_, expected)) => (format!("expected {expected}"), None, true),
        None if quotes => ("the value does not fit or is no valid YAML".into(), None, true),
        None => (said.into(), None, true),
    }
}

fn place(
    file: &str,
    text: &str,
    at: Location,
    path: &str,
    message: String,
    hint: Option<String>,
    guarded: bool,
) -> Problem {
    let index = at.line().checked_sub(1).and_then(|line| usize::try_from(line).ok());
    let line = index.and_then(|index| text.lines().nth(index));
    Problem {
        file: file.into(),
        line: at.line(),
        column: at.column(),
        path: path.into(),
        message: message.into(),
        hint: hint.map(Into::into),
        snippet: line.filter(|line| line.len() <= 500).map(|line| mask(line, guarded).into()),
    }
}

fn mask(line: &str, guarded: bool) -> String {
    let from = GUARDED.iter().filter_map(|word| line.find(word).map(|at| at + word.len()));
    let values = guarded.then(|| line.find(':').unwrap_or_default());
    let from = from.chain(values).min().unwrap_or(line.len());
    let (shown, hidden) = line.split_at_checked(from).unwrap_or(("", line));
    let mut out = String::with_capacity(line.len());
    for run in shown.split_inclusive(|c: char| !c.is_alphanumeric() && !"+/=_-".contains(c)) {
        // A long run of such letters is the shape of keys and hashes.
        if run.len() > 32 { out.extend(run.chars().map(star)) } else { out.push_str(run) }
    }
    out.extend(hidden.chars().map(star));
    out
}

fn star(c: char) -> char {
    if c.is_whitespace() || "{}[],:".contains(c) { c } else { '*' }
}
