//! Faults of meaning: what two parts of a policy, or a policy and the start-up file, do not agree on.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{BOOT, EXAMPLE, Fake, broken, check, read};
use crate::{BootDocument, Grounds, Problem};

/// The example with a second application and a second issuer after it.
fn twice(issuer: &str, app: &str) -> Result<(), Vec<Problem>> {
    let text = EXAMPLE.replace("issuers:\n", &format!("issuers:\n{issuer}")) + app;
    check(&text).map(|_| ())
}

const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn what_may_stand_once_is_told_with_who_has_it() {
    let issuer = "  again:\n    header: bearer\n    issuer: https://sso.example.com\n    audience: x\n    algorithm: HS256\n    key: {secret: {env: A}}\n    claims: {app: a}\n";
    let app = |code: &str, proof: &str| {
        format!("  {code}: {{owner: x, acts_as: ops_gateway, proofs: [{proof}]}}\n")
    };
    let upper = KEY.to_uppercase();
    for (issuer, app, words) in [
        (issuer, String::new(), "again has this issuer in this header already"),
        ("", app("z", &format!("{{key: {{sha256: \"{upper}\"}}}}")), "key stands in deploy_bot"),
        ("", app("z", "{certificate: {dns: deploy.example.com}}"), "name stands in deploy_bot"),
        ("", app("Deploy_bot", "{certificate: {dns: d}}"), "differs from Deploy_bot in case"),
    ] {
        let problems = twice(issuer, &app).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.contains(words), "{problems:?}");
        let said = problems[0].to_string().to_lowercase();
        assert!(!said.contains("9f86d081") && problems[0].line > 0, "{said}");
    }
    let other_header =
        issuer.replace("bearer", "x-bkapi-jwt").replace("    claims", "    kid: k\n    claims");
    twice(&other_header, "").unwrap();
    twice("", &app("z", "{certificate: {uri: deploy.example.com}}")).unwrap();
}

#[test]
fn an_x_bkapi_jwt_issuer_needs_a_kid() {
    let text = EXAMPLE.replace("header: bearer ", "header: x-bkapi-jwt ");
    check(&text).unwrap();
    let problems = check(&text.replace("kid: \"2027-01\"", "#")).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("needs its kid pinned") && problems[0].hint.is_some());
}

#[test]
fn a_rule_that_reaches_nothing_is_told() {
    for (from, to, words) in [
        ("except: [10.0.0.0/24]", "except: [10.0.0.0/7, 10.0.0.0/8]", "takes all of it out"),
        ("host_ids: []", "host_ids: [7]", "host_id_list is off"),
        ("hosts: 50    ", "hosts: 51    ", "each counts as 51 hosts, over hosts.per_call 50"),
        (
            "business: {ids: [2], sets: [], tenant_sets: [], scopes: [{type: biz_set, id: 9}]}",
            "business: {}",
            "allows no business",
        ),
        ("accounts: {aliases: [www], ids: [1000]}", "accounts: {}", "allows no account"),
        ("content: [shell, python], ids: any", "content: [], ids: []", "allows no script"),
    ] {
        let (_, problems) = broken(from, to);
        assert!(problems.iter().any(|one| one.message.contains(words)), "{problems:?}");
    }
    let text = EXAMPLE.replace("host_ids: []", "host_ids: [7]");
    check(&text.replace("host_id_list: false", "host_id_list: true")).unwrap();
    let warnings = check(&EXAMPLE.replace("ids: [2]", "ids: [2, 8000001]")).unwrap().1;
    assert!(warnings[0].0.message.contains("8000001 is a business set"), "{warnings:?}");
}

#[test]
fn the_cookie_counts_only_where_the_token_does() {
    let text = EXAMPLE.replace("token: true ", "token: false ");
    check(&text).unwrap();
    let problems = check(&text.replace("cookie: false", "cookie: true")).unwrap_err();
    assert!(problems[0].message.contains("cookie is read only"), "{problems:?}");
    assert_eq!(problems[0].hint.as_deref(), Some("add token: true"));
}

#[test]
fn ends_are_told_thirty_days_ahead_and_never_stop_a_load() {
    for (end, words) in [
        ("2027-02-01T00:00Z", None),
        ("2027-01-31T00:00Z", Some("expires in 30 day(s)")),
        ("2027-01-01T12:00Z", Some("expires in 0 day(s)")),
        ("2027-01-01T00:00Z", Some("has expired")),
        ("2020-01-01T00:00Z", Some("has expired")),
    ] {
        let text = EXAMPLE
            .replace("2027-06-30T00:00+08:00", end)
            .replace("2027-02-01T00:00+08:00", "2027-03-01T00:00Z");
        let warnings = check(&text).unwrap().1;
        assert_eq!(warnings.len(), usize::from(words.is_some()), "{end}: {warnings:?}");
        assert!(words.is_none_or(|words| warnings[0].0.message.contains(words)), "{warnings:?}");
    }
}

