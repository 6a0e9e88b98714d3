use super::*;
use crate::{Rule, json::Document};

fn call(change: &[(&str, &str)]) -> String {
    let mut members = vec![
        ("bk_biz_id", "2"),
        ("script_content", "\"ZWNobyAkMQo=\""),
        ("script_language", "1"),
        ("account_alias", "\"root\""),
        ("target_server", r#"{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}"#),
    ];
    for (name, value) in change {
        members.retain(|(known, _)| known != name);
        if !value.is_empty() {
            members.push((name, value));
        }
    }
    let members: Vec<String> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
    format!("{{{}}}", members.join(","))
}

fn read_with(text: &str, switches: Switches) -> Result<FastExecuteScript, crate::Faults> {
    FastExecuteScript::read(&Document::read(text.into()).unwrap(), switches)
}

fn read(change: &[(&str, &str)]) -> Result<FastExecuteScript, crate::Faults> {
    read_with(&call(change), Switches::default())
}

fn paths(change: &[(&str, &str)]) -> Vec<(String, &'static str)> {
    let faults = read(change).unwrap_err();
    faults.list().iter().map(|fault| (fault.path.clone(), fault.rule.name())).collect()
}

#[test]
fn only_what_wins_is_kept_and_written() {
    let call = read(&[
        ("script_version_id", "7"),
        ("script_id", "\"s\""),
        ("account_id", "1000"),
        ("bk_scope_type", "\"biz\""),
        ("bk_scope_id", "2"),
    ])
    .unwrap();
    assert_eq!(call.losers, ["script_id", "script_content", "script_language", "account_alias"]);
    let written = serde_json::to_string(&call).unwrap();
    assert_eq!(
        written,
        r#"{"bk_biz_id":2,"script_version_id":7,"account_id":1000,"target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}}"#
    );
}

#[test]
fn what_is_written_reads_back_as_the_same_call() {
    let all = call(&[
        ("script_param", "\"YSBi\""),
        ("is_param_sensitive", "1"),
        ("timeout", "\"60\""),
        ("task_name", "\"任务\""),
        ("callback_url", "\"https://cb.example.com/x?y=1\""),
        ("rolling_config", r#"{"type":1,"mode":2,"expression":"10 25% +5 *2"}"#),
        ("windows_interpreter", "\"C:/py.exe\""),
        ("start_task", "false"),
        (
            "host_password_list",
            r#"[{"host_id":5,"encrypted_password":"p"},{"bk_cloud_id":0,"ip":"10.0.0.1","encrypted_password":"q"}]"#,
        ),
        (
            "target_server",
            r#"{"ip_list":[{"bk_cloud_id":"3","ip":"10.0.0.1"}],"dynamic_group_list":[{"id":"g"}],"topo_node_list":[{"id":3,"node_type":"set"}]}"#,
        ),
    ]);
    let on = Switches {
        rolling_config: true,
        windows_interpreter: true,
        host_id_list: true,
        start_task: true,
        host_password_list: true,
        ..Switches::default()
    };
    let first = serde_json::to_string(&read_with(&all, on).unwrap()).unwrap();
    let second = serde_json::to_string(&read_with(&first, on).unwrap()).unwrap();
    assert_eq!(first, second);
    assert!(first.contains("\"bk_cloud_id\":3") && first.contains("\"timeout\":60"));
}

#[test]
fn all_faults_of_a_call_are_reported_together() {
    let faults = paths(&[
        ("bk_biz_id", "\"x\""),
        ("timeout", "0"),
        ("script_content", "\"!!\""),
        ("target_server", r#"{"ip_list":[{"bk_cloud_id":-1,"ip":"10.0.0.01"},{}]}"#),
        ("acount_alias", "1"),
    ]);
    let named: Vec<&str> = faults.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        "acount_alias",
        "bk_biz_id",
        "script_content",
        "timeout",
        "target_server.ip_list[0].bk_cloud_id",
        "target_server.ip_list[0].ip",
        "target_server.ip_list[1].bk_cloud_id",
        "target_server.ip_list[1].ip",
    ] {
        assert!(named.contains(&path), "{path} is not in {named:?}");
    }
}

#[test]
fn a_misspelled_field_gets_its_right_name() {
    let faults = read(&[("acount_alias", "\"root\""), ("scriptContent", "1"), ("zzz", "1")]);
    let hints: Vec<_> = faults.unwrap_err().list().iter().map(|f| f.rule.clone()).collect();
    assert_eq!(hints[0], Rule::Unknown { suggestion: Some("account_alias") });
    assert_eq!(hints[1], Rule::Unknown { suggestion: Some("script_content") });
    assert_eq!(hints[2], Rule::Unknown { suggestion: None });
}

#[test]
fn unknown_names_are_left_out_and_named_where_policy_says_so() {
    let switches = Switches { unknown_fields: UnknownFields::Drop, ..Switches::default() };
    let call = read_with(
        &call(&[
            ("operator", "\"admin\""),
            ("target_server", r#"{"note":1,"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1","x":1}]}"#),
        ]),
        switches,
    )
    .unwrap();
    assert_eq!(call.dropped, ["operator", "target_server.note", "target_server.ip_list[0].x"]);
    assert!(!serde_json::to_string(&call).unwrap().contains("operator"));
}

#[test]
fn a_business_of_the_set_range_is_a_business_set() {
    for (id, expected) in [
        (7_999_999, Scope::Business(7_999_999)),
        (8_000_000, Scope::BusinessSet(8_000_000)),
        (9_999_999, Scope::BusinessSet(9_999_999)),
        (10_000_000, Scope::Business(10_000_000)),
    ] {
        assert_eq!(read(&[("bk_biz_id", &id.to_string())]).unwrap().scope, expected);
    }
}

#[test]
fn newer_fields_are_refused_until_they_are_turned_on() {
    for field in ["rolling_config", "windows_interpreter", "start_task", "host_password_list"] {
        assert_eq!(paths(&[(field, "true")])[0], (field.into(), "switched_off"));
    }
    let hosts = [("target_server", r#"{"host_id_list":[1]}"#)];
    assert_eq!(paths(&hosts)[0], ("target_server.host_id_list".into(), "switched_off"));
}

#[test]
fn one_trailing_line_end_of_the_parameters_is_taken_off_and_an_inner_one_is_refused() {
    let param = read(&[("script_param", "\"YSBiCg==\"")]).unwrap().param.unwrap();
    assert!(param.line_end_stripped && param.base64.as_str() == "YSBi");
    assert_eq!(paths(&[("script_param", "\"YSBiCgo=\"")])[0].1, "inner_line_end");
    assert_eq!(paths(&[("script_param", "\"YQpi\"")])[0].1, "inner_line_end");
    assert_eq!(paths(&[("script_param", "\"Cg==\"")])[0].1, "base64");
}

#[test]
fn a_call_does_not_print_its_script_nor_its_parameters() {
    let call = read(&[("script_param", "\"aHVudGVyMg==\"")]).unwrap();
    let printed = format!("{call:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("aHVudGVyMg"));
    assert!(!printed.contains("echo $1") && !printed.contains("ZWNobyAkMQo="));
}

#[test]
fn distinct_hosts_are_counted_once() {
    let target = r#"{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"},{"bk_cloud_id":0,"ip":"10.0.0.1"},{"bk_cloud_id":1,"ip":"10.0.0.1"}]}"#;
    assert_eq!(read(&[("target_server", target)]).unwrap().target.named_hosts(), 2);
}

#[test]
fn a_list_of_more_targets_than_job_takes_is_refused_at_once() {
    let hosts = vec![r#"{"bk_cloud_id":0,"ip":"10.0.0.1"}"#; 50_001].join(",");
    let target = format!(r#"{{"ip_list":[{hosts}]}}"#);
    let faults = paths(&[("target_server", &target)]);
    assert_eq!(faults, [("target_server.ip_list".into(), "length")]);
}
