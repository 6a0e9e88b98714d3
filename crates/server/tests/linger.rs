//! A refusal reaches a client that is still sending.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a broken promise is a panic, in its helpers too"
)]

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{Clock, ReceivedAt};
use esbgate_server::{Downstream, Server, ServerLimits, bind};
use http::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Ends a test that would hang; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> ReceivedAt {
        ReceivedAt { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO }
    }
}

/// A server that refuses every request without a look at its body.
fn refusing(idle_time: Duration) -> (Server, SocketAddr) {
    let listener = bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let limits =
        ServerLimits { header_time: idle_time, idle_time, headers: 32 * 1024, connections: 64 };
    let server = Server::new(limits, Arc::new(Stopped), CancellationToken::new());
    let serving = server.clone();
    let refuse = tower::service_fn(|_: Downstream| async {
        let mut refusal = Response::new(Bytes::from_static(b"too large"));
        *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        Ok::<_, Infallible>(refusal)
    });
    tokio::spawn(async move { serving.serve(listener, None, refuse).await });
    (server, address)
}

/// More than the buffers of both sockets hold.
const LARGE: usize = 32 << 20;

#[tokio::test]
async fn a_client_that_sends_its_whole_body_first_still_reads_the_refusal() {
    let (_, address) = refusing(Duration::from_secs(600));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    timeout(PATIENCE, stream.write_all(&vec![0; LARGE])).await.unwrap().unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.ends_with("too large"), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_closes_is_not_waited_for() {
    let (server, address) = refusing(Duration::from_millis(50));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let left = async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, left).await.unwrap();
}
