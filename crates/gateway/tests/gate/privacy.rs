//! What of a call stands in the journal in clear is a list; whatever else a caller sends is in it in no spelling.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use esbgate_model::{Care, Component, Extent, FastExecuteScript, Form, Needles};
use serde_json::{Map, Value, json};

use crate::{catalog, support::*};

/// The fields of `fast_execute_script` whose values may be read in the journal; of `callback_url` all but its query.
const CLEAR: [&str; 17] = [
    "bk_biz_id",
    "bk_scope_type",
    "bk_scope_id",
    "script_version_id",
    "script_id",
    "timeout",
    "account_id",
    "account_alias",
    "is_param_sensitive",
    "script_language",
    "task_name",
    "windows_interpreter",
    "start_task",
    "callback_url",
    "target_server.host_id_list",
    "target_server.ip_list[].bk_cloud_id",
    "target_server.ip_list[].ip",
];

const EVERY_SWITCH: &str = "    fields: {rolling_config: true, windows_interpreter: true, host_id_list: true, start_task: true, host_password_list: true}\n    unknown_fields: drop\n";

async fn gate() -> Gate {
    let policy = policy(EVERY_SWITCH, catalog::EVERYTHING);
    Gate::with(Files { policy, ..Files::default() }).await
}

fn mark(field: &str) -> String {
    format!("mark-{}-Zq7", field.replace(['.', '[', ']', '_'], "-"))
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// A call with every field that is documented, and what was put where: path and text.
fn whole_call() -> (Value, BTreeMap<&'static str, String>) {
    let mut marks = BTreeMap::new();
    let mut put = |path: &'static str, text: String| {
        marks.insert(path, text.clone());
        text
    };
    let call = json!({
        "bk_biz_id": 2,
        "bk_scope_type": "biz",
        "bk_scope_id": "2",
        "script_version_id": 7_654_321_001_i64,
        "script_id": put("script_id", mark("script_id")),
        "script_content": base64(&put("script_content", mark("script_content"))),
        "script_param": base64(&put("script_param", mark("script_param"))),
        "timeout": 4321,
        "account_id": 7_654_321_002_i64,
        "account_alias": put("account_alias", mark("account_alias")),
        "is_param_sensitive": 1,
        "script_language": 1,
        "target_server": {
            "ip_list": [{"bk_cloud_id": 7_654_321_003_i64, "ip": put("target_server.ip_list[].ip", "10.123.231.213".into())}],
            "host_id_list": [7_654_321_004_i64],
            "dynamic_group_list": [{"id": put("target_server.dynamic_group_list[].id", mark("group"))}],
            "topo_node_list": [{
                "id": put("target_server.topo_node_list[].id", "7654321005".into()).parse::<i64>().unwrap(),
                "node_type": put("target_server.topo_node_list[].node_type", mark("node_type")),
            }],
        },
        "callback_url": format!("https://ci.example.com/job/{}?token={}", put("callback_url", mark("callback")), put("callback_url?", mark("query"))),
        "task_name": put("task_name", mark("task_name")),
        "rolling_config": {
            "type": 1, "mode": 1, "execution_mode": 1,
            "expression": put("rolling_config.expression", "987654321".into()),
            "batch_start_wait_fixed_ms": put("rolling_config.batch_start_wait_fixed_ms", "3500001".into()).parse::<i64>().unwrap(),
            "batch_start_wait_random_min_ms": put("rolling_config.batch_start_wait_random_min_ms", "3500002".into()).parse::<i64>().unwrap(),
            "batch_start_wait_random_max_ms": put("rolling_config.batch_start_wait_random_max_ms", "3500003".into()).parse::<i64>().unwrap(),
        },
        "windows_interpreter": put("windows_interpreter", format!("{}.exe", mark("interpreter"))),
        "start_task": true,
        "host_password_list": [
            {"bk_cloud_id": 0, "ip": "10.0.0.2", "encrypted_password": put("host_password_list[].encrypted_password", mark("password"))},
            {"host_id": put("host_password_list[].host_id", "7654321007".into()).parse::<i64>().unwrap(), "encrypted_password": mark("password")},
        ],
        "bk_supplier_account": put("bk_supplier_account", mark("supplier")),
        "start": put("start", "7654321008".into()).parse::<i64>().unwrap(),
        "length": put("length", "7654321009".into()).parse::<i64>().unwrap(),
        "unknown_name": put("an unknown name", mark("unknown")),
    });
    (call, marks)
}

