//! The file that is appended to, and the way back after a failed write.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Opens the file of a segment.
pub(crate) type OpenFile = Box<dyn FnMut(&Path) -> io::Result<File> + Send>;

/// Filler that shows whether a failed segment takes data again.
const PROBE: [u8; 4096] = [b'\n'; 4096];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// Bytes after `good` may be there.
    Torn,
    /// The kernel may have dropped what it could not sync, so the file is not trusted any more.
    Unsynced,
}

/// The newest segment of a boot.
pub(crate) struct Segment {
    dir: PathBuf,
    number: u64,
    open: OpenFile,
    file: File,
    good: u64,
    state: State,
    sync: bool,
}

impl Segment {
    pub(crate) fn create(dir: &Path, sync: bool, mut open: OpenFile) -> io::Result<Self> {
        let file = open_numbered(dir, 1, &mut open)?;
        let dir = dir.to_owned();
        Ok(Self { dir, number: 1, open, file, good: 0, state: State::Sound, sync })
    }

    /// Appends all of `bytes`, or none that counts.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.repair()?;
        self.put(bytes)?;
        self.good += bytes.len() as u64;
        Ok(())
    }

    /// Syncs what was appended, whatever the journal promises.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether data can be written again; leaves nothing behind.
    pub(crate) fn probe(&mut self) -> io::Result<()> {
        self.repair()?;
        self.put(&PROBE)?;
        self.state = State::Torn;
        self.repair()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.state = State::Torn;
        self.file.write_all(bytes)?;
        if self.sync {
            self.state = State::Unsynced;
            self.file.sync_data()?;
        }
        self.state = State::Sound;
        Ok(())
    }

    fn repair(&mut self) -> io::Result<()> {
        if self.state == State::Sound {
            return Ok(());
        }
        let cut = self.file.set_len(self.good);
        // An empty segment has nothing to lose, so it is used again rather than followed by another.
        if cut.is_err() || (self.state == State::Unsynced && self.good > 0) {
            self.file = open_numbered(&self.dir, self.number + 1, &mut self.open)?;
            self.number += 1;
            self.good = 0;
        }
        self.state = State::Sound;
        Ok(())
    }
}

fn open_numbered(dir: &Path, number: u64, open: &mut OpenFile) -> io::Result<File> {
    let file = open(&dir.join(format!("{number:08}.jsonl")))?;
    sync_dir(dir)?;
    Ok(file)
}

/// Opens a segment for appending.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Makes a folder that only the gateway enters, and its name durable.
pub(crate) fn make_dir(dir: &Path, recursive: bool) -> io::Result<()> {
    if recursive && dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).recursive(recursive).create(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
