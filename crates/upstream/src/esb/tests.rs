use std::net::SocketAddr;

use esbgate_core::Anomaly;
use esbgate_model::{Component, Needles, dialect::Dialect};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::wire::Wire;

const SUCCESS: &str = r#"{"result":true,"code":0,"message":"","data":{"job_instance_id":7}}"#;

fn message() -> OutgoingMessage {
    OutgoingMessage {
        component: Component::fast_execute_script(),
        authorization: Some(HeaderValue::from_static("{\"bk_app_code\":\"gate\"}")),
        headers: vec![
            (HeaderName::from_static("blueking-language"), HeaderValue::from_static("en")),
            (CONTENT_LENGTH, HeaderValue::from_static("3")),
            (HOST, HeaderValue::from_static("elsewhere")),
        ],
        body: Bytes::from_static(b"{\"bk_scope_id\":\"2\"}"),
        second: None,
        dialect: Dialect::Esb,
        echoes: Needles::new(["not-in-any-answer"]),
    }
}

fn esb_at(endpoints: &[String], tls: Option<Arc<ClientConfig>>) -> Esb {
    let options = EsbOptions {
        endpoints: endpoints.to_vec(),
        connect_timeout: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(20),
        answer_limit: 100_000,
        tls,
        keep_alive: None,
    };
    Esb::new(options, UpstreamMetrics::default()).unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A socket that holds its port and does not listen: nobody else can come to listen there meanwhile.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let body = message().body;
    let mut seen = Vec::new();
    while !seen.ends_with(&body) {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "request cut");
    }
    seen
}

/// Reads one request, writes `answer` and closes.
async fn answering(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = listener().await;
    let answer = answer.into();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        // The client may hang up before it has read all of an answer that it refuses.
        let _cut = stream.write_all(&answer).await;
        seen
    });
    (address, serving)
}

async fn over(wire: Wire) -> Open {
    Open { line: Line::new(wire).await.unwrap(), endpoint: 0, used: false }
}

async fn reached(esb: &Esb) -> String {
    let open = esb.shared.connect().await.unwrap();
    esb.shared.endpoints[open.endpoint].authority().to_str().unwrap().to_owned()
}

async fn exchange_with(address: SocketAddr) -> (Exchange, u64) {
    let esb = esb_at(&[format!("http://{address}")], None);
    let open = esb.shared.connect().await.unwrap();
    let written = open.line.written();
    (esb.shared.exchange(&esb.kept, open, &message()).await, written.bytes())
}

async fn exchanged(answer: impl Into<Vec<u8>>) -> Exchange {
    exchange_with(answering(answer).await.0).await.0
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

fn sized(body: &str) -> String {
    ok(&format!("Content-Length: {}\r\nConnection: close\r\n", body.len()), body)
}

fn body_of(exchange: Exchange) -> Bytes {
    match exchange {
        Exchange::Answered(reply) => reply.body,
        Exchange::NotSent | Exchange::Silent(_) => panic!("{exchange:?}"),
    }
}

fn is_broken(exchange: &Exchange) -> bool {
    matches!(exchange, Exchange::Silent(NoAnswer::Broken(_)))
}

#[tokio::test]
async fn a_whole_answer_is_answered_and_every_byte_is_counted() {
    let (address, serving) = answering(sized(SUCCESS)).await;
    let (exchange, written) = exchange_with(address).await;
    assert_eq!(body_of(exchange), SUCCESS);
    assert_eq!(written, serving.await.unwrap().len() as u64);
}

#[tokio::test]
async fn what_arrives_has_one_length_our_host_and_no_transfer_coding() {
    let (address, serving) = answering(sized(SUCCESS)).await;
    exchange_with(address).await;
    let seen = String::from_utf8(serving.await.unwrap()).unwrap();
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "POST /api/c/compapi/v2/jobv3/fast_execute_script/ HTTP/1.1");
    let host = format!("host: {address}");
    for line in [
        &host,
        "content-length: 19",
        "content-type: application/json",
        "accept: application/json",
        "blueking-language: en",
        "x-bkapi-authorization: {\"bk_app_code\":\"gate\"}",
    ] {
        let name = line.split(':').next().unwrap();
        let same = |found: &&&str| found.to_lowercase().starts_with(&format!("{name}:"));
        assert_eq!(lines.iter().filter(same).collect::<Vec<_>>(), [&line], "{seen}");
    }
    assert!(!seen.to_lowercase().contains("transfer-encoding"));
}

