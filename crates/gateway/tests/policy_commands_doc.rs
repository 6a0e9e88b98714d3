//! The snippets of docs/policy.md do what the page says, under the shipped policy.

#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

const DOC: &str = include_str!("../../../docs/policy.md");
const POLICY: &str = include_str!("../../../config/policy.yaml");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML blocks of the page that begin with a line.
fn snippets(kind: &str) -> Vec<&'static str> {
    let fence = format!("```yaml {kind}\n");
    let starts = DOC.match_indices(&fence).map(|(at, fence)| at + fence.len());
    starts.map(|start| DOC.get(start..).unwrap().split("```").next().unwrap()).collect()
}

fn esbgate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

/// A folder as the page's pipeline finds it.
fn checkout() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("config/tests")).unwrap();
    std::fs::write(folder.path().join("config/policy.yaml"), POLICY).unwrap();
    std::fs::write(folder.path().join("old.yaml"), POLICY).unwrap();
    folder
}

#[test]
fn every_test_of_the_page_passes_beside_the_shipped_policy() {
    let shipped =
        std::fs::read_to_string(repository().join("config/tests/deploy_bot.yaml")).unwrap();
    let snippets = snippets("tests");
    assert!(!snippets.is_empty());
    let folder = checkout();
    for (index, text) in snippets.into_iter().chain([&*shipped]).enumerate() {
        // The page quotes the policy, where the name stands already.
        let text = text
            .replace("name: a stranger cannot be named", &format!("name: of the page, {index}"));
        let file = folder.path().join(format!("config/tests/{index}.yaml"));
        std::fs::write(file, text).unwrap();
    }
    let output = esbgate(folder.path(), &["policy", "test", "config/policy.yaml"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("pass  of the page, 0"), "{said}");
}

#[test]
fn the_pipeline_of_the_page_passes_what_changes_nothing_and_stops_a_widening() {
    let steps = snippets("pipeline");
    let lines = steps.iter().flat_map(|block| block.lines());
    let commands = lines.filter_map(|line| line.trim().strip_prefix("- run: esbgate "));
    let commands: Vec<Vec<&str>> = commands.map(|line| line.split(' ').collect()).collect();
    assert_eq!(commands.len(), 3);
    let folder = checkout();
    let statuses = || -> Vec<Option<i32>> {
        commands.iter().map(|line| esbgate(folder.path(), line).status.code()).collect()
    };
    assert_eq!(statuses(), [Some(0), Some(0), Some(0)]);
    let wider = POLICY.replace("ips: [10.0.0.0/8]", "ips: any");
    assert_ne!(wider, POLICY);
    std::fs::write(folder.path().join("config/policy.yaml"), wider).unwrap();
    assert_eq!(statuses(), [Some(0), Some(0), Some(1)]);
}
