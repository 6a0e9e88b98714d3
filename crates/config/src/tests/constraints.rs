//! Values that their keys do not allow are told all at once, each at its place, and beside faults of other kinds.

use super::{BOOT, Fake, check};
use crate::{BootDocument, Problem};

fn told(problems: &[Problem]) -> Vec<(u64, u64, &str, &str)> {
    problems.iter().map(|one| (one.line, one.column, &*one.path, &*one.message)).collect()
}

const MANY: &str = r#"version: 2
defaults: {calls: {burst: 0}}
risks:
  - {id: Wipe, languages: [], match: rm, action: deny, hint: do not}
freeze:
  - {script: {id: " "}, reason: r, until: "2027-03-01T00:00Z"}
apps:
  a:
    owner: "  "
    proofs: [{certificate: {dns: a.example.com}}, {certificate: {uri: ""}}]
    users: {exemptions: [{users: [], owner: o, reason: "", ticket: t, expires: "2027-03-01T00:00Z"}]}
    acts_as: nobody
    fields: {timeout_max: 259201}
    hosts: {weights: {content: 0, accounts: {root: 1001, "root:hunter2secret": 0}}}
    allow:
      - name: ""
        components: any
        business: {scopes: [{type: biz, id: 1}, {type: biz, id: -1}]}
        accounts: {ids: any, aliases: any}
        scripts: {ids: any}
        targets: {ips: any, clouds: any, hosts: 0}
        calls: {burst: 0, per_second: 1}
"#;

#[test]
fn every_value_that_its_key_does_not_allow_is_told_at_its_place() {
    let problems = check(MANY).unwrap_err();
    let (least, says) = ("the number must be at least 1", "it must say something");
    assert_eq!(
        told(&problems),
        [
            (1, 10, "version", "only version 1 is known"),
            (2, 27, "defaults.calls.burst", least),
            (4, 10, "risks.id", "an id is 1 to 64 of a-z 0-9 -"),
            (4, 27, "risks.languages", "name at least one"),
            (6, 19, "freeze.script.id", says),
            (9, 12, "apps.a.owner", says),
            (10, 71, "apps.a.proofs.certificate.uri", says),
            (11, 34, "apps.a.users.exemptions.users", "name at least one"),
            (11, 56, "apps.a.users.exemptions.reason", says),
            (12, 14, "apps.a", "unknown credential"),
            (13, 27, "apps.a.fields.timeout_max", "the number must be at most 259200"),
            (14, 32, "apps.a.hosts.weights.content", least),
            (14, 52, "apps.a.hosts.weights.accounts.root", "the number must be at most 1000"),
            (14, 80, "apps.a.hosts.weights.accounts.?", least),
            (16, 15, "apps.a.allow.name", says),
            (18, 65, "apps.a.allow.business.scopes.id", least),
            (21, 49, "apps.a.allow.targets.hosts", least),
            (22, 24, "apps.a.allow.calls.burst", least),
        ],
        "{problems:#?}"
    );
    assert!(problems.iter().all(|one| one.snippet.is_some()), "{problems:#?}");
}

#[test]
fn a_list_that_must_have_an_element_is_told_where_it_is_absent() {
    let text = "version: 1\napps:\n  a: {owner: o, acts_as: ops_gateway}\n";
    let problems = check(text).unwrap_err();
    assert_eq!(told(&problems), [(3, 6, "apps.a.proofs", "name at least one")]);
}

#[test]
fn values_of_the_start_up_file_are_told_beside_faults_of_its_meaning() {
    let text = BOOT
        .replace("version: 1", "version: 3")
        .replace("connections: 4096", "connections: 0")
        .replace("apps: 1000", "apps: 100001")
        .replace("socket: /", "socket: ");
    let (head, rest) = text.split_once("listen:").unwrap();
    let (_, rest) = rest.split_once("\nhosts:").unwrap();
    let text = format!("{head}listen: []\nhosts:{rest}");
    let problems = BootDocument::read("esbgate.yaml", &text).unwrap().check(&Fake).unwrap_err();
    let told: Vec<_> = problems.iter().map(|one| (&*one.path, &*one.message)).collect();
    for expected in [
        ("version", "only version 1 is known"),
        ("listen", "name at least one"),
        ("monitor.apps", "the number must be at most 100000"),
        ("limits.connections", "the number must be at least 1"),
        ("admin.socket", "a socket file has an absolute path of at most 107 bytes"),
    ] {
        assert!(told.contains(&expected), "{expected:?}: {problems:#?}");
    }
}
