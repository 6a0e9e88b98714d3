//! Faults have their place and never a secret; the examples load; live state outlives a reload.

mod budgets;
mod diff;
mod diff_soundness;
mod doc;
mod examples;
mod files;
mod freezes;
mod grants;
mod meaning;
mod pictures;
mod policy_tests;
mod replay_soundness;
mod reserved;
mod risks;
mod schema;
mod schema_and_reader;
mod shape;
mod sinks;
mod starter;

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use esbgate_core::{Binding, Ledger, Metrics};
use esbgate_model::{
    Name,
    dialect::{AppSecrets, Credential},
};
use jiff::Timestamp;

use crate::{
    BootDocument, Grounds, Lookup, Plan, PolicyDocument, PolicyText, Problem, Warning, texts::Texts,
};

struct Fake;

impl Lookup for Fake {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "UNSET" => None,
            "EMPTY" => Some(String::new()),
            _ => Some("0123456789abcdef0123456789abcdef".into()),
        }
    }
    fn file(&self, path: &str) -> Result<String, String> {
        if path.contains("absent") { Err("not found".into()) } else { Ok("x".repeat(40)) }
    }
}

const EXAMPLE: &str = include_str!("../../../config/policy.yaml");
const BOOT: &str = include_str!("../../../config/esbgate.yaml");

fn read(name: &str, text: &str) -> Result<PolicyDocument, Vec<Problem>> {
    PolicyDocument::read(&[PolicyText { name: name.into(), text: text.into() }])
}

fn check(text: &str) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    checked(&read("policy.yaml", text)?)
}

/// The same with a file of tests beside it.
fn check_with_tests(text: &str, tests: &str) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let mut document = read("policy.yaml", text)?;
    document.add_tests("tests/a.yaml", tests)?;
    checked(&document)
}

fn checked(document: &PolicyDocument) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let code = Name::new("ops_gateway").unwrap();
    let credential = Credential::new(code, AppSecrets::one("s3cr3t"));
    let credentials = HashMap::from([("ops_gateway".into(), Arc::new(credential))]);
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let grounds = Grounds { credentials: &credentials, login: true };
    document.check(grounds, &Fake, now)
}

/// The problems after `from` was replaced by `to` in the example.
fn broken(from: &str, to: &str) -> (String, Vec<Problem>) {
    assert!(EXAMPLE.contains(from), "{from}");
    let text = EXAMPLE.replacen(from, to, 1);
    let problems = check(&text).expect_err(to);
    (text, problems)
}

#[test]
fn the_examples_load() {
    let (_, warnings) = check(EXAMPLE).unwrap();
    assert!(warnings.is_empty());
    let boot = BootDocument::read("config/esbgate.yaml", BOOT).unwrap().check(&Fake).unwrap();
    assert_eq!(&*boot.policy, "config/policy.yaml");
    assert!(boot.credentials.contains_key("ops_gateway"));
}

#[test]
fn every_fault_has_its_line_and_words() {
    let table = [
        ("acts_as: ops_gateway", "acts_as: ops_gatewy", "unknown credential"),
        ("sha256: \"9f86", "sha256: \"zz86", "64 hex digits"),
        ("2027-06-30T00:00+08:00", "2027-06-30T00:00", "zone"),
        (", expires: \"2027-02-01T00:00+08:00\"", "", "has no end"),
        ("2027-02-01T00:00+08:00", "2027-12-01T00:00+08:00", "180 days"),
        ("users: [svc_deploy, ", "users: [\"a b\", ", "a name is"),
        ("10.0.0.0/8", "10.0.0.0/99", "IPv4 network"),
        ("[fast_execute_script]", "[fast_execute_scrip]", "unknown component"),
        ("https://ci.example", "ftp://ci.example", "bad callback"),
        ("[shell, python]", "[shell, pyton]", "unknown script language"),
        ("jwt: {issuer: apigw}", "jwt: {issuer: apig}", "unknown issuer"),
        ("      per_call: 50\n", "      per_call: 999\n", "over hosts.burst"),
        ("burst: 10,", "burst: 0,", "at least 1"),
        ("audience: esbgate ", "#", "needs an audience"),
        ("[fast_execute_script]", "[]", "can never match"),
        ("hosts: 50    ", "#", "need targets.hosts"),
        ("env: SSO_SECRET", "env: UNSET", "not set"),
        ("env: SSO_SECRET", "env: EMPTY", "is empty"),
        ("acts_as: ops_gateway", "#", "no acts_as"),
        ("cookie: false", "cokie: false", "unknown key `cokie`"),
        ("cookie: false", "token: false", "duplicate key"),
        ("version: 1", "version: 2", "only version 1"),
    ];
    for (from, to, words) in table {
        let (text, problems) = broken(from, to);
        let found = problems.iter().find(|problem| problem.message.contains(words));
        let found = found.unwrap_or_else(|| panic!("{to}: {problems:?}"));
        assert!(found.line > 0 && found.column > 0, "{found}");
        let exact = !matches!(to, "" | "#" | "[]") && !to.starts_with('\n');
        if exact {
            let at = text.find(to).unwrap();
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            let close = if words.contains("audience") { 9 } else { 0 };
            assert!(found.line.abs_diff(line as u64) <= close, "{found}");
        }
    }
}

