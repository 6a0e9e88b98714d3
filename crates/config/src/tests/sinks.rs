//! Sinks of the start-up file: what they come to, and what is wrong with them and where.

use std::time::Duration;

use super::{BOOT, Fake};
use crate::{BootDocument, Problem, Sink, SinkAddress, SinkTarget};

/// The example with these sinks.
fn check(sinks: &str) -> Result<Vec<Sink>, Vec<Problem>> {
    let (before, rest) = BOOT.split_once("\nsinks:").unwrap();
    let (_, after) = rest.split_once("\nstate:").unwrap();
    let text = format!("{before}\nsinks:\n{sinks}\nstate:{after}");
    let document = BootDocument::read("config/esbgate.yaml", &text)?;
    document.check(&Fake).map(|boot| boot.sinks)
}

fn target(sink: &str) -> SinkTarget {
    check(&format!("  one: {{{sink}}}\n")).unwrap().remove(0).target
}

#[test]
fn the_example_has_one_sink_of_each_target() {
    let boot = BootDocument::read("config/esbgate.yaml", BOOT).unwrap().check(&Fake).unwrap();
    let names: Vec<&str> = boot.sinks.iter().map(|sink| &*sink.name).collect();
    assert_eq!(names, ["center", "collector", "database", "siem"]);
    let kinds = boot.sinks[0].kinds.as_ref().unwrap();
    assert_eq!(kinds.iter().map(|kind| &**kind).collect::<Vec<_>>(), ["intent", "outcome"]);
    assert_eq!(boot.sinks[3].timeout, Duration::from_secs(10));
    assert!(boot.sinks[2].kinds.is_none());
}

#[test]
fn what_is_absent_has_its_default() {
    let SinkTarget::Syslog(syslog) = target("syslog: {address: \"tcp:[::1]:514\"}") else {
        panic!()
    };
    assert_eq!(syslog.address, SinkAddress::Tcp("::1".into(), 514));
    assert!(syslog.confirm_by_close && syslog.tls.is_none());
    assert_eq!((syslog.facility, &*syslog.app_name), (13, "esbgate"));
    assert_eq!((syslog.enterprise, syslog.datagram), (32_473, 8192));
    let SinkTarget::Postgres(postgres) =
        target("postgres: {host: /run/postgresql, database: a, user: b}")
    else {
        panic!()
    };
    assert_eq!(postgres.address, SinkAddress::Unix("/run/postgresql".into()));
    assert_eq!(
        (postgres.port, &*postgres.table, postgres.create),
        (5432, "esbgate_journal", false)
    );
    let SinkTarget::File(file) = target("file: {path: out.jsonl}") else { panic!() };
    assert_eq!((&*file.path, file.rotation), ("config/out.jsonl", None));
    for words in ["confirm: sent", "facility: local7"] {
        let sink = format!("syslog: {{address: \"unix:/dev/log\", {words}}}");
        let SinkTarget::Syslog(syslog) = target(&sink) else { panic!() };
        assert_eq!(syslog.address, SinkAddress::Unix("/dev/log".into()));
        assert_eq!(syslog.confirm_by_close, words != "confirm: sent");
        assert_eq!(syslog.facility, if words == "confirm: sent" { 13 } else { 23 });
    }
}

#[test]
fn every_fault_of_a_sink_has_its_place_and_words() {
    let database =
        |more: &str| format!("postgres: {{host: localhost, database: a, user: b, {more}}}");
    for (sink, words) in [
        ("timeout: 5s".to_owned(), "name exactly one of"),
        ("file: {path: a}, bk_audit: {path: b}".into(), "name exactly one of"),
        ("file: {path: a}, timeout: 0s".into(), "without time nothing"),
        ("file: {path: \"\"}".into(), "name a file"),
        ("file: {path: /var/lib/esbgate/journal/out}".into(), "not be within journal.dir"),
        ("file: {path: a, rotate: {size: 1KiB}}".into(), "from 1MiB on"),
        ("file: {path: a, rotate: {size: 1MiB, keep: 0}}".into(), "1 to 1000"),
        ("file: {path: a}, kinds: []".into(), "gets nothing"),
        ("file: {path: a}, kinds: [intnet]".into(), "unknown kind"),
        ("bk_audit: {path: a}, kinds: [intent]".into(), "both intent and outcome"),
        ("bk_audit: {path: a}, kinds: [intent, outcome, admin]".into(), "made of intent"),
        ("syslog: {address: siem}".into(), "expected an address"),
        ("syslog: {address: \"tcp:siem:0\"}".into(), "expected an address"),
        ("syslog: {address: \"unix:dev\"}".into(), "absolute path"),
        ("syslog: {address: \"tcp:siem.example.com:514\"}".into(), "in clear"),
        ("syslog: {address: \"tcp:siem.example.com:514\", insecure: \" \"}".into(), "in clear"),
        ("syslog: {address: \"unix:/dev/log\", tls: {ca: {file: ca}}}".into(), "no TLS"),
        ("syslog: {address: \"unix:/dev/log\", app_name: \"a b\"}".into(), "printable"),
        ("syslog: {address: \"unix:/dev/log\", datagram: 1KiB}".into(), "2KiB to 128KiB"),
        ("syslog: {address: \"tcp:a:1\", tls: {ca: {file: absent}}}".into(), "cannot be read"),
        (
            "syslog: {address: \"tcp:a:1\", tls: {ca: {file: a}, key: {file: b}}}".into(),
            "come together",
        ),
        ("postgres: {host: db.example.com, database: a, user: b}".into(), "in clear"),
        ("postgres: {host: \"a b\", database: a, user: b}".into(), "expected a host"),
        ("postgres: {host: /run, database: a, user: b, tls: {ca: {file: a}}}".into(), "no TLS"),
        (database("port: 0"), "1 to 65535"),
        (database("password: {env: UNSET}"), "not set"),
        (database("table: \"a;drop\""), "a table is a name"),
        (database("table: a.b.c"), "a table is a name"),
        ("postgres: {host: localhost, database: \"\", user: b}".into(), "name a database"),
    ] {
        let problems = check(&format!("  one: {{{sink}}}\n")).expect_err(&sink);
        assert_eq!(problems.len(), 1, "{sink}: {problems:?}");
        assert!(problems[0].message.contains(words), "{sink}: {problems:?}");
        assert!(&*problems[0].path == "sinks.one" && problems[0].line > 0, "{problems:?}");
    }
    let unclear = check("  one: {syslog: {address: \"tcp:siem.example.com:514\"}}\n").unwrap_err();
    assert!(unclear[0].hint.as_deref().unwrap().contains("insecure"));
    let near = check("  one: {file: {path: a}, kinds: [intnet]}\n").unwrap_err();
    assert!(near[0].hint.as_deref().unwrap().contains("`intent`"));
}

#[test]
fn sinks_have_names_that_are_files_and_files_of_their_own() {
    for name in ["\"\"", "A", "a_b", "a/b", "\"..\""] {
        let problems = check(&format!("  {name}: {{file: {{path: a}}}}\n")).expect_err(name);
        assert!(problems[0].message.contains("1 to 64 of"), "{problems:?}");
    }
    let twice = "  one: {file: {path: a}}\n  two: {bk_audit: {path: a}}\n";
    assert!(check(twice).unwrap_err()[0].message.contains("the sink one writes this file"));
    check("").unwrap();
}
