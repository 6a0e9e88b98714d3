//! Many patterns over one text, in time that no text makes explode.
//!
//! Most patterns cannot match without some known text. All such texts are looked for in one pass, and a pattern is tried
//! only where one of its own stands: on that line, if it cannot match over its end. What is left goes into automata of a
//! few patterns each, because one of all patterns builds states without end on some texts.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind, Look},
};

use super::literals::{in_one_line, required, signs};

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
    ///
    /// A set of one, because a set is read by its automaton alone: the tricks for single patterns can take a hundred
    /// times longer on a text that plays on them.
    known: Option<(Vec<Vec<u8>>, RegexSet)>,
    /// What each match has as well; told apart from others at a glance.
    signs: Vec<u8>,
    /// No match goes over the end of a line.
    in_line: bool,
    /// All parts of the rule are looked for line by line.
    all_in_lines: bool,
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
        let tried = if in_line { of_line(&pattern) } else { pattern.to_string() };
        let known = literals.map(|literals| set([tried]).map(|set| (literals, set)));
        let (known, signs) = (known.transpose()?, signs(&pattern));
        let part = Part { rule, pattern, known, signs, in_line, all_in_lines: false };
        match alike {
            Some(alike) => *alike = part,
            None => parts.push(part),
        }
    }
    let all_in_lines = parts.iter().all(|part| part.in_line && part.known.is_some());
    parts.iter_mut().for_each(|part| part.all_in_lines = all_in_lines);
    Ok(parts)
}

/// A pattern over a text that is one line. The start of a line is the start of such a text: a search for it ends where
/// nothing can match any more.
fn of_line(pattern: &Hir) -> String {
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
    Hir::alternation(each.collect()).to_string()
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
    pattern: RegexSet,
    signs: Vec<u8>,
    in_line: bool,
    all_in_lines: bool,
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
    together: Vec<Together>,
}

impl Matcher {
    /// Of the parts of all rules.
    pub(super) fn new<'p>(parts: impl Iterator<Item = &'p Part>) -> Result<Self, regex::Error> {
        let (mut matcher, mut together) = (Self::default(), Vec::new());
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for part in parts {
            let Some((known, pattern)) = &part.known else {
                together.push(part);
                continue;
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
            let Part { rule, in_line, all_in_lines, .. } = *part;
            let (pattern, signs) = (pattern.clone(), part.signs.clone());
            matcher.tried.push(Tried { rule, pattern, signs, in_line, all_in_lines });
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
        self.texts.is_none() && self.together.is_empty()
    }

    /// The rules among those still `wanted` that match, and where each may be looked for first. They are wanted no more.
    pub(super) fn look(&self, text: &[u8], wanted: &mut [bool]) -> Vec<(usize, usize)> {
        let mut search = Search {
            text,
            wanted,
            tried: vec![0; self.tried.len()],
            line: (0, line_end(text, 0)),
            found: Vec::new(),
        };
        for (opening, place) in &self.openings {
            if text.get(..opening.len()).is_some_and(|start| start.eq_ignore_ascii_case(opening)) {
                search.at(self, *place, 0);
            }
        }
        for found in self.texts.iter().flat_map(|texts| texts.find_overlapping_iter(text)) {
            search.at(self, found.pattern().as_usize(), found.end() - 1);
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

    /// Tries what a known text is for, whose last byte stands at `at`.
    fn at(&mut self, matcher: &Matcher, place: usize, at: usize) {
        for index in matcher.of_texts.get(place).into_iter().flatten() {
            let Some(tried) = matcher.tried.get(*index) else { continue };
            if !self.wants(tried.rule) {
                continue;
            }
            let (start, end) = if tried.in_line { self.line_of(at) } else { (0, self.text.len()) };
            let Some(last) = self.tried.get_mut(*index).filter(|last| **last != start + 1) else {
                continue;
            };
            *last = start + 1;
            let part = self.text.get(start..end).unwrap_or_default();
            let may = tried.signs.iter().all(|sign| memchr::memchr(*sign, part).is_some());
            if may && tried.pattern.matches(part).matched_any() {
                self.found(tried.rule, if tried.all_in_lines { start } else { 0 });
            }
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
