//! Where named secrets and files come from: the environment and the disk.

use std::{cell::RefCell, collections::BTreeMap, path::Path, time::Duration};

use esbgate_config::Lookup;
use esbgate_model::sha256;

use crate::regular_file;

/// Most bytes of a file that a configuration names: a key, a certificate, a file of tests.
const LONGEST: u64 = 16 << 20;

/// How long files must stay as they are: who writes them in place is not done in between.
pub(crate) const QUIET: Duration = Duration::from_millis(25);

/// Files that change more often than this without a pause are not waited for.
pub(crate) const RESTLESS: u32 = 80;

/// The environment and the disk.
#[derive(Debug, Clone, Copy)]
pub struct Sources;

impl Lookup for Sources {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        regular_file::read_text(Path::new(path), LONGEST).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_that_never_ends_or_never_begins_is_a_problem_and_no_wait() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&*pipe.display().to_string(), "/dev/zero"] {
            assert_eq!(Sources.file(path).unwrap_err(), "it is no regular file");
            let recording = Recording::default();
            assert!(recording.file(path).is_err());
            let seen = recording.seen();
            assert_eq!(seen.again(), seen);
        }
    }
}
