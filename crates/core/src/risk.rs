//! Risk rules: what scripts must not say, and what is done about one that does.
//!
//! Matching is linear in the text whatever the pattern, and a text that hides more than can be looked at counts as a
//! match of its own, so no script gets past a rule that denies by being too much work.

mod automaton;
mod literals;
mod matcher;

use std::sync::Arc;

use esbgate_model::{ComponentCall, Faults, Rule, Script, ScriptLanguage};
use regex::bytes::{Regex, RegexBuilder};

use self::matcher::Matcher;
use crate::xray::{self, Fresh, Languages, View};

/// Most that one compiled pattern takes, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// What is done about a script that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskAction {
    /// It is put on record and counted.
    Observe,
    /// The caller is told as well.
    Warn,
    /// Only a version, or content that the grant pins by its hash, is let through.
    ReviewedOnly,
    /// The call is refused.
    Deny,
}

impl RiskAction {
    /// The word in policy, records and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Warn => "warn",
            Self::ReviewedOnly => "reviewed_only",
            Self::Deny => "deny",
        }
    }
}

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PatternFault(String);

impl PatternFault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<regex::Error> for PatternFault {
    fn from(error: regex::Error) -> Self {
        match error {
            // The text before the last line is a picture of the pattern.
            regex::Error::Syntax(text) => {
                let last = text.lines().last().unwrap_or_default();
                Self(last.trim_start_matches("error: ").to_owned())
            }
            regex::Error::CompiledTooBig(limit) => {
                Self(format!("the pattern takes more than {limit} bytes when it is compiled"))
            }
            error => Self(error.to_string()),
        }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct RiskRule {
    id: Arc<str>,
    languages: Vec<ScriptLanguage>,
    pattern: Regex,
    action: RiskAction,
    hint: Arc<str>,
}

impl RiskRule {
    /// Compiles a rule. In `pattern`, `^` and `$` are ends of lines, and classes such as `\w` are ASCII.
    pub fn new(
        id: &str,
        languages: Vec<ScriptLanguage>,
        pattern: &str,
        action: RiskAction,
        hint: &str,
    ) -> Result<Self, PatternFault> {
        let pattern = RegexBuilder::new(pattern)
            .multi_line(true)
            .unicode(false)
            .size_limit(PATTERN_BYTES)
            .build()?;
        if pattern.is_match(b"") {
            return Err(PatternFault("the pattern matches the empty text".into()));
        }
        Ok(Self { id: id.into(), languages, pattern, action, hint: hint.into() })
    }

    /// The rule's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is done.
    #[must_use]
    pub fn action(&self) -> RiskAction {
        self.action
    }
}

/// What a rule is made of, for those who compare rules.
#[derive(Debug, Clone, Copy)]
pub struct RiskParts<'r> {
    /// The rule's name.
    pub id: &'r str,
    /// Languages of the scripts that it reads.
    pub languages: &'r [ScriptLanguage],
    /// The pattern.
    pub pattern: &'r str,
    /// What is done.
    pub action: RiskAction,
    /// What the admins say to do.
    pub hint: &'r str,
}

impl RiskRule {
    /// All of it; a field that a rule gets has to be among them.
    #[must_use]
    pub fn parts(&self) -> RiskParts<'_> {
        let Self { id, languages, pattern, action, hint } = self;
        RiskParts { id, languages, pattern: pattern.as_str(), action: *action, hint }
    }
}

/// The id under which a text that could not be unfolded is told.
pub const UNFOLDABLE: &str = "unfoldable";

/// What of a call was matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskField {
    /// The script.
    Content,
    /// Its parameters.
    Param,
}

impl RiskField {
    /// The field's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "script_content",
            Self::Param => "script_param",
        }
    }
}

/// A rule that a call matches, and where it does first.
#[derive(Debug, Clone)]
pub struct RiskMatch {
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule says is done.
    pub action: RiskAction,
    /// What of the call.
    pub field: RiskField,
    /// The line of the decoded text, from 1; of a payload, where its outermost wrapping has it.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many wrappings were taken off.
    pub nesting: u8,
    /// What the admins say to do.
    pub hint: Arc<str>,
    /// Its place among the series.
    pub(crate) series: usize,
}

/// All rules of a policy.
#[derive(Debug, Clone, Default)]
pub struct RiskRules {
    rules: Vec<RiskRule>,
    /// In the order of [`ScriptLanguage::ALL`].
    matchers: [Matcher; 5],
    /// Of all languages, which payloads of unknown ones are read by.
    all: Matcher,
}

