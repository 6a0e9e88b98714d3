//! Closed segments of the journal are compressed and indexed as the audit commands read them.

use std::{io, path::Path};

use esbgate_audit::archive;
use esbgate_journal::Archive;

/// The archive of this gateway's journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compressed;

impl Archive for Compressed {
    fn close(&self, plain: &Path) -> io::Result<()> {
        archive::close(plain).map(drop)
    }

    fn ends(&self, compressed: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
        archive::ends(compressed)
    }
}
