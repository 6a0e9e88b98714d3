//! No secret is in anything that the gateway puts out: answers, journal, metrics. Answers and metrics are grepped where
//! they are read; what is left in the folder, where it is dropped.

use std::path::Path;

use esbgate_standin::{Echo, Fault};
use serde_json::json;

use crate::support::*;

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
            assert!(answer.body.is_object());
        }
    }
    for echo in [Echo::Plain, Echo::Percent, Echo::Base64, Echo::Escaped] {
        gate.standin.esb_faults().arm(Fault::Echo(echo).once());
        gate.call(&call()).await;
    }
    gate.metrics().await;
    for path in gate.journal_files() {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("\"kind\":\"intent\""));
        clean("the journal", text.as_bytes());
    }
}

/// Suites without the grep, because nothing in them runs a gateway that was told a secret.
const QUIET: [(&str, &str); 10] = [
    ("architecture", "reads manifests"),
    ("audit_commands", "reads journals that a test wrote"),
    ("deploy", "reads files of the repository"),
    ("docs", "runs the demo, whose secrets stand in the documents"),
    ("policy_check", "serves nobody; looks for its own secrets"),
    ("policy_commands", "serves nobody"),
    ("policy_commands_diff", "serves nobody"),
    ("policy_commands_doc", "serves nobody"),
    ("policy_commands_exemptions", "serves nobody"),
    ("policy_commands_test", "serves nobody"),
];

/// The text of a suite, all of its modules included.
fn text(path: &Path) -> String {
    if path.is_file() {
        return std::fs::read_to_string(path).unwrap();
    }
    let sources = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    sources
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|it| text(&it))
        .collect()
}

#[test]
fn every_suite_greps_for_secrets_or_says_why_it_has_none() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut quiet: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() && !path.join("main.rs").is_file() {
            continue;
        }
        let text = text(&path);
        if !["secret_grep", "gate/support.rs"].iter().any(|of| text.contains(of)) {
            quiet.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    quiet.sort();
    assert_eq!(quiet, QUIET.map(|(name, _)| name));
}
