//! Every component of the catalog takes the one way: proved, granted, journaled, written anew, answered.

use esbgate_model::{Care, Component, Extent, Form, Kind, Reach};
use esbgate_standin::Fault;
use serde_json::{Map, Value, json};

use crate::support::*;

/// Covers every component; a call that does not show its hosts counts as five.
pub const EVERYTHING: &str = r#"
      - name: everything
        components: any
        business: {ids: [2]}
        accounts: {aliases: any, ids: any}
        scripts: {content: any, ids: any, versions: any}
        targets: {ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 5}
        callbacks: ["https://ci.example.com/job/"]
"#;

const PASSWORD: &str = "password-canary-1";

async fn gate(app_extra: &str, allow: &str) -> Gate {
    let app_extra = format!("    fields: {{host_id_list: true}}\n{app_extra}");
    Gate::with(Files { policy: policy(&app_extra, allow), ..Files::default() }).await
}

pub fn plain() -> impl Iterator<Item = Component> {
    Component::all().filter(|component| *component != Component::fast_execute_script())
}

fn named(name: &str) -> Component {
    Component::named(name).unwrap()
}

/// A call with every parameter that needs no switch.
fn body(component: Component) -> Value {
    let mut body = Map::new();
    if component.extent() == Extent::Business {
        body.insert("bk_biz_id".into(), json!(2));
    }
    for field in component.fields().iter().filter(|field| field.switch.is_none()) {
        let value = match field.form {
            Form::Integer => json!(1),
            Form::Timeout => json!(60),
            Form::Text => json!("text"),
            Form::Flag => json!(false),
            Form::Structure => json!([{"name": "x", "value": 9_007_199_254_740_993_i64}]),
            Form::Callback => json!("https://ci.example.com/job/1"),
        };
        body.insert(field.name.into(), value);
    }
    Value::Object(body)
}

async fn send(gate: &Gate, method: &str, target: &str, head: &str, body: &str) -> Answer {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n{body}"
    );
    Answer::read(&gate.raw(request.as_bytes()).await)
}

fn identity() -> String {
    format!("X-Bkapi-Authorization: {}\r\n", authorization("bk_username", "svc_deploy"))
}

pub async fn post(gate: &Gate, component: Component, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!("{}Content-Length: {}\r\n", identity(), body.len());
    send(gate, "POST", component.path(), &head, &body).await
}

async fn get(gate: &Gate, component: Component, query: &str) -> Answer {
    let target = format!("{}{query}", component.path());
    send(gate, "GET", &target, &identity(), "").await
}

/// What the last request said, and which component it reached.
fn last_seen(gate: &Gate) -> (String, String, Value) {
    let requests = gate.standin.history().requests();
    let last = requests.last().unwrap();
    let component = last.resolved().unwrap().component.clone().unwrap();
    let line = String::from_utf8(last.head().to_vec()).unwrap();
    let line = line.lines().next().unwrap().to_owned();
    (component, line, serde_json::from_slice(last.body()).unwrap())
}

#[tokio::test]
async fn every_component_goes_all_the_way_and_back() {
    let gate = gate("", EVERYTHING).await;
    for (index, component) in plain().enumerate() {
        let name = component.name();
        let call = body(component);
        let answer = post(&gate, component, &call).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        // The stand-in knows no such job, so it says nothing of it and does not end it.
        let known = !["operate_job_instance", "get_job_instance_status"].contains(&name);
        assert_eq!(answer.body["result"], json!(known), "{name}");
        assert_eq!(answer.body.get("executed").is_some(), component.kind() != Kind::Read, "{name}");
        let line = format!("POST {} HTTP/1.1", component.path());
        assert_eq!(last_seen(&gate), (name.to_owned(), line, call), "{name}");
        assert_eq!(gate.records("intent")[index]["component"], name);
    }
    assert_eq!(gate.records("outcome").len(), plain().count());
}

#[tokio::test]
async fn a_component_that_no_rule_names_is_refused() {
    let gate = Gate::start().await;
    for component in plain() {
        post(&gate, component, &body(component)).await.is(403, "APP_NO_PERMISSION", "no");
    }
    assert_eq!(gate.standin.history().request_count(), 0);
    assert_eq!(gate.records("intent").len(), 0);
}

