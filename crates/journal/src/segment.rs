//! The file that is appended to, and the way back after a failed write or a file that was taken away.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use esbgate_core::Tampered;

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
    /// Somebody else has changed it: what is written would be lost with the file, or stand at a wrong place.
    Foreign,
}

/// What a file is told apart by: its device and number, size and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) file: (u64, u64),
    pub(crate) size: u64,
    pub(crate) writable: bool,
    /// When it was last written, in seconds and nanoseconds.
    pub(crate) written: (i64, i64),
}

impl From<Metadata> for Identity {
    fn from(met: Metadata) -> Self {
        Self {
            file: (met.dev(), met.ino()),
            size: met.len(),
            writable: met.mode() & 0o200 != 0,
            written: (met.mtime(), met.mtime_nsec()),
        }
    }
}

/// A segment that takes no more records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    /// Bytes of it that count.
    pub(crate) good: u64,
    /// Whether more bytes than those may stand in it.
    pub(crate) uncut: bool,
    /// Whether it is a file of the folder, and so can be missed there.
    pub(crate) named: bool,
}

/// The newest segment of a boot.
pub(crate) struct Segment {
    dir: PathBuf,
    number: u64,
    open: OpenFile,
    file: Arc<File>,
    /// None for what is no file of the folder, and so cannot be missed there.
    identity: Option<(u64, u64)>,
    good: u64,
    state: State,
    sync: bool,
    closed: Vec<Closed>,
    tampered: Vec<(Tampered, u64)>,
}

impl Segment {
    pub(crate) fn create(dir: &Path, sync: bool, mut open: OpenFile) -> io::Result<Self> {
        let file = open_numbered(dir, 1, &mut open)?;
        let identity = identity(dir, 1, &file);
        Ok(Self {
            dir: dir.to_owned(),
            number: 1,
            open,
            file: Arc::new(file),
            identity,
            good: 0,
            state: State::Sound,
            sync,
            closed: Vec::new(),
            tampered: Vec::new(),
        })
    }

    /// Its number, the bytes of it that count, and the file.
    pub(crate) fn place(&self) -> (u64, u64, &Arc<File>) {
        (self.number, self.good, &self.file)
    }

    /// The segments that were closed since the last time.
    pub(crate) fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// What was noticed since the last time.
    pub(crate) fn take_tampered(&mut self) -> Vec<(Tampered, u64)> {
        std::mem::take(&mut self.tampered)
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

    /// Closes the file, which is on disk then, and goes on with another.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        self.repair()?;
        if self.good == 0 {
            return Ok(());
        }
        self.file.sync_data()?;
        self.next(false)
    }

    /// Whether data can be written again; leaves nothing behind.
    pub(crate) fn probe(&mut self) -> io::Result<()> {
        self.repair()?;
        self.look().or_else(|_| self.repair())?;
        self.put(&PROBE)?;
        self.state = State::Torn;
        self.repair()
    }

    /// Notices what somebody else did to the file, and goes on with another then.
    pub(crate) fn watch(&mut self) -> io::Result<()> {
        if self.state != State::Sound {
            return Ok(());
        }
        self.look().or_else(|_| self.repair())
    }

    /// Refuses to write into a file that somebody else has changed; the next write has one of its own.
    fn look(&mut self) -> io::Result<()> {
        let Some(known) = self.identity else { return Ok(()) };
        let named = std::fs::metadata(segment_path(&self.dir, self.number)).map(Identity::from);
        let here = named.as_ref().is_ok_and(|named| named.file == known);
        let linked = || self.file.metadata().is_ok_and(|held| held.nlink() > 0);
        let what = match named {
            Ok(named) if here => match named.size.cmp(&self.good) {
                std::cmp::Ordering::Less => Tampered::Truncated,
                std::cmp::Ordering::Greater => Tampered::Changed,
                std::cmp::Ordering::Equal if !named.writable => Tampered::ReadOnly,
                std::cmp::Ordering::Equal => return Ok(()),
            },
            Ok(_) | Err(_) if linked() => Tampered::Moved,
            Ok(_) | Err(_) => Tampered::Removed,
        };
        self.state = State::Foreign;
        self.tampered.push((what, self.number));
        Err(io::Error::new(io::ErrorKind::NotFound, format!("the segment was {}", what.as_str())))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.state = State::Torn;
        (&*self.file).write_all(bytes)?;
        if self.sync {
            self.state = State::Unsynced;
            self.file.sync_data()?;
        }
        self.state = State::Sound;
        Ok(())
    }

    fn repair(&mut self) -> io::Result<()> {
        let cut = |file: &File, good| file.set_len(good).is_ok();
        let (usable, uncut) = match self.state {
            State::Sound => return Ok(()),
            // What somebody else wrote is evidence, and stays.
            State::Foreign => (false, false),
            State::Torn => {
                let cut = cut(&self.file, self.good);
                (cut, !cut)
            }
            // An empty segment has nothing to lose, so it is used again rather than followed by another.
            State::Unsynced => {
                let cut = cut(&self.file, self.good);
                (cut && self.good == 0, !cut)
            }
        };
        if !usable {
            self.next(uncut)?;
        }
        self.state = State::Sound;
        Ok(())
    }

    fn next(&mut self, uncut: bool) -> io::Result<()> {
        let next = self.number + 1;
        let file = open_numbered(&self.dir, next, &mut self.open)?;
        let named = self.identity.is_some();
        self.closed.push(Closed { number: self.number, good: self.good, uncut, named });
        self.identity = identity(&self.dir, next, &file);
        self.file = Arc::new(file);
        self.number = next;
        self.good = 0;
        Ok(())
    }
}

fn open_numbered(dir: &Path, number: u64, open: &mut OpenFile) -> io::Result<File> {
    let file = open(&segment_path(dir, number))?;
    sync_dir(dir)?;
    Ok(file)
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.jsonl"))
}

fn identity(dir: &Path, number: u64, file: &File) -> Option<(u64, u64)> {
    let named = std::fs::metadata(segment_path(dir, number)).map(Identity::from).ok()?.file;
    file.metadata().map(|held| Identity::from(held).file).ok().filter(|held| *held == named)
}

/// Makes a segment. What has its name already is not ours: it is never written to, and a pipe is not waited for.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o640).open(path)
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

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
