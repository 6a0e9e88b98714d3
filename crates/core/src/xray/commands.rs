//! A text as the words of its commands, without quotes and escapes, as a shell reads it; scripts of other languages
//! are read alike, for a list of arguments there is a command too.

use std::{borrow::Cow, collections::VecDeque};

use memchr::memmem;

use super::escapes::ansi_c;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Quotes span lines, a line ends a command, `#` begins a comment.
    Shell,
    /// A quote ends with its line, and brackets and commas part words.
    Other,
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A word, without its quotes.
    Word(Word<'t>),
    /// The word after `<<<`.
    HereString(Word<'t>),
    /// The body of a heredoc, from where to where.
    Heredoc(usize, usize),
    /// A command ends; `true` where its output goes into the next.
    End(bool),
}

/// A word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// A piece of the text that is read, unless quotes or escapes part it.
    pub(super) text: Cow<'t, [u8]>,
    pub(super) at: usize,
    /// Some of it stood in quotes.
    pub(super) quoted: bool,
}

/// Reads a text once, from its start to its end.
pub(super) struct Commands<'t> {
    text: &'t [u8],
    at: usize,
    dialect: Dialect,
    classes: &'static [u8; 256],
    /// Heredocs whose bodies begin on the next line.
    due: VecDeque<Cow<'t, [u8]>>,
    /// A line has begun that may be the first of a heredoc's body.
    line_begins: bool,
    /// How many more heredocs may turn out to be none.
    guesses: u8,
    /// How far no quote of this kind is closed, so that none is looked for again.
    unclosed: [usize; 5],
}

/// A byte that stands for itself in a word, whatever is beside it.
const PLAIN: u8 = 1;

/// A byte that ends a word.
const ENDS: u8 = 2;

static SHELL: [u8; 256] = classes(b" \t\r\n;|&()<>`");
static OTHER: [u8; 256] = classes(b" \t\r\n\x0c;|&()[]{},<>=");

/// A look-up costs less than comparing, for every byte of every text.
const fn classes(ends: &[u8]) -> [u8; 256] {
    let (mut classes, mut byte) = ([PLAIN; 256], 0_u8);
    while byte < 0x80 {
        let plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'.' | b':');
        classes[byte as usize] = if plain { PLAIN } else { 0 };
        byte += 1;
    }
    let mut at = 0;
    while at < ends.len() {
        classes[ends[at] as usize] = ENDS;
        at += 1;
    }
    classes
}