#[tokio::test]
async fn a_refused_endpoint_is_passed_over_and_a_refusal_by_all_is_not_sent() {
    let (_listener, good) = listener().await;
    let (_held, bad) = refusing();
    let esb = esb_at(&[format!("http://{bad}"), format!("http://{good}")], None);
    for _ in 0..2 {
        assert_eq!(reached(&esb).await, good.to_string());
    }
    let esb = esb_at(&[format!("http://{bad}")], None);
    assert_eq!(esb.shared.connect().await.err(), Some(NotSent::Refused));
}

#[tokio::test]
async fn endpoints_take_turns() {
    let (_one, one) = listener().await;
    let (_two, two) = listener().await;
    let esb = esb_at(&[format!("http://{one}"), format!("http://{two}")], None);
    for expected in [one, two, one] {
        assert_eq!(reached(&esb).await, expected.to_string());
    }
}

#[tokio::test]
async fn a_connection_closed_before_the_first_byte_is_not_sent() {
    let (listener, address) = listener().await;
    let esb = esb_at(&[format!("http://{address}")], None);
    let mut wire = Wire::plain(TcpStream::connect(address).await.unwrap());
    drop(listener.accept().await.unwrap());
    assert_eq!(wire.read(&mut [0]).await.unwrap(), 0);
    let open = over(wire).await;
    let written = open.line.written();
    let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
    assert!(matches!(exchange, Exchange::NotSent), "{exchange:?}");
    assert_eq!(written.bytes(), 0);
}

#[tokio::test]
async fn a_reset_after_the_request_is_broken() {
    let (listener, address) = listener().await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Closing with unread bytes resets the connection.
        stream.read_exact(&mut [0; 4]).await.unwrap();
    });
    let (exchange, written) = exchange_with(address).await;
    serving.await.unwrap();
    assert!(is_broken(&exchange) && written > 0, "{exchange:?}");
}

#[tokio::test]
async fn an_esb_that_never_answers_is_a_timeout() {
    let (listener, address) = listener().await;
    let esb = esb_at(&[format!("http://{address}")], None);
    let open = esb.shared.connect().await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    tokio::time::pause();
    let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
    assert!(matches!(exchange, Exchange::Silent(NoAnswer::Timeout)), "{exchange:?}");
    // The whole call had left all the same.
    read_request(&mut stream).await;
}

