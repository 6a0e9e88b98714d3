//! Checks of the risk rules: each compiles, and does with its examples what it says. One that does not refuses the
//! policy; it never switches itself or another one off.

use std::collections::HashMap;

use esbgate_core::{RiskAction, RiskRule, RiskRules, UNFOLDABLE};
use esbgate_model::ScriptLanguage;

use crate::{
    node::Spanned,
    policy_spec::{RiskActionSpec, RiskSpec},
    problem::{Faults, nearest},
};

const PATH: &str = "risks";

/// Most rules of a policy; each has a series.
const MOST: usize = 200;

/// Compiles the rules; what is wrong is in `faults`.
pub(crate) fn risks(specs: &[Spanned<RiskSpec>], faults: &mut Faults<'_>) -> RiskRules {
    if let Some(one) = specs.get(MOST) {
        faults.add(one, PATH, format!("at most {MOST} risk rules"));
        return RiskRules::default();
    }
    let mut ids = HashMap::new();
    let mut rules = Vec::with_capacity(specs.len());
    for spec in specs {
        let id = &spec.value.id;
        if let Some(first) = ids.insert(id.value.as_str(), id.place) {
            let first = faults.texts.told(first);
            faults.add(id, PATH, format!("another risk rule has this id, in {first}"));
        }
        rules.extend(rule(spec, faults));
    }
    let together = RiskRules::new(rules);
    together.unwrap_or_else(|fault| {
        if let Some(first) = specs.first() {
            faults.add(first, PATH, format!("the rules do not compile together: {fault}"));
        }
        RiskRules::default()
    })
}

fn rule(spec: &Spanned<RiskSpec>, faults: &mut Faults<'_>) -> Option<RiskRule> {
    let said = &spec.value;
    named(&said.id, faults);
    if said.hint.value.trim().is_empty() || said.hint.value.chars().count() > 300 {
        faults.add(&said.hint, PATH, "the hint says what to do instead, in at most 300 characters");
    }
    let languages = languages(spec, faults);
    let action = match said.action {
        RiskActionSpec::Observe => RiskAction::Observe,
        RiskActionSpec::Warn => RiskAction::Warn,
        RiskActionSpec::ReviewedOnly => RiskAction::ReviewedOnly,
        RiskActionSpec::Deny => RiskAction::Deny,
    };
    let (id, pattern, hint) = (&said.id.value, &said.r#match, &said.hint.value);
    let rule = RiskRule::new(id, languages.clone(), &pattern.value, action, hint);
    let rule = rule.map_err(|fault| {
        let hint = "the syntax is that of the Rust crate regex: no look-around, no back-references, ASCII classes";
        let message = format!("the pattern cannot be used: {fault}");
        faults.hinted(pattern, PATH, message, Some(hint.into()));
    });
    let rule = rule.ok()?;
    examples(spec, &rule, &languages, faults);
    Some(rule)
}

fn named(id: &Spanned<String>, faults: &mut Faults<'_>) {
    if id.value == UNFOLDABLE {
        faults.add(id, PATH, "this id stands for scripts that cannot be unfolded");
    }
}

fn languages(spec: &Spanned<RiskSpec>, faults: &mut Faults<'_>) -> Vec<ScriptLanguage> {
    let said = &spec.value.languages;
    let known = |name: &Spanned<String>| {
        let found = ScriptLanguage::ALL.into_iter().find(|known| known.as_str() == name.value);
        if found.is_none() {
            let known = ScriptLanguage::ALL.iter().map(|known| known.as_str());
            faults.hinted(name, PATH, "unknown script language", nearest(&name.value, known));
        }
        found
    };
    said.iter().filter_map(known).collect()
}

/// Tries a rule as calls are: in each of its languages, with all that is unfolded.
fn examples(
    spec: &Spanned<RiskSpec>,
    rule: &RiskRule,
    languages: &[ScriptLanguage],
    faults: &mut Faults<'_>,
) {
    // A set of one pattern that compiled alone compiles as well.
    let Ok(alone) = RiskRules::new(vec![rule.clone()]) else { return };
    let matches = |language: &ScriptLanguage, text: &str| {
        alone.judge_script(*language, text).iter().any(|found| *found.rule == *rule.id())
    };
    let examples = &spec.value.examples;
    for language in languages {
        for text in examples.r#match.iter().filter(|text| !matches(language, &text.value)) {
            let message = format!("the rule does not match this example in {}", language.as_str());
            faults.add(text, PATH, message);
        }
        for text in examples.pass.iter().filter(|text| matches(language, &text.value)) {
            let message = format!("the rule matches this example in {}", language.as_str());
            faults.add(text, PATH, message);
        }
    }
}
