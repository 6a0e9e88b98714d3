//! The server over real sockets: protocols, TLS, limits, deadlines and drain.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken promise is a panic, in its helpers too"
)]

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{BodyBudget, Clock, Gather, ReceivedAt, Rejection, Rooms, Trace};
use esbgate_server::{
    BindError, Downstream, EnteredRequest, ListenerTls, ReadBody, Server, ServerLimits,
    TracedRequest, bind, tls_config,
};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// Ends a test that would hang; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

const LIMITS: ServerLimits =
    ServerLimits { header_time: LONG, idle_time: LONG, headers: 32 * 1024, connections: 64 };

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> ReceivedAt {
        ReceivedAt { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(7) }
    }
}

#[derive(Debug)]
struct Unread;

impl esbgate_core::TraceSink for Unread {
    fn ended(&self, _: &Trace) {}
}

struct Started {
    address: SocketAddr,
    server: Server,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

fn start<S>(limits: ServerLimits, tls: Option<Arc<rustls::ServerConfig>>, service: S) -> Started
where
    S: Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let listener = bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let drain = CancellationToken::new();
    let server = Server::new(limits, Arc::new(Stopped), drain.clone());
    let serving = server.clone();
    let task =
        tokio::spawn(
            async move { serving.serve(listener, tls.map(ListenerTls::new), service).await },
        );
    Started { address, server, drain, task }
}

/// A service that answers with what it was told.
async fn tell(downstream: Downstream) -> Result<Response<Bytes>, Infallible> {
    let Downstream { request, peer, received_at, .. } = downstream;
    let told = format!(
        "{:?} {} {:?} {:?}",
        request.version(),
        received_at.monotonic.as_secs(),
        peer.socket(),
        peer.certificate()
    );
    Ok(Response::new(told.into()))
}

/// A service that reads bodies, and answers with their length or with the status of the refusal.
fn reading(
    reader: ReadBody,
) -> impl Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Future + Send>
+ Clone
+ Send
+ Sync
+ 'static {
    tower::service_fn(move |downstream: Downstream| {
        let reader = reader.clone();
        async move {
            let peer = downstream.peer.clone();
            let trace = Trace::new("0".into(), peer, downstream.received_at, Arc::new(Unread));
            let mut answer = Response::new(Bytes::new());
            let traced = TracedRequest { downstream, trace };
            let inside = Rooms::default().take(1).unwrap();
            match reader.run(EnteredRequest { traced, inside }).await {
                Ok(received) => *answer.body_mut() = received.body.len().to_string().into(),
                Err(Rejection::BodyTooLarge) => {
                    *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                }
                Err(Rejection::BodyTimeout) => *answer.status_mut() = StatusCode::REQUEST_TIMEOUT,
                Err(Rejection::NoRoom) => *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
                Err(other) => panic!("{other}"),
            }
            Ok(answer)
        }
    })
}

fn post(fields: usize, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post("http://gateway.example/").header("host", "gateway.example");
    for field in 0..fields {
        request = request.header(format!("x-{field}"), "1");
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

async fn ask<I>(io: I, version: Version, request: Request<Full<Bytes>>) -> (StatusCode, String)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    let answer = if version == Version::HTTP_2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn connect(started: &Started) -> TcpStream {
    TcpStream::connect(started.address).await.unwrap()
}

/// Waits for the end of the stream; a reset is an end too.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("is not closed");
    drop(ended);
    read
}

async fn head_of_answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut read)).await.unwrap().unwrap(), 0);
    }
    String::from_utf8(read).unwrap()
}

struct Keys {
    server: Arc<rustls::ServerConfig>,
    roots: Arc<RootCertStore>,
    client: (String, String),
}

fn keys() -> Keys {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issue = |name: SanType| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let (cert, key) = issue(SanType::DnsName("gateway.example".try_into().unwrap()));
    let client = issue(SanType::URI("spiffe://example/app".try_into().unwrap()));
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    Keys {
        server: tls_config(cert.as_bytes(), key.as_bytes(), Some(ca.pem().as_bytes())).unwrap(),
        roots: Arc::new(roots),
        client,
    }
}

async fn connect_tls(
    started: &Started,
    keys: &Keys,
    alpn: &[u8],
    own: bool,
) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Arc::clone(&keys.roots));
    let mut config = if own {
        let cert = PemObject::from_pem_slice(keys.client.0.as_bytes()).unwrap();
        let key = PemObject::from_pem_slice(keys.client.1.as_bytes()).unwrap();
        builder.with_client_auth_cert(vec![cert], key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = "gateway.example".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, connect(started).await).await.unwrap()
}

#[tokio::test]
async fn http_1_and_http_2_by_prior_knowledge_reach_the_service() {
    let started = start(LIMITS, None, tower::service_fn(tell));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (status, told) = ask(connect(&started).await, version, post(0, "")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(told, format!("{version:?} 7 Some(127.0.0.1) []"));
    }
}

