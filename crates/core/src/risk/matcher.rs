//! Many patterns over one text, in time that no text makes explode.
//!
//! Most patterns cannot match without some known text. All such texts are looked for in one pass, and a pattern is tried
//! only where one of its own stands: on that line, if it cannot match over its end. What is left goes into automata of a
//! few patterns each, because one of all patterns builds states without end on some texts.
//!
//! A text that is another one's lines over again, but for some, is only read on those.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind, Look},
};

use super::{
    automaton::Automaton,
    literals::{ByteSet, bytes, in_one_line, required, signs},
};
use crate::xray::Fresh;

/// Most that all patterns of one automaton take, in bytes.
const SET_BYTES: usize = 64 << 20;

/// Most bytes of states that one automaton keeps.
const STATES: usize = 16 << 20;

/// Most patterns of one automaton.
const TOGETHER: usize = 8;

/// One of the choices that a rule's pattern is made of.
#[derive(Debug, Clone)]
pub(super) struct Part {
    rule: usize,
    pattern: Hir,
    /// Without them nothing matches: with which texts, and what is tried where they stand.
    known: Option<(Vec<Vec<u8>>, Automaton)>,
    /// Without such texts, but with enough signs: one of the signs, and what is tried around it.
    signed: Option<(u8, Automaton)>,
    /// What each match has as well; told apart from others at a glance.
    signs: Vec<u8>,
    /// No match goes over the end of a line.
    in_line: bool,
}

/// Takes the pattern of a rule apart.
pub(super) fn parts(rule: usize, pattern: &str) -> Result<Vec<Part>, regex::Error> {
    let mut parser = ParserBuilder::new().multi_line(true).unicode(false).utf8(false).build();
    let whole = parser.parse(pattern).map_err(|fault| regex::Error::Syntax(fault.to_string()))?;
    let mut parts: Vec<Part> = Vec::new();
    for branch in branches(whole) {
        let (in_line, literals) = (in_one_line(&branch), required(&branch));
        let like = |part: &&mut Part| {
            part.in_line == in_line
                && part.known.as_ref().map(|(known, _)| known) == literals.as_ref()
        };
        let alike = parts.iter_mut().find(like);
        let pattern = alike.as_ref().map_or_else(
            || branch.clone(),
            |part| Hir::alternation(vec![part.pattern.clone(), branch.clone()]),
        );
        let tried = if in_line { of_line(&pattern) } else { pattern.clone() };
        let known = literals.map(|literals| Ok((literals, Automaton::new(&tried)?)));
        let known: Option<Result<_, regex::Error>> = known;
        let (known, signs) = (known.transpose()?, signs(&pattern));
        // Texts that stand in every second line tell less than the rarest of many signs.
        let common = |(texts, _): &(Vec<Vec<u8>>, _)| texts.iter().any(|text| is_common(text));
        let known = known.filter(|known| !common(known) || signs.len() < SIGNS);
        let sign = rarest(&signs).filter(|_| known.is_none() && signs.len() >= SIGNS);
        let signed = sign.map(|sign| Ok((sign, Automaton::new(&pattern)?)));
        let signed: Option<Result<_, regex::Error>> = signed;
        let signed = signed.transpose()?;
        let part = Part { rule, pattern, known, signed, signs, in_line };
        match alike {
            Some(alike) => *alike = part,
            None => parts.push(part),
        }
    }
    Ok(parts)
}

/// How many signs a pattern needs to be tried around one of them only.
const SIGNS: usize = 3;

/// The sign that scripts have least of.
fn rarest(signs: &[u8]) -> Option<u8> {
    const OFTEN: &[u8] = b"$\"-/.'_:),(=[]}{;>|&";
    let rank = |sign: &u8| OFTEN.iter().position(|often| often == sign).unwrap_or(OFTEN.len());
    signs.iter().copied().max_by_key(rank)
}

/// Whether a text is of signs and blanks alone, and short.
fn is_common(text: &[u8]) -> bool {
    text.len() <= 4 && !text.iter().any(u8::is_ascii_alphanumeric)
}

