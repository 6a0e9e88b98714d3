//! The file that is appended to, and the way back after a failed write or a file that was taken away.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
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
    /// Its name leads elsewhere: what is written would be lost with the file.
    Gone,
}

/// Device and number of a file.
type Identity = (u64, u64);

/// The newest segment of a boot.
pub(crate) struct Segment {
    dir: PathBuf,
    number: u64,
    open: OpenFile,
    file: File,
    /// None for what is no file of the folder, and so cannot be missed there.
    identity: Option<Identity>,
    good: u64,
    state: State,
    sync: bool,
}

impl Segment {
    pub(crate) fn create(dir: &Path, sync: bool, mut open: OpenFile) -> io::Result<Self> {
        let file = open_numbered(dir, 1, &mut open)?;
        let (dir, state) = (dir.to_owned(), State::Sound);
        let identity = identity(&dir, 1, &file);
        Ok(Self { dir, number: 1, open, file, identity, good: 0, state, sync })
    }

    /// Appends all of `bytes`, or none that counts.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.repair()?;
        self.look()?;
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

    /// Refuses to write into a file that was removed or moved; the next write has one of its own.
    fn look(&mut self) -> io::Result<()> {
        let named = std::fs::metadata(segment_path(&self.dir, self.number));
        let here = |known| named.is_ok_and(|named| (named.dev(), named.ino()) == known);
        if self.identity.is_none_or(here) {
            return Ok(());
        }
        self.state = State::Gone;
        Err(io::Error::new(io::ErrorKind::NotFound, "the segment was removed or moved"))
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
        let usable = match self.state {
            State::Sound => return Ok(()),
            State::Gone => false,
            State::Torn => self.file.set_len(self.good).is_ok(),
            // An empty segment has nothing to lose, so it is used again rather than followed by another.
            State::Unsynced => self.file.set_len(self.good).is_ok() && self.good == 0,
        };
        if !usable {
            let next = self.number + 1;
            self.file = open_numbered(&self.dir, next, &mut self.open)?;
            self.identity = identity(&self.dir, next, &self.file);
            self.number = next;
            self.good = 0;
        }
        self.state = State::Sound;
        Ok(())
    }
}

fn open_numbered(dir: &Path, number: u64, open: &mut OpenFile) -> io::Result<File> {
    let file = open(&segment_path(dir, number))?;
    sync_dir(dir)?;
    Ok(file)
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.jsonl"))
}

fn identity(dir: &Path, number: u64, file: &File) -> Option<Identity> {
    let of = |found: Metadata| (found.dev(), found.ino());
    let named = std::fs::metadata(segment_path(dir, number)).map(of).ok()?;
    file.metadata().map(of).ok().filter(|held| *held == named)
}

/// Opens a segment for appending.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Makes a folder that its group may read, for auditors, and makes its name durable. What may not be read
/// by them is in no record in clear.
pub(crate) fn make_dir(dir: &Path, recursive: bool) -> io::Result<()> {
    if recursive && dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o750).recursive(recursive).create(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