impl RiskRules {
    /// Compiles the rules together.
    pub fn new(rules: Vec<RiskRule>) -> Result<Self, PatternFault> {
        let mut matchers = <[Matcher; 5]>::default();
        let parts = rules.iter().enumerate();
        let parts = parts.map(|(index, rule)| matcher::parts(index, rule.pattern.as_str()));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        for language in ScriptLanguage::ALL {
            let of_language =
                rules.iter().zip(&parts).filter(|(rule, _)| rule.languages.contains(&language));
            if let Some(matcher) = matchers.get_mut(xray::index(language)) {
                *matcher = Matcher::new(of_language.flat_map(|(_, parts)| parts))?;
            }
        }
        let of_any = rules.iter().zip(&parts).filter(|(rule, _)| !rule.languages.is_empty());
        let all = Matcher::new(of_any.flat_map(|(_, parts)| parts))?;
        Ok(Self { rules, matchers, all })
    }

    /// The rules, in the order of the policy.
    #[must_use]
    pub fn list(&self) -> &[RiskRule] {
        &self.rules
    }

    /// The rules that a script in this language matches, in the order of the policy.
    #[must_use]
    pub fn judge_script(&self, language: ScriptLanguage, text: &str) -> Vec<RiskMatch> {
        let mut found = Found::new(self, Filter::Known);
        found.look_at(RiskField::Content, text, Languages::one(language));
        found.matches()
    }

    /// The rules that the parameters of a script in this language match, in the order of the policy.
    #[must_use]
    pub fn judge_param(&self, language: ScriptLanguage, text: &str) -> Vec<RiskMatch> {
        let mut found = Found::new(self, Filter::Known);
        found.look_at(RiskField::Param, text, Languages::one(language));
        found.matches()
    }

    /// The rules that a call matches, in the order of the policy. Of a script that is named by id or version only
    /// the parameters are there to be read; nothing says in which language, so all rules read them.
    #[must_use]
    pub(crate) fn judge(&self, call: &ComponentCall) -> Vec<RiskMatch> {
        let ComponentCall::FastExecuteScript(call) = call else { return Vec::new() };
        if self.rules.is_empty() {
            return Vec::new();
        }
        let mut found = Found::new(self, Filter::Known);
        let languages = match &call.script {
            Script::Content(content) => {
                let languages = Languages::one(content.language);
                found.look_at(RiskField::Content, &content.text, languages);
                languages
            }
            Script::Id(_) | Script::Version(_) => Languages::ALL,
        };
        if let Some(param) = &call.param {
            found.look_at(RiskField::Param, &param.text, languages);
        }
        found.matches()
    }

    /// What is done about a text that was not looked at whole: the strictest of the actions that cannot be taken on it.
    /// Without such an action it is put on record, so that it is known what stricter rules would have done.
    pub(crate) fn unfoldable(&self) -> Option<RiskAction> {
        let strict = |rule: &RiskRule| match rule.action {
            RiskAction::Observe | RiskAction::Warn => None,
            RiskAction::ReviewedOnly | RiskAction::Deny => Some(rule.action),
        };
        let strictest = self.rules.iter().filter_map(strict).max();
        strictest.or_else(|| (!self.rules.is_empty()).then_some(RiskAction::Observe))
    }
}

/// What is found in a call, at most one place for each rule.
struct Found<'r> {
    rules: &'r RiskRules,
    /// Which rules nothing was found of.
    wanted: Vec<bool>,
    places: Vec<Option<RiskMatch>>,
    unfoldable: Option<RiskMatch>,
    small: Vec<Small>,
    /// For each matcher, what it saw in the text at hand.
    seen: [Vec<bool>; 6],
    filter: Filter,
}

/// What of a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    /// Lines that have a known text of a pattern, and of those none twice.
    Known,
    /// Everything, by each pattern alone: what the other has to find as well.
    #[cfg(test)]
    Nothing,
}

/// Small payloads that the same languages read, one after another: looking for all patterns costs something however
/// small a text is.
struct Small {
    languages: Languages,
    text: Vec<u8>,
    /// Where each begins, its place in the outermost text, and how many wrappings were taken off.
    starts: Vec<(usize, usize, u8)>,
}

/// Longest payload that is small.
const SMALL: usize = 1 << 10;

/// Between small payloads; no pattern for commands goes over it.
const APART: &[u8] = b"\n\0\n";

impl<'r> Found<'r> {
    fn new(rules: &'r RiskRules, filter: Filter) -> Self {
        let count = rules.rules.len();
        let (wanted, places) = (vec![true; count], vec![None; count]);
        let (unfoldable, small, seen) = Default::default();
        Self { rules, wanted, places, unfoldable, small, seen, filter }
    }

    fn look_at(&mut self, field: RiskField, text: &str, languages: Languages) {
        let look = |view: &View<'_>| self.look(field, text, view);
        let whole = match field {
            RiskField::Content => xray::unfold(text.as_bytes(), languages, look),
            RiskField::Param => xray::unfold_param(text.as_bytes(), languages, look),
        };
        self.look_at_small(field, text);
        if whole {
            return;
        }
        let Some(action) = self.rules.unfoldable() else { return };
        self.unfoldable.get_or_insert_with(|| RiskMatch {
            rule: UNFOLDABLE.into(),
            action,
            field,
            line: 1,
            column: 1,
            nesting: xray::DEPTH,
            hint: "wrap less in one another, or publish the script and call its version".into(),
            series: self.rules.rules.len(),
        });
    }