#[tokio::test]
async fn tls_speaks_what_alpn_chose_and_brings_the_names_of_the_certificate() {
    let keys = keys();
    let started = start(LIMITS, Some(Arc::clone(&keys.server)), tower::service_fn(tell));
    for (alpn, version) in [("h2", Version::HTTP_2), ("http/1.1", Version::HTTP_11)] {
        for (own, names) in [(true, r#"[Uri("spiffe://example/app")]"#), (false, "[]")] {
            let stream = connect_tls(&started, &keys, alpn.as_bytes(), own).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
            let (_, told) = ask(stream, version, post(0, "")).await;
            assert_eq!(told, format!("{version:?} 7 Some(127.0.0.1) {names}"));
        }
    }
}

#[tokio::test]
async fn a_broken_handshake_does_not_end_the_accept_loop() {
    let keys = keys();
    let started = start(LIMITS, Some(Arc::clone(&keys.server)), tower::service_fn(tell));
    let mut broken = connect(&started).await;
    broken.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(!until_closed(&mut broken).await.starts_with(b"HTTP"));
    let stream = connect_tls(&started, &keys, b"h2", false).await;
    assert_eq!(ask(stream, Version::HTTP_2, post(0, "")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_closed() {
    let limits = ServerLimits { header_time: SHORT, ..LIMITS };
    let started = start(limits, Some(keys().server), tower::service_fn(tell));
    until_closed(&mut connect(&started).await).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let reader = ReadBody::new(8, LONG, BodyBudget::new(100));
    let started = start(LIMITS, None, reading(reader));
    let mut stream = connect(&started).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    assert!(head_of_answer(&mut stream).await.starts_with("HTTP/1.1 413"));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let over = ask(connect(&started).await, version, post(0, "123456789")).await;
        assert_eq!(over.0, StatusCode::PAYLOAD_TOO_LARGE);
        let under = ask(connect(&started).await, version, post(0, "12345678")).await;
        assert_eq!(under, (StatusCode::OK, "8".to_owned()));
    }
}

#[tokio::test]
async fn a_slow_body_is_cut_at_the_deadline_and_its_bytes_are_given_back() {
    let budget = BodyBudget::new(100);
    let started = start(LIMITS, None, reading(ReadBody::new(8, SHORT, Arc::clone(&budget))));
    let mut stream = connect(&started).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n123").await.unwrap();
    assert!(head_of_answer(&mut stream).await.starts_with("HTTP/1.1 408"));
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_full_byte_budget_refuses_a_body() {
    let budget = BodyBudget::new(8);
    let started = start(LIMITS, None, reading(ReadBody::new(8, LONG, Arc::clone(&budget))));
    let held = budget.take(6).unwrap();
    let refused = ask(connect(&started).await, Version::HTTP_2, post(0, "123")).await;
    assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
    drop(held);
    let read = ask(connect(&started).await, Version::HTTP_2, post(0, "123")).await;
    assert_eq!(read.0, StatusCode::OK);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_slow_head_is_closed_on_either_protocol() {
    let limits = ServerLimits { header_time: SHORT, ..LIMITS };
    let started = start(limits, None, tower::service_fn(tell));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for sent in [&b""[..], b"POST / HTTP/1.1\r\nhost:", b"PRI * HT", preface] {
        let mut stream = connect(&started).await;
        stream.write_all(sent).await.unwrap();
        assert!(!until_closed(&mut stream).await.starts_with(b"HTTP/1.1 2"));
    }
}

#[tokio::test]
async fn a_slow_second_head_is_closed_long_before_the_idle_time() {
    let limits = ServerLimits { header_time: SHORT, ..LIMITS };
    let started = start(limits, None, tower::service_fn(tell));
    let mut stream = connect(&started).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(head_of_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET / HT").await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_on_either_protocol() {
    let limits = ServerLimits { idle_time: SHORT, ..LIMITS };
    let started = start(limits, None, tower::service_fn(tell));
    let mut stream = connect(&started).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with(b"HTTP/1.1 200"));

    let io = TokioIo::new(connect(&started).await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let ended = tokio::spawn(connection);
    assert_eq!(sender.send_request(post(0, "")).await.unwrap().status(), StatusCode::OK);
    drop(timeout(PATIENCE, ended).await.expect("is not closed"));
    assert!(sender.is_closed());
}

#[tokio::test]
async fn two_hundred_fields_are_refused_on_either_protocol() {
    let started = start(LIMITS, None, tower::service_fn(tell));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let refused = ask(connect(&started).await, version, post(200, "")).await;
        assert_eq!(refused.0, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let taken = ask(connect(&started).await, version, post(90, "")).await;
        assert_eq!(taken.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_head_over_its_bytes_is_refused() {
    let started = start(ServerLimits { headers: 8192, ..LIMITS }, None, tower::service_fn(tell));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut large = post(0, "");
        large.headers_mut().insert("x-large", "x".repeat(9000).parse().unwrap());
        let refused = ask(connect(&started).await, version, large).await;
        assert_eq!(refused.0, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
}

#[tokio::test]
async fn a_connection_over_the_count_is_closed_and_its_place_comes_back() {
    let started = start(ServerLimits { connections: 1, ..LIMITS }, None, tower::service_fn(tell));
    let mut first = connect(&started).await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    head_of_answer(&mut first).await;
    assert_eq!(started.server.connections(), 1);
    assert!(until_closed(&mut connect(&started).await).await.is_empty());
    drop(first);
    let left = async {
        while started.server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, left).await.unwrap();
    let taken = ask(connect(&started).await, Version::HTTP_11, post(0, "")).await;
    assert_eq!(taken.0, StatusCode::OK);
}

/// A service whose requests say that they run, and end when they are released.
fn held() -> (
    Arc<Notify>,
    Arc<Notify>,
    impl Service<Downstream, Response = Response<Bytes>, Error = Infallible, Future: Future + Send>
    + Clone
    + Send
    + Sync
    + 'static,
) {
    let (runs, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, awaited) = (Arc::clone(&runs), Arc::clone(&release));
    let service = tower::service_fn(move |_: Downstream| {
        let (told, awaited) = (Arc::clone(&told), Arc::clone(&awaited));
        async move {
            told.notify_one();
            awaited.notified().await;
            Ok(Response::new(Bytes::from("done")))
        }
    });
    (runs, release, service)
}

#[tokio::test]
async fn a_drain_lets_running_requests_finish_and_refuses_new_connections() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (runs, release, service) = held();
        let started = start(LIMITS, None, service);
        let mut silent = connect(&started).await;
        let running = tokio::spawn(ask(connect(&started).await, version, post(0, "")));
        runs.notified().await;
        started.drain.cancel();
        until_closed(&mut silent).await;
        let refused = async {
            while TcpStream::connect(started.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, refused).await.unwrap();
        assert!(!started.task.is_finished() && !running.is_finished());
        release.notify_one();
        assert_eq!(running.await.unwrap(), (StatusCode::OK, "done".to_owned()));
        timeout(PATIENCE, started.task).await.unwrap().unwrap();
        assert_eq!(started.server.connections(), 0);
    }
}

#[tokio::test]
async fn giving_up_a_drain_cuts_what_is_still_open() {
    let (runs, _release, service) = held();
    let started = start(LIMITS, None, service);
    let mut stream = connect(&started).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    runs.notified().await;
    started.task.abort();
    assert!(until_closed(&mut stream).await.is_empty());
}

#[tokio::test]
async fn a_unix_socket_replaces_an_abandoned_file_and_removes_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = format!("unix:{}", path.display());
    let listener = bind(&address).unwrap();
    assert!(matches!(bind(&address), Err(BindError::Refused { .. })));
    let drain = CancellationToken::new();
    let server = Server::new(LIMITS, Arc::new(Stopped), drain.clone());
    let task = tokio::spawn(async move {
        server.serve(listener, None, tower::service_fn(tell)).await;
    });
    let stream = UnixStream::connect(&path).await.unwrap();
    let (_, told) = ask(stream, Version::HTTP_11, post(0, "")).await;
    assert_eq!(told, "HTTP/1.1 7 None []");
    drain.cancel();
    timeout(PATIENCE, task).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept");
    std::fs::write(&file, "kept").unwrap();
    assert!(matches!(bind("localhost"), Err(BindError::NotAnAddress(_))));
    let taken = bind(&format!("unix:{}", file.display()));
    assert!(matches!(taken, Err(BindError::Refused { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered_before_the_connection_is_closed() {
    let started = start(LIMITS, None, tower::service_fn(tell));
    let mut stream = connect(&started).await;
    stream.write_all(b"GET / HTTP/1.1\r\nho st: x\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with(b"HTTP/1.1 400"));
}

#[tokio::test]
async fn a_connection_at_rest_is_served_on_whatever_it_sends_next() {
    let started = start(LIMITS, None, tower::service_fn(tell));
    let mut stream = connect(&started).await;
    // The last one begins like HTTP/2 and is a method of its own.
    for parts in [["GET / HT", "TP/1.1"], ["GET", " / HTTP/1.1"], ["P", "RIX / HTTP/1.1"]] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(b"\r\nhost: a\r\n\r\n").await.unwrap();
        let told = head_of_answer(&mut stream).await;
        assert!(told.contains("200 OK") && told.contains("127.0.0.1"), "{told}");
    }
}
