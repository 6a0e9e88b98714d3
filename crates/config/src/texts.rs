//! The texts of a document, and the lines of them that problems show.

use std::sync::{Arc, OnceLock};

use crate::{
    node::Place,
    picture::{Hide, lines, masked},
};

/// A file of a policy: its name, as problems tell it, and what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// Where it was read; paths in it are relative to its folder.
    pub name: Box<str>,
    /// What stands in it.
    pub text: Box<str>,
}

/// Files in the order of their names, which a [`Place`] counts.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Texts(Arc<[Lined]>);

#[derive(Debug)]
struct Lined {
    file: PolicyText,
    /// Where each line begins and ends, found once somebody asks: a large policy can have many problems.
    lines: OnceLock<Vec<(usize, usize)>>,
}

impl Texts {
    pub(crate) fn new(files: &[PolicyText]) -> Self {
        let lined = |file: &PolicyText| Lined { file: file.clone(), lines: OnceLock::new() };
        let mut texts: Vec<Lined> = files.iter().map(lined).collect();
        texts.sort_by(|one, other| one.file.name.cmp(&other.file.name));
        Self(texts.into())
    }

    pub(crate) fn one(name: &str, text: &str) -> Self {
        Self::new(&[PolicyText { name: name.into(), text: text.into() }])
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &PolicyText> {
        self.0.iter().map(|one| &one.file)
    }

    /// The name of a place's file.
    pub(crate) fn name(&self, at: Place) -> &str {
        self.0.get(at.file).map_or("", |one| &one.file.name)
    }

    /// `file:line` of a place.
    pub(crate) fn told(&self, at: Place) -> String {
        format!("{}:{}", self.name(at), at.line)
    }

    /// The line of a place, masked.
    pub(crate) fn picture(&self, at: Place, hide: Hide) -> Option<Box<str>> {
        let Lined { file, lines: found } = self.0.get(at.file)?;
        let found = found.get_or_init(|| lines(&file.text));
        let (start, end) = *found.get(usize::try_from(at.line.checked_sub(1)?).ok()?)?;
        masked(file.text.get(start..end)?, at, hide)
    }
}
