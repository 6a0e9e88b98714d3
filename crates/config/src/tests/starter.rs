//! The starter rules: they load, their table in the docs is theirs, what the corpora say of them holds.

mod corpora;

use std::sync::Arc;

use esbgate_core::RiskRules;

use super::check;

const STARTER: &str = include_str!("../../../../config/risks/starter.yaml");

/// The starter rules, compiled.
fn starter() -> Arc<RiskRules> {
    let checked = check(STARTER);
    let (plan, warnings) = checked.unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    plan.risks
}

#[test]
fn the_starter_rules_load_with_their_examples() {
    let rules = starter();
    assert!((40..=80).contains(&rules.list().len()), "{}", rules.list().len());
}