    fn look(&mut self, field: RiskField, text: &str, view: &View<'_>) {
        if view.depth > 0 && view.text.len() <= SMALL {
            self.put_aside(view);
            return;
        }
        self.each_rule(view.languages, view.text, view.fresh, |found, match_of| {
            found.add(match_of, field, text, view.text, |start| (view.place(start), view.depth));
        });
    }

    fn put_aside(&mut self, view: &View<'_>) {
        let known = self.small.iter().position(|small| small.languages == view.languages);
        let known = known.unwrap_or_else(|| {
            let languages = view.languages;
            self.small.push(Small { languages, text: Vec::new(), starts: Vec::new() });
            self.small.len() - 1
        });
        if let Some(small) = self.small.get_mut(known) {
            small.starts.push((small.text.len(), view.place(0), view.depth));
            small.text.extend_from_slice(view.text);
            small.text.extend_from_slice(APART);
        }
    }

    fn look_at_small(&mut self, field: RiskField, text: &str) {
        for small in std::mem::take(&mut self.small) {
            self.each_rule(small.languages, &small.text, Fresh::All, |found, match_of| {
                found.add(match_of, field, text, &small.text, |start| {
                    let after = small.starts.partition_point(|(begins, ..)| *begins <= start);
                    let of = after.checked_sub(1).and_then(|at| small.starts.get(at));
                    of.map_or((0, 1), |(_, place, depth)| (*place, *depth))
                });
            });
        }
    }

    /// Calls `add` with each rule that matches and was not found before, and where it may be looked for first.
    fn each_rule(
        &mut self,
        languages: Languages,
        text: &[u8],
        fresh: Fresh<'_>,
        add: impl Fn(&mut Self, (usize, usize)),
    ) {
        let rules = self.rules;
        match self.filter {
            Filter::Known => {}
            #[cfg(test)]
            Filter::Nothing => {
                let reads = |rule: &RiskRule| rule.languages.iter().any(|of| languages.has(*of));
                for (index, rule) in rules.rules.iter().enumerate() {
                    if reads(rule) && rule.pattern.is_match(text) {
                        add(self, (index, 0));
                    }
                }
                return;
            }
        }
        let matchers = ScriptLanguage::ALL.into_iter().zip(&rules.matchers);
        let all = languages == Languages::ALL;
        let matchers = matchers.map(|(of, matcher)| (!all && languages.has(of)).then_some(matcher));
        let matchers = matchers.chain([all.then_some(&rules.all)]);
        for (place, matcher) in matchers.enumerate() {
            let Some(matcher) = matcher.filter(|matcher| !matcher.is_empty()) else { continue };
            let found = self
                .seen
                .get_mut(place)
                .map(|seen| matcher.look(text, fresh, seen, &mut self.wanted));
            for found in found.into_iter().flatten() {
                add(self, found);
            }
        }
    }

    /// Notes a rule that matches `looked_at`; `place` says where in `text` a byte of it stood.
    fn add(
        &mut self,
        (index, from): (usize, usize),
        field: RiskField,
        text: &str,
        looked_at: &[u8],
        place: impl Fn(usize) -> (usize, u8),
    ) {
        let (Some(rule), Some(known @ None)) =
            (self.rules.rules.get(index), self.places.get_mut(index))
        else {
            return;
        };
        let start = rule.pattern.find_at(looked_at, from).map_or(0, |found| found.start());
        let (place, nesting) = place(start);
        let (line, column) = line_and_column(text, place);
        *known = Some(RiskMatch {
            rule: Arc::clone(&rule.id),
            action: rule.action,
            field,
            line,
            column,
            nesting,
            hint: Arc::clone(&rule.hint),
            series: index,
        });
    }

    fn matches(self) -> Vec<RiskMatch> {
        self.places.into_iter().chain([self.unfoldable]).flatten().collect()
    }
}

/// Both from 1; the column in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let in_line = before.get(line_start..).unwrap_or_default();
    // What continues a character in UTF-8 begins with the bits 10.
    let characters = in_line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    (lines + 1, characters + 1)
}

/// The faults of a call that is refused for what it matches, `reviewed` or not; none if it may pass.
pub(crate) fn refused(matches: &[RiskMatch], reviewed: bool) -> Option<Faults> {
    let mut faults = Faults::default();
    for found in matches {
        let passes = match found.action {
            RiskAction::Observe | RiskAction::Warn => true,
            RiskAction::ReviewedOnly => reviewed,
            RiskAction::Deny => false,
        };
        if !passes {
            let rule = Rule::Risk {
                rule: Arc::clone(&found.rule),
                line: found.line,
                column: found.column,
                hint: Arc::clone(&found.hint),
            };
            faults.push(found.field.as_str(), rule);
        }
    }
    (!faults.is_empty()).then_some(faults)
}

#[cfg(test)]
mod tests;
