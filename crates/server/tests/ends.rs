//! How connections end: a refusal reaches a client that is still sending, and nobody is waited for.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a broken promise is a panic, in its helpers too"
)]

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{Clock, ReceivedAt};
use esbgate_server::{Downstream, Server, ServerLimits, bind};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Ends a test that would hang; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> ReceivedAt {
        ReceivedAt { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO }
    }
}

/// A server that answers every request with these, without a look at its body.
fn answering(idle_time: Duration, status: StatusCode, body: &'static [u8]) -> (Server, SocketAddr) {
    let listener = bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ServerLimits { header_time: LONG, idle_time, headers: 32 * 1024, connections: 64 };
    let server = Server::new(limits, Arc::new(Stopped), CancellationToken::new());
    let serving = server.clone();
    let answer = tower::service_fn(move |_: Downstream| async move {
        let mut answer = Response::new(Bytes::from_static(body));
        *answer.status_mut() = status;
        Ok::<_, Infallible>(answer)
    });
    tokio::spawn(async move { serving.serve(listener, None, answer).await });
    (server, address)
}

/// Waits until no connection is open.
async fn all_ended(server: &Server) {
    let ended = async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
}

/// More than the buffers of both sockets hold.
const LARGE: usize = 32 << 20;

#[tokio::test]
async fn a_client_that_sends_its_whole_body_first_still_reads_the_refusal() {
    let (_, address) = answering(LONG, StatusCode::PAYLOAD_TOO_LARGE, b"too large");
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
    let (server, address) = answering(SHORT, StatusCode::PAYLOAD_TOO_LARGE, b"too large");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    all_ended(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_not_waited_for() {
    static ANSWER: [u8; LARGE] = [b'x'; LARGE];
    let (server, address) = answering(SHORT, StatusCode::OK, &ANSWER);
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    timeout(PATIENCE, silent.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    all_ended(&server).await;

    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://x/").body(Empty::<Bytes>::new()).unwrap();
    let answer = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    all_ended(&server).await;
}
