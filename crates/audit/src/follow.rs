//! Reads on where it stopped, over segments, boots and compression, while the gateway writes.

use std::{
    io::{self, ErrorKind, Seek as _, SeekFrom},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    journal::{Form, Journal, Segment, SegmentId},
    lines::{Ending, Line, Lines, Source},
    record::{Hash, Head, Sealed},
};

/// How far a reader came: what it read last, and where the next line begins. To be kept by who reads on later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The boot's folder.
    pub boot: Arc<str>,
    /// The segment's number in it.
    pub segment: u64,
    /// The byte after the last record that was read, in the plain segment.
    pub offset: u64,
    /// That record's number; 0 before the first.
    pub seq: u64,
}

impl Cursor {
    /// Before everything.
    #[must_use]
    pub fn start() -> Self {
        Self { boot: Arc::from(""), segment: 0, offset: 0, seq: 0 }
    }

    fn id(&self) -> SegmentId {
        SegmentId { boot: self.boot.clone(), number: self.segment }
    }
}

/// A record that was followed to.
#[derive(Debug)]
pub struct Followed<'a> {
    /// Its segment.
    pub segment: SegmentId,
    /// Its line.
    pub line: Line<'a>,
    /// What it begins with; none for a line that is no record.
    pub head: Option<Head<'a>>,
    /// How many records between the one before and this one are not there, such as those that retention removed.
    pub missing: u64,
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A record.
    Record(Followed<'a>),
    /// Lines that had been read did not count: their write failed and was taken back. All lines of the segment come
    /// again, those that count among them.
    Again(SegmentId),
    /// Nothing for now.
    End,
}

/// Reads a journal that may grow. It never waits: after [`Next::End`] it is asked again later.
#[derive(Debug)]
pub struct Follow {
    journal: Journal,
    cursor: Cursor,
    open: Option<(Lines, Form)>,
    number: u64,
    hash: Option<Hash>,
    again: bool,
    limit: u64,
}

/// What became of the open segment.
#[derive(Debug)]
enum Step {
    Took {
        offset: u64,
        seq: u64,
        hash: Option<Hash>,
        missing: u64,
    },
    Again,
    /// There is nothing whole after the cursor.
    Ended,
    Held,
}

/// What is done at the end of a segment.
#[derive(Debug)]
enum Move {
    Goes,
    /// The newest has nothing more.
    Stays,
    /// It is shorter than what was read of it.
    Rewinds,
}

impl Follow {
    /// Begins after a cursor.
    #[must_use]
    pub fn new(journal: Journal, cursor: Cursor) -> Self {
        let limit = u64::MAX;
        Self { journal, cursor, open: None, number: 0, hash: None, again: false, limit }
    }

    /// Begins with the newest segment, so that no more than that is read.
    ///
    /// # Errors
    /// As [`Journal::segments`].
    pub fn newest(journal: Journal) -> io::Result<Self> {
        let newest = journal.segments()?.pop();
        let cursor = newest.map_or_else(Cursor::start, |segment| Cursor {
            boot: segment.id().boot.clone(),
            segment: segment.id().number,
            offset: 0,
            seq: 0,
        });
        Ok(Self::new(journal, cursor))
    }

    /// How far it came.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Gives no record with a greater number than this, such as that of the witness, of whose records none is ever taken
    /// back.
    pub fn hold_at(&mut self, seq: u64) {
        self.limit = seq;
    }

