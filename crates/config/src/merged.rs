//! The files of a policy as one: what stands in a section, in the order of the files.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    node::{Key, Node, Spanned},
    problem::{Faults, named},
};

/// The roots of the files.
pub(crate) struct Merged<'n>(pub(crate) &'n [Node]);

impl<'n> Merged<'n> {
    /// The entries of a section of names. A name of another file is a fault, and its second meaning is not read.
    pub(crate) fn names(&self, section: &str, faults: &mut Faults<'_>) -> Vec<&'n (Key, Node)> {
        let mut first = HashMap::new();
        let mut entries = Vec::new();
        for entry in self.sections(section).flat_map(|node| node.entries()) {
            let (key, _) = entry;
            match first.entry(key.name.as_str()) {
                Entry::Vacant(free) => {
                    free.insert(key.place);
                    entries.push(entry);
                }
                Entry::Occupied(first) => {
                    let path = format!("{section}.{}", named(&key.name));
                    let message =
                        format!("this name stands in {} already", faults.texts.told(*first.get()));
                    let hint = Some("a name stands once in all files of a policy".into());
                    faults.hinted(&Spanned { place: key.place, value: () }, &path, message, hint);
                }
            }
        }
        entries
    }

    /// The elements of a section that is a list.
    pub(crate) fn list(&self, section: &str) -> impl Iterator<Item = &'n Node> {
        self.sections(section).flat_map(|node| node.elements())
    }

    /// A section that may stand in one file.
    pub(crate) fn once(&self, section: &str, faults: &mut Faults<'_>) -> Option<&'n Node> {
        let mut found = self.0.iter().filter_map(|root| root.entry(section));
        let (first, node) = found.next()?;
        for (key, _) in found {
            let message = format!("this key stands in {} already", faults.texts.told(first.place));
            let hint = Some("it may stand in one file of a policy".into());
            faults.hinted(&Spanned { place: key.place, value: () }, section, message, hint);
        }
        Some(node)
    }

    fn sections(&self, name: &str) -> impl Iterator<Item = &'n Node> {
        self.0.iter().filter_map(move |root| root.get(name))
    }
}
