//! What commands hand to an interpreter: arguments of `-c` and its like, words of `eval`, here-strings, heredocs, and
//! what is echoed into a shell or into `xargs`.

use std::borrow::Cow;

use esbgate_model::ScriptLanguage;
use memchr::memmem;

use super::{
    Languages, Payload,
    commands::{Commands, Dialect, Token, Word},
    escapes,
    read::{Read, joined},
    started,
};

/// Collects what `text` wraps; gives its commands back.
pub(super) fn payloads<'t>(
    text: &'t [u8],
    dialect: Dialect,
    found: &mut Vec<Payload<'t>>,
) -> Read<'t> {
    let mut read = Read::new(text);
    let mut piped: Vec<Word<'t>> = Vec::new();
    let mut words: Vec<Word<'t>> = Vec::new();
    let mut tokens = Commands::new(text, dialect);
    loop {
        match tokens.next() {
            Some(Token::Word(word)) => words.push(word),
            Some(Token::HereString(word)) => found.push(Payload {
                languages: runs(&words).unwrap_or(Languages::one(ScriptLanguage::Shell)),
                at: word.at,
                text: word.text,
            }),
            Some(Token::Heredoc(start, end)) => {
                // Its command is over by now, and may have written a file that runs later: anything may read it.
                let text = Cow::Borrowed(text.get(start..end).unwrap_or_default());
                found.push(Payload { text, languages: Languages::ALL, at: start });
            }
            // After a pipe the command may stand on the next line, or in brackets.
            Some(Token::End(_))
                if dialect == Dialect::Shell && words.is_empty() && !piped.is_empty() => {}
            end @ (Some(Token::End(_)) | None) => {
                let inner = match dialect {
                    Dialect::Shell => started::started(&words),
                    Dialect::Other => &words,
                };
                command(&words, inner, dialect, found);
                if let Some((_, [first, ..])) = piped.split_first()
                    && let Some(languages) = runs(&words)
                {
                    let said = joined(piped.get(1..).unwrap_or_default());
                    // `printf` and `echo -e` make line ends and more of escapes.
                    let text = if memchr::memchr(b'\\', &said).is_some() {
                        let mut text = Vec::with_capacity(said.len());
                        escapes::ansi_c(&said, &mut text);
                        text
                    } else {
                        said
                    };
                    found.push(Payload { text: Cow::Owned(text), languages, at: first.at });
                }
                if dialect == Dialect::Shell {
                    read.push(&words, inner, &piped, matches!(end, Some(Token::End(true))));
                }
                match end {
                    Some(Token::End(true)) => piped = std::mem::take(&mut words),
                    Some(_) => {
                        words.clear();
                        piped.clear();
                    }
                    None => return read,
                }
            }
        }
    }
}

/// Collects the words in quotes of parameters: any of them may be what a script runs.
pub(super) fn arguments<'t>(text: &'t [u8], found: &mut Vec<Payload<'t>>) {
    for token in Commands::new(text, Dialect::Shell) {
        if let Token::Word(Word { text, at, quoted: true }) = token {
            found.push(Payload { text, languages: Languages::ALL, at });
        }
    }
}

/// Collects what Perl hands to a shell between backticks or after `qx`.
pub(super) fn ticks<'t>(text: &'t [u8], found: &mut Vec<Payload<'t>>) {
    let languages = Languages::one(ScriptLanguage::Shell);
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let mut at = start;
        for (index, piece) in line.split(|byte| *byte == b'`').enumerate() {
            if index % 2 == 1 {
                found.push(Payload { text: Cow::Borrowed(piece), languages, at });
            }
            at += piece.len() + 1;
        }
        let marks = |at: &usize| line.get(at + 2).is_some_and(|mark| *mark != b' ');
        let qx = memmem::find_iter(line, "qx").find(marks);
        if let Some(qx) = qx {
            let rest = line.get(qx + 3..).unwrap_or_default();
            let ends = |byte: &u8| {
                matches!(byte, b')' | b'}' | b']' | b'>' | b'/' | b'|' | b'!' | b'\'' | b'"')
            };
            let last = rest.iter().rposition(ends).unwrap_or(rest.len());
            let text = Cow::Borrowed(rest.get(..last).unwrap_or_default());
            found.push(Payload { text, languages, at: start + qx + 3 });
        }
        start += line.len();
    }
}

