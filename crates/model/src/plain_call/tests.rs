use super::*;
use crate::{ComponentCall, Faults, Switches, UnknownFields, json::Document};

fn read_with(name: &str, body: &str, switches: Switches) -> Result<PlainCall, Faults> {
    let document = Document::read(body.into()).unwrap();
    PlainCall::read(Component::named(name).unwrap(), &document, switches)
}

fn read(name: &str, body: &str) -> Result<PlainCall, Faults> {
    read_with(name, body, Switches::default())
}

fn written(call: PlainCall) -> String {
    serde_json::to_string(&ComponentCall::Plain(call)).unwrap()
}

fn faults(result: Result<PlainCall, Faults>) -> Vec<(String, &'static str)> {
    let faults = result.unwrap_err();
    faults.list().iter().map(|fault| (fault.path.clone(), fault.rule.name())).collect()
}

fn queried(name: &str, query: &str) -> Result<String, Faults> {
    let component = Component::named(name).unwrap();
    let document = PlainCall::query_document(component, query)?;
    PlainCall::read(component, &document, Switches::default()).map(written)
}

#[test]
fn a_call_is_written_in_the_catalogs_order_without_identity() {
    let call = read(
        "get_job_instance_ip_log",
        r#"{"ip":"10.0.0.1","bk_cloud_id":"0","step_instance_id":5,"bk_biz_id":"2","job_instance_id":9007199254740993,
            "bk_token":"t","bk_app_code":"a","bk_supplier_account":"0","bk_host_id":null}"#,
    );
    assert_eq!(
        written(call.unwrap()),
        r#"{"bk_biz_id":2,"job_instance_id":9007199254740993,"step_instance_id":5,"bk_cloud_id":0,"ip":"10.0.0.1"}"#
    );
}

