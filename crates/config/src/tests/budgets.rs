//! Numbers of applications and of their rules: what they become, what they must agree on, what is only told.

use std::{num::NonZeroU32, time::Duration};

use esbgate_core::{Binding, GrantLimits, Ledger, Limits, Metrics, Policy, Quota, Shadow, Weights};
use esbgate_model::Name;

use super::check;
use crate::{Plan, Problem, Warning};

/// A policy with these members of `defaults`, of its application and of its rule.
fn policy(defaults: &str, app: &str, rule: &str) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    check(&format!(
        r#"version: 1
defaults: {{{defaults}}}
apps:
  bot:
    owner: ops
    proofs: [{{certificate: {{dns: bot.example.com}}}}]
    users: {{token: true}}
    acts_as: ops_gateway
    {app}
    allow:
      - name: rule
        components: [fast_execute_script]
        business: {{ids: [2]}}
        accounts: {{aliases: [www], ids: [7]}}
        scripts: {{content: [shell]}}
        targets: {{ips: [10.0.0.0/8], clouds: [0]}}
        {rule}
"#
    ))
}

fn numbers(defaults: &str, app: &str, rule: &str) -> (Limits, Weights, GrantLimits) {
    let (plan, warnings) = policy(defaults, app, rule).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let app = plan.apps.into_iter().next().unwrap();
    (app.limits, app.weights, app.allow[0].limits)
}

fn quota(rate: u32, seconds: u64, burst: u32) -> Quota {
    let number = |n| NonZeroU32::new(n).unwrap();
    Quota::new(number(rate), Duration::from_secs(seconds), number(burst))
}

#[test]
fn each_number_of_an_application_falls_back_to_the_defaults_and_those_to_ours() {
    let (ours, ..) = numbers("", "#", "#");
    assert_eq!((ours.calls, ours.host_runs), (quota(10, 1, 20), quota(600, 60, 600)));
    assert_eq!((ours.hosts_per_day, ours.shadow), (None, Shadow::default()));
    let defaults = "calls: {burst: 30, shadow: true}, hosts: {per_day: 100, day_burst: 200, weights: {content: 2}}";
    let (limits, weights, _) = numbers(defaults, "hosts: {day_burst: 300, shadow: true}", "#");
    assert_eq!((limits.calls, limits.in_flight), (quota(10, 1, 30), 16));
    assert_eq!(limits.hosts_per_day, Some(quota(100, 86_400, 300)));
    assert_eq!(limits.shadow, Shadow { calls: true, hosts: true });
    assert_eq!(weights.heaviest(true, |_| true), 2);
    let own = "calls: {shadow: false}\n    hosts: {per_call: 50, weights: {accounts: {www: 3}}}";
    let (limits, weights, _) = numbers(defaults, own, "#");
    assert!(!limits.shadow.calls);
    assert_eq!(weights.heaviest(true, |name| name == "www"), 3);
}

#[test]
fn a_rule_has_the_budgets_that_it_names_and_no_other() {
    assert_eq!(numbers("", "#", "#").2, GrantLimits::default());
    let rule = "calls: {per_second: 1, burst: 2, shadow: true}\n        hosts: {per_call: 50, per_day: 9, day_burst: 60}";
    let (.., limits) = numbers("", "#", rule);
    assert_eq!(
        limits,
        GrantLimits {
            calls: Some(quota(1, 1, 2)),
            host_runs: None,
            hosts_per_day: Some(quota(9, 86_400, 60)),
            hosts_per_call: Some(50),
            shadow: Shadow { calls: true, hosts: false },
        }
    );
}

#[test]
fn numbers_that_do_not_agree_are_told() {
    for (app, rule, words) in [
        ("hosts: {per_day: 5}", "#", "per_day needs day_burst"),
        ("hosts: {day_burst: 5}", "#", "day_burst needs per_day"),
        ("hosts: {per_day: 0, day_burst: 500}", "#", "at least 1"),
        (
            "hosts: {per_day: 5, day_burst: 99}",
            "#",
            "hosts.per_call 100 is over hosts.day_burst 99",
        ),
        ("hosts: {per_call: 601}", "#", "hosts.per_call 601 is over hosts.burst 600"),
        (
            "hosts: {weights: {content: 2, accounts: {root: 4}}}",
            "#",
            "hosts.per_call 100 × weight 8 is over hosts.burst 600",
        ),
        ("hosts: {weights: {content: 0}}", "#", "the number must be at least 1"),
        (
            "hosts: {per_call: 1, weights: {accounts: {root: 1001}}}",
            "#",
            "the number must be at most 1000",
        ),
        ("hosts: {weights: {contents: 2}}", "#", "unknown key `contents`"),
        ("hosts: {shadow: 1}", "#", "expected true or false"),
        ("hosts: {per_day: 1, day_burst: 36501}", "#", "more than 100 years"),
        ("hosts: {per_minute: 1, burst: 4294967295}", "#", "more than 100 years"),
        ("calls: {per_second: 1, burst: 4294967295}", "#", "more than 100 years"),
        ("#", "hosts: {per_day: 1, day_burst: 4294967295}", "more than 100 years"),
        ("#", "calls: {per_second: 1}", "per_second needs burst"),
        ("#", "calls: {burst: 1}", "burst needs per_second"),
        ("#", "calls: {per_second: 1, burst: 0}", "at least 1"),
        ("#", "calls: {in_flight: 1}", "unknown key `in_flight`"),
        ("#", "hosts: {per_call: 0}", "at least 1"),
        ("#", "hosts: {per_minute: 1}", "per_minute needs burst"),
        ("#", "hosts: {per_day: 1}", "per_day needs day_burst"),
        (
            "#",
            "hosts: {per_minute: 1, burst: 99}",
            "a call of 100 hosts × weight 1 is over the rule's hosts.burst 99",
        ),
        (
            "hosts: {weights: {content: 2, accounts: {\"7\": 3, root: 99}}, per_call: 3}",
            "hosts: {per_call: 2, per_day: 1, day_burst: 11}",
            "a call of 2 hosts × weight 6 is over the rule's hosts.day_burst 11",
        ),
    ] {
        let problems = policy("", app, rule).unwrap_err();
        assert_eq!(problems.len(), 1, "{app} {rule}: {problems:?}");
        assert!(problems[0].message.contains(words), "{app} {rule}: {problems:?}");
        assert!(problems[0].line > 0 && problems[0].snippet.is_some(), "{problems:?}");
    }
    let at_defaults = policy("hosts: {per_call: 9, burst: 8}", "#", "#").unwrap_err();
    assert_eq!((at_defaults.len(), at_defaults[0].line), (1, 2), "{at_defaults:?}");
}