#[test]
fn without_a_login_service_no_application_may_use_tokens() {
    let start = BOOT.find("login:").unwrap();
    let end = BOOT.find("credentials:").unwrap();
    let text = format!("{}{}", BOOT.get(..start).unwrap(), BOOT.get(end..).unwrap());
    let boot = BootDocument::read("esbgate.yaml", &text).unwrap().check(&Fake).unwrap();
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let check = |text: &str| read("policy.yaml", text).unwrap().check(boot.grounds(), &Fake, now);
    let problems = check(EXAMPLE).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(&*problems[0].path, "apps.deploy_bot.users.token");
    assert!(problems[0].message.contains("no login service"));
    check(&EXAMPLE.replace("token: true ", "token: false ")).unwrap();
}

#[test]
fn a_policy_alone_is_checked_without_what_only_the_gateways_machine_knows() {
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let alone = |text: &str| read("p.yaml", text).unwrap().check_alone(&Fake, now);
    let text = EXAMPLE
        .replace("acts_as: ops_gateway", "acts_as: not_known_here")
        .replace("env: SSO_SECRET", "env: UNSET");
    let (_, warnings) = alone(&text).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0.message.contains("not set"));
    assert!(alone(&text.replace("10.0.0.0/8", "ten")).is_err());
    let grounds = Grounds { credentials: &HashMap::new(), login: true };
    let problems = read("p.yaml", &text).unwrap().check(grounds, &Fake, now);
    assert_eq!(problems.unwrap_err().len(), 2);
}

#[test]
fn listeners_are_tcp_unix_or_systemd() {
    let boot = |address: &str, rest: &str| {
        let (head, tail) = BOOT.split_once("listen:\n").unwrap();
        let tail = tail.split_once("hosts:").unwrap().1;
        let listen = format!("listen: [{{address: \"{address}\"{rest}}}]\nhosts:");
        BootDocument::read("esbgate.yaml", &format!("{head}{listen}{tail}")).unwrap().check(&Fake)
    };
    for (address, rest) in [
        ("127.0.0.1:0", ""),
        ("[::1]:8443", ""),
        ("unix:/run/esbgate/gate.sock", ""),
        ("systemd:gate", ", insecure: TLS ends before it"),
        ("0.0.0.0:1", ", insecure: TLS ends before it"),
    ] {
        assert_eq!(boot(address, rest).unwrap().listeners[0].address.to_string(), address);
    }
    let any_port = boot("127.0.0.1:0\"}, {address: \"127.0.0.1:0", "").unwrap();
    assert_eq!(any_port.listeners.len(), 2);
    let long = format!("unix:/{}", "x".repeat(107));
    for (address, words) in [
        ("systemd:gate", "plain HTTP off loopback"),
        ("0.0.0.0:1", "plain HTTP off loopback"),
        ("unix:gate.sock", "absolute path"),
        (&long, "absolute path"),
        ("systemd:", "FileDescriptorName="),
        ("systemd:a:b", "FileDescriptorName="),
        ("localhost:1", "expected an address"),
        ("127.0.0.1:1\"}, {address: \"127.0.0.1:1", "another listener has this address"),
    ] {
        let problems = boot(address, "").unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.contains(words) && problems[0].line > 0, "{problems:?}");
    }
}

#[test]
fn a_start_up_file_that_could_not_start_is_told_before() {
    for (from, to, words) in [
        ("  ca: {file: esb-ca.crt}\n", "", "an https address needs upstream.ca"),
        ("body_bytes: 256MiB", "body_bytes: 1KiB", "is under body"),
        ("connections: 4096", "connections: 0", "at least 1"),
        ("version: 1", "version: 2", "only version 1"),
        ("hosts: [gate.example.com]", "hosts: []", "name at least one"),
    ] {
        assert!(BOOT.contains(from), "{from}");
        let document = BootDocument::read("esbgate.yaml", &BOOT.replacen(from, to, 1)).unwrap();
        let problems = document.check(&Fake).unwrap_err();
        assert!(problems.iter().all(|one| one.message.contains(words)), "{problems:?}");
        assert!(problems[0].line > 0);
    }
}

#[test]
fn what_is_remembered_lies_beside_the_journal_or_where_it_is_said_and_never_within() {
    let state = |boot: &str| {
        let document = BootDocument::read("etc/esbgate.yaml", boot).unwrap();
        document.check(&Fake).map(|boot| boot.state)
    };
    let said = "state: {dir: own}";
    let shown = "state:                               # generations of policy, and what an admin has set; beside the journal if absent\n  dir: /var/lib/esbgate/state\n";
    assert!(BOOT.contains(shown));
    assert_eq!(&*state(&BOOT.replace(shown, "")).unwrap(), "/var/lib/esbgate/state");
    assert_eq!(&*state(&BOOT.replace(shown, said)).unwrap(), "etc/own");
    for wrong in ["/var/lib/esbgate/journal", "/var/lib/esbgate/journal/state", "\"\""] {
        let problems =
            state(&BOOT.replace(shown, &format!("state: {{dir: {wrong}}}"))).unwrap_err();
        assert_eq!(&*problems[0].path, "state.dir", "{wrong}");
    }
}