    /// What comes next.
    ///
    /// # Errors
    /// What the system says, or what is wrong with a compressed segment. It stands where it stood.
    pub fn read_next(&mut self) -> io::Result<Next<'_>> {
        let missing = match self.advance()? {
            Step::Took { missing, .. } => missing,
            Step::Again => return Ok(Next::Again(self.cursor.id())),
            Step::Held | Step::Ended => return Ok(Next::End),
        };
        let Some((lines, _)) = &self.open else { return Ok(Next::End) };
        let (segment, line) = (self.cursor.id(), lines.last());
        let head = Head::read(line.bytes);
        Ok(Next::Record(Followed { segment, line, head, missing }))
    }

    fn advance(&mut self) -> io::Result<Step> {
        loop {
            if self.open.is_none() && !self.reopen()? {
                return Ok(Step::Ended);
            }
            let step = self.step()?;
            match &step {
                Step::Took { offset, seq, hash, .. } => {
                    self.cursor.offset = *offset;
                    self.cursor.seq = *seq;
                    self.hash = *hash;
                    self.number += 1;
                    return Ok(step);
                }
                Step::Again => {
                    self.rewind();
                    return Ok(step);
                }
                Step::Held => {
                    self.open = None;
                    return Ok(step);
                }
                Step::Ended => match self.move_on()? {
                    Move::Stays => return Ok(step),
                    Move::Rewinds => {
                        self.rewind();
                        return Ok(Step::Again);
                    }
                    Move::Goes => {}
                },
            }
        }
    }

    /// Opens the segment of the cursor, or the first after it. False where there is none.
    fn reopen(&mut self) -> io::Result<bool> {
        let id = self.cursor.id();
        let segments = self.journal.segments_from(&id)?;
        let Some(segment) = segments.first() else { return Ok(false) };
        if *segment.id() != id {
            self.enter(segment)?;
            return Ok(true);
        }
        let (mut file, form) = segment.file()?;
        // A line that was read before in this process is counted already.
        if form == Form::Plain && self.number > 0 {
            file.seek(SeekFrom::Start(self.cursor.offset))?;
            let source = Source::Plain(file);
            self.open = Some((Lines::resumed(source, self.cursor.offset, self.number), form));
            return Ok(true);
        }
        let mut lines = segment.lines()?;
        match lines.skip_to(self.cursor.offset) {
            Ok(()) => {
                self.number = lines.number();
                self.open = Some((lines, form));
            }
            // What was read after the last whole write is not there any more.
            Err(fault)
                if matches!(fault.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidInput) =>
            {
                self.rewind();
                self.open = Some((segment.lines()?, form));
            }
            Err(fault) => return Err(fault),
        }
        Ok(true)
    }

    fn enter(&mut self, segment: &Segment) -> io::Result<()> {
        let (lines, form) = (segment.lines()?, segment.form());
        self.cursor.boot = segment.id().boot.clone();
        self.cursor.segment = segment.id().number;
        self.cursor.offset = 0;
        self.number = 0;
        self.again = false;
        self.open = Some((lines, form));
        Ok(())
    }

    fn rewind(&mut self) {
        self.open = None;
        self.cursor.offset = 0;
        self.number = 0;
        self.hash = None;
        self.again = true;
    }

    fn step(&mut self) -> io::Result<Step> {
        let Some((lines, _)) = &mut self.open else { return Ok(Step::Ended) };
        let read = lines.read_line()?.map(|line| {
            let passed = line.ending == Ending::TooLong;
            let whole = passed || (line.ending == Ending::Whole && !line.is_filler());
            let head = Head::read(line.bytes).map(|head| head.seq);
            (whole, head, Sealed::read(line.bytes))
        });
        let Some((true, seq, sealed)) = read else { return Ok(Step::Ended) };
        if seq.is_some_and(|seq| seq > self.limit) {
            return Ok(Step::Held);
        }
        let follows = match (self.hash, sealed) {
            (Some(last), Some(sealed)) => sealed.prev == last,
            (Some(_), None) => false,
            (None, _) => true,
        };
        if !follows && !self.again && self.cursor.offset > 0 {
            return Ok(Step::Again);
        }
        let before = self.cursor.seq;
        let missing = match (before, seq) {
            (1.., Some(seq)) => seq.saturating_sub(before.saturating_add(1)),
            (0, _) | (_, None) => 0,
        };
        let (seq, hash) = (seq.unwrap_or(before), sealed.map(|sealed| sealed.hash));
        Ok(Step::Took { offset: lines.offset(), seq, hash, missing })
    }

    /// Goes to the next segment once there is one.
    fn move_on(&mut self) -> io::Result<Move> {
        let id = self.cursor.id();
        let segments = self.journal.segments_from(&id)?;
        let next = segments.iter().find(|segment| *segment.id() > id);
        let own = segments.first().filter(|segment| *segment.id() == id);
        let archived = self.open.as_ref().is_some_and(|(_, form)| *form == Form::Archived);
        if let (Some(own), false) = (own, archived) {
            let shorter = match std::fs::metadata(own.plain()) {
                Ok(found) => found.len() < self.cursor.offset,
                Err(_) => false,
            };
            if shorter {
                return Ok(Move::Rewinds);
            }
        }
        let Some(next) = next else {
            // Torn or filler: it is read again from the cursor on.
            let clean =
                self.open.as_ref().is_some_and(|(lines, _)| lines.offset() == self.cursor.offset);
            if !clean {
                self.open = None;
            }
            return Ok(Move::Stays);
        };
        // It was closed before the next was begun, but perhaps after we came to its end.
        if let Some((mut lines, form)) = self.reread(own)? {
            let whole = lines
                .read_line()?
                .is_some_and(|line| line.ending == Ending::Whole && !line.is_filler());
            if whole {
                drop(lines);
                self.open = self.reread(own)?.map(|(lines, _)| (lines, form));
                return Ok(Move::Goes);
            }
        }
        self.enter(next)?;
        Ok(Move::Goes)
    }

    /// The cursor's segment from the cursor on, as far as it is a plain file still.
    fn reread(&self, own: Option<&Segment>) -> io::Result<Option<(Lines, Form)>> {
        let Some(own) = own else { return Ok(None) };
        let (mut file, form) = match own.file() {
            Ok(opened) => opened,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        if form == Form::Plain {
            file.seek(SeekFrom::Start(self.cursor.offset))?;
            let lines = Lines::resumed(Source::Plain(file), self.cursor.offset, self.number);
            return Ok(Some((lines, form)));
        }
        let mut lines = own.lines()?;
        let skipped = lines.skip_to(self.cursor.offset);
        Ok(skipped.is_ok().then_some((lines, form)))
    }
}