/// A pattern over a text that is one line. The start of a line is the start of such a text: a search for it ends where
/// nothing can match any more.
fn of_line(pattern: &Hir) -> Hir {
    let each = branches(pattern.clone()).into_iter().map(|branch| match branch.kind() {
        HirKind::Concat(parts) => match parts.split_first() {
            Some((first, rest)) if matches!(first.kind(), HirKind::Look(Look::StartLF)) => {
                let start = [Hir::look(Look::Start)].into_iter();
                Hir::concat(start.chain(rest.iter().cloned()).collect())
            }
            _ => branch,
        },
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Alternation(_) => branch,
    });
    Hir::alternation(each.collect())
}

/// Compiles patterns together.
fn set(patterns: impl IntoIterator<Item = String>) -> Result<RegexSet, regex::Error> {
    let mut set = RegexSetBuilder::new(patterns);
    set.unicode(false).size_limit(SET_BYTES).dfa_size_limit(STATES).build()
}

/// Patterns and the rule of each.
#[derive(Debug, Clone)]
struct Together {
    patterns: RegexSet,
    rules: Vec<usize>,
}

impl Together {
    fn new(parts: &[&Part]) -> Result<Self, regex::Error> {
        let patterns = set(parts.iter().map(|part| part.pattern.to_string()))?;
        Ok(Self { patterns, rules: parts.iter().map(|part| part.rule).collect() })
    }
}

/// What is tried where some text stands.
#[derive(Debug, Clone)]
struct Tried {
    rule: usize,
    pattern: Automaton,
    signs: Vec<u8>,
    in_line: bool,
    /// Its texts may begin on one line and end on another one.
    over_lines: bool,
    /// The bytes that can stand in a match.
    bytes: ByteSet,
}

impl Tried {
    fn has_signs(&self, text: &[u8]) -> bool {
        self.signs.iter().all(|sign| memchr::memchr(*sign, text).is_some())
    }
}

/// The patterns of one language.
#[derive(Debug, Clone, Default)]
pub(super) struct Matcher {
    texts: Option<AhoCorasick>,
    /// Which patterns each of the texts is for.
    of_texts: Vec<Vec<usize>>,
    /// Those of the texts that begin with the end of the line before them, without it.
    openings: Vec<(Vec<u8>, usize)>,
    tried: Vec<Tried>,
    /// What is tried around a sign.
    signed: Vec<(u8, Tried)>,
    together: Vec<Together>,
}