#[tokio::test]
async fn an_answer_that_stalls_in_its_body_is_a_timeout() {
    let (listener, address) = listener().await;
    let esb = esb_at(&[format!("http://{address}")], None);
    let open = esb.shared.connect().await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    tokio::spawn(async move {
        read_request(&mut stream).await;
        stream.write_all(ok("Content-Length: 50\r\n", "{").as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    tokio::time::pause();
    let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
    assert!(matches!(exchange, Exchange::Silent(NoAnswer::Timeout)), "{exchange:?}");
}

#[tokio::test]
async fn html_is_an_answer_and_left_to_the_dialect() {
    let exchange = exchanged(sized("<html>502</html>")).await;
    let body = body_of(exchange);
    let answer = {
        let message = message();
        Dialect::Esb.read(message.component, http::StatusCode::OK, &body, &message.echoes)
    };
    assert_eq!(answer.meaning.outcome, esbgate_model::dialect::Outcome::Unreadable);
}

#[tokio::test]
async fn a_chunked_answer_and_one_that_ends_with_its_connection_are_whole() {
    let chunked = format!("{:x}\r\n{SUCCESS}\r\n0\r\n\r\n", SUCCESS.len());
    let chunked = exchanged(ok("Transfer-Encoding: chunked\r\n", &chunked)).await;
    assert_eq!(body_of(chunked), SUCCESS);
    assert_eq!(body_of(exchanged(ok("Connection: close\r\n", SUCCESS)).await), SUCCESS);
}

#[tokio::test]
async fn what_is_not_one_whole_answer_is_broken_and_says_how() {
    let long = "x".repeat(100_001);
    let many: String = (0..101).map(|n| format!("X-{n}: v\r\n")).collect();
    let chunked = |body: &str| ok("Transfer-Encoding: chunked\r\n", body);
    for (name, answer, expected) in [
        ("nothing", String::new(), Anomaly::Cut),
        ("cut in the head", "HTTP/1.1 200 OK\r\nContent-Le".to_owned(), Anomaly::Cut),
        ("cut in the body", ok("Content-Length: 50\r\n", "{\"result\":true"), Anomaly::Cut),
        ("cut in a chunk", chunked("50\r\n{\"result\""), Anomaly::Cut),
        ("cut between chunks", chunked("2\r\n{}\r\n"), Anomaly::Cut),
        ("a bad chunk size", chunked("zz\r\n{}\r\n0\r\n\r\n"), Anomaly::Cut),
        ("a length too small", ok("Content-Length: 1\r\n", "{}"), Anomaly::Surplus),
        ("two lengths", ok("Content-Length: 2\r\nContent-Length: 3\r\n", "{} "), Anomaly::Head),
        (
            "a length and chunks",
            ok("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
            Anomaly::Framing,
        ),
        ("two answers", format!("{0}{0}", sized(SUCCESS)), Anomaly::Surplus),
        (
            "two answers, kept",
            format!("{0}{0}", ok("Content-Length: 2\r\n", "{}")),
            Anomaly::Surplus,
        ),
        (
            "switching protocols",
            "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".into(),
            Anomaly::Upgrade,
        ),
        ("an offer", ok("Upgrade: h2c\r\nContent-Length: 2\r\n", "{}"), Anomaly::Upgrade),
        ("gzip", ok("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"), Anomaly::Encoded),
        (
            "gzip after identity",
            ok("Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", "{}"),
            Anomaly::Encoded,
        ),
        ("a huge body by its length", sized(&long), Anomaly::TooLarge),
        ("a huge body by its end", ok("", &long), Anomaly::TooLarge),
        ("a huge body by its frames", chunked(&"1\r\n \r\n".repeat(90_000)), Anomaly::TooLarge),
        ("interim answers", "HTTP/1.1 100 C\r\n\r\n".repeat(10_000), Anomaly::TooLarge),
        ("many fields", ok(&many, "{}"), Anomaly::Head),
        ("a huge field", ok(&format!("X: {}\r\n", "v".repeat(70_000)), "{}"), Anomaly::Head),
        ("no HTTP", "SSH-2.0-OpenSSH_9.0\r\n\r\n".to_owned(), Anomaly::Head),
    ] {
        let exchange = exchanged(answer).await;
        let Exchange::Silent(NoAnswer::Broken(anomaly)) = exchange else {
            panic!("{name}: {exchange:?}")
        };
        assert_eq!(anomaly, expected, "{name}");
    }
}

#[tokio::test]
async fn a_body_of_the_limit_is_read_in_one_piece_and_in_small_chunks() {
    let size = 4_000_000;
    let chunk = format!("28\r\n{:x>40}\r\n", "");
    for answer in [
        sized(&"x".repeat(size)),
        ok("Transfer-Encoding: chunked\r\n", &(chunk.repeat(size / 40) + "0\r\n\r\n")),
    ] {
        let address = answering(answer).await.0;
        let options = EsbOptions {
            endpoints: vec![format!("http://{address}")],
            connect_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(20),
            answer_limit: size,
            tls: None,
            keep_alive: None,
        };
        let esb = Esb::new(options, UpstreamMetrics::default()).unwrap();
        let open = esb.shared.connect().await.unwrap();
        assert_eq!(body_of(esb.shared.exchange(&esb.kept, open, &message()).await).len(), size);
    }
}

#[tokio::test]
async fn bytes_that_wait_before_the_call_is_written_keep_it_from_leaving() {
    let (listener, address) = listener().await;
    let ours = TcpStream::connect(address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(sized(SUCCESS).as_bytes()).await.unwrap();
    ours.readable().await.unwrap();
    let open = over(Wire::plain(ours)).await;
    let written = open.line.written();
    let esb = esb_at(&[format!("http://{address}")], None);
    let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
    assert!(matches!(exchange, Exchange::NotSent), "{exchange:?}");
    assert_eq!(written.bytes(), 0);
    let mut seen = Vec::new();
    // Unread bytes make its end a reset.
    drop(stream.read_to_end(&mut seen).await);
    assert_eq!(seen, b"");
}

#[tokio::test]
async fn an_answer_while_most_of_the_call_is_still_here_is_not_believed() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4 * 1024).unwrap();
    let open = over(Wire::plain(socket.connect(address).await.unwrap())).await;
    let esb = esb_at(&[format!("http://{address}")], None);
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.write_all(sized(SUCCESS).as_bytes()).await.unwrap();
        stream
    });
    let mut message = message();
    message.body = Bytes::from(vec![b' '; 4 * 1024 * 1024]);
    let written = open.line.written();
    let exchange = esb.shared.exchange(&esb.kept, open, &message).await;
    assert!(matches!(exchange, Exchange::Silent(NoAnswer::Broken(Anomaly::Early))), "{exchange:?}");
    assert!((1..4 * 1024 * 1024).contains(&written.bytes()));
    drop(serving.await.unwrap());
}

#[tokio::test]
async fn a_byte_a_second_does_not_put_the_deadline_off() {
    let (listener, address) = listener().await;
    let esb = esb_at(&[format!("http://{address}")], None);
    let open = esb.shared.connect().await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let dripping = tokio::spawn(async move {
        read_request(&mut stream).await;
        let mut dripped = 0;
        for byte in sized(SUCCESS).bytes() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            dripped += 1;
        }
        dripped
    });
    tokio::time::pause();
    let begin = Instant::now();
    let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
    assert!(matches!(exchange, Exchange::Silent(NoAnswer::Timeout)), "{exchange:?}");
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert!(dripping.await.unwrap() < sized(SUCCESS).len());
}

