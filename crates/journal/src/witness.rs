//! HEAD: says outside of the segments how far the journal had come, so that a tail that was cut is missed.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    chain::{Hash, Link, VERSION},
    seal::{Seal, nonblocking, verifies},
};

/// Longer files are no HEAD.
const LONGEST: u64 = 16 << 10;

/// The end of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) segment: u64,
    /// Bytes of the segment up to there.
    pub(crate) offset: u64,
    pub(crate) link: Link,
}

/// HEAD as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) v: u32,
    pub(crate) node: String,
    pub(crate) boot: String,
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) hash: String,
    pub(crate) time: String,
    pub(crate) public_key: String,
    pub(crate) signature: String,
}

impl Head {
    /// What is signed.
    fn text(&self) -> String {
        let Self { node, boot, segment, offset, seq, hash, time, .. } = self;
        format!("esbgate-head-2\n{node}\n{boot}\n{segment}\n{offset}\n{seq}\n{hash}\n{time}\n")
    }

    /// The record that it witnesses.
    pub(crate) fn link(&self) -> Option<Link> {
        Some(Link { seq: self.seq, hash: Hash::try_from(self.hash.as_bytes()).ok()? })
    }
}

/// Reads HEAD. What cannot be used is said and left.
pub(crate) fn read(path: &Path) -> Result<Option<Head>, String> {
    let file = match OpenOptions::new().read(true).custom_flags(nonblocking()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("HEAD cannot be read: {error}")),
    };
    let mut text = Vec::new();
    let read = file
        .metadata()
        .and_then(|met| met.is_file().then_some(()).ok_or_else(|| io::Error::other("no file")))
        .and_then(|()| file.take(LONGEST).read_to_end(&mut text));
    read.map_err(|error| format!("HEAD cannot be read: {error}"))?;
    let head: Head = serde_json::from_slice(&text).map_err(|_| "HEAD is not of our form")?;
    if head.v != VERSION || head.link().is_none() {
        return Err("HEAD is of another version".into());
    }
    if !verifies(&head.public_key, &head.text(), &head.signature) {
        return Err("HEAD has a signature that does not verify".into());
    }
    Ok(Some(head))
}

/// Writes HEAD.
pub(crate) struct Witness {
    pub(crate) path: PathBuf,
    pub(crate) node: String,
    pub(crate) boot: String,
}

impl Witness {
    /// Puts a new HEAD in the place of the old one; it is on disk on return.
    pub(crate) fn write(&self, point: &Point, time: Timestamp, seal: &Seal) -> io::Result<()> {
        let mut head = Head {
            v: VERSION,
            node: self.node.clone(),
            boot: self.boot.clone(),
            segment: point.segment,
            offset: point.offset,
            seq: point.link.seq,
            hash: point.link.text(),
            time: time.to_string(),
            public_key: seal.public().into(),
            signature: String::new(),
        };
        head.signature = seal.sign(&head.text());
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        std::fs::remove_file(&new).or_else(crate::seal::absent)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&new)?;
        file.write_all(&serde_json::to_vec(&head)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}
