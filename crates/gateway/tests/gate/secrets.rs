//! No secret is in anything that the gateway puts out: answers, journal, metrics.

use esbgate_standin::{Echo, Fault};
use serde_json::json;

use crate::support::*;

const CANARIES: [&str; 6] =
    [KEY, TOKEN, ESB_SECRET, "param-canary-1", "hmac-key-canary-1", "query-canary-1"];

fn clean(place: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {place}: {text}");
    }
}

#[tokio::test]
async fn no_secret_is_in_an_answer_the_journal_or_the_metrics() {
    let gate = Gate::start().await;
    let with_token = authorization("bk_token", TOKEN);
    let callback = json!({"callback_url": "https://ci.example.com/job/?t=query-canary-1"});
    for body in [
        call(),
        call_with(callback),
        call_with(json!({"timeout": 0})),
        call_with(json!({"bk_biz_id": 3})),
    ] {
        for header in [
            &with_token,
            &authorization("bk_username", "svc_deploy"),
            &authorization("bk_username", "x"),
        ] {
            let answer = gate.send(&[("X-Bkapi-Authorization", header)], &body.to_string()).await;
            clean("an answer", &format!("{}\n{}", answer.head, answer.body));
        }
    }
    for echo in [Echo::Plain, Echo::Percent, Echo::Base64, Echo::Escaped] {
        gate.standin.esb_faults().arm(Fault::Echo(echo).once());
        let text = gate.call(&call()).await;
        clean("an echo", &text.body.to_string());
    }
    clean("the metrics", &gate.metrics().await);
    for path in gate.journal_files() {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("\"kind\":\"intent\""));
        clean("the journal", &text);
    }
}