#[test]
fn a_typo_gets_a_suggestion_and_a_picture() {
    let (_, problems) = broken("cookie: false", "cokie: false");
    let shown = problems[0].to_string();
    assert!(shown.contains("did you mean `cookie`?") && shown.contains('^'), "{shown}");
}

#[test]
fn all_meaning_faults_come_at_once() {
    let text = EXAMPLE.replace("10.0.0.0/8", "ten").replace("acts_as: ops_gateway", "acts_as: no");
    assert_eq!(check(&text).unwrap_err().len(), 2);
}

#[test]
fn a_secret_never_stands_in_a_problem() {
    for (from, to) in [
        ("sha256: \"9f86d081", "sha256: \"hunter2"),
        ("sha256: \"9f86d081", "sha256: [hunter2]\n          x: \""),
        ("key: {secret: {env: SSO_SECRET}}", "key: {secret: hunter2}"),
    ] {
        let (_, problems) = broken(from, to);
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
    let text = BOOT.replace("{env: ESB_SECRET}", "hunter2");
    let problems = BootDocument::read("esbgate.yaml", &text).unwrap_err();
    assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
}

#[test]
fn bombs_and_large_files_are_refused() {
    let mut bomb = String::from("version: 1\na: &a [x, x]\n");
    for pair in (b'a'..=b'z').collect::<Vec<_>>().windows(2) {
        let (from, to) = (char::from(pair[0]), char::from(pair[1]));
        bomb += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", "));
    }
    assert!(crate::yaml::read(&Texts::one("bomb.yaml", &bomb)).is_err());
    assert!(check(&"#".repeat((64 << 20) + 1)).unwrap_err()[0].message.contains("bytes"));
    assert!(check(&"[".repeat(10_000)).is_err());
}

#[test]
fn an_expiry_in_the_past_is_a_warning() {
    let text = EXAMPLE.replace("2027-06-30", "2026-06-30");
    assert_eq!(check(&text).unwrap().1.len(), 1);
}

#[test]
fn boot_faults_have_their_place() {
    for (from, to, words) in [
        ("{env: ESB_SECRET}", "{env: UNSET}", "not set"),
        ("0.0.0.0:8443", "nowhere", "expected an address"),
        ("file: tls.crt", "file: absent", "cannot be read"),
        ("trusted_peers: []", "trusted_peers: [x]", "expected a network"),
        ("https://esb-1.example.com", "esb-1", "expected a URL"),
    ] {
        let text = BOOT.replacen(from, to, 1);
        let document = BootDocument::read("esbgate.yaml", &text).unwrap();
        let problems = document.check(&Fake).unwrap_err();
        let found = problems.iter().find(|problem| problem.message.contains(words));
        assert!(found.is_some_and(|problem| problem.line > 0), "{problems:?}");
    }
    let text = BOOT.replace("1MiB", "1048576");
    assert!(BootDocument::read("esbgate.yaml", &text).unwrap_err()[0].line > 0);
}

#[test]
fn a_spent_quota_stays_spent_over_a_rebind() {
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let mut ledger = Ledger::default();
    let name = Name::new("deploy_bot").unwrap();
    let mut bind = |generation| {
        let (plan, _) = check(EXAMPLE).unwrap();
        plan.bind(Binding { generation, ledger: &mut ledger, metrics: &metrics })
    };
    let first = bind(1);
    let all = NonZeroU32::new(10).unwrap();
    let (mut paid, _) = first.apps[&name].state.calls.take(all, Duration::ZERO).unwrap();
    paid.keep();
    let second = bind(2);
    assert!(second.apps[&name].state.calls.take(NonZeroU32::MIN, Duration::ZERO).is_err());
    assert_eq!(second.generation, 2);
}

mod components;
mod constraints;
