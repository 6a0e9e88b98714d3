//! How many scripts that hide what they do are caught, and how many harmless ones alarm.

use std::collections::{BTreeMap, HashSet};

use esbgate_core::{RiskAction, RiskMatch, RiskRules};
use esbgate_model::ScriptLanguage;
use serde::Deserialize;

use super::starter;

const EVASION: &str = include_str!("../../../corpus/evasion.jsonl");

/// A script of a corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    language: String,
    text: String,
    /// Its parameters, where they are what counts.
    param: Option<String>,
    /// How it hides what it does.
    technique: Option<String>,
    /// The rule that is to catch it.
    rule: Option<String>,
}

fn samples(lines: &str) -> Vec<Sample> {
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

impl Sample {
    /// What the rules find in it, as they would in a call.
    fn judged(&self, rules: &RiskRules) -> Vec<RiskMatch> {
        let language =
            ScriptLanguage::ALL.into_iter().find(|known| known.as_str() == self.language);
        let language = language.unwrap_or_else(|| panic!("{}", self.name));
        let mut found = rules.judge_script(language, &self.text);
        found.extend(self.param.iter().flat_map(|param| rules.judge_param(language, param)));
        found
    }
}

#[test]
fn of_the_scripts_that_hide_what_they_do_at_least_95_of_100_are_caught_by_the_rule_that_is_meant() {
    let (rules, samples) = (starter(), samples(EVASION));
    let names: HashSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names.len(), samples.len(), "two scripts have one name");
    assert!(samples.len() >= 300, "{}", samples.len());
    let mut table: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut missed = Vec::new();
    for sample in &samples {
        let meant = sample.rule.as_deref().expect("an evasion names the rule that is meant");
        let found = sample.judged(&rules);
        let caught = found.iter().any(|found| &*found.rule == meant);
        let technique = sample.technique.as_deref().expect("an evasion names its technique");
        let row = table.entry(technique).or_default();
        row[0] += usize::from(caught);
        row[1] += 1;
        if !caught {
            let others: Vec<&str> = found.iter().map(|found| &*found.rule).collect();
            missed.push(format!("{} ({meant}; found {others:?}): {:?}", sample.name, sample.text));
        }
    }
    for (technique, [caught, of]) in &table {
        println!("{technique:<24} {caught:>3} of {of:>3}");
    }
    println!("missed:\n{}", missed.join("\n"));
    let caught = samples.len() - missed.len();
    println!("caught {caught} of {}: {:.1} %", samples.len(), share(caught, samples.len()));
    assert!(caught * 100 >= samples.len() * 95, "caught {caught} of {}", samples.len());
}

fn share(part: usize, whole: usize) -> f64 {
    let ten_thousandths = u32::try_from(part * 10_000 / whole.max(1)).unwrap_or(u32::MAX);
    f64::from(ten_thousandths) / 100.0
}
