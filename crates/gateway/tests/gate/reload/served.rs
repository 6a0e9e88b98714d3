//! The gateway as a process: signals, a journal that fails, and a start that cannot remember.

use std::process::Stdio;

use super::*;
use crate::served::{Served, serve};

impl Served {
    fn put_policy(&self, text: &str) {
        put(&self.folder.path().join("policy.yaml"), text);
    }

    /// Asks until a line of the metrics is there; each question gives the gateway its time.
    async fn until_metric(&self, line: &str) {
        let line = format!("\n{line}\n");
        let reached = async { while !self.monitor("/metrics").await.contains(&line) {} };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{line}"));
    }
}

#[tokio::test]
async fn a_hangup_has_it_look_and_what_is_wrong_is_told_again() {
    let mut gate = Served::start().await;
    gate.put_policy("version: 1\nunknown: canary-of-a-secret\n");
    gate.until_metric("esbgate_policy_reloads_total{result=\"refused\"} 1").await;
    assert!(gate.monitor("/readyz").await.contains("200 OK"));
    gate.signal("-HUP").await;
    gate.until_metric("esbgate_policy_reloads_total{result=\"refused\"} 2").await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let causes = facts(&gate.records("reload"), &["cause", "result"]);
    let expected = [["start", "taken"], ["watch", "refused"], ["signal", "refused"]];
    assert_eq!(causes, expected.map(|words| words.map(|word| json!(word))));
    gate.put_policy(&allowing(1));
    gate.until_metric("esbgate_policy_generation 2").await;
    let (status, log) = gate.stop().await;
    assert!(status.success() && log.contains("policy is not taken"), "{log}");
    assert!(log.contains("policy.yaml:2:1") && log.contains("looked again"), "{log}");
}

#[tokio::test]
async fn a_policy_that_cannot_be_recorded_is_not_taken_and_is_tried_again() {
    let mut gate = Served::with(Files { policy: allowing(1), ..Files::default() }).await;
    gate.limit_files("0").await;
    gate.put_policy(&allowing(2));
    gate.signal("-HUP").await;
    gate.until_metric("esbgate_policy_reload_success 0").await;
    let metrics = gate.monitor("/metrics").await;
    assert!(metrics.contains("\nesbgate_policy_generation 1\n"), "{metrics}");
    assert!(!metrics.contains("{result=\"unrecorded\"} 0\n"), "{metrics}");
    gate.limit_files("unlimited").await;
    gate.signal("-HUP").await;
    gate.until_metric("esbgate_policy_generation 2").await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    assert!(gate.stop().await.0.success());
}

#[tokio::test]
async fn a_start_that_cannot_remember_says_why_and_is_none() {
    let (_standin, folder) = Files::default().lay_out(world()).await;
    let state = folder.path().join("state");
    let start = || async {
        let mut command = serve(folder.path());
        let output = command.stdout(Stdio::null()).output();
        let output = timeout(PATIENCE, output).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    std::fs::write(&state, "a file where the folder should be").unwrap();
    let said = start().await;
    let key = state.join("checkpoint.key").display().to_string();
    assert!(said.contains(&key) && said.contains("Not a directory"), "{said}");
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("rollback.json"), "{").unwrap();
    let said = start().await;
    assert!(said.contains("rollback.json is damaged"), "{said}");
}