impl Matcher {
    /// Of the parts of all rules.
    pub(super) fn new<'p>(parts: impl Iterator<Item = &'p Part>) -> Result<Self, regex::Error> {
        let (mut matcher, mut together) = (Self::default(), Vec::new());
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for part in parts {
            let tried = |pattern: &Automaton, over_lines| Tried {
                rule: part.rule,
                pattern: pattern.clone(),
                signs: part.signs.clone(),
                in_line: part.in_line,
                over_lines,
                bytes: bytes(&part.pattern),
            };
            let (known, pattern) = match (&part.known, &part.signed) {
                (Some((known, pattern)), _) => (known, pattern),
                (None, Some((sign, pattern))) => {
                    matcher.signed.push((*sign, tried(pattern, true)));
                    continue;
                }
                (None, None) => {
                    together.push(part);
                    continue;
                }
            };
            for text in known {
                let place = *places.entry(text.as_slice()).or_insert_with(|| {
                    texts.push(text);
                    matcher.of_texts.push(Vec::new());
                    texts.len() - 1
                });
                matcher
                    .of_texts
                    .get_mut(place)
                    .into_iter()
                    .for_each(|of| of.push(matcher.tried.len()));
            }
            let inner = |text: &Vec<u8>| text.iter().skip(1).any(|byte| *byte == b'\n');
            matcher.tried.push(tried(pattern, known.iter().any(inner)));
        }
        let openings = texts.iter().enumerate();
        matcher.openings = openings
            .filter_map(|(place, text)| Some((text.strip_prefix(b"\n")?.to_vec(), place)))
            .collect();
        if !texts.is_empty() {
            let built = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::DFA))
                .build(texts);
            matcher.texts = Some(built.map_err(|fault| regex::Error::Syntax(fault.to_string()))?);
        }
        matcher.together =
            together.chunks(TOGETHER).map(Together::new).collect::<Result<_, _>>()?;
        Ok(matcher)
    }

    /// Whether there is nothing to be looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_none() && self.signed.is_empty() && self.together.is_empty()
    }

    /// The rules among those still `wanted` that match, and where each may be looked for first. They are wanted no more.
    ///
    /// `seen` is what is to be known of a text when other ways to read it come after it.
    pub(super) fn look(
        &self,
        text: &[u8],
        fresh: Fresh<'_>,
        seen: &mut Vec<bool>,
        wanted: &mut [bool],
    ) -> Vec<(usize, usize)> {
        let whole = [(0, text.len())];
        let lines = match fresh {
            Fresh::All => {
                seen.clear();
                whole.as_slice()
            }
            Fresh::Lines(lines) => lines,
        };
        seen.resize(self.tried.len(), false);
        let mut search = Search {
            text,
            wanted,
            tried: vec![0; self.tried.len() + self.signed.len()],
            line: (0, line_end(text, 0)),
            found: Vec::new(),
            seen,
        };
        for (start, end) in lines {
            search.lines(self, *start, *end);
        }
        if matches!(fresh, Fresh::Lines(_)) {
            search.over_lines(self);
        }
        for (index, (sign, tried)) in (self.tried.len()..).zip(&self.signed) {
            if !tried.has_signs(text) {
                continue;
            }
            for at in memchr::memchr_iter(*sign, text) {
                if !search.wants(tried.rule) {
                    break;
                }
                search.around(index, tried, at);
            }
        }
        for together in &self.together {
            if together.rules.iter().any(|rule| search.wants(*rule)) {
                let matches = together.patterns.matches(text);
                for rule in matches.iter().filter_map(|pattern| together.rules.get(pattern)) {
                    search.found(*rule, 0);
                }
            }
        }
        search.found
    }
}

/// Where the line ends that has the byte at `from`.
fn line_end(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(text.len(), |end| from + end)
}

/// One text that is looked through.
struct Search<'s> {
    text: &'s [u8],
    wanted: &'s mut [bool],
    /// One more than the start of the line on which each pattern was tried last.
    tried: Vec<usize>,
    /// The line at hand, from where to where.
    line: (usize, usize),
    found: Vec<(usize, usize)>,
    /// Of which patterns that go over line ends a text stands here, or in an earlier way to read the same.
    seen: &'s mut Vec<bool>,
}

