//! Reads files that somebody else names: never blocks on what is no file, and never reads more than is bearable.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// The content of a regular file of at most `longest` bytes. The error says in words what it is instead.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    // First by its name, because opening a device may have an effect of its own; then what was really opened. A pipe
    // that nobody writes to would hold up a plain open.
    regular(&std::fs::metadata(path)?)?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    regular(&found)?;
    if found.len() > longest {
        return Err(too_long(longest));
    }
    bounded(file, longest)
}

/// The same as text.
pub(crate) fn read_text(path: &Path, longest: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "the file is no UTF-8 text");
    String::from_utf8(read(path, longest)?).map_err(not_text)
}

/// A file may grow while it is read, and some have no size at all.
fn bounded(file: File, longest: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(longest.saturating_add(1)).read_to_end(&mut content)?;
    let within = u64::try_from(content.len()).is_ok_and(|bytes| bytes <= longest);
    if within { Ok(content) } else { Err(too_long(longest)) }
}

fn regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() { "it is a folder" } else { "it is no regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn too_long(longest: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("the file has more than {longest} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_and_what_is_too_long_is_refused_without_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let said = |path: &Path| read(path, 8).unwrap_err().to_string();
        assert_eq!(said(&pipe), "it is no regular file");
        assert_eq!(said(Path::new("/dev/zero")), "it is no regular file");
        assert_eq!(said(folder.path()), "it is a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "12345678").unwrap();
        assert_eq!(read(&file, 8).unwrap(), b"12345678");
        std::fs::write(&file, "123456789").unwrap();
        assert_eq!(said(&file), "the file has more than 8 bytes");
        // It is longer than it says.
        assert!(said(Path::new("/proc/self/status")).contains("more than 8"));
        std::fs::write(&file, [0xff]).unwrap();
        assert_eq!(read_text(&file, 8).unwrap_err().to_string(), "the file is no UTF-8 text");
    }
}
