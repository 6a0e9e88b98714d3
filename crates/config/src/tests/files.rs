//! A policy of several files is one policy, and a problem knows its file.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use esbgate_model::{
    Name,
    dialect::{AppSecrets, Credential},
};

use super::Fake;
use crate::{Grounds, Lookup, Plan, PolicyDocument, PolicyText, Problem, Warning};

const HEAD: &str = "version: 1\n";

fn app(code: &str) -> String {
    format!(
        "apps:\n  {code}:\n    owner: o\n    proofs: [{{certificate: {{dns: {code}.example.com}}}}]\n    acts_as: a\n"
    )
}

fn risk(id: &str) -> String {
    format!("risks:\n  - {{id: {id}, languages: [shell], match: x{id}, action: deny, hint: h}}\n")
}

/// Checks files of these names.
fn check(files: &[(&str, String)]) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let files: Vec<PolicyText> = files
        .iter()
        .map(|(name, text)| PolicyText { name: (*name).into(), text: text.as_str().into() })
        .collect();
    let credential = Credential::new(Name::new("a").unwrap(), AppSecrets::one("s3cr3t"));
    let credentials = HashMap::from([("a".into(), Arc::new(credential))]);
    let grounds = Grounds { credentials: &credentials, login: true };
    PolicyDocument::read(&files)?.check(grounds, &Fake, "2027-01-01T00:00Z".parse().unwrap())
}

fn found(problems: &[Problem]) -> Vec<(&str, u64, &str, &str)> {
    problems.iter().map(|one| (&*one.file, one.line, &*one.path, &*one.message)).collect()
}

#[test]
fn sections_of_all_files_are_one_policy() {
    let defaults = "defaults: {calls: {in_flight: 7}}\n".to_owned();
    let (plan, warnings) = check(&[
        ("p/c.yaml", format!("{HEAD}{}", app("c"))),
        ("p/a.yaml", format!("{HEAD}{}{}", app("a"), risk("one"))),
        ("p/b.yaml", format!("{HEAD}{defaults}{}", risk("two"))),
    ])
    .unwrap();
    assert!(warnings.is_empty());
    let apps: Vec<_> =
        plan.apps.iter().map(|app| (app.code.as_str(), app.limits.in_flight)).collect();
    assert_eq!(apps, [("a", 7), ("c", 7)]);
    let ids: Vec<_> = plan.risks.list().iter().map(|rule| rule.id().to_owned()).collect();
    assert_eq!(ids, ["one", "two"]);
}

#[test]
fn what_may_stand_once_is_a_problem_at_its_second_place_that_names_the_first() {
    let issuer = "issuers:\n  sso: {header: bearer, issuer: https://sso, audience: a, algorithm: HS256, key: {secret: {env: K}}, claims: {app: a}}\n";
    let text = format!("{HEAD}defaults: {{}}\n{}{issuer}{}", app("a"), risk("one"));
    let problems = check(&[("p/2.yaml", text.clone()), ("p/1.yaml", text)]).unwrap_err();
    let key = "this key stands in p/1.yaml:2 already";
    assert_eq!(
        found(&problems),
        [
            ("p/2.yaml", 2, "defaults", key),
            ("p/2.yaml", 4, "apps.a", "this name stands in p/1.yaml:4 already"),
            ("p/2.yaml", 9, "issuers.sso", "this name stands in p/1.yaml:9 already"),
            ("p/2.yaml", 11, "risks", "another risk rule has this id, in p/1.yaml:11"),
        ],
        "{problems:#?}"
    );
    assert!(problems.iter().all(|one| one.snippet.is_some() && one.column > 0), "{problems:#?}");
}

#[test]
fn a_name_that_is_none_is_not_told_where_it_stands_twice() {
    let text = format!("{HEAD}apps: {{\"+pasted/secret\": {{owner: o}}}}\n");
    let problems = check(&[("1.yaml", text.clone()), ("2.yaml", text)]).unwrap_err();
    assert!(found(&problems).iter().any(|one| one.2 == "apps.?"), "{problems:#?}");
    assert!(problems.iter().all(|one| !one.path.contains("pasted")), "{problems:#?}");
    assert!(problems.iter().all(|one| !one.message.contains("pasted")), "{problems:#?}");
}

