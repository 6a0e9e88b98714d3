//! What a rule says besides what it covers, and how it may be spelled.

use esbgate_core::{Allow, Grant, NamedBy};
use esbgate_model::Name;
use jiff::Timestamp;

use super::{EXAMPLE, broken, check};

/// The one rule of the example after `from` was replaced by `to`.
pub(super) fn rule(from: &str, to: &str) -> Grant {
    assert!(EXAMPLE.contains(from), "{from}");
    let (plan, _) = check(&EXAMPLE.replacen(from, to, 1)).unwrap();
    plan.apps.into_iter().next().unwrap().allow.into_iter().next().unwrap()
}

/// The only problem after `from` was replaced by `to`, which has a place.
pub(super) fn problem(from: &str, to: &str) -> crate::Problem {
    let (_, mut problems) = broken(from, to);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let only = problems.remove(0);
    assert!(only.line > 0 && only.snippet.is_some(), "{only:?}");
    only
}

const BUSINESS: &str =
    "business: {ids: [2], sets: [], tenant_sets: [], scopes: [{type: biz_set, id: 9}]}";

#[test]
fn scopes_are_businesses_and_sets_in_the_spelling_of_the_esb() {
    let scopes = "business: {ids: [2], tenant_sets: any, scopes: [{type: biz, id: 2}, {type: biz, id: 3}, {type: biz_set, id: 9}, {type: tenant_set, id: 1}]}";
    let grant = rule(BUSINESS, scopes).business;
    assert_eq!(grant.ids, Allow::Only(vec![2, 3]));
    assert_eq!(grant.sets, Allow::Only(vec![9]));
    assert_eq!(grant.tenant_sets, Allow::Any);
    for (scope, message, hint) in [
        ("{type: bizset, id: 9}", "unknown type of scope", Some("did you mean `biz_set`?")),
        (
            "{type: department, id: 9}",
            "unknown type of scope",
            Some("write biz, biz_set or tenant_set"),
        ),
        ("{type: biz, id: 0}", "the number must be at least 1", None),
        ("{type: biz}", "missing key `id`", None),
    ] {
        let told = problem(BUSINESS, &format!("business: {{ids: [2], scopes: [{scope}]}}"));
        assert_eq!((&*told.message, told.hint.as_deref()), (message, hint));
    }
}

const HOURS: &str = "hours: {days: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"19:00\", zone: Asia/Shanghai, holidays: china}";

#[test]
fn hours_are_those_of_their_zone_and_their_holidays() {
    for (hours, at, holds) in [
        (HOURS, "2027-01-04T10:00+08:00", true),
        (HOURS, "2027-01-04T08:00+08:00", false),
        // A day off, and a Saturday that is made up for it.
        (HOURS, "2027-02-05T10:00+08:00", false),
        (HOURS, "2027-01-30T10:00+08:00", true),
        (
            "hours: {days: any, from: \"22:00\", to: \"06:00\", zone: utc}",
            "2027-01-30T05:59Z",
            true,
        ),
        (
            "hours: {days: any, from: \"00:00\", to: \"24:00\", zone: UTC}",
            "2027-01-30T23:59Z",
            true,
        ),
    ] {
        let grant = rule(HOURS, hours);
        let at: Timestamp = at.parse().unwrap();
        assert_eq!(grant.hours.unwrap().hold(at), holds, "{hours} {at}");
    }
    assert!(rule(HOURS, "#").hours.is_none());
}

#[test]
fn hours_that_mean_nothing_are_told() {
    let of = |members: &str| format!("hours: {{{members}}}");
    let rest = "from: \"09:00\", to: \"19:00\", zone: Asia/Shanghai";
    for (hours, words, hint) in [
        (format!("days: [], {rest}"), "can never match: its hours name no day", "name the days"),
        (rest.into(), "can never match: its hours name no day", "name the days"),
        (format!("days: [monday], {rest}"), "unknown day", "write mon, tue"),
        (
            "days: any, from: \"9:00\", to: \"19:00\", zone: UTC".into(),
            "expected a time",
            "\"09:00\"",
        ),
        (
            "days: any, from: \"+9:00\", to: \"19:00\", zone: UTC".into(),
            "expected a time",
            "\"09:00\"",
        ),
        (
            "days: any, from: \"09:00\", to: \"24:01\", zone: UTC".into(),
            "expected a time",
            "\"09:00\"",
        ),
        (
            "days: any, from: \"09:60\", to: \"24:00\", zone: UTC".into(),
            "expected a time",
            "\"09:00\"",
        ),
        (
            "days: any, from: \"09:00\", to: \"09:00\", zone: UTC".into(),
            "are the same",
            "whole day",
        ),
        (
            "days: any, from: \"09:00\", to: \"10:00\", zone: Asia/Shangai".into(),
            "unknown time zone",
            "did you mean `Asia/Shanghai`?",
        ),
        (
            "days: any, from: \"09:00\", to: \"10:00\", zone: Etc/Unknown".into(),
            "unknown time zone",
            "",
        ),
        (format!("days: any, {rest}, holidays: chine"), "unknown list", "did you mean `china`?"),
    ] {
        let told = problem(HOURS, &of(&hours));
        assert!(told.message.contains(words), "{told:?}");
        assert!(told.hint.as_deref().is_some_and(|said| said.contains(hint)), "{told:?}");
    }
    let told = problem(HOURS, &of("days: any, from: \"24:00\", to: \"19:00\", zone: UTC"));
    assert_eq!(&*told.message, "from is 00:00 to 23:59");
}