/// Most words of a list of arguments that are read as a command.
const ARGUMENTS: usize = 16;

/// What one command hands on.
fn command<'t>(
    words: &[Word<'t>],
    inner: &[Word<'t>],
    dialect: Dialect,
    found: &mut Vec<Payload<'t>>,
) {
    if dialect == Dialect::Shell
        && let Some(text) = started::text(inner)
        && let Some(first) = text.first()
    {
        let languages = Languages::one(ScriptLanguage::Shell);
        found.push(Payload { text: Cow::Owned(joined(text)), languages, at: first.at });
    }
    let mut reader = None;
    let mut evaluated = false;
    for (index, word) in words.iter().enumerate() {
        let mut take = |text: Cow<'t, [u8]>, at, languages| {
            found.push(Payload { text, languages, at });
        };
        // In a quoted word a command may be substituted.
        if dialect == Dialect::Shell && word.quoted && substitutes(&word.text) {
            take(word.text.clone(), word.at, Languages::one(ScriptLanguage::Shell));
        }
        match reader.take() {
            Some(Reader::Next(languages)) => take(word.text.clone(), word.at, languages),
            Some(Reader::Options(interpreter, languages)) => {
                reader = match &*word.text {
                    option if hands_on(interpreter, option) => Some(Reader::Next(languages)),
                    // Its own options, values of them, or a list of another language.
                    _ => Some(Reader::Options(interpreter, languages)),
                };
            }
            None => {}
        }
        if let Some((interpreter, languages)) = interpreter(&word.text) {
            reader = Some(Reader::Options(interpreter, languages));
        } else if let Some(after) =
            words.get(index + 1..).filter(|_| !evaluated && evaluates(&word.text))
        {
            evaluated = dialect == Dialect::Shell;
            match (dialect, after.first()) {
                (_, None) => {}
                (Dialect::Shell, Some(first)) => {
                    take(
                        Cow::Owned(joined(after)),
                        first.at,
                        Languages::one(ScriptLanguage::Shell),
                    );
                }
                (Dialect::Other, Some(first)) if first.quoted => {
                    let list = after.iter().take(ARGUMENTS).take_while(|word| word.quoted).count();
                    if list > 1 {
                        let list = joined(after.get(..list).unwrap_or_default());
                        take(Cow::Owned(list), first.at, Languages::one(ScriptLanguage::Shell));
                    }
                    take(first.text.clone(), first.at, Languages::ALL);
                }
                (Dialect::Other, Some(_)) => {}
            }
        }
    }
}

/// Where in the arguments of an interpreter its text is looked for.
enum Reader {
    /// After one of its options.
    Options(Interpreter, Languages),
    /// The next word.
    Next(Languages),
}

/// A program that runs text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interpreter {
    Shell,
    Python,
    Perl,
    Powershell,
    Cmd,
}