#[test]
fn the_smaller_ceiling_wins_and_a_budget_that_never_binds_is_told() {
    for (rule, words) in [
        ("hosts: {per_call: 101}", "the application's hosts.per_call 100 is smaller"),
        ("calls: {per_second: 10, burst: 20}", "never binds: the application's calls"),
        ("hosts: {per_minute: 700, burst: 600}", "the application's hosts.per_minute"),
        ("hosts: {shadow: true}", "no limit of this rule"),
        ("calls: {shadow: true}", "no limit of this rule"),
    ] {
        let (_, warnings) = policy("", "#", rule).unwrap();
        assert_eq!(warnings.len(), 1, "{rule}: {warnings:?}");
        assert!(warnings[0].0.message.contains(words), "{warnings:?}");
    }
    // Slower or less at once binds.
    numbers("", "#", "calls: {per_second: 9, burst: 30}");
    numbers("", "#", "hosts: {per_minute: 1000, burst: 100}");
}

#[test]
fn a_weighed_account_that_no_rule_covers_is_told() {
    let app =
        |accounts: &str| format!("hosts: {{per_call: 9, weights: {{accounts: {{{accounts}}}}}}}");
    let (_, warnings) = policy("", &app("wwww: 2, www: 2, \"7\": 2, \"8\": 2"), "#").unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().all(|one| one.0.message.contains("no rule of the application covers")));
    // Weights for everybody name accounts that not everybody uses.
    let defaults = "hosts: {per_call: 9, weights: {accounts: {root: 2}}}";
    assert!(policy(defaults, "#", "#").unwrap().1.is_empty());
}

#[test]
fn what_a_group_counts_as_is_held_against_the_smallest_ceiling_that_is_enforced() {
    let group = "targets: {groups: [\"1:a\"], hosts: 50}";
    let rule = |more: &str| {
        let text = policy_text(group, more);
        check(&text).map(|(_, warnings)| warnings)
    };
    let problems = rule("hosts: {per_call: 49}").unwrap_err();
    assert!(
        problems[0].message.contains("counts as 50 hosts, over hosts.per_call 49"),
        "{problems:?}"
    );
    rule("hosts: {per_call: 50}").unwrap();
    rule("hosts: {per_call: 49, shadow: true}").unwrap();
}

fn policy_text(targets: &str, rule: &str) -> String {
    format!(
        r#"version: 1
apps:
  bot:
    owner: ops
    proofs: [{{certificate: {{dns: bot.example.com}}}}]
    users: {{token: true}}
    acts_as: ops_gateway
    allow:
      - name: rule
        components: [fast_execute_script]
        business: {{ids: [2]}}
        accounts: {{aliases: any}}
        scripts: {{ids: any}}
        {targets}
        {rule}
"#
    )
}

#[test]
fn what_a_rule_has_spent_stays_spent_when_rule_or_limit_go_and_come_back() {
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let mut ledger = Ledger::default();
    let mut bind = |app: &str, rule: &str| {
        let (plan, _) = policy("", app, rule).unwrap();
        plan.bind(Binding { generation: 1, ledger: &mut ledger, metrics: &metrics })
    };
    let all = NonZeroU32::new(100).unwrap();
    let state = |policy: &Policy| policy.apps[&Name::new("bot").unwrap()].state.clone();
    let app = "hosts: {per_day: 10, day_burst: 100}";
    let rule = "calls: {per_second: 1, burst: 100}\n        hosts: {per_minute: 1, burst: 100, per_day: 1, day_burst: 100}";
    let first = state(&bind(app, rule));
    let own = &first.rules[0];
    for budget in [&own.calls, &own.host_runs, &own.hosts_per_day, &first.hosts_per_day] {
        budget.as_ref().unwrap().take(all, Duration::ZERO).unwrap().0.keep();
    }
    let bare = state(&bind("#", "#"));
    assert!(bare.rules[0].calls.is_none() && bare.hosts_per_day.is_none());
    let other = state(&bind(
        app,
        &format!(
            "{rule}\n      - {{name: other, components: [get_job_plan_list], business: {{ids: [2]}}, calls: {{per_second: 1, burst: 1}}}}"
        ),
    ));
    assert!(other.rules[1].calls.as_ref().unwrap().take(NonZeroU32::MIN, Duration::ZERO).is_ok());
    let again = state(&bind(app, rule));
    let own = &again.rules[0];
    for budget in [&own.calls, &own.host_runs, &own.hosts_per_day, &again.hosts_per_day] {
        assert!(budget.as_ref().unwrap().take(NonZeroU32::MIN, Duration::ZERO).is_err());
    }
}
