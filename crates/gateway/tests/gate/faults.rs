//! The ESB refuses, is silent, answers rubbish or is not there; the caller leaves; the disk is gone.

use esbgate_standin::Fault;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::*;

/// A budget of three hosts that does not come back within a test.
const THREE_HOSTS: &str = "    hosts: {per_call: 3, per_minute: 1, burst: 3}\n";

fn three_hosts() -> serde_json::Value {
    let list: Vec<_> =
        (1..=3).map(|i| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{i}")})).collect();
    call_with(json!({"target_server": {"ip_list": list}}))
}

async fn gate() -> Gate {
    Gate::with(Files { policy: policy(THREE_HOSTS, ALLOW), ..Files::default() }).await
}

#[tokio::test]
async fn an_esb_that_is_not_there_ran_nothing_and_the_charge_is_given_back() {
    let gate = gate().await;
    gate.standin.esb_faults().refuse_connections().await;
    gate.call(&three_hosts()).await.is(502, "UPSTREAM_UNREACHABLE", "no");
    gate.standin.esb_faults().accept_connections().await;
    assert_eq!(gate.records("outcome")[0]["executed"], "no");
    assert_eq!(gate.call(&three_hosts()).await.body["executed"], "yes");
    gate.call(&three_hosts()).await.is(429, "HOST_BUDGET_SPENT", "no");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_it_unknown_and_the_charge_stands() {
    for fault in [Fault::html(502), Fault::html(200), Fault::empty(), Fault::Cut(20)] {
        let gate = gate().await;
        gate.standin.esb_faults().arm(fault.once());
        gate.call(&three_hosts()).await.is(502, "BAD_GATEWAY", "unknown");
        assert_eq!(gate.counts(), (1, 1, 1));
        assert_eq!(gate.records("outcome")[0]["executed"], "unknown");
        gate.call(&three_hosts()).await.is(429, "HOST_BUDGET_SPENT", "no");
        assert_eq!(gate.standin.history().request_count(), 1, "nothing is sent twice");
    }
}

#[tokio::test]
async fn a_silent_esb_is_given_up_at_the_deadline_and_leaves_it_unknown() {
    let files = Files {
        upstream_extra: ", timeouts: {connect: 2s, answer: 300ms}".into(),
        ..Files::default()
    };
    let gate = Gate::with(files).await;
    gate.standin.esb_faults().arm(Fault::Silence.once());
    gate.call(&call()).await.is(504, "REQUEST_BACKEND_TIMEOUT", "unknown");
    assert_eq!(gate.records("outcome")[0]["executed"], "unknown");
}

#[tokio::test]
async fn what_the_esb_refuses_keeps_its_body_and_says_whether_it_ran() {
    let gate = gate().await;
    gate.standin.esb_faults().arm(Fault::refusal(1_244_001, "Host is empty").once());
    let answer = gate.call(&call()).await;
    assert_eq!(
        (answer.status, &answer.body["code"], &answer.body["executed"]),
        (200, &json!(1_244_001), &json!("no"))
    );
    assert!(!answer.head.contains("x-bkapi-error-code"), "the SDK raises on it");
    gate.standin.esb_faults().arm(Fault::job_timeout().once());
    let answer = gate.call(&call()).await;
    assert_eq!(
        (&answer.body["code"], &answer.body["executed"]),
        (&json!(1_306_201), &json!("unknown"))
    );
    assert!(!answer.body["message"].as_str().unwrap().contains("http"));
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_nothing() {
    let gate = gate().await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    let header = authorization("bk_username", "svc_deploy");
    let body = three_hosts().to_string();
    let mut stream = TcpStream::connect(gate.running.addresses()[0]).await.unwrap();
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Bkapi-Authorization: {header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    held.hit(1, PATIENCE).await.unwrap();
    drop(stream);
    held.release();
    gate.standin.history().ran(1, PATIENCE).await.unwrap();
    let path = gate.running.journal_path();
    // A stop waits for the call that nobody waits for any more.
    let (ended, standin, _folder) = gate.stop().await;
    assert!(ended);
    let text = std::fs::read_to_string(path.join("00000001.jsonl")).unwrap();
    assert!(
        text.contains("\"kind\":\"outcome\"") && text.contains("\"executed\":\"yes\""),
        "{text}"
    );
    assert_eq!(standin.history().run_count(), 1);
}

#[tokio::test]
async fn a_secret_that_the_esb_refuses_is_counted_for_an_alarm() {
    let gate = gate().await;
    gate.standin.change(|world| world.apps[0].secrets = vec!["another-secret".into()]);
    let answer = gate.call(&call()).await;
    assert_eq!(answer.body["executed"], "no");
    let metrics = gate.metrics().await;
    assert!(
        metrics
            .contains("esbgate_upstream_credential_refusals_total{credential=\"ops_gateway\"} 1")
    );
}