/// What the ends of a line are free of when it is compared.
fn blank(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// A shift in arithmetic looks like a heredoc that nothing ends. So many are looked for in vain, each time through all
/// that is left.
const GUESSES: u8 = 16;

impl<'t> Commands<'t> {
    pub(super) fn new(text: &'t [u8], dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
            classes: match dialect {
                Dialect::Shell => &SHELL,
                Dialect::Other => &OTHER,
            },
            due: VecDeque::new(),
            line_begins: false,
            guesses: GUESSES,
            unclosed: [0; 5],
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_line(&mut self) {
        let line = memchr::memchr(b'\n', self.rest());
        self.at += line.unwrap_or(self.rest().len());
    }

    /// The lines up to the one that is `delimiter`.
    fn heredoc(&mut self, delimiter: &[u8]) -> Option<Token<'t>> {
        let (start, rest) = (self.at, self.rest());
        let ends_line = |after: &[u8]| {
            let blanks = after.iter().position(|byte| *byte == b'\n' || !blank(*byte));
            blanks.is_none_or(|at| after.get(at) == Some(&b'\n'))
        };
        let begins_line = |before: &[u8]| {
            let blanks = before.iter().rposition(|byte| *byte == b'\n' || !blank(*byte));
            blanks.is_none_or(|at| before.get(at) == Some(&b'\n'))
        };
        let alone = |at: &usize| {
            begins_line(rest.get(..*at).unwrap_or_default())
                && ends_line(rest.get(at + delimiter.len()..).unwrap_or_default())
        };
        // A line is compared without its blanks, so that no such delimiter is found.
        if delimiter.trim_ascii().len() == delimiter.len()
            && let Some(at) = memmem::find_iter(rest, delimiter).find(alone)
        {
            let before = rest.get(..at).unwrap_or_default();
            let line = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            self.at = start + at;
            self.skip_line();
            self.at += usize::from(self.peek(0).is_some());
            return Some(Token::Heredoc(start, start + line));
        }
        self.guesses = self.guesses.saturating_sub(1);
        None
    }

    /// After `<`.
    fn redirection(&mut self) -> Option<Token<'t>> {
        let signs = self.rest().iter().take(3).take_while(|byte| **byte == b'<').count();
        self.at += signs;
        if signs < 2 || self.dialect == Dialect::Other {
            return None;
        }
        let dash = signs == 2 && self.peek(0) == Some(b'-');
        self.at += usize::from(dash);
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.word();
        if signs == 3 {
            return Some(Token::HereString(word));
        }
        if !word.text.is_empty() && self.guesses > 0 {
            self.due.push_back(word.text);
        }
        None
    }

    /// `>`, `>>`, `>|` or `>&`, as a word.
    fn output(&mut self) -> Word<'t> {
        let at = self.at;
        let signs = self.rest().iter().take(2).take_while(|byte| **byte == b'>').count();
        self.at += signs;
        if matches!(self.peek(0), Some(b'|' | b'&')) {
            self.at += 1;
        }
        let text = Cow::Borrowed(self.text.get(at..at + signs).unwrap_or_default());
        Word { text, at, quoted: false }
    }

    /// The bytes of `$IFS`, which parts words, and of `$@` inside a word, which is nothing.
    fn blank_variable(&self, inside: bool) -> Option<usize> {
        match self.rest() {
            [b'$', b'{', b'I', b'F', b'S', b'}', ..] => Some(6),
            [b'$', b'{', b'I', b'F', b'S', b':' | b'%' | b'#', rest @ ..] => {
                let end = rest.iter().take(16).position(|byte| *byte == b'}');
                end.map(|end| end + 7)
            }
            [b'$', b'I', b'F', b'S', rest @ ..] => {
                let more = rest.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
                (!more).then_some(4)
            }
            [b'$', b'@' | b'*', ..] if inside => Some(2),
            _ => None,
        }
    }

    fn ends_word(&self, byte: u8) -> bool {
        self.class(byte) & ENDS != 0
    }

    fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// How many bytes stand here that mean themselves, whatever is beside them.
    fn plain(&self) -> usize {
        let rest = self.rest();
        rest.iter().position(|byte| self.class(*byte) & PLAIN == 0).unwrap_or(rest.len())
    }

    /// Adds what stands from `from` to `to` to a word; nothing is copied as long as it is one piece.
    fn add(&self, word: &mut Word<'t>, from: usize, to: usize) {
        let piece = self.text.get(from..to).unwrap_or_default();
        match &mut word.text {
            Cow::Borrowed(text) if text.is_empty() => *text = piece,
            Cow::Borrowed(text) if word.at + text.len() == from => {
                *text = self.text.get(word.at..to).unwrap_or_default();
            }
            text @ (Cow::Borrowed(_) | Cow::Owned(_)) => text.to_mut().extend_from_slice(piece),
        }
    }

    fn word(&mut self) -> Word<'t> {
        let (at, plain) = (self.at, self.plain());
        self.at += plain;
        let text = self.text.get(at..self.at).unwrap_or_default();
        let mut word = Word { text: Cow::Borrowed(text), at, quoted: false };
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' | b'"' => {
                    // Of another language a string is a word of its own.
                    let apart = self.dialect == Dialect::Other;
                    if apart && !word.text.is_empty() {
                        return word;
                    }
                    if self.quote(byte, &mut word) {
                        if apart {
                            return word;
                        }
                        continue;
                    }
                    self.at += 1;
                    // A quote that nothing closes is no quote.
                    if self.dialect == Dialect::Shell {
                        word.text.to_mut().push(byte);
                    }
                }
                b'\\' if self.dialect == Dialect::Shell => {
                    self.at += 1;
                    self.escaped(word.text.to_mut());
                }
                b'$' if self.dialect == Dialect::Shell && self.peek(1) == Some(b'\'') => {
                    self.at += 1;
                    let before = word.text.len();
                    if self.quote(b'\'', &mut word) {
                        let text = word.text.to_mut();
                        let quoted = text.split_off(before);
                        ansi_c(&quoted, text);
                    } else {
                        word.text.to_mut().push(byte);
                    }
                }
                b'$' if self.dialect == Dialect::Shell
                    && let Some(length) = self.blank_variable(!word.text.is_empty()) =>
                {
                    self.at += length;
                    // `$@` says nothing; the rest ends a word.
                    if length != 2 {
                        break;
                    }
                }
                _ if self.ends_word(byte) => break,
                _ => {
                    let length = self.plain().max(1);
                    self.add(&mut word, self.at, self.at + length);
                    self.at += length;
                }
            }
        }
        word
    }

    /// After a backslash: nothing of a line end is left.
    fn escaped(&mut self, text: &mut Vec<u8>) {
        match (self.peek(0), self.peek(1)) {
            (Some(b'\r'), Some(b'\n')) => self.at += 2,
            (Some(byte), _) => {
                self.at += 1;
                if byte != b'\n' {
                    text.push(byte);
                }
            }
            (None, _) => {}
        }
    }

    /// Reads a quoted text if it is closed; `quote` is the byte at hand.
    fn quote(&mut self, quote: u8, word: &mut Word<'t>) -> bool {
        let shell = self.dialect == Dialect::Shell;
        let ansi =
            shell && quote == b'\'' && self.text.get(..self.at).is_some_and(|b| b.ends_with(b"$"));
        let kind = if quote == b'"' { 0 } else { 1 + usize::from(ansi) };
        let escapes = quote == b'"' || !shell || ansi;
        // `cmd` and PowerShell know no backslash: a folder's may be the last sign before the quote.
        self.quoted(quote, word, kind, escapes)
            || (!shell && self.quoted(quote, word, kind + 3, false))
    }

    fn quoted(&mut self, quote: u8, word: &mut Word<'t>, kind: usize, escapes: bool) -> bool {
        let (shell, ansi) = (self.dialect == Dialect::Shell, kind == 2);
        let Some(unclosed) = self.unclosed.get_mut(kind).filter(|end| self.at >= **end) else {
            return false;
        };
        // Most quotes have nothing in them but what they quote.
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        let line_end = if shell { quote } else { b'\n' };
        let sign = memchr::memchr3(quote, if escapes { b'\\' } else { quote }, line_end, rest);
        if let Some(length) = sign.filter(|at| rest.get(*at) == Some(&quote)) {
            self.at = start + length + 1;
            word.quoted = true;
            self.add(word, start, start + length);
            return true;
        }
        let mut inner = Vec::new();
        let mut at = start;
        while let Some(rest) = self.text.get(at..)
            && let Some(next) =
                memchr::memchr3(quote, if escapes { b'\\' } else { quote }, line_end, rest)
        {
            inner.extend_from_slice(rest.get(..next).unwrap_or_default());
            at += next;
            match self.text.get(at..).unwrap_or_default() {
                [byte, ..] if *byte == quote => {
                    self.at = at + 1;
                    word.quoted = true;
                    word.text.to_mut().append(&mut inner);
                    return true;
                }
                [b'\\', after @ ..] => {
                    let next = after.first().copied();
                    let stands_for_itself = match next {
                        Some(b'"' | b'\\' | b'$' | b'`') => !ansi,
                        Some(b'\'') => !shell,
                        Some(b'\n') => quote == b'"',
                        Some(_) | None => false,
                    };
                    if !stands_for_itself {
                        inner.push(b'\\');
                    }
                    inner.extend(next.filter(|next| !(stands_for_itself && *next == b'\n')));
                    at += 2;
                }
                _ => {
                    *unclosed = at;
                    return false;
                }
            }
        }
        *unclosed = self.text.len();
        false
    }
}

