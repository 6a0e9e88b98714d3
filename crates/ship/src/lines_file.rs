//! A file of JSON lines for a collector: only whole lines, on disk before the cursor moves.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    batch::Record,
    options::{FileOptions, Rotation},
    target::{DeliverError, Delivered},
};

/// What is read at once while the end of the last whole line is looked for.
const STEP: u64 = 64 << 10;

/// The file, opened when it is needed.
#[derive(Debug)]
pub(crate) struct LinesFile {
    options: FileOptions,
    open: Option<File>,
}

impl LinesFile {
    pub(crate) fn new(options: FileOptions) -> Self {
        Self { options, open: None }
    }

    pub(crate) fn reset(&mut self) {
        self.open = None;
    }

    pub(crate) fn append(&mut self, records: &[Record]) -> Result<Delivered, DeliverError> {
        let mut text = String::new();
        for record in records {
            text.push_str(&record.line);
            text.push('\n');
        }
        let written = self.write(text.as_bytes());
        written
            .map(|()| Delivered::default())
            .map_err(|source| DeliverError::File { path: self.options.path.clone(), source })
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        // logrotate and collectors move files away, or take them.
        if let Some(file) = &self.open
            && !same(file, &self.options.path)?
        {
            self.open = None;
        }
        let mut file = match self.open.take() {
            Some(file) => file,
            None => opened(&self.options.path)?,
        };
        let mut length = file.metadata()?.len();
        if let Some(rotation) = self.options.rotation
            && length > 0
            && length.saturating_add(text.len() as u64) > rotation.bytes
        {
            rotate(&self.options.path, rotation)?;
            file = opened(&self.options.path)?;
            length = 0;
        }
        if let Err(fault) = file.write_all(text) {
            // Whole lines alone stay; what cannot be cut now is cut when the file is opened again.
            file.set_len(length).ok();
            return Err(fault);
        }
        file.sync_data()?;
        self.open = Some(file);
        Ok(())
    }
}

fn same(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Opens the file, makes it if it is not there, and cuts a line that a crash left without its end.
fn opened(path: &Path) -> io::Result<File> {
    let there = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => true,
        Ok(_) => return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
        Err(fault) if fault.kind() == ErrorKind::NotFound => false,
        Err(fault) => return Err(fault),
    };
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
    if !there {
        sync_folder(path)?;
    }
    let length = file.metadata()?.len();
    let whole = whole(&mut file, length)?;
    if whole < length {
        tracing::warn!(path = %path.display(), bytes = length - whole, "a line without its end is cut off");
        file.set_len(whole)?;
    }
    Ok(file)
}

/// The byte after the last line end.
fn whole(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = Vec::new();
        (&*file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Moves the file aside as `.1`, what was `.1` as `.2`, and so on; the last one goes.
fn rotate(path: &Path, rotation: Rotation) -> io::Result<()> {
    for number in (1..rotation.keep).rev() {
        match std::fs::rename(numbered(path, number), numbered(path, number + 1)) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::rename(path, numbered(path, 1))?;
    sync_folder(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
