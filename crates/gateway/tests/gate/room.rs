//! `limits.in_flight` counts calls, whoever still waits for them.

use esbgate_standin::Fault;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::*;

/// One frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Sends a call over HTTP/2, where the server notices at once that a caller has left.
async fn asked(gate: &Gate) -> TcpStream {
    let header = authorization("bk_username", "svc_deploy");
    let mut fields = vec![];
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", "127.0.0.1"),
        ("x-bkapi-authorization", &header),
    ] {
        // A literal that is not indexed (RFC 7541 §6.2.2); lengths below 127 are one byte.
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
            fields.extend(text.as_bytes());
        }
    }
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    bytes.extend(frame(1, END_HEADERS, 1, &fields));
    bytes.extend(frame(0, END_STREAM, 1, call().to_string().as_bytes()));
    let mut stream = TcpStream::connect(gate.running.addresses()[0]).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream
}

/// Asks until the gateway has `count` connections of callers.
async fn connections(gate: &Gate, count: u32) {
    let line = format!("\nesbgate_connections {count}\n");
    let seen = async { while !gate.metrics().await.replace('\r', "").contains(&line) {} };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
}

#[tokio::test]
async fn the_limits_are_exposed_beside_what_they_limit() {
    let boot_extra = "limits: {in_flight: 3, body_bytes: 2MiB, connections: 7}\n".into();
    let gate = Gate::with(Files { boot_extra, ..Files::default() }).await;
    let metrics = gate.metrics().await;
    for line in [
        "esbgate_limit_requests_in_flight 3",
        "esbgate_limit_body_bytes 2097152",
        "esbgate_limit_connections 7",
    ] {
        assert!(metrics.lines().any(|seen| seen == line), "{line}");
    }
}

#[tokio::test]
async fn callers_who_leave_make_no_room_until_their_calls_end() {
    let files = Files { boot_extra: "limits: {in_flight: 3}\n".into(), ..Files::default() };
    let gate = Gate::with(files).await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.always());
    let leaving = [asked(&gate).await, asked(&gate).await];
    let stays = async {
        let answer = gate.call(&call()).await;
        assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
    };
    let others = async {
        held.hit(3, PATIENCE).await.unwrap();
        drop(leaving);
        connections(&gate, 1).await;
        gate.call(&call()).await.is(503, "SERVICE_UNAVAILABLE", "no");
        assert!(gate.metrics().await.contains("esbgate_requests_in_flight 3"));
        assert_eq!(gate.counts(), (0, 3, 0));
        held.release();
    };
    tokio::join!(stays, others);
    // Its call has ended, so its place is free whatever the other two do.
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let path = gate.running.journal_path().join("00000001.jsonl");
    let (ended, standin, _folder) = gate.stop().await;
    assert!(ended);
    let journal = std::fs::read_to_string(path).unwrap();
    assert_eq!(journal.matches("\"kind\":\"outcome\"").count(), 4);
    assert_eq!(standin.history().run_count(), 4);
}