/// The language that the first interpreter of a command reads.
fn runs(words: &[Word<'_>]) -> Option<Languages> {
    words.iter().find_map(|word| interpreter(&word.text)).map(|(_, languages)| languages)
}

/// The interpreter that a word names, with or without its folder, version and `.exe`.
fn interpreter(word: &[u8]) -> Option<(Interpreter, Languages)> {
    // Most words end like none of them, with or without a version.
    let [.., before, last] = word else { return None };
    let ends = matches!(
        &[before | 0x20, last | 0x20],
        b"sh" | b"su" | b"er" | b"pt" | b"on" | b"py" | b"rl" | b"ll" | b"md" | b"xe"
    );
    if !ends && !last.is_ascii_digit() && *last != b'.' && !last.is_ascii_whitespace() {
        return None;
    }
    let folder = memchr::memrchr2(b'/', b'\\', word).map_or(0, |folder| folder + 1);
    let name = word.get(folder..)?;
    // Longer than any; keeps the cost of a long word constant.
    if name.len() > 32 {
        return None;
    }
    // Most words begin like none of them.
    let first = name.first()?.to_ascii_lowercase();
    if !matches!(first, b'a' | b'b' | b'c' | b'd' | b'k' | b'm' | b'p' | b'r' | b's' | b'z') {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(b".exe").unwrap_or(&name);
    let name = name.trim_ascii_end();
    let end = name.iter().rposition(|b| !b.is_ascii_digit() && *b != b'.').map_or(0, |at| at + 1);
    let (which, language) = match name.get(..end)? {
        b"sh" | b"bash" | b"dash" | b"zsh" | b"ksh" | b"ash" | b"mksh" | b"su" | b"runuser"
        | b"script" => (Interpreter::Shell, ScriptLanguage::Shell),
        b"python" | b"pypy" => (Interpreter::Python, ScriptLanguage::Python),
        b"perl" => (Interpreter::Perl, ScriptLanguage::Perl),
        b"powershell" | b"pwsh" => (Interpreter::Powershell, ScriptLanguage::Powershell),
        b"cmd" => (Interpreter::Cmd, ScriptLanguage::Bat),
        _ => return None,
    };
    Some((which, Languages::one(language)))
}

/// Whether an option makes the interpreter run the next word.
fn hands_on(interpreter: Interpreter, option: &[u8]) -> bool {
    let option = option.to_ascii_lowercase();
    let short = |letter: u8| {
        option.first() == Some(&b'-')
            && option.get(1) != Some(&b'-')
            && option.iter().skip(1).any(|byte| *byte == letter)
    };
    match interpreter {
        Interpreter::Shell => short(b'c') || option == b"--command",
        Interpreter::Python => short(b'c'),
        Interpreter::Perl => short(b'e'),
        Interpreter::Powershell => {
            option.len() > 1
                && (b"-command".starts_with(&option) || b"/command".starts_with(&option))
        }
        Interpreter::Cmd => option == b"/c" || option == b"/k",
    }
}

/// Whether a word makes text of what follows it run.
fn evaluates(word: &[u8]) -> bool {
    // Most words end like none of them.
    let [.., before, last] = word else { return false };
    if !matches!(
        &[before | 0x20, last | 0x20],
        b"al"
            | b"ap"
            | b"vp"
            | b"lp"
            | b"qx"
            | b"ec"
            | b"em"
            | b"en"
            | b"un"
            | b"ll"
            | b"ut"
            | b"wn"
            | b"ex"
            | b"on"
    ) {
        return false;
    }
    let before = memchr::memrchr3(b'.', b':', b'>', word).map_or(0, |sign| sign + 1);
    let name = word.get(before..).unwrap_or_default();
    // No other letters begin one of them.
    if name.len() > 17
        || !name.first().is_some_and(|first| b"ceipqrstg".contains(&first.to_ascii_lowercase()))
    {
        return false;
    }
    [
        &b"eval"[..],
        b"trap",
        b"execvp",
        b"execlp",
        b"qx",
        b"exec",
        b"system",
        b"popen",
        b"run",
        b"call",
        b"check_call",
        b"check_output",
        b"getoutput",
        b"getstatusoutput",
        b"spawn",
        b"iex",
        b"invoke-expression",
    ]
    .iter()
    .any(|known| known.eq_ignore_ascii_case(name))
}

fn substitutes(text: &[u8]) -> bool {
    memchr::memchr(b'`', text).is_some()
        || memchr::memchr_iter(b'$', text).any(|at| text.get(at + 1) == Some(&b'('))
}
