//! What a diff says of edits that people make.

mod dodges;

use jiff::Timestamp;

use super::{EXAMPLE, Fake};
use crate::{Change, Effect, OfflinePlan};

/// The shipped policy without budgets and hours of the rule, which let nothing but a rule of the same name stand for it.
fn plain() -> String {
    let mut text = EXAMPLE.to_owned();
    for (from, to) in [
        (
            "\n        hours: {days: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"19:00\", zone: Asia/Shanghai, holidays: china}",
            "",
        ),
        ("\n        calls: {per_second: 1, burst: 2, shadow: false}", ""),
        (
            "\n        hosts: {per_call: 50, per_minute: 60, burst: 300, per_day: 2000, day_burst: 400, shadow: false}",
            "",
        ),
        ("in_flight: 8, shadow: false}", "in_flight: 8}"),
        ("users: [svc_deploy, {pattern: \"svc_ci_[a-z]+\"}]", "users: [svc_deploy]"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn plan(text: &str) -> OfflinePlan {
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let document = super::read("p.yaml", text).unwrap();
    document.check_alone(&Fake, now).unwrap().0
}

fn edit(from: &str, to: &str) -> String {
    let plain = plain();
    assert!(plain.contains(from), "{from}");
    plain.replacen(from, to, 1)
}

/// Each change as `effect key: text`.
fn told(changes: &[Change]) -> Vec<String> {
    let line = |one: &Change| format!("{} {}: {}", one.effect.as_str(), one.key, one.text);
    changes.iter().map(line).collect()
}

fn diff(old: &str, new: &str) -> Vec<String> {
    told(&plan(old).diff(&plan(new)))
}

#[test]
fn every_key_that_grants_something_is_told_in_both_directions() {
    let shipped = plan(&plain());
    for (from, to, wider, narrower) in [
        (
            "ips: [10.0.0.0/8]",
            "ips: [10.0.0.0/8, 11.0.0.0/8]",
            "widens targets.ips: gains 11.0.0.0/8",
            "narrows targets.ips: loses 11.0.0.0/8",
        ),
        (
            "ips: [10.0.0.0/8]",
            "ips: any",
            "widens targets.ips: gains any",
            "narrows targets.ips: loses any",
        ),
        (
            "except: [10.0.0.0/24]",
            "except: []",
            "widens targets.except: gains without 10.0.0.0/24",
            "narrows targets.except: loses without 10.0.0.0/24",
        ),
        (
            "clouds: [0]",
            "clouds: [0, 3]",
            "widens targets.clouds: gains 3",
            "narrows targets.clouds: loses 3",
        ),
        (
            "groups: []",
            "groups: [g]",
            "widens targets.groups: gains g",
            "narrows targets.groups: loses g",
        ),
        (
            "topology: [{id: 7, node_type: module}]",
            "topology: [{id: 7, node_type: module}, {id: 8, node_type: set}]",
            "widens targets.topology: gains set 8",
            "narrows targets.topology: loses set 8",
        ),
        (
            "business: {ids: [2], sets",
            "business: {ids: [2, 4], sets",
            "widens business.ids: gains 4",
            "narrows business.ids: loses 4",
        ),
        (
            "sets: []",
            "sets: [7]",
            "widens business.sets: gains 7",
            "narrows business.sets: loses 7",
        ),
        (
            "tenant_sets: []",
            "tenant_sets: [7]",
            "widens business.tenant_sets: gains 7",
            "narrows business.tenant_sets: loses 7",
        ),
        (
            "aliases: [www]",
            "aliases: [www, root]",
            "widens accounts.aliases: gains root",
            "narrows accounts.aliases: loses root",
        ),
        (
            "ids: [1000]",
            "ids: any",
            "widens accounts.ids: gains any",
            "narrows accounts.ids: loses any",
        ),
        (
            "content: [shell, python]",
            "content: [shell, python, perl]",
            "widens scripts.content: gains perl",
            "narrows scripts.content: loses perl",
        ),
        (
            "versions: []",
            "versions: [12]",
            "widens scripts.versions: gains 12",
            "narrows scripts.versions: loses 12",
        ),
        (
            "sha256: []",
            "sha256: [\"60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752\"]",
            "widens scripts.sha256: gains 60303ae2…",
            "narrows scripts.sha256: loses 60303ae2…",
        ),
        (
            "[fast_execute_script]\n        business",
            "[fast_execute_script, get_job_plan_list]\n        business",
            "widens components: gains get_job_plan_list",
            "narrows components: loses get_job_plan_list",
        ),
        (
            "callbacks: [\"https://ci.example.com/job/\"]",
            "callbacks: [\"https://ci.example.com/\"]",
            "widens callbacks: gains https://ci.example.com/",
            "narrows callbacks: loses https://ci.example.com/",
        ),
        (
            "token: true ",
            "token: false ",
            "narrows users.token: is switched off",
            "widens users.token: is switched on",
        ),
        (
            "users: [svc_deploy]",
            "users: [svc_deploy, ops]",
            "widens users.exemptions: ops may be named without a token until 2027-01-31T16:00:00Z",
            "narrows users.exemptions: ops may not be named without a token",
        ),
        (
            "expires: \"2027-02-01T00:00+08:00\"}",
            "expires: \"2027-03-01T00:00Z\"}",
            "widens users.exemptions: svc_deploy may be named until 2027-03-01T00:00:00Z, not 2027-01-31T16:00:00Z",
            "narrows users.exemptions: svc_deploy may be named until 2027-01-31T16:00:00Z, not 2027-03-01T00:00:00Z",
        ),
        (
            "          expires: \"2027-06-30T00:00+08:00\"\n",
            "",
            "widens proofs: a key holds for good, not until 2027-06-29T16:00:00Z",
            "narrows proofs: a key holds until 2027-06-29T16:00:00Z, not for good",
        ),
        (
            "      - jwt: {issuer: apigw}\n",
            "",
            "narrows proofs: loses tokens of issuer apigw",
            "widens proofs: gains tokens of issuer apigw",
        ),
        (
            "certificate: {dns: deploy.example.com}",
            "certificate: {dns: b.example.com}",
            "widens proofs: gains a certificate for DNS b.example.com",
            "widens proofs: gains a certificate for DNS deploy.example.com",
        ),
        (
            "acts_as: ops_gateway ",
            "acts_as: other ",
            "may_widen acts_as: ops_gateway becomes other",
            "may_widen acts_as: other becomes ops_gateway",
        ),
        (
            "unknown_fields: refuse",
            "unknown_fields: drop",
            "widens unknown_fields: drop: is switched on",
            "narrows unknown_fields: drop: is switched off",
        ),
        (
            "start_task: false",
            "start_task: true",
            "widens fields.start_task: is switched on",
            "narrows fields.start_task: is switched off",
        ),
        (
            "timeout_max: 86400",
            "timeout_max: 99999",
            "widens fields.timeout_max: 86400 becomes 99999",
            "narrows fields.timeout_max: 99999 becomes 86400",
        ),
        (
            "{per_second: 5, burst: 10, in_flight: 8}",
            "{per_second: 6, burst: 10, in_flight: 8}",
            "widens calls.per_second: 5 becomes 6",
            "narrows calls.per_second: 6 becomes 5",
        ),
        (
            "in_flight: 8}",
            "in_flight: 9}",
            "widens calls.in_flight: 8 becomes 9",
            "narrows calls.in_flight: 9 becomes 8",
        ),
        (
            "      per_minute: 300\n",
            "      per_minute: 400\n",
            "widens hosts.per_minute: 300 becomes 400",
            "narrows hosts.per_minute: 400 becomes 300",
        ),
        (
            "      burst: 300\n",
            "      burst: 301\n",
            "widens hosts.burst: 300 becomes 301",
            "narrows hosts.burst: 301 becomes 300",
        ),
        (
            "http_status: real",
            "http_status: esb",
            "changes http_status: real becomes esb",
            "changes http_status: esb becomes real",
        ),
        (
            "owner: ops@example.com",
            "owner: new@example.com",
            "changes owner: ops@example.com becomes new@example.com",
            "changes owner: new@example.com becomes ops@example.com",
        ),
        (
            "leeway: 60s",
            "leeway: 90s",
            "widens issuers.apigw.leeway in ms: 60000 becomes 90000",
            "narrows issuers.apigw.leeway in ms: 90000 becomes 60000",
        ),
        (
            "audience: esbgate ",
            "audience: other ",
            "may_widen issuers.apigw.audience: esbgate becomes other",
            "may_widen issuers.apigw.audience: other becomes esbgate",
        ),
        (
            "action: warn",
            "action: deny",
            "narrows risks.shutdown.action: warn becomes deny",
            "widens risks.shutdown.action: deny becomes warn",
        ),
        (
            "languages: [bat, powershell]",
            "languages: [bat]",
            "widens risks.windows-wipe.languages: does not read powershell any more",
            "narrows risks.windows-wipe.languages: reads powershell too",
        ),
        (
            "(curl|wget)",
            "(curl|wget|fetch)",
            "may_widen risks.pipe-to-shell.match",
            "may_widen risks.pipe-to-shell.match",
        ),
        (
            "action: warn",
            "action: observe",
            "changes risks.shutdown.action: warn becomes observe",
            "changes risks.shutdown.action: observe becomes warn",
        ),
    ] {
        let edited = plan(&edit(from, to));
        let (there, back) = (told(&shipped.diff(&edited)), told(&edited.diff(&shipped)));
        assert!(there.iter().any(|line| line.starts_with(wider)), "{to}: {there:#?}");
        assert!(back.iter().any(|line| line.starts_with(narrower)), "{to}: {back:#?}");
        assert!(there.len() <= 2 && back.len() <= 2, "{there:#?} {back:#?}");
    }
    assert!(shipped.diff(&plan(&plain())).is_empty());
}

/// The example with these rules, each the shipped one after some edits.
fn with(rules: &[(&str, &[(&str, &str)])]) -> String {
    let plain = plain();
    let at = plain.find("      - name: restart the web tier").unwrap();
    let (head, shipped) = plain.split_at_checked(at).unwrap();
    // No test of the policy names a rule that is not there.
    let head = head.replace("{allowed: restart the web tier, ", "{allowed: true, ");
    let rule = |(name, edits): &(&str, &[(&str, &str)])| {
        let named = shipped.replace("restart the web tier", name);
        edits.iter().fold(named, |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    };
    head + &rules.iter().map(rule).collect::<String>()
}

const SAME: &[(&str, &str)] = &[];

#[test]
fn rules_are_compared_as_what_they_cover() {
    let one = with(&[("x", SAME)]);
    let halves: [&[(&str, &str)]; 2] =
        [&[("[10.0.0.0/8]", "[10.0.0.0/9]")], &[("[10.0.0.0/8]", "[10.128.0.0/9]")]];
    let split = with(&[("x1", halves[0]), ("x2", halves[1])]);
    let apart: [&[(&str, &str)]; 2] =
        [&[("[shell, python]", "[shell]")], &[("[shell, python]", "[python]")]];
    let by_language = with(&[("x1", apart[0]), ("x2", apart[1])]);
    let effects = |old: &str, new: &str| -> Vec<Effect> {
        plan(old).diff(&plan(new)).iter().map(|change| change.effect).collect()
    };
    use Effect::{Changes, MayWiden, Narrows, Widens};
    // A new name for the same.
    assert_eq!(effects(&one, &with(&[("y", SAME)])), [Changes, Changes]);
    // The same in another order, and twice.
    assert_eq!(effects(&split, &with(&[("x2", halves[1]), ("x1", halves[0])])), []);
    assert_eq!(effects(&one, &with(&[("x", SAME), ("y", SAME)])), [Changes]);
    // A call names one language, so two rules cover all that one did.
    assert_eq!(effects(&one, &by_language), [Changes, Changes, Changes]);
    assert_eq!(effects(&by_language, &one), [Changes, Changes, Changes]);
    // It names several hosts, so two rules cover less, and one for both allows what neither did.
    assert_eq!(effects(&one, &split), [Changes, Changes, Narrows]);
    assert_eq!(effects(&split, &one), [MayWiden, Changes, Changes]);
    // What is new beside the old, and what is not.
    let wider: &[(&str, &str)] = &[("[10.0.0.0/8]", "[11.0.0.0/8]")];
    assert_eq!(effects(&one, &with(&[("x", SAME), ("z", wider)])), [Widens]);
    assert_eq!(effects(&with(&[("x", SAME), ("z", wider)]), &one), [Narrows]);
    let inside: &[(&str, &str)] = &[("[10.0.0.0/8]", "[10.1.0.0/16]")];
    assert_eq!(effects(&one, &with(&[("x", SAME), ("z", inside)])), [Changes]);
    // A ceiling of hosts that the application has anyway.
    let ceiling: &[(&str, &str)] = &[
        ("hosts: 50  ", "hosts: 40  "),
        ("topology: [{id: 7, node_type: module}]", "topology: []"),
    ];
    let none: &[(&str, &str)] = &[
        ("          hosts: 50  ", "          #"),
        ("topology: [{id: 7, node_type: module}]", "topology: []"),
    ];
    assert_eq!(effects(&with(&[("x", none)]), &with(&[("x", ceiling)])), [Narrows]);
    assert_eq!(effects(&with(&[("x", ceiling)]), &with(&[("x", none)])), [Widens]);
}

#[test]
fn applications_come_and_go() {
    let more = "  z: {owner: x, acts_as: ops_gateway, proofs: [{certificate: {dns: z}}]}\n";
    let with = format!("{}{more}", plain());
    assert_eq!(
        diff(&plain(), &with),
        ["widens apps: the application is new, and acts as ops_gateway"]
    );
    assert_eq!(diff(&with, &plain()), ["narrows apps: the application is gone"]);
    let changes = plan(&plain()).diff(&plan(&with));
    assert_eq!(changes[0].app.as_deref(), Some("z"));
    let empty = diff("version: 1\n", &plain());
    for words in [
        "widens issuers.apigw",
        "narrows risks.wipe-root",
        "widens users.token",
        "widens allow: is new: components: fast_execute_script; business.ids: 2",
    ] {
        assert!(empty.iter().any(|line| line.starts_with(words)), "{words}: {empty:#?}");
    }
}

#[test]
fn defaults_count_where_they_reach() {
    let reached = edit("calls: {per_second: 5, burst: 10, in_flight: 8}", "calls: {}");
    let raised =
        reached.replace("calls: {per_second: 10, burst: 20,", "calls: {per_second: 20, burst: 20,");
    assert_eq!(diff(&reached, &raised), ["widens calls.per_second: 10 becomes 20"]);
    assert!(
        diff(
            &plain(),
            &edit("calls: {per_second: 10, burst: 20,", "calls: {per_second: 20, burst: 20,")
        )
        .is_empty()
    );
}

#[test]
fn a_risk_rule_that_another_replaces_is_no_widening() {
    let renamed = &plain().replace("wipe-root", "root-wipe");
    let said = diff(&plain(), renamed);
    assert_eq!(
        said,
        [
            "narrows risks.root-wipe: is new: deny",
            "changes risks.wipe-root: is gone; root-wipe does the same",
        ]
    );
    let milder = renamed.replacen("action: deny", "action: warn", 1);
    assert!(diff(&plain(), &milder).contains(&"widens risks.wipe-root: is gone: deny".to_owned()));
}

#[test]
fn nothing_that_could_be_a_secret_is_told() {
    let other =
        &plain().replace("9f86d081884c7d659a2feaa0c55ad015", "00000000884c7d659a2feaa0c55ad015");
    let said = diff(&plain(), other);
    assert_eq!(said.len(), 2);
    assert!(
        said.iter().all(|line| !line.contains("9f86d081") && !line.contains("884c7d65")),
        "{said:?}"
    );
}

/// The plain example with hours and budgets of the rule.
fn ruled(more: &str) -> String {
    let rule = "        callbacks: [\"https://ci.example.com/job/\"]";
    edit(rule, &format!("{rule}\n{more}"))
}

#[test]
fn hours_and_budgets_of_a_rule_are_compared_in_both_directions() {
    let hours = |from: &str, days: &str| {
        ruled(&format!(
            "        hours: {{days: [{days}], from: \"{from}\", to: \"19:00\", zone: Asia/Shanghai}}"
        ))
    };
    let calls = |burst: u32, shadow: bool| {
        ruled(&format!("        calls: {{per_second: 1, burst: {burst}, shadow: {shadow}}}"))
    };
    let widens = |old: &str, new: &str| {
        plan(old).diff(&plan(new)).iter().any(|change| change.effect.is_widening())
    };
    let narrows = |old: &str, new: &str| {
        plan(old).diff(&plan(new)).iter().any(|change| change.effect == Effect::Narrows)
    };
    for (wide, tight) in [
        (plain(), hours("09:00", "mon")),
        (hours("08:00", "mon"), hours("09:00", "mon")),
        (hours("09:00", "mon, tue"), hours("09:00", "mon")),
        (plain(), calls(2, false)),
        (calls(3, false), calls(2, false)),
        (calls(2, true), calls(2, false)),
        (plain(), ruled("        hosts: {per_call: 50, per_minute: 60, burst: 300}")),
        (ruled("        hosts: {per_call: 60}"), ruled("        hosts: {per_call: 50}")),
    ] {
        assert!(widens(&tight, &wide) && !widens(&wide, &tight), "{tight}");
        assert!(narrows(&wide, &tight), "{tight}");
    }
    // Watched alone, or none: the same calls pass.
    assert!(!widens(&plain(), &calls(2, true)) && !widens(&calls(2, true), &plain()));
}

#[test]
fn a_budget_that_is_passed_by_is_a_widening() {
    let budget = "        callbacks: [\"https://ci.example.com/job/\"]\n        calls: {per_second: 1, burst: 2}";
    let spent: &[(&str, &str)] =
        &[("        callbacks: [\"https://ci.example.com/job/\"]", budget)];
    let less: &[(&str, &str)] = &[spent[0], ("[10.0.0.0/8]", "[10.0.0.0/9]")];
    let before = with(&[("x", spent), ("y", SAME)]);
    let may_widen = |new: &str| {
        plan(&before).diff(&plan(new)).iter().any(|change| change.effect == Effect::MayWiden)
    };
    assert!(!may_widen(&before));
    // It is gone, comes later, covers less: its calls are those of the rule behind it, which has no budget.
    assert!(may_widen(&with(&[("y", SAME)])));
    assert!(may_widen(&with(&[("y", SAME), ("x", spent)])));
    assert!(may_widen(&with(&[("x", less), ("y", SAME)])));
}

#[test]
fn what_is_stopped_no_more_or_for_less_is_a_widening() {
    let frozen = |entries: &str| edit("freeze: []", &format!("freeze: [{entries}]"));
    let week =
        "{app: deploy_bot, reason: r, from: \"2027-02-01T00:00Z\", until: \"2027-02-08T00:00Z\"}";
    let longer = week.replace("02-08", "02-09");
    let everything = "{everything: true, reason: r}";
    let effects = |old: &str, new: &str| -> Vec<Effect> {
        plan(&frozen(old)).diff(&plan(&frozen(new))).iter().map(|one| one.effect).collect()
    };
    assert_eq!(effects("", week), [Effect::Narrows]);
    assert_eq!(effects(week, ""), [Effect::Widens]);
    assert_eq!(effects(week, &longer), [Effect::Narrows]);
    assert_eq!(effects(&longer, week), [Effect::Widens]);
    assert_eq!(effects(week, everything), [Effect::Narrows]);
    assert_eq!(effects(everything, week), [Effect::Widens]);
    assert_eq!(effects(week, &week.replace("reason: r", "reason: another")), []);
}

#[test]
fn a_leeway_that_is_written_out_is_compared_with_the_default() {
    let absent = edit("    leeway: 60s", "");
    assert_eq!(diff(&absent, &plain()), [""; 0]);
    let narrower = edit("leeway: 60s", "leeway: 10s");
    assert_eq!(
        diff(&absent, &narrower),
        ["narrows issuers.apigw.leeway in ms: 60000 becomes 10000"]
    );
}
