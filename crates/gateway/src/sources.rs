//! Where named secrets and files come from: the environment and the disk.

use std::{cell::RefCell, collections::BTreeMap};

use esbgate_config::Lookup;
use esbgate_model::sha256;

/// The environment and the disk.
#[derive(Debug, Clone, Copy)]
pub struct Sources;

impl Lookup for Sources {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

/// The same, noting which files were read and what was in them.
#[derive(Debug, Default)]
pub(crate) struct Recording(RefCell<BTreeMap<Box<str>, Content>>);

/// The hash of a file's text; none where it cannot be read.
type Content = Option<[u8; 32]>;

/// Files, and what was in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<Box<str>, Content>);

impl Lookup for Recording {
    fn env(&self, name: &str) -> Option<String> {
        Sources.env(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let read = Sources.file(path);
        self.0.borrow_mut().insert(path.into(), content(&read));
        read
    }
}

impl Recording {
    pub(crate) fn seen(self) -> Seen {
        Seen(self.0.into_inner())
    }
}

impl Seen {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same files as they are now.
    pub(crate) fn again(&self) -> Self {
        let paths = self.0.keys();
        Self(paths.map(|path| (path.clone(), content(&Sources.file(path)))).collect())
    }
}

fn content(read: &Result<String, String>) -> Content {
    read.as_ref().ok().map(|text| sha256(text.as_bytes()))
}
