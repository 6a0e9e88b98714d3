//! Edits that allow more in a way that their words hide.

use super::{SAME, edit, plan, with};

fn widens(old: &str, new: &str) -> bool {
    plan(old).diff(&plan(new)).iter().any(|change| change.effect.is_widening())
}

#[test]
fn a_name_that_becomes_a_pattern_of_the_same_letters_is_a_widening() {
    let name = edit("users: [svc_deploy]", "users: [svc.deploy]");
    let pattern = edit("users: [svc_deploy]", "users: [{pattern: \"svc.deploy\"}]");
    let tight = edit("users: [svc_deploy]", "users: [{pattern: 'svc\\.[a-z]+'}]");
    // The dot of a pattern is any character: svc_deploy may be named, who could not be before.
    assert!(widens(&name, &pattern));
    assert!(widens(&tight, &pattern), "the text of the pattern is a name that the old one matches");
    assert!(!widens(&tight, &name));
    assert!(!widens(&pattern, &pattern));
}

#[test]
fn a_ceiling_that_is_only_watched_does_not_hide_how_many_hosts_a_rule_gains() {
    let watched = |hosts: &str| {
        let text = edit("topology: [{id: 7, node_type: module}]", "topology: []");
        let text = text.replacen("hosts: 50 ", &format!("hosts: {hosts} "), 1);
        let shadow = text.replacen("      shadow: false ", "      shadow: true ", 1);
        assert_ne!(shadow, text);
        shadow
    };
    assert!(widens(&watched("50"), &watched("60")));
    assert!(!widens(&watched("60"), &watched("50")));
}

#[test]
fn no_rule_gets_ahead_of_one_with_a_budget_unseen() {
    let line = "        callbacks: [\"https://ci.example.com/job/\"]";
    let budget = format!("{line}\n        calls: {{per_second: 1, burst: 2}}");
    let spent: &[(&str, &str)] = &[(line, &budget)];
    let other: &[(&str, &str)] = &[("ids: [2]", "ids: [3]")];
    let both: &[(&str, &str)] = &[("ids: [2]", "ids: [2, 3]")];
    let old = with(&[("x", spent), ("y", SAME)]);
    assert!(widens(&old, &with(&[("z", SAME), ("x", spent)])), "y under another name");
    assert!(widens(&old, &with(&[("z", SAME), ("x", spent), ("y", SAME)])), "a copy of y");
    let old = with(&[("a", other), ("x", spent), ("y", SAME)]);
    assert!(widens(&old, &with(&[("a", both), ("x", spent), ("y", SAME)])), "a takes them too");
    assert!(!widens(&old, &with(&[("b", other), ("x", spent), ("y", SAME)])), "as before");
}

#[test]
fn what_makes_calls_cheaper_may_widen() {
    // A node is counted as the rule's hosts: with fewer, the same budget lasts for more calls.
    let hosts = |most: &str| edit("hosts: 50 ", &format!("hosts: {most} "));
    assert!(widens(&hosts("50"), &hosts("1")));
    assert!(!widens(&hosts("50"), &hosts("50")));
    // Content that is pinned has no weight of its own.
    let pinned = |hash: &str| {
        let text = edit("sha256: []}", &format!("sha256: [{hash}]}}"));
        text.replace("content: [shell, python]", "content: any").replace("reviewed_only", "warn")
    };
    let hash = format!("\"{}\"", "ab".repeat(32));
    assert!(widens(&pinned(""), &pinned(&hash)));
    let free = |text: String| text.replace("{content: 2, accounts", "{accounts");
    assert!(!widens(&free(pinned("")), &free(pinned(&hash))));
}
