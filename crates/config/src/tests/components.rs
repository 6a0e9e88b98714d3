//! What a rule must say for the components that it names.

use esbgate_model::{Component, Reach};

use super::check;

/// The messages about a policy with this one rule.
fn messages(rule: &str) -> Vec<String> {
    let text = format!(
        r#"version: 1
defaults:
  calls: {{per_second: 1, burst: 1, in_flight: 1}}
  hosts: {{per_call: 100, per_minute: 100, burst: 100}}
apps:
  bot:
    owner: ops
    proofs: [{{certificate: {{dns: bot.example.com}}}}]
    users: {{token: true}}
    acts_as: ops_gateway
    fields: {{host_id_list: true}}
    allow:
      - {{name: rule, {rule}}}
"#
    );
    let problems = check(&text).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.message.into()).collect()
}

const SCRIPTS: &str = "scripts: {content: any, ids: any, versions: any}";
const HOSTS: &str = "accounts: {aliases: any, ids: any}, targets: {ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 5}";

#[test]
fn a_rule_says_any_where_a_component_that_it_names_could_reach() {
    for component in Component::all().filter(|c| *c != Component::fast_execute_script()) {
        let name = component.name();
        let bare = format!("components: [{name}], business: {{ids: [2]}}");
        let needs = messages(&bare).iter().any(|text| text.contains("cannot be held against"));
        assert_eq!(needs, component.reach() != Reach::Nothing, "{name}");
        let more = match component.reach() {
            Reach::Nothing => String::new(),
            Reach::Scripts => format!(", {SCRIPTS}"),
            Reach::Hosts => format!(", {SCRIPTS}, {HOSTS}"),
        };
        assert_eq!(messages(&format!("{bare}{more}")), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn one_dimension_that_is_not_any_is_not_enough() {
    let whole = format!("components: [save_cron], business: {{ids: [2]}}, {SCRIPTS}, {HOSTS}");
    for (any, less) in [
        ("content: any", "content: [shell]"),
        ("scripts: {content: any, ids: any", "scripts: {content: any, ids: [s]"),
        ("versions: any", "versions: [7]"),
        ("aliases: any", "aliases: [root]"),
        ("accounts: {aliases: any, ids: any}", "accounts: {aliases: any, ids: [7]}"),
        ("ips: any", "ips: [10.0.0.0/8]"),
        ("ips: any", "ips: any, except: [10.0.0.0/24]"),
        ("clouds: any", "clouds: [0]"),
        ("host_ids: any", "host_ids: [7]"),
        ("groups: any", "groups: [g]"),
        ("topology: any", "topology: [{id: 7, node_type: module}]"),
        (", hosts: 5", ""),
    ] {
        assert!(whole.contains(any), "{any}");
        let found = messages(&whole.replace(any, less));
        assert!(found.iter().any(|text| text.contains("cannot be held")), "{less}: {found:?}");
    }
}

#[test]
fn a_rule_needs_only_what_its_components_ask_for() {
    let none = Vec::<String>::new();
    assert_eq!(messages("components: [get_dangerous_rule_list, delete_public_script]"), none);
    let found = messages("components: [get_cron_list]");
    assert_eq!(found, ["this rule can never match: it allows no business"]);
    let found = messages("components: [get_dangerous_rule_list, fast_execute_script]");
    assert_eq!(found.len(), 4, "business, account, script and target: {found:?}");
    assert_eq!(messages("components: [get_cron_lst], business: {ids: [2]}").len(), 4);
}
