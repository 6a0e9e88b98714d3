//! The folders and files of a journal, in the order in which they were written.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::lines::{Lines, Source};

/// Most that a frame of a foreign compressor may make us hold: 2^23 bytes.
const WINDOW_LOG: u32 = 23;

/// Which segment: the boot's folder and the number in it. Orders as the segments were written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// The name of the boot's folder.
    pub boot: Arc<str>,
    /// The number within the boot, from 1.
    pub number: u64,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:08}", self.boot, self.number)
    }
}

/// How a segment lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `.jsonl`: being written, or not compressed yet.
    Plain,
    /// `.jsonl.zst`: closed for good.
    Archived,
}

/// One segment of a journal. Where both forms are there, the plain one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    id: SegmentId,
    folder: PathBuf,
    form: Form,
}

impl Segment {
    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> &SegmentId {
        &self.id
    }

    /// How it lay there when the journal was listed; it may have been compressed since.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The plain file's place, whether it is there or not.
    #[must_use]
    pub fn plain(&self) -> PathBuf {
        self.folder.join(format!("{:08}.jsonl", self.id.number))
    }

    /// The compressed file's place, whether it is there or not.
    #[must_use]
    pub fn archived(&self) -> PathBuf {
        self.folder.join(format!("{:08}.jsonl.zst", self.id.number))
    }

    /// The sidecar's place, whether it is there or not.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.folder.join(format!("{:08}.idx", self.id.number))
    }

    /// Opens it in the form in which it is there now, and says which.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where it was removed, else what the system says.
    pub fn file(&self) -> io::Result<(File, Form)> {
        match regular(&self.plain()) {
            Err(fault) if fault.kind() == ErrorKind::NotFound => {
                regular(&self.archived()).map(|file| (file, Form::Archived))
            }
            plain => plain.map(|file| (file, Form::Plain)),
        }
    }

    /// Its lines from the first on.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn lines(&self) -> io::Result<Lines> {
        let (file, form) = self.file()?;
        Ok(Lines::new(match form {
            Form::Plain => Source::Plain(file),
            Form::Archived => Source::archived(file)?,
        }))
    }
}

/// Opens what is a file: a pipe of that name would never end.
fn regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
    }
    File::open(path)
}

impl Source {
    pub(crate) fn archived(file: File) -> io::Result<Self> {
        let mut decoder = zstd::Decoder::with_buffer(BufReader::new(file))?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self::Archived(Box::new(decoder)))
    }
}

/// A journal: the folder of a node's boots.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
}

impl Journal {
    /// Looks at the folder `journal.dir`.
    ///
    /// # Errors
    /// Where it is no folder that can be read.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::read_dir(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the witness lies unless `journal.witness` says otherwise.
    #[must_use]
    pub fn witness(&self) -> PathBuf {
        self.dir.join("HEAD")
    }

    /// All segments that are there now, oldest first.
    ///
    /// # Errors
    /// What the system says of the folders.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        self.segments_from(&SegmentId { boot: Arc::from(""), number: 0 })
    }

    /// The segments from this one on; the folders of earlier boots are not looked into.
    pub(crate) fn segments_from(&self, first: &SegmentId) -> io::Result<Vec<Segment>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let Ok(boot) = name else { continue };
            if boot.as_str() < &*first.boot || !entry.path().is_dir() {
                continue;
            }
            match of_boot(&entry.path(), &Arc::from(boot), &mut all) {
                // Retention took the folder meanwhile.
                Err(fault) if fault.kind() == ErrorKind::NotFound => {}
                other => other?,
            }
        }
        // Of two forms of one segment the plain one sorts first and stays.
        all.sort_by(|a, b| a.id.cmp(&b.id).then_with(|| archived(a).cmp(&archived(b))));
        all.dedup_by(|later, earlier| later.id == earlier.id);
        all.retain(|segment| segment.id >= *first);
        Ok(all)
    }
}

fn archived(segment: &Segment) -> bool {
    segment.form == Form::Archived
}

fn of_boot(folder: &Path, boot: &Arc<str>, all: &mut Vec<Segment>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some((number, form)) = entry.file_name().to_str().and_then(named) else { continue };
        if entry.path().is_file() {
            let id = SegmentId { boot: boot.clone(), number };
            all.push(Segment { id, folder: folder.to_owned(), form });
        }
    }
    Ok(())
}

/// What a file's name says; none for what is no segment, such as a sidecar or a file that is being made.
fn named(name: &str) -> Option<(u64, Form)> {
    let (number, form) = match name.strip_suffix(".jsonl.zst") {
        Some(number) => (number, Form::Archived),
        None => (name.strip_suffix(".jsonl")?, Form::Plain),
    };
    let digits = number.len() >= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| digits)?;
    // Written otherwise it is another file, which nothing would look for.
    (number > 0 && name.starts_with(&format!("{number:08}."))).then_some((number, form))
}
