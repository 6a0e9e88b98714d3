//! What callers whose application is not proved leave behind.

use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn refusals_before_an_application_is_proved_are_summed_and_later_ones_are_not() {
    let gate = Gate::start().await;
    let wrong = json!({"bk_app_code": "team_app", "bk_app_secret": "wrong"}).to_string();
    for _ in 0..7 {
        let answer = gate.send(&[("X-Bkapi-Authorization", &wrong)], &call().to_string()).await;
        answer.is(401, "APP_VERIFY_FAILED", "no");
    }
    for _ in 0..3 {
        let text = gate.raw(b"POST /no HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
        Answer::read(&text.await).is(404, "API_NOT_FOUND", "no");
    }
    for _ in 0..2 {
        gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(403, "BUSINESS_NOT_ALLOWED", "no");
    }
    let path = gate.running.journal_path().join("00000001.jsonl");
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended);
    let text = std::fs::read_to_string(path).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut refusals: Vec<(String, Option<u64>)> = records
        .filter(|record| record["kind"] == "refusal")
        .inspect(|record| assert_eq!(record["peer"], "127.0.0.1"))
        .map(|record| (record["code_name"].as_str().unwrap().into(), record["count"].as_u64()))
        .collect();
    refusals.sort();
    let expected = [
        ("API_NOT_FOUND", Some(3)),
        ("APP_VERIFY_FAILED", Some(7)),
        ("BUSINESS_NOT_ALLOWED", None),
        ("BUSINESS_NOT_ALLOWED", None),
    ];
    assert_eq!(refusals, expected.map(|(code, count)| (code.to_owned(), count)));
}