impl<'t> Iterator for Commands<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            while self.line_begins
                && let Some(delimiter) = self.due.pop_front()
            {
                if let Some(body) = self.heredoc(&delimiter) {
                    return Some(body);
                }
            }
            self.line_begins = false;
            let shell = self.dialect == Dialect::Shell;
            match self.peek(0)? {
                b' ' | b'\t' => self.at += 1,
                b'\n' if shell => {
                    // Empty lines end nothing more, unless a heredoc has them.
                    let ends = self.rest().iter().take_while(|byte| **byte == b'\n').count();
                    self.at += if self.due.is_empty() { ends } else { 1 };
                    self.line_begins = true;
                    return Some(Token::End(false));
                }
                // Where output goes is part of what a command does.
                b'>' if shell => return Some(Token::Word(self.output())),
                b'&' if shell && self.peek(1) == Some(b'>') => self.at += 1,
                b'|' => {
                    let pipe = self.peek(1) != Some(b'|');
                    self.at += if pipe { 1 } else { 2 };
                    return Some(Token::End(pipe));
                }
                b'#' if shell => self.skip_line(),
                b'<' => {
                    if let Some(token) = self.redirection() {
                        return Some(token);
                    }
                }
                b';' | b'&' => {
                    self.at += 1;
                    return Some(Token::End(false));
                }
                b'(' | b')' | b'`' if shell => {
                    self.at += 1;
                    return Some(Token::End(false));
                }
                byte if self.ends_word(byte) => self.at += 1,
                _ => {
                    let word = self.word();
                    if !word.text.is_empty() {
                        return Some(Token::Word(word));
                    }
                }
            }
        }
    }
}