const LIST: &str = "work: [\"2027-01-30\", \"2027-02-20\"]";

#[test]
fn a_list_of_holidays_has_dates_and_each_once() {
    for (list, words) in [
        ("work: [\"2027-02-30\"]", "expected a date"),
        ("work: [\"2027-01-30T00:00\"]", "expected a date"),
        ("work: [\"20270130\"]", "expected a date"),
        ("work: [\"2027-01-01\"]", "stands in the list already"),
    ] {
        let told = problem(LIST, list);
        assert!(told.message.contains(words) && &*told.path == "holidays.china", "{told:?}");
    }
    let (_, problems) = broken("\nholidays:\n", "\nholidays:\n  none: {}\n");
    assert!(problems[0].message.contains("names no day"), "{problems:?}");
}

#[test]
fn a_list_that_is_past_and_hours_that_do_not_come_are_warned() {
    let list = EXAMPLE.split("  china:\n").nth(1).unwrap().split("\n# What").next().unwrap();
    let past = EXAMPLE.replace(list, "    off: [\"2026-12-31\"]\n");
    let warnings = check(&past).unwrap().1;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0.message.contains("last day of this list is past"), "{warnings:?}");
    for (last, days) in [("2027-01-01", Some(0)), ("2027-01-31", Some(30)), ("2027-02-01", None)] {
        let warnings = check(&past.replace("2026-12-31", last)).unwrap().1;
        assert_eq!(warnings.len(), usize::from(days.is_some()), "{last}: {warnings:?}");
        if let Some(days) = days {
            let words = format!("is in {days} day(s)");
            assert!(warnings[0].0.message.contains(&words), "{warnings:?}");
        }
    }
    let day = |n: i64| jiff::civil::date(2027, 1, 1) + jiff::SignedDuration::from_hours(24 * n);
    let all: Vec<_> = (-1..380).map(|n| format!("\"{}\"", day(n))).collect();
    let never = EXAMPLE.replace(list, &format!("    off: [{}]\n", all.join(", ")));
    let warnings = check(&never).unwrap().1;
    assert!(warnings[0].0.message.contains("does not hold within the coming year"), "{warnings:?}");
}

const USERS: &str = "users: [svc_deploy, {pattern: \"svc_ci_[a-z]+\"}]";

#[test]
fn an_exemption_names_users_one_by_one_or_by_a_pattern_of_whole_names() {
    let users = "users: [svc_deploy, 007, {pattern: \"svc_[a-z]+\"}, {pattern: ci-.*}]";
    let (plan, _) = check(&EXAMPLE.replacen(USERS, users, 1)).unwrap();
    let exemption = &plan.apps[0].users.exemptions[0];
    for (user, by) in [
        ("svc_deploy", Some(NamedBy::Name)),
        ("007", Some(NamedBy::Name)),
        ("svc_other", Some(NamedBy::Pattern("svc_[a-z]+"))),
        ("ci-", Some(NamedBy::Pattern("ci-.*"))),
        ("svc_other1", None),
        ("a_svc_other", None),
        ("mallory", None),
    ] {
        assert_eq!(exemption.names(&Name::new(user).unwrap()), by, "{user}");
    }
    for (users, words) in [
        ("{pattern: \".*\"}", "it matches the empty text"),
        ("{pattern: \"[a-z]+\"}", "one character over and over"),
        ("{pattern: \"svc_(\"}", "unclosed group"),
        ("{patern: svc_a}", "unknown key `patern`"),
        ("[svc_a]", "expected a name or {pattern: TEXT}"),
        ("\"svc_.*\"", "a name is 1 to 64"),
    ] {
        let told = problem(USERS, &format!("users: [svc_deploy, {users}]"));
        assert!(told.message.contains(words), "{told:?}");
    }
}
