//! How many scripts that hide what they do are caught, and how many harmless ones alarm.

use std::collections::{BTreeMap, HashMap, HashSet};

use esbgate_core::{RiskAction, RiskMatch, RiskRules};
use esbgate_model::ScriptLanguage;
use serde::Deserialize;

use super::starter;

const EVASION: &str = include_str!("../../../corpus/evasion.jsonl");
const HARMLESS: &str = include_str!("../../../corpus/harmless.jsonl");

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

/// What a script is made of: its lines, without strings, numbers and names that have digits in them.
fn skeleton(text: &str) -> HashSet<String> {
    let line = |line: &str| {
        let mut bare = String::new();
        let mut quote = None;
        for sign in line.trim().chars() {
            match (quote, sign) {
                (Some(open), sign) if sign == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(sign),
                (None, sign) => bare.push(sign),
            }
        }
        let words = bare.split_whitespace();
        let words: Vec<_> =
            words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
        words.join(" ")
    };
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_harmless_scripts_differ_from_one_another() {
    let samples = samples(HARMLESS);
    // Numbers for lines: half a million pairs are compared.
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut skeletons: Vec<HashSet<usize>> = Vec::new();
    for sample in &samples {
        let numbered = skeleton(&sample.text).into_iter().map(|line| {
            let next = known.len();
            *known.entry(line).or_insert(next)
        });
        skeletons.push(numbered.collect());
    }
    let mut alike = 0;
    for (at, one) in skeletons.iter().enumerate() {
        let nearest = skeletons.iter().take(at).filter(|other| {
            let shared = one.intersection(other).count();
            // More than half of all lines of the two.
            shared * 2 > one.len() + other.len() - shared
        });
        alike += usize::from(nearest.count() > 0);
    }
    println!("{alike} of {} share more than half of their lines with one before", samples.len());
    assert!(alike * 100 <= samples.len(), "{alike}");
}

#[test]
fn of_a_thousand_harmless_scripts_at_most_one_in_a_hundred_alarms() {
    let (rules, samples) = (starter(), samples(HARMLESS));
    assert!(samples.len() >= 1_000, "{}", samples.len());
    let mut by_rule: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut alarmed = 0;
    let mut observed = 0;
    for sample in &samples {
        let found = sample.judged(&rules);
        let alarms: Vec<_> =
            found.iter().filter(|found| found.action != RiskAction::Observe).collect();
        alarmed += usize::from(!alarms.is_empty());
        observed += usize::from(alarms.is_empty() && !found.is_empty());
        for found in alarms {
            let line = sample.text.lines().nth(found.line - 1).unwrap_or_default();
            by_rule.entry(found.rule.to_string()).or_default().push(line);
        }
    }
    for (rule, lines) in &by_rule {
        println!("{rule}: {}\n  {}", lines.len(), lines.join("\n  "));
    }
    println!(
        "{alarmed} of {} alarm ({:.2} %), {observed} are only observed",
        samples.len(),
        share(alarmed, samples.len())
    );
    assert!(alarmed * 100 <= samples.len(), "{alarmed} of {}", samples.len());
}
