//! Whether one pattern matches, by an automaton alone: the tricks of a regex engine for single patterns can take a
//! hundred times longer on a text that plays on them, and cost more than a short line takes to be read.

use std::{
    ops::Range,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};

use regex_automata::{
    Input, MatchKind,
    hybrid::dfa::{Builder, Cache, DFA},
    nfa::thompson::{self, WhichCaptures},
    util::pool::Pool,
};
use regex_syntax::hir::Hir;

/// Most bytes of states that one automaton keeps; beyond them it begins anew.
const STATES: usize = 4 << 20;

type NewCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// A compiled pattern. Its states are built as texts need them, and kept for the texts after.
#[derive(Debug, Clone)]
pub(super) struct Automaton(Arc<(DFA, Pool<Cache, NewCache>)>);

impl Automaton {
    pub(super) fn new(pattern: &Hir) -> Result<Self, regex::Error> {
        let fault = |fault: &dyn std::fmt::Display| regex::Error::Syntax(fault.to_string());
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(false).which_captures(WhichCaptures::None))
            .build_from_hir(pattern)
            .map_err(|error| fault(&error))?;
        let config = DFA::config()
            .match_kind(MatchKind::LeftmostFirst)
            .cache_capacity(STATES)
            .skip_cache_capacity_check(true);
        let dfa =
            Builder::new().configure(config).build_from_nfa(nfa).map_err(|error| fault(&error))?;
        let new = dfa.clone();
        Ok(Self(Arc::new((dfa, Pool::new(Box::new(move || new.create_cache()))))))
    }

    /// Whether it matches in a part of a text, which is looked at from there.
    pub(super) fn matches(&self, text: &[u8], part: Range<usize>) -> bool {
        let (dfa, caches) = &*self.0;
        let input = Input::new(text).range(part).earliest(true);
        let found = dfa.try_search_fwd(&mut caches.get(), &input);
        // It neither quits nor gives up: no byte is set to make it. Should that change, the rule matches.
        found.map_or(true, |found| found.is_some())
    }
}