impl Search<'_> {
    fn wants(&self, rule: usize) -> bool {
        self.wanted.get(rule).is_some_and(|wanted| *wanted)
    }

    fn found(&mut self, rule: usize, from: usize) {
        if self.wants(rule) {
            self.wanted.get_mut(rule).into_iter().for_each(|wanted| *wanted = false);
            self.found.push((rule, from));
        }
    }

    /// Looks for the known texts in some whole lines.
    fn lines(&mut self, matcher: &Matcher, start: usize, end: usize) {
        if start == 0 {
            for (opening, place) in &matcher.openings {
                let first = self.text.get(..opening.len());
                if first.is_some_and(|first| first.eq_ignore_ascii_case(opening)) {
                    self.at(matcher, *place, 0);
                }
            }
        }
        // The end of the line before them is the start of some texts.
        let lines = aho_corasick::Input::new(self.text).range(start.saturating_sub(1)..end);
        for found in
            matcher.texts.iter().flat_map(|texts| texts.find_overlapping_iter(lines.clone()))
        {
            self.at(matcher, found.pattern().as_usize(), found.end() - 1);
        }
    }

    /// Tries what goes over line ends on all of the text: the lines that are not fresh have its texts, too.
    fn over_lines(&mut self, matcher: &Matcher) {
        for (index, tried) in matcher.tried.iter().enumerate() {
            let seen = tried.over_lines || self.seen.get(index).is_some_and(|seen| *seen);
            if seen
                && !tried.in_line
                && self.wants(tried.rule)
                && tried.has_signs(self.text)
                && tried.pattern.matches(self.text, 0..self.text.len())
            {
                self.found(tried.rule, 0);
            }
        }
    }

    /// Tries what a known text is for, whose last byte stands at `at`.
    fn at(&mut self, matcher: &Matcher, place: usize, at: usize) {
        for index in matcher.of_texts.get(place).into_iter().flatten() {
            let Some(tried) = matcher.tried.get(*index) else { continue };
            if !self.wants(tried.rule) {
                continue;
            }
            if tried.in_line {
                let line = self.line_of(at);
                self.attempt(*index, tried, line);
            } else {
                self.seen.get_mut(*index).into_iter().for_each(|seen| *seen = true);
                self.around(*index, tried, at);
            }
        }
    }

    /// Tries a pattern on a line or on all of the text, once.
    fn attempt(&mut self, index: usize, tried: &Tried, (start, end): (usize, usize)) {
        let Some(last) = self.tried.get_mut(index).filter(|last| **last != start + 1) else {
            return;
        };
        *last = start + 1;
        let part = self.text.get(start..end).unwrap_or_default();
        if tried.has_signs(part) && tried.pattern.matches(part, 0..part.len()) {
            self.found(tried.rule, start);
        }
    }

    /// Tries a pattern that goes over line ends on what stands around the byte at `at` and may be part of a match.
    fn around(&mut self, index: usize, tried: &Tried, at: usize) {
        // How far the text was tried before.
        let Some(last) = self.tried.get_mut(index).filter(|last| at >= **last) else { return };
        let outside = |byte: &u8| !tried.bytes.has(*byte);
        let before = self.text.get(*last..at).unwrap_or_default();
        let start = before.iter().rposition(outside).map_or(*last, |outside| *last + outside + 1);
        let after = self.text.get(at + 1..).unwrap_or_default();
        let end = after.iter().position(outside).map_or(self.text.len(), |length| at + 1 + length);
        *last = end;
        let part = self.text.get(start..end).unwrap_or_default();
        if tried.has_signs(part) && tried.pattern.matches(self.text, start..end) {
            self.found(tried.rule, start);
        }
    }

    /// The line that has the byte at `at`, which is never before the line at hand.
    fn line_of(&mut self, at: usize) -> (usize, usize) {
        let (_, end) = self.line;
        if at >= end && end < self.text.len() {
            let between = self.text.get(end..at).unwrap_or_default();
            let start = memchr::memrchr(b'\n', between).map_or(end + 1, |last| end + last + 1);
            self.line = (start, line_end(self.text, start));
        }
        self.line
    }
}

/// What a pattern is a choice of.
fn branches(pattern: Hir) -> Vec<Hir> {
    match pattern.into_kind() {
        HirKind::Alternation(branches) => branches,
        HirKind::Concat(parts) => match parts.as_slice() {
            // The parser takes what choices begin with out of them.
            [first, rest] if matches!(first.kind(), HirKind::Look(_)) => {
                let each = branches(rest.clone()).into_iter();
                each.map(|branch| Hir::concat(vec![first.clone(), branch])).collect()
            }
            _ => vec![Hir::concat(parts)],
        },
        HirKind::Capture(capture) => branches(*capture.sub),
        HirKind::Empty => vec![Hir::empty()],
        HirKind::Literal(literal) => vec![Hir::literal(literal.0)],
        HirKind::Class(class) => vec![Hir::class(class)],
        HirKind::Look(look) => vec![Hir::look(look)],
        HirKind::Repetition(repetition) => vec![Hir::repetition(repetition)],
    }
}

#[cfg(test)]
mod tests;
