//! The arrows between the crates are those of the table in the house style, and no others.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

const ARROWS: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("core", &["model"]),
    ("config", &["core", "model"]),
    ("server", &["core"]),
    ("upstream", &["core", "model"]),
    ("journal", &["core", "model"]),
    ("audit", &["model"]),
    ("ship", &["audit", "core", "model"]),
    ("fleet", &["core", "model"]),
    ("standin", &[]),
    (
        "gateway",
        &[
            "audit", "config", "core", "fleet", "journal", "model", "server", "ship", "standin",
            "upstream",
        ],
    ),
];

#[test]
fn every_arrow_between_crates_is_allowed() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let ours = |name: &str| name.strip_prefix("esbgate-").map(str::to_owned);
    let mut seen = 0;
    for package in &metadata.packages {
        let name = ours(&package.name).unwrap();
        let Some(allowed) = allowed.get(name.as_str()) else {
            let tests = ["benches", "fuzz"].contains(&name.as_str());
            assert!(tests, "{name} is a crate that the table does not know");
            continue;
        };
        seen += 1;
        for dependency in &package.dependencies {
            let Some(to) = ours(&dependency.name) else { continue };
            let normal = dependency.kind == DependencyKind::Normal;
            assert!(!normal || allowed.contains(&to.as_str()), "{name} must not use {to}");
        }
    }
    assert_eq!(seen, ARROWS.len(), "a crate of the table is missing");
}
