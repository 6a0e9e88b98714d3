//! docs/configuration.md lists every key that a spec has, and no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{boot_spec::*, policy_spec::*};

const DOC: &str = include_str!("../../../../docs/configuration.md");

/// What each section of the document describes.
const SECTIONS: &[(&str, &[&str])] = &[
    ("esbgate.yaml", BootSpec::KEYS),
    ("listen[]", ListenSpec::KEYS),
    ("listen[].tls", TlsSpec::KEYS),
    ("monitor", MonitorSpec::KEYS),
    ("limits", LimitsSpec::KEYS),
    ("upstream", UpstreamSpec::KEYS),
    ("upstream.timeouts", TimeoutsSpec::KEYS),
    ("login", LoginSpec::KEYS),
    ("credentials.NAME", CredentialSpec::KEYS),
    ("credentials.NAME.bk_app_secret", SecretSpec::KEYS),
    ("journal", JournalSpec::KEYS),
    ("state", StateSpec::KEYS),
    ("policy.yaml", PolicySpec::KEYS),
    ("defaults", DefaultsSpec::KEYS),
    ("calls", CallsSpec::KEYS),
    ("hosts", HostsSpec::KEYS),
    ("hosts.weights", WeightsSpec::KEYS),
    ("issuers.NAME", IssuerSpec::KEYS),
    ("issuers.NAME.claims", ClaimsSpec::KEYS),
    ("holidays.NAME", HolidaysSpec::KEYS),
    ("risks[]", RiskSpec::KEYS),
    ("risks[].examples", ExamplesSpec::KEYS),
    ("apps.CODE", AppSpec::KEYS),
    ("apps.CODE.proofs[].key", KeySpec::KEYS),
    ("apps.CODE.proofs[].jwt", JwtSpec::KEYS),
    ("apps.CODE.users", UsersSpec::KEYS),
    ("apps.CODE.users.exemptions[]", ExemptionSpec::KEYS),
    ("apps.CODE.users.exemptions[].users[]", UserPatternSpec::KEYS),
    ("apps.CODE.fields", FieldsSpec::KEYS),
    ("apps.CODE.allow[]", GrantSpec::KEYS),
    ("apps.CODE.allow[].business", BusinessSpec::KEYS),
    ("apps.CODE.allow[].business.scopes[]", ScopeSpec::KEYS),
    ("apps.CODE.allow[].accounts", AccountsSpec::KEYS),
    ("apps.CODE.allow[].scripts", ScriptsSpec::KEYS),
    ("apps.CODE.allow[].targets", TargetsSpec::KEYS),
    ("apps.CODE.allow[].targets.topology[]", NodeSpec::KEYS),
    ("apps.CODE.allow[].hours", HoursSpec::KEYS),
    ("apps.CODE.allow[].calls", GrantCallsSpec::KEYS),
    ("apps.CODE.allow[].hosts", GrantHostsSpec::KEYS),
];

/// A key as it is written in a file.
fn bare(key: &str) -> &str {
    key.trim_start_matches("r#").trim_start_matches('_')
}

/// The keys of each section's table.
fn listed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut sections = BTreeMap::new();
    let mut section = "";
    for line in DOC.lines() {
        let ticked = line.split('`').nth(1).unwrap_or_default();
        if line.starts_with('#') {
            section = ticked;
        } else if line.starts_with("| `") {
            let keys: &mut BTreeSet<_> = sections.entry(section).or_default();
            assert!(keys.insert(ticked), "{ticked} stands twice in {section}");
        }
    }
    sections
}

#[test]
fn the_document_lists_the_keys_of_every_spec_and_no_other() {
    let specs = SECTIONS.iter().map(|(section, keys)| {
        (*section, keys.iter().map(|key| bare(key)).collect::<BTreeSet<_>>())
    });
    let specs: BTreeMap<_, _> = specs.collect();
    let listed = listed();
    for (section, keys) in &specs {
        assert_eq!(listed.get(section), Some(keys), "{section}");
    }
    assert_eq!(listed.keys().collect::<Vec<_>>(), specs.keys().collect::<Vec<_>>());
    let source = concat!(
        include_str!("../boot_spec.rs"),
        include_str!("../policy_spec.rs"),
        include_str!("../policy_spec/budget.rs"),
        include_str!("../policy_spec/grant.rs"),
        include_str!("../policy_spec/hours.rs"),
        include_str!("../policy_spec/issuer.rs"),
        include_str!("../policy_spec/risk.rs"),
        include_str!("../policy_spec/user.rs"),
    );
    assert_eq!(source.matches("\nspec! {").count(), SECTIONS.len(), "a spec without a section");
}

#[test]
fn the_examples_show_every_key() {
    let examples = concat!(
        include_str!("../../../../config/esbgate.yaml"),
        include_str!("../../../../config/policy.yaml")
    );
    for key in SECTIONS.iter().flat_map(|(_, keys)| *keys) {
        let key = bare(key);
        assert!(examples.contains(&format!("{key}:")), "{key}");
    }
}
