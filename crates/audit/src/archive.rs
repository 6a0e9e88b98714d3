//! Compresses a closed segment, and writes its sidecar.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    Ending, Lines,
    index::{BLOCK, Builder},
    lines::Source,
};

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The compressed file.
    pub path: PathBuf,
    /// Bytes before.
    pub plain_bytes: u64,
    /// Bytes after.
    pub bytes: u64,
}

/// zstd's own default: what a higher level saves of hashes is little.
const LEVEL: i32 = 3;

/// Compresses a closed segment `NNNNNNNN.jsonl` into `NNNNNNNN.jsonl.zst`, writes `NNNNNNNN.idx` beside it, and removes
/// the plain file. The plain file is there until the compressed one was read back, is the same and is durable; whoever
/// reads meanwhile reads the plain one. A sidecar that cannot be written is left out.
///
/// # Errors
/// What the system says; the plain file is untouched then.
pub fn close(plain: &Path) -> io::Result<Archived> {
    let path = plain.with_extension("jsonl.zst");
    let (part, index_part) =
        (plain.with_extension("jsonl.zst.tmp"), plain.with_extension("idx.tmp"));
    let mut builder = Builder::default();
    let (plain_bytes, hash) = compress(plain, &part, &mut builder)?;
    if read_back(&part)? != hash {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the compressed segment reads otherwise",
        ));
    }
    let bytes = std::fs::metadata(&part)?.len();
    // Readable for the same people.
    std::fs::set_permissions(&part, std::fs::metadata(plain)?.permissions())?;
    std::fs::rename(&part, &path)?;
    sync_folder(plain)?;
    let written = builder.finish(plain_bytes, bytes).and_then(|index| {
        let mut file = File::create(&index_part)?;
        file.write_all(&index.into_bytes()?)?;
        file.sync_data()?;
        std::fs::set_permissions(&index_part, std::fs::metadata(plain)?.permissions())?;
        std::fs::rename(&index_part, plain.with_extension("idx"))
    });
    if written.is_err() && index_part.exists() {
        std::fs::remove_file(&index_part)?;
    }
    std::fs::remove_file(plain)?;
    sync_folder(plain)?;
    Ok(Archived { path, plain_bytes, bytes })
}

/// The first and the last line of a compressed segment, without their line ends. It is read from its start to its end.
///
/// # Errors
/// What the system says; [`InvalidData`](io::ErrorKind::InvalidData) where it has no whole line.
pub fn ends(compressed: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let source = Source::archived(File::open(compressed)?)?;
    let mut lines = Lines::new(source);
    let mut ends: Option<(Vec<u8>, Vec<u8>)> = None;
    while let Some(line) = lines.read_line()? {
        if line.ending != Ending::Whole {
            let text = "a compressed segment has a line that is not whole";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        match &mut ends {
            None => ends = Some((line.bytes.to_vec(), line.bytes.to_vec())),
            Some((_, last)) => {
                last.clear();
                last.extend_from_slice(line.bytes);
            }
        }
    }
    ends.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a compressed segment is empty"))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Gives the length and the hash of the plain bytes.
fn compress(plain: &Path, part: &Path, builder: &mut Builder) -> io::Result<(u64, Vec<u8>)> {
    let mut lines = Lines::new(Source::Plain(File::open(plain)?));
    let mut out = BufWriter::new(File::create(part)?);
    let mut hash = Context::new(&SHA256);
    let (mut frame, mut at, mut done) = (Vec::with_capacity(BLOCK), 0_u64, 0_u64);
    loop {
        let line = lines.read_line()?;
        if let Some(line) = line {
            if line.ending == Ending::TooLong {
                let text = "a line is too long for a record; the segment stays as it is";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            let start = frame.len();
            frame.extend_from_slice(line.bytes);
            if line.ending == Ending::Whole {
                frame.push(b'\n');
            }
            let length = (frame.len() - start) as u64;
            builder.line(line.bytes, length);
        }
        let end = line.is_none();
        if frame.len() >= BLOCK || (end && !frame.is_empty()) {
            hash.update(&frame);
            let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
            encoder.include_checksum(true)?;
            encoder.write_all(&frame)?;
            let packed = encoder.finish()?;
            builder.block(at, 0);
            out.write_all(&packed)?;
            at += packed.len() as u64;
            done += frame.len() as u64;
            frame.clear();
        }
        if end {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_data()?;
            return Ok((done, hash.finish().as_ref().to_vec()));
        }
    }
}

fn read_back(part: &Path) -> io::Result<Vec<u8>> {
    let mut decoder = zstd::Decoder::with_buffer(BufReader::new(File::open(part)?))?;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = decoder.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finish().as_ref().to_vec());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}