#[test]
fn a_business_is_read_as_everywhere_and_refused_where_there_is_none() {
    let pair = read("delete_cron", r#"{"bk_scope_type":"biz_set","bk_scope_id":"9","id":1}"#);
    assert_eq!(written(pair.unwrap()), r#"{"bk_scope_type":"biz_set","bk_scope_id":"9","id":1}"#);
    let required = [("bk_biz_id".into(), "required")];
    assert_eq!(faults(read("delete_cron", r#"{"id":1}"#)), required);
    let both = r#"{"bk_biz_id":2,"bk_scope_type":"biz","bk_scope_id":"3","id":1}"#;
    assert_eq!(faults(read("delete_cron", both)), [("bk_biz_id".into(), "conflict")]);
    let global = read("delete_dangerous_rule", r#"{"bk_biz_id":2,"id":1}"#);
    assert_eq!(faults(global), [("bk_biz_id".into(), "unknown_field")]);
}

#[test]
fn all_faults_come_together_and_each_has_its_place() {
    let body = r#"{"bk_biz_id":2,"job_plan_id":1.5,"global_var_list":[{"name":"a","value":"x"},{"id":1e2}],
        "job_plan":1,"start_task":false,"callback_url":"ftp://x"}"#;
    assert_eq!(
        faults(read("execute_job_plan", body)),
        [
            ("job_plan".into(), "unknown_field"),
            ("job_plan_id".into(), "integer"),
            ("global_var_list[1].id".into(), "integer"),
            ("callback_url".into(), "callback_url"),
            ("start_task".into(), "switched_off"),
        ]
    );
    let body = r#"{"bk_biz_id":2,"timeout":86401,"target_server":"x","account_alias":"a\nb","task_name":[]}"#;
    assert_eq!(
        faults(read("fast_transfer_file", body)),
        [
            ("task_name".into(), "type"),
            ("account_alias".into(), "control_character"),
            ("timeout".into(), "range"),
            ("target_server".into(), "type"),
        ]
    );
}

#[test]
fn an_unknown_name_is_dropped_and_noted_where_policy_says_so() {
    let switches = Switches { unknown_fields: UnknownFields::Drop, ..Switches::default() };
    let call = read_with("delete_script", r#"{"bk_biz_id":2,"script_id":"s","x":1}"#, switches);
    let call = call.unwrap();
    assert_eq!(call.dropped(), ["x"]);
    assert_eq!(written(call), r#"{"bk_biz_id":2,"script_id":"s"}"#);
}

#[test]
fn values_are_carried_exactly_and_nested_order_is_the_callers() {
    let list = r#"[{"z":1,"a":[null,true,"\u00e9\n",-9223372036854775808]},{}]"#;
    let call = read("execute_job_plan", &format!(r#"{{"bk_biz_id":2,"global_var_list":{list}}}"#));
    let expected = list.replace("\\u00e9", "é");
    assert_eq!(
        written(call.unwrap()),
        format!(r#"{{"bk_biz_id":2,"global_var_list":{expected}}}"#)
    );
}

#[test]
fn a_password_is_sealed_secret_and_never_printed() {
    let call = read("create_account", r#"{"bk_biz_id":2,"account":"w","password":"hunter22"}"#);
    let call = call.unwrap();
    assert!(!format!("{call:?}").contains("hunter"));
    assert_eq!(call.secrets().collect::<Vec<_>>(), ["hunter22"]);
    assert_eq!(call.sealed().map(|(name, _)| name).collect::<Vec<_>>(), ["password"]);
    assert_eq!(call.shown().map(|(name, _)| name).collect::<Vec<_>>(), ["account"]);
}

#[test]
fn secrets_that_would_make_every_answer_slow_to_search_are_refused() {
    let source = |params: &str| {
        let body = format!(r#"{{"bk_biz_id":2,"id":1,"access_params":{params}}}"#);
        read("update_file_source", &body).map(|call| call.secrets().count())
    };
    let many = |count: usize| format!("[{}]", vec![r#""s""#; count].join(","));
    assert_eq!(source(&many(32)).unwrap(), 32);
    let long = format!(r#"{{"key":"{}"}}"#, "k".repeat(4097));
    for params in [many(33), long] {
        let refused = source(&params).unwrap_err();
        assert_eq!(
            (&*refused.list()[0].path, refused.list()[0].rule.name()),
            ("access_params", "length")
        );
    }
}

#[test]
fn a_query_says_what_a_body_would() {
    let query = "bk_biz_id=2&job_instance_id=9007199254740993&return_ip_result=True";
    assert_eq!(
        queried("get_job_instance_status", query).unwrap(),
        r#"{"bk_biz_id":2,"job_instance_id":9007199254740993,"return_ip_result":true}"#
    );
    let query = "bk_scope_type=biz&bk_scope_id=2&name=%E4%B8%AD+x%2By";
    assert_eq!(
        queried("get_job_instance_list", query).unwrap(),
        r#"{"bk_scope_type":"biz","bk_scope_id":"2","name":"中 x+y"}"#
    );
    assert_eq!(queried("get_latest_service_version", "").unwrap(), "{}");
}

#[test]
fn a_query_with_two_meanings_is_refused() {
    let rule = |query: &str| {
        let faults = queried("get_job_instance_status", query).unwrap_err();
        (faults.list()[0].path.clone(), faults.list()[0].rule.name())
    };
    for malformed in
        ["a=1;b=2", "bk_biz_id", "bk_biz_id=2&", "&bk_biz_id=2", "=2", "a=%", "a=%ff", "a=%+1"]
    {
        assert_eq!(rule(malformed), ("query".into(), "header"), "{malformed}");
    }
    assert_eq!(rule("bk_biz_id=2&bk%5Fbiz_id=3"), ("bk_biz_id".into(), "duplicate_name"));
    assert_eq!(rule("bk_biz_id=2&job_instance_id=1.0"), ("job_instance_id".into(), "integer"));
    assert_eq!(rule("bk_biz_id=2&jobinstance_id=1"), ("jobinstance_id".into(), "unknown_field"));
    for identity in ["bk_token", "bk_app_secret", "bk_username", "bk_signature", "app_code"] {
        let seen = rule(&format!("{identity}=x"));
        assert_eq!(seen, (identity.to_owned(), "refused_credential"));
    }
    let sealed = queried("check_script", "script_language=1&content=ZWNobwo%3D").unwrap_err();
    assert_eq!((&*sealed.list()[0].path, sealed.list()[0].rule.name()), ("content", "header"));
    let tree = queried("batch_get_job_instance_ip_log", "bk_biz_id=2&ip_list=x").unwrap_err();
    assert_eq!(tree.list()[0].rule.name(), "type");
}

/// The most that a body makes of itself.
#[test]
fn the_memory_of_small_values_is_counted() {
    let footprint = |list: &str| {
        let body = format!(r#"{{"bk_biz_id":2,"job_plan_id":1,"global_var_list":[{list}]}}"#);
        read("execute_job_plan", &body).unwrap().footprint()
    };
    let value = size_of::<Carried>();
    assert_eq!(footprint("0,0,0") - footprint("0,0"), value);
    assert!(footprint("[0],[0]") - footprint("[0]") > 2 * value);
    let member = size_of::<(Box<str>, Carried)>();
    assert!(footprint(r#"{},{"name":null}"#) - footprint("{},{}") > member + "name".len());
    assert!(footprint(r#"{},"name""#) - footprint("{},0") > "name".len());
    assert!(value <= 24, "a list of integers takes at most twelve times its text");
}