#[tokio::test]
async fn a_field_that_the_catalog_does_not_have_is_refused() {
    let gate = gate("", EVERYTHING).await;
    for component in plain() {
        let mut call = body(component);
        call["no_such_field"] = json!(1);
        let answer = post(&gate, component, &call).await;
        answer.is(400, "INVALID_ARGS", "no");
        assert_eq!(answer.body["faults"][0]["path"], "no_such_field");
    }
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn a_get_of_a_read_is_sent_as_the_post_that_says_the_same() {
    let gate = gate("", EVERYTHING).await;
    for component in plain() {
        let name = component.name();
        if component.kind() != Kind::Read {
            let answer = get(&gate, component, "").await;
            answer.is(405, "METHOD_NOT_ALLOWED", "no");
            assert!(answer.head.contains("allow: post\r\n"), "{}", answer.head);
            continue;
        }
        let mut expected = Map::new();
        let mut query = String::from("?");
        let sealed = |name: &String| {
            component.fields().iter().any(|f| f.name == *name && f.care == Care::Sealed)
        };
        for (parameter, value) in body(component).as_object().unwrap() {
            if sealed(parameter) {
                continue;
            }
            let text = match value {
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::String(text) => text.clone(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            let divider = if expected.is_empty() { "" } else { "&" };
            query.push_str(&format!("{divider}{parameter}={text}"));
            expected.insert(parameter.clone(), value.clone());
        }
        let query = if expected.is_empty() { "" } else { query.as_str() };
        let answer = get(&gate, component, query).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        let line = format!("POST {} HTTP/1.1", component.path());
        assert_eq!(last_seen(&gate), (name.to_owned(), line, Value::Object(expected)));
    }
}

#[tokio::test]
async fn a_get_shows_its_identity_in_the_header_alone_and_has_no_body() {
    let gate = gate("", EVERYTHING).await;
    let target = format!("{}?bk_biz_id=2", named("get_cron_list").path());
    let bare = send(&gate, "GET", &target, "Authorization: Bearer a.b.c\r\n", "").await;
    bare.is(401, "APP_VERIFY_FAILED", "no");
    let in_query = format!("{target}&bk_app_code=team_app&bk_app_secret={KEY}");
    let answer = send(&gate, "GET", &in_query, &identity(), "").await;
    answer.is(400, "CREDENTIAL_REFUSED", "no");
    let head = format!("{}Content-Length: 2\r\n", identity());
    send(&gate, "GET", &target, &head, "{}").await.is(400, "BAD_FRAMING", "no");
    let head = format!("{}Transfer-Encoding: chunked\r\n", identity());
    send(&gate, "GET", &target, &head, "0\r\n\r\n").await.is(400, "BAD_FRAMING", "no");
    let head = format!("{}Content-Length: 2\r\n", identity());
    send(&gate, "POST", &target, &head, "{}").await.is(400, "QUERY_NOT_ALLOWED", "no");
    send(&gate, "PUT", &target, &head, "{}").await.is(405, "METHOD_NOT_ALLOWED", "no");
    assert_eq!(gate.standin.history().request_count(), 0);
    let head = format!("{}Content-Length: 0\r\n", identity());
    assert_eq!(send(&gate, "GET", &target, &head, "").await.status, 200);
}

#[tokio::test]
async fn what_job_gives_in_clear_is_masked() {
    let gate = gate("", EVERYTHING).await;
    let plan = get(&gate, named("get_job_plan_detail"), "?bk_biz_id=2&job_plan_id=100").await.body;
    let steps = &plan["data"]["step_list"];
    assert_eq!(steps[0]["script_info"]["script_param"], "b3Blbg==");
    assert_eq!(steps[1]["script_info"]["script_param"], "***");
    assert_eq!(plan["data"]["last_modify_time"], 1_577_807_999_999_i64);
    for name in
        ["get_job_plan_detail", "get_job_instance_global_var_value", "get_cron_detail", "save_cron"]
    {
        let answer = post(&gate, named(name), &body(named(name))).await.body.to_string();
        assert!(
            answer.contains("open value") && !answer.contains("cipher-value-canary"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_masked_answer_that_is_no_json_is_not_passed_on() {
    let gate = gate("", EVERYTHING).await;
    let leak = r#"{"result":true,"code":0,"data":{"script_param":"leak-canary""#;
    gate.standin.esb_faults().arm(Fault::json(200, leak).always());
    let text = get(&gate, named("get_job_plan_detail"), "?bk_biz_id=2&job_plan_id=1").await;
    text.is(502, "BAD_GATEWAY", "unknown");
    assert!(!text.body.to_string().contains("leak-canary"));
}

#[tokio::test]
async fn only_a_read_is_asked_once_more_when_the_upstream_dies() {
    let gate = gate("", EVERYTHING).await;
    for component in plain() {
        let before = gate.standin.history().request_count();
        gate.standin.esb_faults().arm(Fault::Close.once());
        let answer = post(&gate, component, &body(component)).await;
        let sent = gate.standin.history().request_count() - before;
        if component.kind() == Kind::Read {
            assert_eq!((answer.status, sent), (200, 2), "{}", component.name());
        } else {
            answer.is(502, "BAD_GATEWAY", "unknown");
            assert_eq!(sent, 1, "{}", component.name());
        }
    }
    let before = gate.standin.history().request_count();
    gate.standin.esb_faults().arm(Fault::Close.times(2));
    let read = named("get_cron_list");
    post(&gate, read, &body(read)).await.is(502, "BAD_GATEWAY", "unknown");
    assert_eq!(gate.standin.history().request_count() - before, 2, "once more, not for ever");
}

#[tokio::test]
async fn a_rule_that_does_not_say_any_covers_no_call_that_hides_what_it_runs() {
    let narrow = EVERYTHING.replace("ips: any", "ips: [10.0.0.0/8]");
    let fewer = narrow.replace("content: any", "content: [shell]");
    for (allow, least) in [(&narrow, Reach::Scripts), (&fewer, Reach::Nothing)] {
        let gate = gate("", allow).await;
        for component in plain() {
            let covered = component.reach() == Reach::Nothing || component.reach() == least;
            let answer = post(&gate, component, &body(component)).await;
            let expected = if covered { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{}: {}", component.name(), answer.body);
        }
    }
}

#[tokio::test]
async fn a_call_that_hides_its_hosts_is_paid_as_all_that_its_rule_allows_and_a_read_is_not() {
    let gate = gate("    hosts: {per_call: 5, per_minute: 1, burst: 5}\n", EVERYTHING).await;
    let plan = named("execute_job_plan");
    assert_eq!(post(&gate, plan, &body(plan)).await.status, 200);
    assert_eq!(gate.records("intent")[0]["host_runs"], 5);
    post(&gate, plan, &body(plan)).await.is(429, "HOST_BUDGET_SPENT", "no");
    let read = named("get_cron_list");
    assert_eq!(post(&gate, read, &body(read)).await.status, 200);
}

#[tokio::test]
async fn a_rule_for_global_components_needs_no_business_and_they_take_none() {
    let allow = "\n      - {name: rules, components: [get_dangerous_rule_list, get_cron_list], business: {ids: [3]}}\n      - {name: global, components: [delete_public_script]}\n";
    let gate = gate("", allow).await;
    for (name, business, status) in [
        ("get_dangerous_rule_list", None, 200),
        ("get_dangerous_rule_list", Some(3), 400),
        ("delete_public_script", None, 200),
        ("get_cron_list", None, 400),
        ("get_cron_list", Some(2), 403),
    ] {
        let mut call = json!({});
        if let Some(id) = business {
            call["bk_biz_id"] = json!(id);
        }
        let answer = post(&gate, named(name), &call).await;
        assert_eq!(answer.status, status, "{name} {business:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_callback_of_any_call_is_held_to_the_rule() {
    let gate = gate("", EVERYTHING).await;
    for name in ["execute_job_plan", "fast_transfer_file", "fast_execute_sql", "push_config_file"] {
        let mut call = body(named(name));
        call["callback_url"] = json!("https://evil.example.com/");
        post(&gate, named(name), &call).await.is(403, "CALLBACK_NOT_ALLOWED", "no");
        call["callback_url"] = json!("http://127.0.0.1/");
        post(&gate, named(name), &call).await.is(400, "INVALID_ARGS", "no");
    }
}

#[tokio::test]
async fn the_record_of_a_call_names_what_it_is_about_and_hashes_the_rest() {
    let gate = gate("", EVERYTHING).await;
    let call = json!({"bk_scope_type": "biz", "bk_scope_id": "2", "account": "deploy", "type": 2, "password": PASSWORD, "description": "note-canary"});
    assert_eq!(post(&gate, named("create_account"), &call).await.body["executed"], "yes");
    let intent = &gate.records("intent")[0];
    assert_eq!(intent["shown"], json!({"account": "deploy", "type": 2}));
    assert_eq!(intent["parameters"], json!(["account", "type", "password", "description"]));
    assert_eq!((&intent["scope_type"], &intent["scope_id"]), (&json!("biz"), &json!(2)));
    assert_eq!(intent["sealed"]["password"]["bytes"], PASSWORD.len() + 2);
    assert_eq!(intent["body"]["hmac"].as_str().unwrap().len(), 64);
    let journal = gate.journal().iter().map(Value::to_string).collect::<String>();
    assert!(!journal.contains(PASSWORD) && !journal.contains("note-canary"), "{journal}");
}

#[tokio::test]
async fn the_record_of_a_transfer_names_its_hosts_and_nothing_else_of_its_target() {
    let gate = gate("", EVERYTHING).await;
    let hosts = json!([
        {"bk_cloud_id": "0", "ip": "10.0.0.1", "note": PASSWORD},
        {"bk_cloud_id": 0, "ip": PASSWORD},
    ]);
    let target = json!({"ip_list": hosts, "host_id_list": [7], "topo_node_list": [{"id": 1}]});
    let call = json!({"bk_biz_id": 2, "account_alias": "root", "target_server": target});
    assert_eq!(post(&gate, named("fast_transfer_file"), &call).await.body["executed"], "yes");
    let intent = &gate.records("intent")[0];
    assert_eq!(intent["shown"], json!({"account_alias": "root"}));
    assert_eq!(
        intent["target"],
        json!({"host_ids": 1, "hosts": 2, "groups": 0, "nodes": 1, "host_id_list": ["7"], "ip_list": ["0:10.0.0.1", "?"]})
    );
    assert!(!intent.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn a_password_is_blanked_where_the_esb_echoes_it() {
    let gate = gate("", EVERYTHING).await;
    let echo =
        format!(r#"{{"result":false,"code":1240003,"data":null,"message":"bad {PASSWORD}"}}"#);
    gate.standin.esb_faults().arm(Fault::json(200, echo).once());
    let call = json!({"bk_biz_id": 2, "account": "deploy", "password": PASSWORD});
    let answer = post(&gate, named("create_account"), &call).await;
    assert_eq!(answer.body["message"], "bad ***");
}

#[tokio::test]
async fn only_granted_components_have_series_and_the_rest_share_one() {
    let allow = "\n      - {name: crons, components: [get_cron_list], business: {ids: [2]}}\n";
    let gate = gate("", allow).await;
    for component in plain() {
        post(&gate, component, &body(component)).await;
    }
    let metrics = gate.metrics().await;
    let mut components: Vec<&str> =
        metrics.split("component=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    components.sort_unstable();
    components.dedup();
    assert_eq!(components, ["get_cron_list", "none", "other"]);
    let line = |labels: &str| metrics.contains(&format!("esbgate_app_requests_total{{{labels}}} "));
    assert!(line(r#"app="team_app",component="other",outcome="rejected""#), "{metrics}");
    assert!(metrics.contains(r#"component="get_cron_list",outcome="success"} 1"#), "{metrics}");
}
