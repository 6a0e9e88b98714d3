//! Which program a command starts in the end: what stands before it, such as `sudo`, `env` or `then`, and the folder
//! of the program say nothing about what is done.

use super::commands::Word;

/// What starts another program: its name, its options that take a value, and how many operands come first.
const STARTERS: [(&[u8], &[u8], usize); 33] = [
    (b"sudo", b"ugpChTrtDR", 0),
    (b"doas", b"uC", 0),
    (b"env", b"uC", 0),
    (b"nice", b"n", 0),
    (b"ionice", b"cnp", 0),
    (b"chrt", b"TPD", 1),
    (b"taskset", b"", 1),
    (b"timeout", b"sk", 1),
    (b"stdbuf", b"ioe", 0),
    (b"xargs", b"IndPLEasR", 0),
    (b"parallel", b"jNaS", 0),
    (b"chroot", b"", 1),
    (b"nsenter", b"t", 0),
    (b"unshare", b"", 0),
    (b"flock", b"wE", 1),
    (b"strace", b"eopsuE", 0),
    (b"cgexec", b"g", 0),
    (b"systemd-run", b"upE", 0),
    (b"runuser", b"ug", 0),
    (b"nohup", b"", 0),
    (b"setsid", b"", 0),
    (b"busybox", b"", 0),
    (b"toybox", b"", 0),
    (b"command", b"", 0),
    (b"builtin", b"", 0),
    (b"exec", b"a", 0),
    (b"time", b"of", 0),
    (b"then", b"", 0),
    (b"do", b"", 0),
    (b"else", b"", 0),
    (b"if", b"", 0),
    (b"while", b"", 0),
    (b"{", b"", 0),
];

/// What runs the text that it is given, on another host or again and again.
const TEXT_STARTERS: [(&[u8], &[u8], usize); 2] =
    [(b"ssh", b"bcDEeFIiJLlmOopQRSWw", 1), (b"watch", b"nq", 0)];

/// Of each first byte, the lengths of the names of starters that begin with it, as bits.
static LENGTHS: [u16; 256] = {
    let (mut lengths, mut at) = ([0; 256], 0);
    while at < STARTERS.len() {
        let name = STARTERS[at].0;
        lengths[name[0] as usize] |= 1 << name.len();
        at += 1;
    }
    lengths
};

/// What is known of a program that starts another one. Most words are none, as their length and first byte show.
fn starter(program: &[u8]) -> Option<&'static (&'static [u8], &'static [u8], usize)> {
    let lengths = LENGTHS.get(usize::from(*program.first()?))?;
    let may = program.len() < 16 && lengths & (1 << program.len()) != 0;
    STARTERS.iter().filter(|_| may).find(|(known, ..)| *known == program)
}

/// A word without the folder before its last part, and in the command's own spelling.
pub(super) fn name(word: &[u8]) -> &[u8] {
    let name = memchr::memrchr(b'/', word).and_then(|folder| word.get(folder + 1..));
    name.filter(|name| !name.is_empty()).unwrap_or(word)
}

/// The words of the program that is started in the end.
pub(super) fn started<'w, 't>(mut words: &'w [Word<'t>]) -> &'w [Word<'t>] {
    while let [first, rest @ ..] = words {
        if matches!(&*first.text, b"!" | b"elif" | b"until") || assigns(&first.text) {
            words = rest;
            continue;
        }
        // What goes where may stand before the command.
        let number = usize::from(first.text.iter().all(u8::is_ascii_digit));
        if let [sign, _, after @ ..] = words.get(number..).unwrap_or_default()
            && sign.text.starts_with(b">")
        {
            words = after;
            continue;
        }
        let program = name(&first.text);
        let Some((_, valued, operands)) = starter(program) else { break };
        match after_options(rest, valued, *operands) {
            [] => break,
            after => words = after,
        }
    }
    words
}

/// The words of a program that is started in the end that another host's shell, or one that is started again and
/// again, reads as one text.
pub(super) fn text<'w, 't>(started: &'w [Word<'t>]) -> Option<&'w [Word<'t>]> {
    let (first, rest) = started.split_first()?;
    let program = name(&first.text);
    let known = TEXT_STARTERS.iter().find(|(known, ..)| *known == program);
    let (_, valued, operands) = known?;
    Some(after_options(rest, valued, *operands)).filter(|after| !after.is_empty())
}

/// What comes after options, their values, assignments and so many operands.
fn after_options<'w, 't>(
    mut words: &'w [Word<'t>],
    valued: &[u8],
    mut operands: usize,
) -> &'w [Word<'t>] {
    while let [first, rest @ ..] = words {
        match &*first.text {
            b"--" => {
                return rest.get(operands..).unwrap_or_default();
            }
            // A value may stand in the same word as its option.
            [b'-', letter, more @ ..] => {
                let takes = more.is_empty() && valued.contains(letter);
                words = if takes { rest.get(1..).unwrap_or_default() } else { rest };
            }
            text if assigns(text) => words = rest,
            _ if operands > 0 => {
                operands -= 1;
                words = rest;
            }
            _ => return words,
        }
    }
    words
}

/// Whether a word sets a variable.
fn assigns(word: &[u8]) -> bool {
    let name =
        word.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    name > 0
        && word.first().is_some_and(|first| !first.is_ascii_digit())
        && matches!(word.get(name..), Some([b'=', ..] | [b'+', b'=', ..]))
}

/// What `find` starts for what it finds, or hands to a program one by one.
pub(super) fn found_programs<'w, 't>(
    words: &'w [Word<'t>],
) -> impl Iterator<Item = &'w [Word<'t>]> {
    let finds = words.first().is_some_and(|first| name(&first.text) == b"find");
    let words = if finds { words } else { &[] };
    let starts =
        |word: &Word<'_>| matches!(&*word.text, b"-exec" | b"-execdir" | b"-ok" | b"-okdir");
    let mut after = words.split(starts);
    after.next();
    after.filter_map(|words| {
        let ends = |word: &Word<'_>| matches!(&*word.text, b";" | b"+");
        words.split(ends).next()
    })
}
