//! The commands of a text as a shell reads them, one a line, words apart by one blank.

use super::{commands::Word, started};

/// Commands, and once more without what starts them and as pipelines, wherever that differs.
pub(super) struct Read<'t> {
    written: &'t [u8],
    pub(super) text: Vec<u8>,
    /// Where each line begins: here, and in the text.
    starts: Vec<(usize, usize)>,
    /// The lines that do not stand in the text as they are, from where to where.
    pub(super) fresh: Vec<(usize, usize)>,
    /// The commands so far of a pipeline.
    pipeline: Vec<u8>,
    begun: bool,
}

impl<'t> Read<'t> {
    pub(super) fn new(written: &'t [u8]) -> Self {
        let (starts, fresh, pipeline) = Default::default();
        let text = Vec::with_capacity(written.len() + written.len() / 4);
        Self { written, text, starts, fresh, pipeline, begun: false }
    }

    /// Where the command stands that has this byte.
    pub(super) fn origin(&self, offset: usize) -> usize {
        let after = self.starts.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).and_then(|at| self.starts.get(at)).map_or(0, |(_, origin)| *origin)
    }

    /// Adds a command that starts `inner` in the end, reads from `before` and, if it is `piped`, writes into the next.
    pub(super) fn push(
        &mut self,
        words: &[Word<'_>],
        inner: &[Word<'_>],
        before: &[Word<'_>],
        piped: bool,
    ) {
        let Some(first) = words.first() else {
            self.pipeline.clear();
            self.begun = false;
            return;
        };
        let start = self.text.len();
        join(words, &mut self.text);
        let fresh = !self.is_line(first.at, self.text.get(start..).unwrap_or_default());
        self.end(start, first.at, fresh);
        if inner.len() < words.len() || inner.first().is_some_and(|first| !bare(first)) {
            let start = self.text.len();
            program(inner, &mut self.text);
            self.end(start, first.at, true);
        }
        for run in started::found_programs(inner) {
            let start = self.text.len();
            program(started::started(run), &mut self.text);
            if self.text.len() > start {
                self.end(start, first.at, true);
            }
        }
        // What is written into `xargs` are arguments.
        if let Some((_, said)) = before.split_first()
            && words.iter().any(|word| started::name(&word.text) == b"xargs")
        {
            let start = self.text.len();
            program(inner, &mut self.text);
            self.text.push(b' ');
            join(said, &mut self.text);
            self.end(start, first.at, true);
        }
        self.pipe(first.at, inner, piped);
    }

    fn pipe(&mut self, at: usize, inner: &[Word<'_>], piped: bool) {
        if !self.begun && !piped {
            return;
        }
        if self.begun {
            self.pipeline.extend_from_slice(b" | ");
        }
        program(inner, &mut self.pipeline);
        self.begun = piped;
        if !piped {
            let start = self.text.len();
            self.text.append(&mut self.pipeline);
            self.end(start, at, true);
        }
    }

    /// Ends a line that began at `start` and stands for what is written at `at`.
    fn end(&mut self, start: usize, at: usize, fresh: bool) {
        self.text.push(b'\n');
        self.starts.push((start, at));
        let end = self.text.len();
        match self.fresh.last_mut() {
            _ if !fresh => {}
            Some((_, last)) if *last == start => *last = end,
            Some(_) | None => self.fresh.push((start, end)),
        }
    }

    /// Whether a line of what is written is this text.
    fn is_line(&self, at: usize, text: &[u8]) -> bool {
        let begins = at.checked_sub(1).is_none_or(|at| self.written.get(at) == Some(&b'\n'));
        let rest = self.written.get(at..).unwrap_or_default();
        begins
            && rest.strip_prefix(text).is_some_and(|after| {
                after.is_empty() || after.starts_with(b"\n") || after.starts_with(b"\r\n")
            })
    }
}

/// Whether a program stands without its folder, and in no brackets that make words of one.
fn bare(first: &Word<'_>) -> bool {
    list(first).is_none() && started::name(&first.text).len() == first.text.len()
}

/// What stands in `{a,b}`, of which the shell makes words.
fn list<'w>(first: &'w Word<'_>) -> Option<&'w [u8]> {
    let inner = first.text.strip_prefix(b"{").and_then(|inner| inner.strip_suffix(b"}"));
    inner.filter(|inner| !first.quoted && inner.contains(&b','))
}

/// Adds a command without the folder of its program.
fn program(words: &[Word<'_>], text: &mut Vec<u8>) {
    let Some((first, rest)) = words.split_first() else { return };
    if let Some(inner) = list(first) {
        text.extend(inner.iter().map(|byte| if *byte == b',' { b' ' } else { *byte }));
        return;
    }
    text.extend_from_slice(started::name(&first.text));
    if !rest.is_empty() {
        text.push(b' ');
        join(rest, text);
    }
}

pub(super) fn joined(words: &[Word<'_>]) -> Vec<u8> {
    let mut text = Vec::with_capacity(words.iter().map(|word| word.text.len() + 1).sum());
    join(words, &mut text);
    text
}

fn join(words: &[Word<'_>], text: &mut Vec<u8>) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(&word.text);
    }
}
