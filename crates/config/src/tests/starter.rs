//! The starter rules: they load, their table in the docs is theirs, what the corpora say of them holds.

mod corpora;

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

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

#[test]
fn the_table_of_the_docs_has_each_starter_rule() {
    let docs = include_str!("../../../../docs/risks.md");
    let file: HashMap<String, serde_json::Value> = serde_saphyr::from_str(STARTER).unwrap();
    let mut table = String::from("| rule | languages | action | hint |\n|---|---|---|---|\n");
    for rule in file["risks"].as_array().unwrap() {
        let text = |key: &str| rule[key].as_str().unwrap();
        let names = rule["languages"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|name| name.as_str().unwrap()).collect();
        let names = if names.len() == 5 { "all".into() } else { names.join(", ") };
        let (id, action, hint) = (text("id"), text("action"), text("hint"));
        writeln!(table, "| `{id}` | {names} | `{action}` | {hint} |").unwrap();
    }
    assert!(docs.contains(&table), "docs/risks.md lacks this table:\n{table}");
}
