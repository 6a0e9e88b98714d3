//! What the gateway remembers over a restart: files in a folder of its own, each written whole or not at all.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::regular_file;

/// Marks a file that is not whole yet.
const UNFINISHED: &str = ".tmp";

/// The folder of `state.dir`. All that it does blocks on the disk.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Opens the folder, or makes it. It is nobody else's to read: what was valid once and what an admin said why is
    /// in it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
            if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
                sync(above)?;
            }
        }
        let mode = std::fs::metadata(dir)?.permissions().mode() & 0o7777;
        if mode != 0o700 {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self(dir.to_owned()))
    }

    /// A folder that is there, for who only looks.
    pub fn look(dir: &Path) -> io::Result<Self> {
        std::fs::read_dir(dir).map(|_| Self(dir.to_owned()))
    }

    /// The same for what is within `name`.
    pub fn folder(&self, name: &str) -> io::Result<Self> {
        Self::open(&self.0.join(name))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a file there, whole: whoever reads it, even after a crash, finds the old content or the new one. An error
    /// leaves the old one, unless it says otherwise.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let unfinished = self.0.join(format!("{name}{UNFINISHED}"));
        let put = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, self.0.join(name))
        };
        if let Err(error) = put() {
            // The next write takes its place as well.
            std::fs::remove_file(&unfinished).ok();
            return Err(error);
        }
        sync(&self.0).map_err(|error| {
            unsynced(&format!("{name} is written and in its place, but may be the old one"), &error)
        })
    }

    /// The content of a file of at most `longest` bytes; none where there is no such file.
    pub fn read(&self, name: &str, longest: u64) -> io::Result<Option<Vec<u8>>> {
        match regular_file::read(&self.0.join(name), longest) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a file away; one that is not there is away already.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.0.join(name)) {
            Ok(()) => sync(&self.0)
                .map_err(|error| unsynced(&format!("{name} is gone, but may be back"), &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names of its whole files, sorted.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok();
            let whole = name.filter(|name| !name.ends_with(UNFINISHED));
            if entry.file_type()?.is_file() {
                names.extend(whole);
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Makes the names in a folder durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Says what holds now where only a crash of the machine could undo it: an error alone would say that nothing happened.
fn unsynced(holds: &str, error: &io::Error) -> io::Error {
    let told =
        format!("{holds} after a crash of the machine: its folder cannot be synced: {error}");
    io::Error::new(error.kind(), told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn files_are_whole_private_and_replaced_at_once() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("a/state");
        let state = StateFolder::open(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(state.read("one", 10).unwrap(), None);
        state.write("one", b"first").unwrap();
        state.write("one", b"second").unwrap();
        assert_eq!(state.read("one", 10).unwrap().unwrap(), b"second");
        assert_eq!(mode(&dir.join("one")), 0o600);
        assert!(state.read("one", 3).is_err());
        std::fs::write(dir.join("two.tmp"), "half of").unwrap();
        assert_eq!(state.names().unwrap(), ["one"]);
        state.remove("one").unwrap();
        state.remove("one").unwrap();
        assert_eq!(state.read("one", 10).unwrap(), None);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let above = tempfile::tempdir().unwrap();
        let state = StateFolder::open(above.path()).unwrap();
        // A folder cannot be replaced by a file.
        std::fs::create_dir(above.path().join("one")).unwrap();
        assert!(state.write("one", b"text").is_err());
        assert_eq!(std::fs::read_dir(above.path()).unwrap().count(), 1);
        assert!(state.read("one", 10).is_err());
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_closed_and_one_that_is_a_file_is_refused() {
        let above = tempfile::tempdir().unwrap();
        std::fs::set_permissions(above.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let state = StateFolder::open(above.path()).unwrap();
        assert_eq!(mode(state.path()), 0o700);
        state.write("file", b"").unwrap();
        assert!(state.folder("file").is_err());
        assert_eq!(mode(state.folder("inner").unwrap().path()), 0o700);
    }
}
