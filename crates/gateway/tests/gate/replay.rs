//! What was recorded, held against the same policy and against another one.

use std::{path::Path, process::Command};

use esbgate_core::Clock as _;
use esbgate_gateway::SystemClock;
use serde_json::{Value, json};

use crate::{
    support::*,
    vectors::{CASES, open_policy, world_of_cases},
};

fn replay(folder: &Path, policy: &str) -> (Option<i32>, Value) {
    let (status, said) = replay_by(folder, policy, &["--format", "json"]);
    (status, serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}")))
}

fn replay_by(folder: &Path, policy: &str, more: &[&str]) -> (Option<i32>, String) {
    std::fs::write(folder.join("new.yaml"), policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_esbgate"))
        .args(["policy", "replay", "--policy", "new.yaml", "--journal", "journal"])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), said + &String::from_utf8(output.stderr).unwrap())
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
async fn strict_risk_rules_are_told_by_what_the_policy_of_the_time_matched_and_changed_ones_are_named()
 {
    let risks = |action: &str| {
        format!(
            "risks:\n  - {{id: r, languages: [shell], match: danger, action: {action}, hint: no}}\n"
        )
    };
    let old = policy("", ALLOW) + &risks("warn");
    let gate = Gate::with(Files { policy: old.clone(), ..Files::default() }).await;
    for text in ["ZWNobyBkYW5nZXI=", "ZWNobyBmaW5l", "ZWNobyBmaW5l"] {
        let body = call_with(json!({"script_content": text, "script_param": null}));
        gate.call(&body).await.is(200, "", "yes");
    }
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let folder = folder.path();
    let denying = policy("", ALLOW) + &risks("deny");
    // By the start-up file's policy, and by one that is named.
    let known = [
        vec!["--format", "json", "--was", "policy.yaml"],
        vec!["--format", "json", "--was", "new.yaml", "--was", "policy.yaml"],
    ];
    for more in known {
        let (status, said) = replay_by(folder, &denying, &more);
        let told: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((status, &told["same"], &told["untold"]), (Some(1), &json!(2), &json!([])));
        let differences = told["differences"].as_array().unwrap();
        assert_eq!((differences.len(), &differences[0]["count"]), (1, &json!(1)), "{told}");
        assert_eq!(differences[0]["change"], "refused: SCRIPT_AT_RISK");
        assert_eq!(told["risk"][0]["change"], "risk rule r: warn becomes deny");
    }
    // Nobody knows what the rule was then; only that one of its name matched once.
    let (status, told) = replay(folder, &denying);
    assert_eq!(
        (status, &told["same"], &told["untold"][0]["count"]),
        (Some(1), &json!(0), &json!(3))
    );
    assert_eq!(told["risk"][0]["count"], 1, "{told}");
    // The rule of another text is another rule.
    let other = denying.replace("match: danger", "match: peril");
    let (_, said) = replay_by(folder, &other, &["--format", "json", "--was", "policy.yaml"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["same"], &told["untold"][0]["count"]), (&json!(0), &json!(3)), "{told}");
    let gone = policy("", ALLOW);
    let (status, told) = replay(folder, &gone);
    assert_eq!((status, &told["same"]), (Some(1), &json!(3)), "{told}");
    assert_eq!(told["risk"][0]["change"], "risk rule r: warn becomes absent");
}

#[tokio::test]
async fn a_refused_call_is_told_to_be_refused_again_where_nothing_of_it_could_be_allowed() {
    let gate = Gate::start().await;
    for _ in 0..2 {
        gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    }
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let old = policy("", ALLOW);
    let (status, told) = replay(folder.path(), &old);
    assert_eq!((status, &told["refused_again"]), (Some(0), &json!(0)));
    assert_eq!(told["untold"][0]["count"], 2);
    let frozen = "freeze: [{everything: true, reason: INC-1}]\n";
    // Neither today nor a day that is near.
    let day = jiff::tz::Offset::UTC.to_datetime(SystemClock::start().now().wall).weekday();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let far = days[usize::try_from(day.wrapping_add(3).to_monday_zero_offset()).unwrap()];
    let hours =
        format!("        hours: {{days: [{far}], from: \"00:00\", to: \"00:01\", zone: UTC}}\n");
    for new in [
        old.replace("team_app:", "other_app:"),
        old.replace("components: [fast_execute_script]", "components: [get_cron_list]"),
        format!("{old}{frozen}"),
        policy("", &format!("{}{hours}", ALLOW.trim_end_matches(' '))),
    ] {
        let (status, told) = replay(folder.path(), &new);
        assert_eq!((status, &told["refused_again"]), (Some(0), &json!(2)), "{new} {told}");
        assert_eq!(told["untold"], json!([]));
    }
}

#[tokio::test]
async fn differences_are_annotations_at_their_rules_on_demand() {
    let gate = Gate::start().await;
    gate.call(&call()).await.is(200, "", "yes");
    let (ended, _standin, folder) = gate.stop().await;
    assert!(ended);
    let new = policy("", ALLOW).replace("ids: [1, 2]", "ids: [1]");
    let line =
        new.lines().position(|line| line.contains("name: all that the tests do")).unwrap() + 1;
    let (status, said) = replay_by(folder.path(), &new, &["--format", "github"]);
    assert_eq!(status, Some(1), "{said}");
    let start = format!(
        "::warning file=new.yaml,line={line},col=15,title=team_app%3A 1 recorded call(s)::"
    );
    assert!(said.starts_with(&start), "{said}");
    assert!(said.contains("refused: BUSINESS_NOT_ALLOWED; from 20"), "{said}");
    assert!(said.ends_with("0 decided as before, 1 otherwise, 0 cannot be told\n"), "{said}");
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
    let gate =
        Gate::in_world(Files { policy: open_policy(), ..Files::default() }, world_of_cases()).await;
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
