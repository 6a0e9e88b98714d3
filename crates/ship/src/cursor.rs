//! How far a sink came, on disk: in the form of HEAD, so that it is a witness of what was delivered.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use esbgate_audit::{Cursor, SegmentId};
use serde::{Deserialize, Serialize};

/// The version of HEAD whose members it has.
const VERSION: u32 = 2;
/// Longer files are no cursor.
const LONGEST: u64 = 4 << 20;

/// The last record that a sink is done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    v: u32,
    pub(crate) node: Box<str>,
    pub(crate) boot: Arc<str>,
    pub(crate) segment: u64,
    /// The byte after it, in the plain segment.
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    /// Empty for a record that has none.
    pub(crate) hash: Box<str>,
    /// When it was made; HEAD's own time beside HEAD's signature, which covers it.
    pub(crate) time: Box<str>,
    /// HEAD's, where HEAD witnessed this very record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_key: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<Box<str>>,
    /// Intents whose outcome is not read yet, where a sink joins the two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) open: Vec<Open>,
}

/// Where an intent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) boot: Arc<str>,
    pub(crate) segment: u64,
    /// Its first byte, in the plain segment.
    pub(crate) offset: u64,
    pub(crate) seq: u64,
}

impl Open {
    pub(crate) fn id(&self) -> SegmentId {
        SegmentId { boot: Arc::clone(&self.boot), number: self.segment }
    }
}

impl Saved {
    /// Before everything.
    pub(crate) fn start() -> Self {
        let Cursor { boot, segment, offset, seq } = Cursor::start();
        Self {
            v: VERSION,
            node: Box::default(),
            boot,
            segment,
            offset,
            seq,
            hash: Box::default(),
            time: Box::default(),
            public_key: None,
            signature: None,
            open: Vec::new(),
        }
    }

    /// Where reading goes on.
    pub(crate) fn cursor(&self) -> Cursor {
        let Self { boot, segment, offset, seq, .. } = self;
        Cursor { boot: Arc::clone(boot), segment: *segment, offset: *offset, seq: *seq }
    }
}

/// The file of a cursor.
#[derive(Debug)]
pub(crate) struct CursorFile {
    folder: PathBuf,
    path: PathBuf,
}

impl CursorFile {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(format!("{name}.json")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The cursor, or the beginning where there is none yet. A file that is none is an error: to begin anew by itself
    /// would deliver the whole journal again.
    pub(crate) fn load(&self) -> io::Result<Saved> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(Saved::start()),
            Err(fault) => return Err(fault),
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text)?;
        let wrong = |why: String| io::Error::new(ErrorKind::InvalidData, why);
        let saved: Saved = serde_json::from_slice(&text)
            .map_err(|fault| wrong(format!("it is not of a cursor's form: {fault}")))?;
        if saved.v != VERSION {
            return Err(wrong(format!("it is of version {}", saved.v)));
        }
        Ok(saved)
    }

    /// Puts a cursor in the place of the one before; it is on disk on return.
    pub(crate) fn save(&self, saved: &Saved) -> io::Result<()> {
        if !self.folder.is_dir() {
            DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)?;
            if let Some(above) = self.folder.parent() {
                File::open(above)?.sync_all()?;
            }
        }
        let unfinished = self.path.with_extension("json.tmp");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        let mut text = serde_json::to_vec(saved)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &self.path)?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_saved_and_what_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = CursorFile::new(&folder.path().join("a/sinks"), "one");
        assert_eq!(file.load().unwrap(), Saved::start());
        let open = vec![Open { boot: "b".into(), segment: 1, offset: 7, seq: 3 }];
        let saved = Saved { node: "n".into(), boot: "b".into(), seq: 9, open, ..Saved::start() };
        file.save(&saved).unwrap();
        assert_eq!(file.load().unwrap(), saved);
        for text in ["", "{}", "{\"v\":2}", "null", "\u{0}"] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(file.load().unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
        }
        std::fs::write(
            file.path(),
            serde_json::to_string(&saved).unwrap().replace("\"v\":2", "\"v\":3"),
        )
        .unwrap();
        assert!(file.load().unwrap_err().to_string().contains("version 3"));
    }
}
