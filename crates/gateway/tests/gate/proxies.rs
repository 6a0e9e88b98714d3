//! Whose address counts: in records, and for the ESB.

use serde_json::json;

use crate::support::*;

async fn behind(proxies: &str) -> Gate {
    let boot_extra = format!("trusted_proxies: [{proxies}]\n");
    Gate::with(Files { boot_extra, ..Files::default() }).await
}

async fn forwarded_for(gate: &Gate, addresses: &[&str]) {
    let header = authorization("bk_username", "svc_deploy");
    let mut headers = vec![("X-Bkapi-Authorization", header.as_str())];
    headers.extend(addresses.iter().map(|line| ("X-Forwarded-For", *line)));
    let answer = gate.send(&headers, &call().to_string()).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
}

/// What the ESB was told, one line for each field.
fn told(gate: &Gate) -> Vec<String> {
    let request = gate.standin.history().requests().pop().unwrap();
    request
        .header("x-forwarded-for")
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect()
}

#[tokio::test]
async fn behind_a_trusted_proxy_record_and_esb_have_the_callers_address_alone() {
    let gate = behind("127.0.0.0/8, 10.9.0.0/16").await;
    forwarded_for(&gate, &["198.51.100.66, 192.0.2.1", "10.9.1.1"]).await;
    assert_eq!(gate.records("intent")[0]["peer"], "192.0.2.1");
    assert_eq!(told(&gate), ["192.0.2.1"]);
    forwarded_for(&gate, &["198.51.100.66, nonsense"]).await;
    assert_eq!(gate.records("intent")[1]["peer"], "127.0.0.1");
    assert_eq!(told(&gate), ["127.0.0.1"]);
}

#[tokio::test]
async fn from_anybody_else_the_header_is_dropped() {
    let gate = behind("").await;
    forwarded_for(&gate, &["192.0.2.1"]).await;
    assert_eq!(gate.records("intent")[0]["peer"], "127.0.0.1");
    assert_eq!(told(&gate), ["127.0.0.1"]);
}

#[tokio::test]
async fn the_throttle_of_failed_proofs_goes_by_the_caller() {
    let gate = behind("127.0.0.0/8").await;
    let wrong = json!({"bk_app_code": "team_app", "bk_app_secret": "wrong"}).to_string();
    let body = call().to_string();
    let mut statuses = vec![];
    for caller in std::iter::repeat_n("192.0.2.1", 30).chain(["192.0.2.2"]) {
        let headers = [("X-Bkapi-Authorization", wrong.as_str()), ("X-Forwarded-For", caller)];
        statuses.push(gate.send(&headers, &body).await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(statuses.last(), Some(&401));
}

#[tokio::test]
async fn a_trusted_peer_is_who_connects_and_not_who_a_proxy_names() {
    let boot_extra = "trusted_proxies: [127.0.0.0/8]\ntrusted_peers: [192.0.2.0/24]\n".to_owned();
    let gate = Gate::with(Files { boot_extra, ..Files::default() }).await;
    let header = authorization("bk_username", "svc_deploy");
    let headers = [
        ("X-Bkapi-Authorization", header.as_str()),
        ("X-Forwarded-For", "192.0.2.1"),
        // It would be refused if it were read.
        ("X-Bkapi-JWT", "not-a-token"),
    ];
    let answer = gate.send(&headers, &call().to_string()).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
}