#[tokio::test]
async fn an_identity_label_changes_nothing() {
    let answer = ok("Content-Encoding: Identity\r\nContent-Length: 2\r\n", "{}");
    assert_eq!(body_of(exchanged(answer).await), "{}");
}

#[tokio::test]
async fn an_endpoint_with_a_path_and_an_empty_list_are_refused() {
    for (endpoints, fault) in [(vec![], "no endpoint"), (vec!["http://esb/api"], "URL")] {
        let options = EsbOptions {
            endpoints: endpoints.into_iter().map(str::to_owned).collect(),
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            answer_limit: DEFAULT_ANSWER_LIMIT,
            tls: None,
            keep_alive: None,
        };
        let error = Esb::new(options, UpstreamMetrics::default()).unwrap_err();
        assert!(error.to_string().contains(fault), "{error}");
    }
}

/// A TLS server that answers one call and says goodbye; its CA as PEM.
async fn secure() -> (SocketAddr, String, JoinHandle<Option<Vec<u8>>>) {
    secured(sized(SUCCESS), true).await
}

async fn secured(
    answer: String,
    goodbye: bool,
) -> (SocketAddr, String, JoinHandle<Option<Vec<u8>>>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    let serving = tokio::spawn(async move {
        let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.ok()?;
        let seen = read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        if goodbye {
            stream.shutdown().await.unwrap();
        }
        Some(seen)
    });
    (address, own.cert.pem(), serving)
}

#[tokio::test]
async fn a_call_over_tls_is_answered_and_its_plain_bytes_are_counted() {
    let (address, ca, serving) = secure().await;
    let tls = crate::tls_config(ca.as_bytes()).unwrap();
    let esb = esb_at(&[format!("https://localhost:{}", address.port())], Some(tls));
    let open = esb.shared.connect().await.unwrap();
    let written = open.line.written();
    assert_eq!(written.bytes(), 0);
    assert_eq!(body_of(esb.shared.exchange(&esb.kept, open, &message()).await), SUCCESS);
    assert_eq!(written.bytes(), serving.await.unwrap().unwrap().len() as u64);
}

#[tokio::test]
async fn a_certificate_of_another_ca_or_name_is_not_sent() {
    let (_, other, _) = secure().await;
    let (address, ca, _) = secure().await;
    let tls = crate::tls_config(other.as_bytes()).unwrap();
    let esb = esb_at(&[format!("https://localhost:{}", address.port())], Some(tls));
    assert_eq!(esb.shared.connect().await.err(), Some(NotSent::Tls));
    let (address, _, _) = secure().await;
    let tls = crate::tls_config(ca.as_bytes()).unwrap();
    let esb = esb_at(&[format!("https://127.0.0.1:{}", address.port())], Some(tls));
    assert_eq!(esb.shared.connect().await.err(), Some(NotSent::Tls));
}