#[test]
fn problems_of_shape_and_meaning_have_the_file_and_the_picture_that_they_stand_in() {
    let problems = check(&[
        ("1.yaml", format!("{HEAD}# one\n{}    cals: {{}}\n", app("a"))),
        ("2.yaml", format!("version: 2\nrisk: []\n{}", app("b").replace("owner: o", "owner: ''"))),
        ("3.yaml", app("c")),
    ])
    .unwrap_err();
    assert_eq!(
        found(&problems),
        [
            ("1.yaml", 8, "apps.a", "unknown key `cals`"),
            ("2.yaml", 2, "", "unknown key `risk`"),
            ("2.yaml", 5, "apps.b.owner", "it must say something"),
            ("3.yaml", 1, "", "missing key `version`"),
        ],
        "{problems:#?}"
    );
    assert_eq!(problems[0].snippet.as_deref(), Some("    cals: {}"));
    assert_eq!(problems[2].snippet.as_deref(), Some("    owner: ''"));
}

#[test]
fn files_that_are_no_yaml_are_all_told_and_nothing_else() {
    let problems = check(&[
        ("1.yaml", "version: [\n".into()),
        ("2.yaml", format!("{HEAD}{}", app("b"))),
        ("3.yaml", format!("{HEAD}apps: {{a: b: c}}\n")),
    ])
    .unwrap_err();
    let files: Vec<&str> = problems.iter().map(|one| &*one.file).collect();
    assert_eq!(files, ["1.yaml", "3.yaml"], "{problems:#?}");
}

#[test]
fn a_policy_of_no_file_is_a_problem() {
    assert_eq!(&*check(&[]).unwrap_err()[0].message, "there is no file of a policy");
}

#[test]
fn paths_in_a_file_are_seen_from_its_own_folder() {
    let issuer = "issuers:\n  sso: {header: bearer, issuer: https://sso, audience: a, algorithm: HS256, key: {secret: {file: absent}}, claims: {app: a}}\n";
    let told = RefCell::new(Vec::new());
    struct Told<'a>(&'a RefCell<Vec<String>>);
    impl Lookup for Told<'_> {
        fn env(&self, _: &str) -> Option<String> {
            None
        }
        fn file(&self, path: &str) -> Result<String, String> {
            self.0.borrow_mut().push(path.into());
            Ok("0123456789abcdef0123456789abcdef".into())
        }
    }
    let files = [("p/a.yaml", HEAD.to_owned()), ("q/b.yaml", format!("{HEAD}{issuer}"))];
    let files = files.map(|(name, text)| PolicyText { name: name.into(), text: text.into() });
    let now = "2027-01-01T00:00Z".parse().unwrap();
    PolicyDocument::read(&files).unwrap().check_alone(&Told(&told), now).unwrap();
    assert_eq!(*told.borrow(), ["q/absent"]);
}

#[test]
fn the_bounds_hold_over_the_sum_of_the_files() {
    let rest = format!("#{}\n", "x".repeat((64 << 20) - HEAD.len()));
    let problems = check(&[("1.yaml", HEAD.to_owned()), ("2.yaml", rest)]).unwrap_err();
    assert_eq!(&*problems[0].file, "2.yaml");
    assert!(problems[0].message.contains("bytes"), "{problems:#?}");

    let many: Vec<(String, String)> =
        (0..1001).map(|file| (format!("{file:04}.yaml"), HEAD.to_owned())).collect();
    let many: Vec<(&str, String)> =
        many.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    check(&many[..1000]).unwrap();
    assert!(check(&many).unwrap_err()[0].message.contains("1000 files"));

    // What aliases repeat counts, too: no file alone has too many values.
    let list = vec!["1"; 150].join(",");
    let uses = vec!["*a"; 60].join(",");
    let bomb = format!("{HEAD}risks: [&a [{list}], {uses}]\n");
    let bombs: Vec<(String, String)> =
        (0..40).map(|file| (format!("{file:02}.yaml"), bomb.clone())).collect();
    let bombs: Vec<(&str, String)> =
        bombs.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let read = |bombs: &[(&str, String)]| check(bombs).unwrap_err();
    assert!(read(&bombs[..1]).iter().all(|one| one.path.starts_with("risks")));
    assert!(read(&bombs).iter().any(|one| one.path.is_empty() && &*one.file > "01.yaml"));
}
