//! What is shipped in config/ loads, has the shape of its schema, and names it for editors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{schema, schema_and_reader::shape_faults};
use crate::{Lookup, PolicyDocument, PolicyText};

/// A machine that has none of the files and variables.
struct Nothing;

impl Lookup for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("not here".into())
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn yaml_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

/// Each example of a policy: its files.
fn policies() -> Vec<Vec<PathBuf>> {
    let examples = config().join("examples");
    let mut policies: Vec<Vec<PathBuf>> =
        yaml_in(&examples).into_iter().map(|file| vec![file]).collect();
    let entries = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    policies.extend(entries.filter(|path| path.is_dir()).map(|folder| yaml_in(&folder)));
    policies.push(vec![config().join("policy.yaml")]);
    policies
}

#[test]
fn every_example_of_a_policy_loads_without_a_fault() {
    let policies = policies();
    assert!(policies.len() >= 4 && policies.iter().any(|files| files.len() > 2));
    for files in policies {
        let texts: Vec<PolicyText> = files
            .iter()
            .map(|file| PolicyText {
                name: file.display().to_string().into(),
                text: fs::read_to_string(file).unwrap().into(),
            })
            .collect();
        let now = "2027-01-01T00:00Z".parse().unwrap();
        let checked = PolicyDocument::read(&texts).and_then(|it| it.check_alone(&Nothing, now));
        let (_, warnings) = checked.unwrap_or_else(|problems| panic!("{problems:#?}"));
        // Nobody has the secrets and keys of an example.
        let other = warnings.iter().find(|warning| {
            let said = &warning.0.message;
            !said.contains("not set") && !said.contains("cannot be read")
        });
        assert!(other.is_none(), "{other:?}");
    }
}

#[test]
fn every_example_has_the_shape_of_the_schema_that_it_names() {
    let (policy, boot, tests) = (schema::policy(), schema::boot(), schema::tests());
    let policies = policies().into_iter().flatten().map(|file| (file, &policy, "policy"));
    let files_of_tests = yaml_in(&config().join("tests"));
    assert!(!files_of_tests.is_empty());
    let files_of_tests = files_of_tests.into_iter().map(|file| (file, &tests, "tests"));
    let boot = [(config().join("esbgate.yaml"), &boot, "esbgate")];
    for (file, schema, name) in policies.chain(files_of_tests).chain(boot) {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let named = first.strip_prefix("# yaml-language-server: $schema=").unwrap();
        let named = file.parent().unwrap().join(named).canonicalize().unwrap();
        let expected = config().join(format!("{name}.schema.json")).canonicalize().unwrap();
        assert_eq!(named, expected, "{}", file.display());
        let faults = shape_faults(schema, &text);
        assert!(faults.is_empty(), "{}: {faults:#?}", file.display());
    }
}