#[test]
fn only_a_read_whose_connection_was_lost_may_be_repeated() {
    for (exchange, lost) in [
        (Exchange::NotSent, true),
        (Exchange::Silent(NoAnswer::Broken(Anomaly::Cut)), true),
        (Exchange::Silent(NoAnswer::Broken(Anomaly::TooLarge)), false),
        (Exchange::Silent(NoAnswer::Timeout), false),
    ] {
        assert_eq!(exchange.may_be_repeated(Kind::Read), lost, "{exchange:?}");
        assert!(!exchange.may_be_repeated(Kind::Write) && !exchange.may_be_repeated(Kind::Execute));
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole_only_if_tls_says_so() {
    for goodbye in [true, false] {
        let (address, ca, _) = secured(ok("Connection: close\r\n", SUCCESS), goodbye).await;
        let tls = crate::tls_config(ca.as_bytes()).unwrap();
        let esb = esb_at(&[format!("https://localhost:{}", address.port())], Some(tls));
        let open = esb.shared.connect().await.unwrap();
        let exchange = esb.shared.exchange(&esb.kept, open, &message()).await;
        if goodbye {
            assert_eq!(body_of(exchange), SUCCESS);
        } else {
            assert!(is_broken(&exchange), "{exchange:?}");
        }
    }
}

/// Takes connections, and on each so many calls before it closes; counts both.
async fn keeping(calls: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listener().await;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                for _ in 0..calls {
                    let seen = read_request(&mut stream).await;
                    assert!(!String::from_utf8_lossy(&seen).contains("connection:"));
                    let answer = ok(&format!("Content-Length: {}\r\n", SUCCESS.len()), SUCCESS);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (address, taken)
}

fn keeping_esb(address: SocketAddr) -> Esb {
    let options = EsbOptions {
        endpoints: vec![format!("http://{address}")],
        connect_timeout: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(20),
        answer_limit: 100_000,
        tls: None,
        keep_alive: Some(Duration::from_secs(4)),
    };
    Esb::new(options, UpstreamMetrics::default()).unwrap()
}

async fn call(esb: &Esb) -> Exchange {
    let open = esb.shared.open(&esb.kept).await.unwrap();
    esb.shared.exchange(&esb.kept, open, &message()).await
}

#[tokio::test]
async fn a_kept_connection_carries_call_after_call_and_each_is_counted_by_itself() {
    let (address, taken) = keeping(3).await;
    let esb = keeping_esb(address);
    for _ in 0..3 {
        let open = esb.shared.open(&esb.kept).await.unwrap();
        let written = open.line.written();
        assert_eq!(body_of(esb.shared.exchange(&esb.kept, open, &message()).await), SUCCESS);
        // The counts of calls before it would make it look as if it had left.
        assert!(written.bytes() < 600, "{}", written.bytes());
    }
    assert_eq!(taken.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_or_that_waited_too_long_is_not_used_again() {
    let (address, taken) = keeping(1).await;
    let esb = keeping_esb(address);
    for expected in 1..3 {
        assert_eq!(body_of(call(&esb).await), SUCCESS);
        assert_eq!(taken.load(Ordering::Relaxed), expected);
        // Until its end has arrived.
        while let Some(line) = esb.kept.take(0).await {
            esb.kept.put(0, line);
            tokio::task::yield_now().await;
        }
    }
    let (address, taken) = keeping(9).await;
    let esb = keeping_esb(address);
    assert_eq!(body_of(call(&esb).await), SUCCESS);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(body_of(call(&esb).await), SUCCESS);
    assert_eq!(taken.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn nothing_is_kept_after_an_answer_with_something_behind_it_or_for_another_core() {
    let (address, _serving) = answering(ok("Content-Length: 2\r\n", "{}{}")).await;
    let esb = keeping_esb(address);
    let exchange = call(&esb).await;
    assert!(
        matches!(exchange, Exchange::Silent(NoAnswer::Broken(Anomaly::Surplus))),
        "{exchange:?}"
    );
    assert!(esb.kept.take(0).await.is_none());
    let (address, taken) = keeping(9).await;
    let esb = keeping_esb(address);
    for esb in [&esb, &esb.for_core()] {
        assert_eq!(body_of(call(esb).await), SUCCESS);
    }
    assert_eq!(taken.load(Ordering::Relaxed), 2);
}
