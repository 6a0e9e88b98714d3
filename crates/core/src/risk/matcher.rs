//! Many patterns over one text, in time that no text makes explode.
//!
//! One automaton of all patterns is quick on most texts, but some make it build states without end, and it falls back to
//! something a hundred times slower. So patterns are taken apart: what begins at the start of a line with a known
//! word is tried on the lines that begin so, and nothing else; what begins with known text is looked for alone, which
//! skips to that text; the rest goes into automata of a few patterns each.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind, Look, literal::Extractor},
};

/// Most that all patterns of one automaton take, in bytes.
const SET_BYTES: usize = 64 << 20;

/// Most bytes of states that one automaton keeps.
const STATES: usize = 16 << 20;

/// Most patterns of one automaton.
const TOGETHER: usize = 8;

/// Shortest known beginning that is worth looking for.
const BEGINNING: usize = 3;

/// Patterns and the rule of each.
#[derive(Debug, Clone)]
struct Together {
    patterns: RegexSet,
    rules: Vec<usize>,
}

impl Together {
    fn new(patterns: &[(usize, Hir)]) -> Result<Self, regex::Error> {
        let texts = patterns.iter().map(|(_, pattern)| pattern.to_string());
        let set = RegexSetBuilder::new(texts)
            .unicode(false)
            .size_limit(SET_BYTES)
            .dfa_size_limit(STATES)
            .build()?;
        Ok(Self { patterns: set, rules: patterns.iter().map(|(rule, _)| *rule).collect() })
    }

    fn look(&self, text: &[u8], found: &mut impl FnMut(usize)) {
        for pattern in &self.patterns.matches(text) {
            if let Some(rule) = self.rules.get(pattern) {
                found(*rule);
            }
        }
    }
}

/// The patterns of one language.
#[derive(Debug, Clone, Default)]
pub(super) struct Matcher {
    /// Under the first two bytes of the lines that they are tried on.
    lines: HashMap<[u8; 2], Together>,
    alone: Vec<(usize, Regex)>,
    together: Vec<Together>,
}

impl Matcher {
    /// Of patterns with the rules that they belong to.
    pub(super) fn new<'p>(
        patterns: impl Iterator<Item = (usize, &'p str)>,
    ) -> Result<Self, regex::Error> {
        let mut lines: HashMap<[u8; 2], Vec<(usize, Hir)>> = HashMap::new();
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for (rule, pattern) in patterns {
            let mut parser =
                ParserBuilder::new().multi_line(true).unicode(false).utf8(false).build();
            let whole =
                parser.parse(pattern).map_err(|fault| regex::Error::Syntax(fault.to_string()))?;
            let mut rest = Vec::new();
            for branch in branches(whole) {
                let Some((starts, branch)) = of_lines(&branch) else {
                    rest.push(branch);
                    continue;
                };
                for start in starts {
                    lines.entry(start).or_default().push((rule, branch.clone()));
                }
            }
            if rest.is_empty() {
                continue;
            }
            let rest = Hir::alternation(rest);
            let known = beginnings(&rest, BEGINNING).is_some();
            if known {
                let regex = RegexBuilder::new(&rest.to_string());
                alone.push((rule, { regex }.unicode(false).size_limit(SET_BYTES).build()?));
            } else {
                together.push((rule, rest));
            }
        }
        let lines = lines.into_iter().map(|(start, of)| Ok((start, Together::new(&of)?)));
        Ok(Self {
            lines: lines.collect::<Result<_, regex::Error>>()?,
            alone,
            together: together.chunks(TOGETHER).map(Together::new).collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is nothing to be looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.alone.is_empty() && self.together.is_empty()
    }

    /// Gives `found` the rule of each pattern that matches, some more than once.
    pub(super) fn look(&self, text: &[u8], found: &mut impl FnMut(usize)) {
        for line in text.split(|byte| *byte == b'\n').filter(|_| !self.lines.is_empty()) {
            if let Some(patterns) = line.first_chunk().and_then(|start| self.lines.get(start)) {
                patterns.look(line, found);
            }
        }
        for (rule, pattern) in &self.alone {
            if pattern.is_match(text) {
                found(*rule);
            }
        }
        for patterns in &self.together {
            patterns.look(text, found);
        }
    }
}

/// What a pattern is a choice of.
fn branches(pattern: Hir) -> Vec<Hir> {
    match pattern.into_kind() {
        HirKind::Alternation(branches) => branches,
        HirKind::Concat(parts) => vec![Hir::concat(parts)],
        HirKind::Capture(capture) => branches(*capture.sub),
        HirKind::Empty => vec![Hir::empty()],
        HirKind::Literal(literal) => vec![Hir::literal(literal.0)],
        HirKind::Class(class) => vec![Hir::class(class)],
        HirKind::Look(look) => vec![Hir::look(look)],
        HirKind::Repetition(repetition) => vec![Hir::repetition(repetition)],
    }
}

/// The first two bytes of the lines that a pattern can match, and the pattern over such a line; none if it may begin
/// elsewhere or with anything, or goes on in the next line.
fn of_lines(pattern: &Hir) -> Option<(Vec<[u8; 2]>, Hir)> {
    let HirKind::Concat(parts) = pattern.kind() else { return None };
    let (first, rest) = parts.split_first()?;
    if !matches!(first.kind(), HirKind::Look(Look::StartLF)) || !rest.iter().all(in_one_line) {
        return None;
    }
    let mut starts = beginnings(pattern, 2)?;
    starts.sort_unstable();
    starts.dedup();
    // The start of a text that is one line: the search ends where nothing can match any more.
    let whole = [Hir::look(Look::Start)].into_iter().chain(rest.iter().cloned());
    Some((starts, Hir::concat(whole.collect())))
}

/// The first two bytes of all that a pattern matches, if each of its beginnings is known that far.
fn beginnings(pattern: &Hir, bytes: usize) -> Option<Vec<[u8; 2]>> {
    let known = Extractor::new().extract(pattern);
    let known = known.literals().filter(|known| !known.is_empty())?;
    let start = |literal: &regex_syntax::hir::literal::Literal| {
        let literal = literal.as_bytes();
        literal.first_chunk().copied().filter(|_| literal.len() >= bytes)
    };
    known.iter().map(start).collect()
}

/// Whether no line end is part of what a pattern matches.
fn in_one_line(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
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
