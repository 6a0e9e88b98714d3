//! What the documents show of configuration is loaded: whole files, sections, and lists that say where they stand.

use esbgate_config::{PolicyDocument, PolicyText};
use esbgate_gateway::Sources;

use super::documents;

/// A fenced block of a document.
pub(super) struct Block {
    pub(super) language: String,
    /// What stands behind the language: the file that the block is, or the key that it stands below.
    pub(super) about: String,
    pub(super) text: String,
}

impl Block {
    /// The file that a reader is to make of it.
    pub(super) fn file(&self) -> Option<&str> {
        Some(self.about.as_str()).filter(|about| about.contains('.'))
    }
}

/// The fenced blocks, in their order.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            open = !open;
            if open {
                let (language, about) = fence.trim().split_once(' ').unwrap_or((fence.trim(), ""));
                let (language, about) = (language.to_owned(), about.to_owned());
                blocks.push(Block { language, about, text: String::new() });
            }
        } else if open {
            let block = blocks.last_mut().unwrap();
            block.text += line;
            block.text.push('\n');
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

/// A policy with a block of YAML in the place that it is for.
fn policy(block: &Block) -> String {
    let text = &block.text;
    match block.about.as_str() {
        "" if text.starts_with("version:") || text.contains("\nversion:") => text.clone(),
        "" => format!("version: 1\n{text}"),
        // Tests of the policy that is shipped.
        "tests" => include_str!("../../../../config/policy.yaml")
            .split_once("\ntests:")
            .map(|(head, rest)| {
                let apps = rest.split_once("\napps:").map_or("", |(_, apps)| apps);
                format!("{head}\n{text}\napps:{apps}")
            })
            .unwrap(),
        "allow" => {
            let rules: String = text.lines().map(|line| format!("      {line}\n")).collect();
            format!(
                "version: 1\napps:\n  shown:\n    owner: o\n    proofs: [{{certificate: {{dns: a.test}}}}]\n    \
                 acts_as: ops\n    allow:\n{rules}"
            )
        }
        about if about.ends_with(".yaml") => text.clone(),
        other => panic!("a block of a kind that no test knows: yaml {other}"),
    }
}

fn load(text: &str) -> Result<(), String> {
    let now = "2027-01-01T00:00Z".parse().unwrap();
    let file = PolicyText { name: "shown.yaml".into(), text: text.into() };
    let checked = PolicyDocument::read(&[file]).and_then(|it| it.check_alone(&Sources, now));
    checked.map(drop).map_err(|problems| format!("{problems:#?}\n{text}"))
}

#[test]
fn every_yaml_of_the_documents_is_a_policy_or_stands_in_one() {
    let mut seen = 0;
    for (name, text) in documents() {
        for block in blocks(&text) {
            assert!(block.language != "yml", "{name}: say yaml");
            // A pipeline is another program's, and run line by line by the tests of its page.
            if block.language == "yaml" && block.about != "pipeline" {
                load(&policy(&block)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                seen += 1;
            }
        }
    }
    assert!(seen >= 3, "{seen} blocks found");
}

#[test]
fn every_json_of_the_documents_is_json() {
    let mut seen = 0;
    for (name, text) in documents() {
        // Bodies and changes of calls are sent to a gateway by the tests of those pages.
        let shown = |block: &Block| block.language == "json" && block.about != "whole";
        for block in blocks(&text).iter().filter(|block| shown(block)) {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
            read.unwrap_or_else(|fault| panic!("{name}: {fault}: {}", block.text));
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} blocks found");
}

#[test]
fn a_block_with_a_fault_is_found_in_each_place() {
    for (about, text) in [
        ("", "risk: []\n"),
        ("", "version: 1\napp: {}\n"),
        ("policy/a.yaml", "apps: {}\n"),
        ("allow", "- {name: nothing}\n"),
    ] {
        let (language, about, text) = ("yaml".into(), about.into(), text.into());
        assert!(load(&policy(&Block { language, about, text })).is_err());
    }
}
