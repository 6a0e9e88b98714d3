//! Faults of shape come at once, one of each piece, and hide no fault of meaning elsewhere.

use super::{BOOT, EXAMPLE, Fake, check};
use crate::{BootDocument, Problem};

/// An application with two rules, in which `{…}` are replaced.
fn app(code: &str, owner: &str, first: &str, second: &str) -> String {
    format!(
        r#"
  {code}:
    owner: {owner}
    proofs: [{{certificate: {{dns: {code}.example.com}}}}]
    acts_as: ops_gateway
    allow:
      - {{name: one, components: any, business: {{ids: any}}, accounts: {{ids: any}}, scripts: {{ids: any}}, {first}}}
      - {{name: two, components: any, business: {{ids: any}}, accounts: {{ids: any}}, scripts: {{ids: any}}, {second}}}
"#
    )
}

const GOOD: &str = "targets: {ips: any, clouds: any}";

fn found(problems: &[Problem]) -> Vec<(u64, &str, &str)> {
    problems.iter().map(|one| (one.line, &*one.path, &*one.message)).collect()
}

#[test]
fn one_fault_of_shape_per_application_and_rule_is_told_beside_faults_of_meaning() {
    let text = format!(
        "version: 1\nrisk: []\napps:{}{}{}",
        app("a", "''", GOOD, "targets: {ips: [ten], clouds: any}"),
        app("b", "[]", "targets: {ips: 7}", "target: any"),
        app("c", "c", "targets: {hosts: many, ips: any, clouds: any}", GOOD),
    );
    let problems = check(&text).unwrap_err();
    assert_eq!(
        found(&problems),
        [
            (2, "", "unknown key `risk`"),
            (5, "apps.a.owner", "it must say something"),
            (10, "apps.a.allow", "expected an IPv4 network such as 10.0.0.0/8"),
            (13, "apps.b", "expected a text"),
            (17, "apps.b.allow", "expected a list or the word any"),
            (18, "apps.b.allow", "unknown key `target`"),
            (25, "apps.c.allow", "expected a whole number from 0"),
        ],
        "{problems:#?}"
    );
    assert!(problems[5].hint.as_deref().unwrap().contains("`targets`"));
}

#[test]
fn a_fault_of_shape_stands_at_the_innermost_value() {
    let text = EXAMPLE.replace("cookie: false", "cookie: perhaps");
    let problem = &check(&text).unwrap_err()[0];
    let line = text.lines().position(|line| line.contains("perhaps")).unwrap();
    assert_eq!(problem.line, line as u64 + 1);
    let shown = text.lines().nth(line).unwrap();
    assert_eq!(problem.column, shown.find("perhaps").unwrap() as u64 + 1);
    assert_eq!(&*problem.message, "expected true or false");
}

#[test]
fn a_missing_key_and_a_wrong_choice_say_what_is_due() {
    for (from, to, message, hint) in [
        ("    owner: ops@example.com\n", "", "missing key `owner`", None),
        (
            "http_status: real",
            "http_status: unreal",
            "unknown choice",
            Some("did you mean `real`?"),
        ),
        ("- jwt: {issuer: apigw}", "- jwd: {issuer: apigw}", "unknown choice", Some("`jwt`")),
        ("- jwt: {issuer: apigw}", "- []", "expected one of key, jwt, certificate", None),
        ("leeway: 60s", "leeway: 60", "expected a time up to 24h such as 500ms, 5s or 2m", None),
    ] {
        let problems = check(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert_eq!(&*problems[0].message, message, "{problems:?}");
        let said = problems[0].hint.as_deref().unwrap_or_default();
        assert!(hint.is_none_or(|hint| said.contains(hint)), "{said}");
    }
}

#[test]
fn unquoted_texts_keep_their_spelling_and_quoted_numbers_are_no_numbers() {
    let text =
        EXAMPLE.replace("ticket: OPS-1234", "ticket: 0012").replace("kid: \"2027-01\"", "kid: 1e5");
    check(&text).unwrap();
    for spelled in ["\"5\"", "5.5", "-1", "99999999999999999999"] {
        let text = EXAMPLE.replace("per_second: 5,", &format!("per_second: {spelled},"));
        let problems = check(&text).unwrap_err();
        assert!(problems[0].message.starts_with("expected a whole number"), "{problems:?}");
    }
}

#[test]
fn a_key_without_a_value_is_an_empty_list_or_all_defaults() {
    let text = EXAMPLE.replace("callbacks: [\"https://ci.example.com/job/\"]", "callbacks:");
    check(&text).unwrap();
    let text = EXAMPLE.replace("components: [fast_execute_script]", "components:");
    assert!(check(&text).unwrap_err()[0].message.contains("can never match"));
    let text = BOOT.replace("  timeouts: {connect: 2s, answer: 95s}", "  timeouts:");
    BootDocument::read("esbgate.yaml", &text).unwrap().check(&Fake).unwrap();
}

#[test]
fn aliases_and_merges_are_read_and_faults_stand_where_they_are_used() {
    let rest = EXAMPLE.split_once("apps:").unwrap().1;
    let text = format!(
        "version: 1\ndefaults: &numbers\n  calls: &calls {{per_second: 10, burst: 20}}\napps:{}",
        rest.replace(
            "calls: {per_second: 5, burst: 10, in_flight: 8, shadow: false}",
            "calls: {<<: *calls, burst: 0}"
        )
        .replace("      - jwt: {issuer: apigw}\n", "")
        .replace(", holidays: china", "")
    );
    let problems = check(&text).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(&*problems[0].message, "the number must be at least 1");
}

#[test]
fn a_list_where_a_map_is_due_is_refused() {
    for text in ["- a\n", "version: 1\napps: []\n", "version: 1\napps: {a: {allow: {}}}\n", "", "7"]
    {
        let problems = check(text).unwrap_err();
        assert!(!problems.is_empty(), "{text}");
    }
}

#[test]
fn a_secret_behind_an_unknown_key_or_in_a_place_of_another_kind_is_not_shown() {
    for (from, to) in [
        ("owner: ops@example.com", "api_kee: hunter2"),
        ("owner: ops@example.com", "hunter2"),
        ("owner: ops@example.com", "owner: [hunter2]"),
        ("http_status: real", "http_status: hunter2"),
        ("http_status: real", "http_status: {hunter2: hunter2}"),
        ("- jwt: {issuer: apigw}", "- hunter2: x"),
        ("users: [svc_deploy, ", "users: [{hunter2: x}, "),
        ("cookie: false", "cookie: false\n      cookie: hunter2"),
        ("env: SSO_SECRET", "env: UNSET # hunter2"),
        ("acts_as: ops_gateway", "hunter2hunter2hunter2: x"),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let problems = check(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        let told = format!("{problems:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let url = "https://hunter2:hunter2@esb.example.com";
    let text = BOOT.replacen("https://esb-1.example.com", url, 1);
    let problems = BootDocument::read("esbgate.yaml", &text).unwrap().check(&Fake).unwrap_err();
    assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
}

#[test]
fn what_is_no_name_is_not_told_where_a_name_stands() {
    let pasted = "+pasted/in.the.wrong-place";
    let text = format!(
        "version: 1\nissuers: {{\"{pasted}\": 7}}\napps:\n  \"{pasted}\": {{owner: []}}\n  \"{pasted}2\": {{owner: o}}\n"
    );
    let problems = check(&text).unwrap_err();
    assert!(problems.iter().any(|one| &*one.path == "apps.?"), "{problems:?}");
    for problem in &problems {
        assert!(
            !problem.path.contains("pasted") && !problem.message.contains("pasted"),
            "{problem}"
        );
    }
}
