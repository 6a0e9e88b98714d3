//! The lines of one segment, each with its place.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
};

use crate::journal::Form;

/// Longest line that is read, in bytes: no record of ours is as long.
pub const LONGEST: u64 = 16 << 20;

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// The plain bytes of a segment.
pub(crate) enum Source {
    Plain(File),
    Archived(Box<zstd::Decoder<'static, BufReader<File>>>),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Archived(decoder) => decoder.read(buffer),
        }
    }
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a line end.
    Whole,
    /// With the segment: it is being written, or was cut off.
    Torn,
    /// It is longer than [`LONGEST`]; the rest was passed over.
    TooLong,
}

/// A line and its place in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without the line end.
    pub bytes: &'a [u8],
    /// Counted from 1.
    pub number: u64,
    /// Of its first byte, in the plain segment.
    pub offset: u64,
    /// Of the first byte after its end.
    pub next: u64,
    /// How it ends.
    pub ending: Ending,
}

impl Line<'_> {
    /// Whether it is filler, which only the end of the newest segment may have.
    #[must_use]
    pub fn is_filler(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Reads lines; holds one at a time.
pub struct Lines {
    source: BufReader<Source>,
    line: Vec<u8>,
    ending: Ending,
    number: u64,
    begun: u64,
    offset: u64,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, offset, .. } = self;
        write!(f, "Lines {{ number: {number}, offset: {offset} }}")
    }
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        Self::resumed(source, 0, 0)
    }

    /// Reads on at `offset`, before which there are `number` lines.
    pub(crate) fn resumed(source: Source, offset: u64, number: u64) -> Self {
        let source = BufReader::with_capacity(CHUNK, source);
        Self { source, line: Vec::new(), ending: Ending::Torn, number, begun: offset, offset }
    }

    pub(crate) fn form(&self) -> Form {
        match self.source.get_ref() {
            Source::Plain(_) => Form::Plain,
            Source::Archived(_) => Form::Archived,
        }
    }

    /// How many lines there were.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The line that was read last.
    pub(crate) fn last(&self) -> Line<'_> {
        let Self { line, ending, number, begun, offset, .. } = self;
        Line { bytes: line, number: *number, offset: *begun, next: *offset, ending: *ending }
    }

    /// The byte after the last line that was read, in the plain segment.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line; none at the end. After a torn line there is nothing.
    ///
    /// # Errors
    /// What the system says, or what is wrong with a compressed segment ([`io::ErrorKind::InvalidData`] or
    /// [`io::ErrorKind::UnexpectedEof`] or other).
    pub fn read_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut taken = (&mut self.source).take(LONGEST).read_until(b'\n', &mut self.line)? as u64;
        if taken == 0 {
            return Ok(None);
        }
        self.ending = if self.line.last() == Some(&b'\n') {
            self.line.pop();
            Ending::Whole
        } else if taken == LONGEST {
            taken += self.source.skip_until(b'\n')? as u64;
            Ending::TooLong
        } else {
            Ending::Torn
        };
        self.begun = self.offset;
        self.offset += taken;
        self.number += 1;
        Ok(Some(self.last()))
    }

    /// Passes over whole lines until `offset`.
    ///
    /// # Errors
    /// As [`read_line`](Self::read_line); [`io::ErrorKind::UnexpectedEof`] where the segment ends before, and
    /// [`io::ErrorKind::InvalidInput`] where no line begins there.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        while self.offset < offset {
            let end = self.read_line()?.is_none_or(|line| line.ending == Ending::Torn);
            if end && self.offset < offset {
                let text = "the segment is shorter than it was";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
        if self.offset == offset {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "no line begins at this offset"))
    }
}
