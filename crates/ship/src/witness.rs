//! HEAD: up to which record none is ever taken back.

use std::{
    io::{self, Read as _},
    path::Path,
};

use serde::Deserialize;

/// Longer files are no HEAD.
const LONGEST: u64 = 16 << 10;

/// What HEAD says, as far as a sink needs it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Box<str>,
    pub(crate) time: Box<str>,
    pub(crate) public_key: Option<Box<str>>,
    pub(crate) signature: Option<Box<str>>,
}

/// Reads HEAD. None where there is none or it cannot be used: then records are shipped as they stand, because what
/// takes HEAD away must not take the copies away, too.
pub(crate) fn read(path: &Path) -> Option<Head> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let read = || -> io::Result<Head> {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(LONGEST).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    };
    read().ok()
}
