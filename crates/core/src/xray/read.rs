//! The commands of a text as a shell reads them, one a line, words apart by one blank.

use super::{commands::Word, started};

/// Commands, and once more without what starts them and as pipelines, wherever that differs.
#[derive(Default)]
pub(super) struct Read {
    pub(super) text: Vec<u8>,
    /// Where each line begins: here, and in the text.
    starts: Vec<(usize, usize)>,
    /// The commands so far of a pipeline.
    pipeline: Vec<u8>,
}

impl Read {
    /// Where the command stands that has this byte.
    pub(super) fn origin(&self, offset: usize) -> usize {
        let after = self.starts.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).and_then(|at| self.starts.get(at)).map_or(0, |(_, origin)| *origin)
    }

    /// Adds a command that reads from `before` and, if it is `piped`, writes into the next.
    pub(super) fn push(&mut self, words: &[Word<'_>], before: &[Word<'_>], piped: bool) {
        let Some(first) = words.first() else {
            self.pipeline.clear();
            return;
        };
        self.starts.push((self.text.len(), first.at));
        join(words, &mut self.text);
        self.text.push(b'\n');
        let inner = started::started(words);
        let program = program(inner);
        if inner.len() < words.len()
            || inner.first().is_some_and(|first| !program.starts_with(&first.text))
        {
            self.line(first.at, &program);
        }
        for run in started::found_programs(inner) {
            if let Some(run) =
                Some(self::program(started::started(run))).filter(|run| !run.is_empty())
            {
                self.line(first.at, &run);
            }
        }
        // What is written into `xargs` are arguments.
        if let Some((_, said)) = before.split_first()
            && words.iter().any(|word| started::name(&word.text) == b"xargs")
        {
            self.line(first.at, &[program.as_slice(), b" ", &joined(said)].concat());
        }
        self.pipe(first.at, &program, piped);
    }

    fn pipe(&mut self, at: usize, program: &[u8], piped: bool) {
        let begun = !self.pipeline.is_empty();
        if !begun && !piped {
            return;
        }
        if begun {
            self.pipeline.extend_from_slice(b" | ");
        }
        self.pipeline.extend_from_slice(program);
        if !piped {
            let pipeline = std::mem::take(&mut self.pipeline);
            self.line(at, &pipeline);
        }
    }

    fn line(&mut self, at: usize, text: &[u8]) {
        self.starts.push((self.text.len(), at));
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
    }
}

/// A command without the folder of its program.
fn program(words: &[Word<'_>]) -> Vec<u8> {
    let mut text = joined(words);
    let Some(first) = words.first() else { return text };
    if let Some(inner) = first.text.strip_prefix(b"{").and_then(|inner| inner.strip_suffix(b"}"))
        && !first.quoted
        && inner.contains(&b',')
    {
        // The shell makes words of it.
        return inner.iter().map(|byte| if *byte == b',' { b' ' } else { *byte }).collect();
    }
    let folder = first.text.len() - started::name(&first.text).len();
    text.drain(..folder);
    text
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
