//! The call model, field by field: each case goes through a whole gateway under an open policy.

use esbgate_standin::{App, Business, Script, World};
use serde_json::Value;

use crate::support::*;

pub const CASES: &str = include_str!("../data/fast_execute_script.jsonl");

pub fn open_policy() -> String {
    format!(
        r#"version: 1
defaults:
  calls: {{per_second: 1000, burst: 1000, in_flight: 1000}}
  hosts: {{per_call: 50000, per_minute: 1000000, burst: 1000000}}
apps:
  esb_test:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{}"}}}}, {{key: {{sha256: "{}"}}}}]
    users: {{token: true}}
    acts_as: ops_gateway
    fields: {{rolling_config: true, windows_interpreter: true, host_id_list: true, start_task: true, host_password_list: true}}
    allow:
      - name: everything
        components: any
        business: {{ids: any, sets: any, tenant_sets: any}}
        accounts: {{aliases: any, ids: any}}
        scripts: {{content: any, ids: any, versions: any}}
        targets: {{ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 100}}
        callbacks: ["http://cb.example.com/", "https://cb.example.com/", "https://job.example.com/"]
"#,
        sha256("app-secret"),
        sha256("xxx"),
    )
}

fn names(answer: &Value, field: &str) -> bool {
    answer["faults"].as_array().is_some_and(|faults| {
        faults
            .iter()
            .filter_map(|fault| fault["path"].as_str())
            .any(|path| path == field || path.starts_with(field) || field.starts_with(path))
    })
}

/// What the cases of the call model name.
pub fn world_of_cases() -> World {
    World::empty()
        .app(App::new("ops_gateway", ESB_SECRET).skipping_user_auth())
        .token("user-token", "alice")
        .token("xxx", "alice")
        .business(Business::new(1).account(1000, "root"))
        .script(Script::new("s", 1).version(1, "echo"))
}

#[tokio::test]
async fn every_case_of_the_call_model_is_accepted_or_refused_where_it_says() {
    let files = Files { policy: open_policy(), ..Files::default() };
    let gate = Gate::in_world(files, world_of_cases()).await;
    let mut failed = Vec::new();
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let body = case["raw"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        let before = gate.standin.history().request_count();
        let answer = gate.send(&[], &body).await;
        let reached = gate.standin.history().request_count() - before;
        let holds = match (&case["expect"], &case["field"]) {
            (Value::String(expect), _) if expect == "accept" => reached == 1,
            (_, Value::String(field)) => {
                let credential = answer.status == 401;
                reached == 0 && (credential || answer.status == 400 && names(&answer.body, field))
            }
            (_, _) => reached == 0 && (400..500).contains(&answer.status),
        };
        if !holds {
            failed.push(format!("{}: {} {}", case["name"], answer.status, answer.body));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}
