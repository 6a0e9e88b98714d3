//! What was recorded, held against the same policy and against another one.

use std::{path::Path, process::Command};

use esbgate_standin::{App, Business, Script, World};
use serde_json::{Value, json};

use crate::{
    support::*,
    vectors::{CASES, open_policy},
};

fn replay(folder: &Path, policy: &str) -> (Option<i32>, Value) {
    std::fs::write(folder.join("new.yaml"), policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(["policy", "replay", "--policy", "new.yaml", "--journal", "journal"])
        .args(["--format", "json"])
        .current_dir(folder)
        .output()
        .unwrap();
    let told = serde_json::from_slice(&output.stdout);
    (output.status.code(), told.unwrap_or_else(|_| panic!("{output:?}")))
}

#[tokio::test]
async fn planted_differences_are_listed_exactly_and_the_same_policy_has_none() {
    let gate = Gate::start().await;
    for _ in 0..3 {
        gate.call(&call()).await.is(200, "", "yes");
    }
    let one = json!({"bk_biz_id": 1, "script_content": null, "script_language": null, "script_param": null, "script_version_id": 7});
    // The stand-in has no such script there, which is no verdict of the gateway.
    gate.call(&call_with(one)).await.is(200, "", "no");
    gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let old = policy("", ALLOW);
    let refusals =
        json!([{"reason": "refusal record holds no call: BUSINESS_NOT_ALLOWED", "count": 1}]);

    let (status, told) = replay(folder.path(), &old);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!((&told["same"], &told["untold"]), (&json!(4), &refusals));

    let (status, told) = replay(folder.path(), &old.replace("ids: [1, 2]", "ids: [1]"));
    assert_eq!(status, Some(1));
    let differences = told["differences"].as_array().unwrap();
    assert_eq!((differences.len(), &told["same"]), (1, &json!(1)), "{told}");
    assert_eq!(differences[0]["change"], "refused: BUSINESS_NOT_ALLOWED");
    assert_eq!((&differences[0]["count"], &differences[0]["app"]), (&json!(3), &json!("team_app")));

    let risks = "risks:\n  - {id: r, languages: [shell], match: danger, action: deny, hint: no}\n";
    let (status, told) = replay(folder.path(), &format!("{old}{risks}"));
    assert_eq!((status, &told["same"]), (Some(0), &json!(1)), "{told}");
    assert_eq!(told["untold"][0]["count"], 3, "{told}");
}

#[tokio::test]
async fn a_damaged_line_is_counted_and_the_rest_is_judged() {
    let gate = Gate::start().await;
    gate.call(&call()).await.is(200, "", "yes");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let boot = folder.path().join("journal").read_dir().unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.is_dir().then_some(path)
    });
    std::fs::write(boot.unwrap().join("00000009.jsonl"), "no record\n{\"v\":1,\"se").unwrap();
    let (status, told) = replay(folder.path(), &policy("", ALLOW));
    assert_eq!((status, &told["same"], &told["unreadable"]), (Some(0), &json!(1), &json!(2)));
}

#[tokio::test]
async fn every_call_of_the_model_is_decided_as_it_was_under_the_same_policy() {
    let world = World::empty()
        .app(App::new("ops_gateway", ESB_SECRET).skipping_user_auth())
        .token("user-token", "alice")
        .token("xxx", "alice")
        .business(Business::new(1).account(1000, "root"))
        .script(Script::new("s", 1).version(1, "echo"));
    let gate = Gate::in_world(Files { policy: open_policy(), ..Files::default() }, world).await;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let body = case["raw"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        gate.send(&[], &body).await;
    }
    let intents = gate.records("intent").len();
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended && intents > 50, "{intents}");
    let (status, told) = replay(folder.path(), &open_policy());
    // One has a callback that is longer than what stands in a record.
    assert_eq!((status, &told["same"]), (Some(0), &json!(intents - 1)), "{told}");
    let long = json!({"reason": "a text is on record as its hash alone", "count": 1});
    assert_eq!(told["untold"][0], long, "{told}");
    let narrow = open_policy().replace("topology: any", "topology: []");
    let (status, told) = replay(folder.path(), &narrow);
    assert_eq!(status, Some(1));
    assert_eq!(told["differences"][0]["change"], "refused: TARGET_NOT_ALLOWED", "{told}");
}