/// The paths of all members, an element of a list as `[]`.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(elements) => {
            elements.iter().for_each(|one| paths(one, &format!("{at}[]"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The journal, as it is on disk.
fn written(gate: &Gate) -> String {
    let texts = gate.journal_files().into_iter();
    texts.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// No text of `hidden` stands in the journal in any spelling.
fn hides<'t>(journal: &str, hidden: impl IntoIterator<Item = (&'t str, &'t str)>) {
    for (field, text) in hidden {
        // What is too short for a search in every spelling is told apart in plain.
        let needles = Needles::new([text]);
        let line = journal.lines().find(|line| line.contains(text) || needles.found_in(line));
        assert_eq!(line, None, "{field}: {text}");
    }
}

#[tokio::test]
async fn of_a_script_s_call_nothing_is_in_the_journal_but_what_may_be() {
    let gate = gate().await;
    let (call, marks) = whole_call();
    let mut named = BTreeSet::new();
    paths(&call, "", &mut named);
    for (object, fields) in FastExecuteScript::FIELDS {
        let path = |field: &str| match *object {
            "" => field.to_owned(),
            object => format!("{object}.{field}"),
        };
        for field in *fields {
            assert!(named.contains(&path(field)), "{} is not set", path(field));
        }
    }
    // Each source of the script and of the account wins once.
    let mut variants = vec![call.clone()];
    for beaten in [&["script_version_id"][..], &["script_version_id", "script_id", "account_id"]] {
        let mut variant = call.clone();
        beaten.iter().for_each(|name| drop(variant.as_object_mut().unwrap().remove(*name)));
        variants.push(variant);
    }
    variants[2]["target_server"].as_object_mut().unwrap().remove("host_id_list");
    let with_token = authorization("bk_token", TOKEN);
    for variant in &variants {
        let headers = [
            ("X-Bkapi-Authorization", with_token.as_str()),
            ("Cookie", "bk_token=mark-cookie-Zq7"),
            ("User-Agent", "mark-agent-Zq7"),
            ("X-Forwarded-For", "203.0.113.77"),
            ("X-Unknown", "mark-header-Zq7"),
        ];
        let answer = gate.send(&headers, &variant.to_string()).await;
        assert!(answer.status == 200, "{}", answer.body);
    }
    assert_eq!(gate.records("intent").len(), variants.len());
    let journal = written(&gate);
    let clear = |path: &str| CLEAR.contains(&path);
    for (path, text) in marks.iter().filter(|(path, _)| clear(path)) {
        assert!(journal.contains(text), "{path} may be read, and is a mark that would be found");
    }
    hides(
        &journal,
        marks.iter().filter(|(path, _)| !clear(path)).map(|(path, text)| (*path, &**text)),
    );
    let sent = [
        "mark-cookie-Zq7",
        "mark-agent-Zq7",
        "203.0.113.77",
        "mark-header-Zq7",
        KEY,
        TOKEN,
        ESB_SECRET,
    ];
    hides(&journal, sent.map(|text| ("beside the call", text)));
}

/// A value of a structure, with marks at each depth.
fn tree(field: &str, marks: &mut Vec<String>) -> Value {
    let mut text = |part: &str| {
        marks.push(mark(&format!("{field}-{part}")));
        marks.last().unwrap().clone()
    };
    if field == "target_server" {
        let group = text("group");
        return json!({
            "ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1", "more": text("more")}],
            "host_id_list": [1], "dynamic_group_list": [{"id": group}],
            "topo_node_list": [{"id": 1, "node_type": text("type")}], "variable": text("variable"),
        });
    }
    json!([{"name": text("name"), "value": {"deep": [text("deep")], "number": 7_654_321_010_i64}}])
}

#[tokio::test]
async fn of_no_component_s_call_anything_is_in_the_journal_but_what_its_table_shows() {
    let gate = gate().await;
    let (mut hidden, mut shown) = (BTreeMap::new(), Vec::new());
    for component in catalog::plain() {
        let mut body = Map::new();
        if component.extent() == Extent::Business {
            body.insert("bk_biz_id".into(), json!(2));
        }
        for field in component.fields() {
            let place = format!("{}.{}", component.name(), field.name);
            let mut marks = vec![mark(&place)];
            let value = match field.form {
                Form::Integer => json!(1),
                Form::Timeout => json!(60),
                Form::Flag => json!(false),
                Form::Text => json!(marks[0]),
                Form::Callback => json!(format!("https://ci.example.com/job/1?{}", marks[0])),
                Form::Structure => {
                    marks.clear();
                    tree(field.name, &mut marks)
                }
            };
            body.insert(field.name.into(), value);
            match (field.care, field.form) {
                (Care::Shown, Form::Text) => {
                    shown.extend(marks.into_iter().map(|text| (place.clone(), text)))
                }
                (Care::Shown, _) | (_, Form::Integer | Form::Timeout | Form::Flag) => {}
                _ => drop(hidden.insert(place, marks)),
            }
        }
        let answer = catalog::post(&gate, component, &Value::Object(body)).await;
        assert_eq!(answer.status, 200, "{}: {}", component.name(), answer.body);
    }
    assert_eq!(gate.records("intent").len(), catalog::plain().count());
    let journal = written(&gate);
    for (place, text) in &shown {
        assert!(journal.contains(text), "{place} may be read");
    }
    assert!(hidden.len() > 60 && shown.len() > 20, "{} and {}", hidden.len(), shown.len());
    let texts =
        hidden.iter().flat_map(|(place, marks)| marks.iter().map(|text| (&**place, &**text)));
    hides(&journal, texts.chain([("a number", "7654321010")]));
}

#[tokio::test]
async fn what_is_too_long_is_on_record_as_its_length_and_a_hash() {
    let gate = gate().await;
    let long = format!("{}{}", mark("long"), "x".repeat(400));
    let request = call_with(json!({"task_name": long, "account_alias": long, "unknown_name": 1}));
    gate.call(&request).await;
    let component = Component::named("fast_transfer_file").unwrap();
    let body = json!({
        "bk_biz_id": 2, "account_alias": long, "file_source_list": [], "file_target_path": "/x",
        "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]},
    });
    catalog::post(&gate, component, &body).await;
    let intents = gate.records("intent");
    assert_eq!(intents.len(), 2, "{intents:?}");
    let expected = json!({"chars": long.len(), "sha256": sha256(&long)});
    let places = [
        &intents[0]["task_name"],
        &intents[0]["account"]["alias"],
        &intents[1]["shown"]["account_alias"],
    ];
    assert_eq!(places, [&expected; 3]);
    hides(&written(&gate), [("a long text", mark("long").as_str())]);
}

/// Characters that end a line, move a cursor or turn, hide or forge what is read.
fn dangerous() -> impl Iterator<Item = char> {
    let ranges = [
        0..=0x1f,
        0x7f..=0x9f,
        0x61c..=0x61c,
        0x200b..=0x200f,
        0x2028..=0x202e,
        0x2060..=0x206f,
        0xfeff..=0xfeff,
    ];
    ranges.into_iter().flatten().filter_map(char::from_u32)
}

#[tokio::test]
async fn no_character_ends_a_line_of_the_journal_or_turns_what_it_shows() {
    let gate = gate().await;
    let text: String = format!("a{}b", dangerous().collect::<String>());
    // These two take no control characters at all.
    let plain = text.replace(char::is_control, "");
    // A few at a time, because a name is shown with its escapes, and none that is long.
    let mut unknown = call();
    for some in dangerous().collect::<Vec<_>>().chunks(20) {
        unknown[format!("a{}b", some.iter().collect::<String>())] = json!(1);
    }
    for request in [
        call_with(json!({"task_name": text, "windows_interpreter": format!("{text}.exe")})),
        call_with(json!({"script_content": null, "script_id": plain, "account_alias": plain})),
        unknown,
    ] {
        gate.call(&request).await;
    }
    let journal = written(&gate);
    let intents = gate.records("intent");
    let [whole, named, unknown] = &intents[..] else { panic!("{intents:#?}") };
    assert_eq!(
        (&whole["task_name"], &whole["windows_interpreter"]),
        (&json!(text), &json!(format!("{text}.exe")))
    );
    assert_eq!(
        (&named["script"]["id"], &named["account"]["alias"]),
        (&json!(plain), &json!(plain))
    );
    let names = unknown["dropped"].as_array().unwrap();
    assert!(names.len() > 1 && names.iter().all(Value::is_string), "{unknown:#}");
    for line in journal.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(record["seq"].is_u64());
        assert!(!line.contains(|c| dangerous().any(|one| one == c)), "{line:?}");
    }
}
