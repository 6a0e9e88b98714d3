//! Texts one of which stands in whatever a pattern matches.

use std::cmp::Reverse;

use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition, literal::Extractor,
};

/// Shortest text that is looked for, with the end of the line before it.
const SHORTEST: usize = 2;

/// Most texts for one pattern.
const TEXTS: usize = 64;

/// A text of so many bytes is rare enough: of two such choices the one with fewer texts is better.
const RARE: usize = 6;

/// Texts in small letters, of which at least one stands in each match, in whatever letters; none if there are no such.
/// A text that begins with a line end may stand without it at the very start.
pub(super) fn required(pattern: &Hir) -> Option<Vec<Vec<u8>>> {
    let small = small(pattern);
    let parts = match small.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Alternation(_) => std::slice::from_ref(&small),
    };
    let known = (0..parts.len()).filter_map(|from| beginnings(parts.get(from..)?));
    known.max_by_key(|texts| {
        let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
        // A text that opens a line is rarer than the same one anywhere.
        let opens = texts.iter().all(|text| text.starts_with(b"\n"));
        (shortest.min(RARE), opens, Reverse(texts.len()))
    })
}

/// Signs each of which stands in each match.
pub(super) fn signs(pattern: &Hir) -> Vec<u8> {
    let mut signs = match pattern.kind() {
        HirKind::Literal(literal) => literal.0.to_vec(),
        HirKind::Capture(capture) => signs(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => signs(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(signs).collect(),
        HirKind::Alternation(parts) => {
            let (first, rest) = parts
                .split_first()
                .map_or((None, parts.as_slice()), |(first, rest)| (Some(first), rest));
            let rest: Vec<_> = rest.iter().map(signs).collect();
            let mut common = first.map(signs).unwrap_or_default();
            common.retain(|sign| rest.iter().all(|signs| signs.contains(sign)));
            common
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) => {
            Vec::new()
        }
    };
    signs.retain(u8::is_ascii_punctuation);
    signs.sort_unstable();
    signs.dedup();
    signs
}

/// A set of bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }

    fn add(&mut self, byte: u8) {
        self.0.get_mut(usize::from(byte)).into_iter().for_each(|has| *has = true);
    }
}

/// The bytes that can stand in a match.
pub(super) fn bytes(pattern: &Hir) -> ByteSet {
    let mut set = ByteSet([false; 256]);
    let mut parts = vec![pattern];
    while let Some(part) = parts.pop() {
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => literal.0.iter().for_each(|byte| set.add(*byte)),
            HirKind::Class(Class::Bytes(class)) => class
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .for_each(|byte| set.add(byte)),
            // Of characters beyond ASCII each byte may be any.
            HirKind::Class(Class::Unicode(class)) => class.iter().for_each(|range| {
                let (ascii, more) = (u32::from(range.start()), u32::from(range.end()) > 0x7f);
                (ascii..=u32::from(range.end()).min(0x7f))
                    .filter_map(|sign| u8::try_from(sign).ok())
                    .chain((0x80..=0xff).filter(|_| more))
                    .for_each(|byte| set.add(byte));
            }),
            HirKind::Repetition(repetition) => parts.push(&repetition.sub),
            HirKind::Capture(capture) => parts.push(&capture.sub),
            HirKind::Concat(more) | HirKind::Alternation(more) => parts.extend(more),
        }
    }
    set
}

/// What these parts of a pattern can begin with, if that is known far enough.
fn beginnings(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let (first, rest) = parts.split_first()?;
    let first = match first.kind() {
        HirKind::Look(Look::StartLF) => Hir::literal(*b"\n"),
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => first.clone(),
    };
    let pattern = Hir::concat([first].into_iter().chain(rest.iter().cloned()).collect());
    let known = Extractor::new().limit_total(TEXTS).extract(&pattern);
    let mut texts: Vec<_> = known.literals()?.iter().map(|text| text.as_bytes().to_vec()).collect();
    texts.sort_unstable();
    texts.dedup();
    (!texts.is_empty() && texts.iter().all(|text| text.len() >= SHORTEST)).then_some(texts)
}

/// The same pattern with small letters for all letters.
fn small(pattern: &Hir) -> Hir {
    let each = |parts: &[Hir]| parts.iter().map(small).collect();
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => pattern.clone(),
        HirKind::Literal(literal) => Hir::literal(literal.0.to_ascii_lowercase()),
        HirKind::Class(Class::Bytes(class)) => {
            let bytes = class.iter().flat_map(|range| range.start()..=range.end());
            let small = bytes.map(|byte| byte.to_ascii_lowercase());
            let ranges = small.map(|byte| ClassBytesRange::new(byte, byte));
            Hir::class(Class::Bytes(ClassBytes::new(ranges)))
        }
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            min: repetition.min,
            max: repetition.max,
            greedy: repetition.greedy,
            sub: Box::new(small(&repetition.sub)),
        }),
        HirKind::Capture(capture) => small(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(each(parts)),
        HirKind::Alternation(parts) => Hir::alternation(each(parts)),
    }
}

/// Whether a pattern matches in a line as it does in a text of that line alone, and nowhere else.
pub(super) fn in_one_line(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty => true,
        HirKind::Look(look) => {
            !matches!(look, Look::Start | Look::End | Look::StartCRLF | Look::EndCRLF)
        }
        HirKind::Literal(literal) => !literal.0.contains(&b'\n'),
        HirKind::Class(Class::Bytes(class)) => {
            !class.iter().any(|range| (range.start()..=range.end()).contains(&b'\n'))
        }
        HirKind::Class(Class::Unicode(class)) => {
            !class.iter().any(|range| (range.start()..=range.end()).contains(&'\n'))
        }
        HirKind::Repetition(repetition) => in_one_line(&repetition.sub),
        HirKind::Capture(capture) => in_one_line(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(in_one_line),
    }
}
