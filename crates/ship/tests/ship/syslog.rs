//! The `syslog` sink over TCP, TLS and a Unix datagram socket.

use std::{path::Path, sync::Arc};

use esbgate_model::Secret;
use esbgate_ship::{
    Confirm, Pass, SinkOptions, SyslogAddress, SyslogOptions, TargetOptions, TlsPeer, client_tls,
};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs::default_provider, server::WebPkiClientVerifier,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UnixDatagram},
};
use tokio_rustls::TlsAcceptor;

use crate::journal::{Log, ship, sink};

pub fn syslog(address: SyslogAddress, confirm: Confirm) -> SinkOptions {
    sink(TargetOptions::Syslog(SyslogOptions {
        address,
        confirm,
        facility: 13,
        app_name: "esbgate".into(),
        enterprise: 32_473,
        datagram: 8192,
    }))
}

pub fn tcp(listener: &TcpListener, tls: Option<TlsPeer>) -> SyslogAddress {
    let address = listener.local_addr().unwrap();
    SyslogAddress::Tcp { host: "127.0.0.1".into(), port: address.port(), tls }
}

/// Messages in octet-counted frames.
pub fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (message, rest) = bytes[space + 1..].split_at(length);
        all.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = rest;
    }
    all
}

/// The record of a message.
pub fn record(message: &str) -> &str {
    message.split_once("] ").unwrap().1
}

fn records(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|message| record(message)).collect()
}

async fn read_all(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn over_tcp_every_batch_is_read_to_its_end_before_the_cursor_moves() {
    let mut log = Log::new("n1");
    log.calls(1_100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut shipper, counts) = log.shipper(syslog(tcp(&listener, None), Confirm::Close));
    let collector = async {
        let mut all = Vec::new();
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_to_end(&mut all).await.unwrap();
        }
        all
    };
    let (batches, all) = tokio::join!(ship(&mut shipper), collector);
    assert_eq!(batches, 3);
    let messages = frames(&all);
    assert!(records(&messages) == log.lines);
    assert!(messages[0].starts_with(
        "<110>1 2027-01-01T00:00:00.001000Z n1 esbgate - start [esbgate@32473 node=\"n1\""
    ));
    assert_eq!(counts.of("records_total"), log.seq as f64);
}

#[tokio::test]
async fn a_peer_that_dies_before_it_has_read_everything_gets_the_batch_again() {
    let mut log = Log::new("n1");
    log.calls(20);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut shipper, counts) = log.shipper(syslog(tcp(&listener, None), Confirm::Close));
    // A connection that is dropped with bytes unread is reset.
    let dying = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        stream.read_exact(&mut some).await.unwrap();
    };
    let (pass, ()) = tokio::join!(shipper.pass(), dying);
    assert_eq!(pass, Pass::Failed);
    assert!(!log.cursors().exists(), "nothing was confirmed");
    let whole = async { read_all(listener.accept().await.unwrap().0).await };
    let (pass, all) = tokio::join!(shipper.pass(), whole);
    assert_eq!(pass, Pass::Shipped);
    assert!(records(&frames(&all)) == log.lines);
    assert_eq!(
        (counts.of("failures_total"), log.cursor("one")["seq"].as_u64()),
        (1.0, Some(log.seq))
    );
}

#[tokio::test]
async fn with_sent_one_connection_is_kept_and_a_closed_one_is_replaced() {
    let mut log = Log::new("n1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut shipper, _) = log.shipper(syslog(tcp(&listener, None), Confirm::Sent));
    let mut first = log.lines.iter().map(String::len).sum::<usize>();
    assert_eq!(shipper.pass().await, Pass::Shipped);
    let (mut stream, _) = listener.accept().await.unwrap();
    log.calls(1);
    assert_eq!(shipper.pass().await, Pass::Shipped);
    first = log.lines.iter().map(String::len).sum::<usize>().max(first);
    let mut read = Vec::new();
    while read.len() < first || frames_end(&read).is_none() {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0);
    }
    assert!(records(&frames(&read)) == log.lines);
    // It says so, and the next batch goes to a new connection.
    stream.shutdown().await.unwrap();
    drop(stream);
    let before = log.lines.len();
    log.calls(1);
    let next = async { read_all(listener.accept().await.unwrap().0).await };
    let ended = async {
        ship(&mut shipper).await;
        drop(shipper);
    };
    let ((), all) = tokio::join!(ended, next);
    assert!(records(&frames(&all)) == log.lines[before..]);
}

/// Whether the bytes end with a frame.
fn frames_end(mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        bytes = bytes.get(space + 1 + length..)?;
    }
    Some(())
}

/// A server's side, ours, and ours without a certificate.
pub fn tls() -> (TlsAcceptor, TlsPeer, TlsPeer) {
    let key = || KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, key()).unwrap();
    let signed = |name: &str| {
        let key = key();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &ca).unwrap(), key)
    };
    let (server, server_key) = signed("127.0.0.1");
    let (client, client_key) = signed("gate.example.com");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.der().clone()], server_key.into())
        .unwrap();
    let ca = ca.pem();
    let own_key = Secret::new(client_key.serialize_pem());
    let own = client_tls(&ca, Some((&client.pem(), &own_key))).unwrap();
    (TlsAcceptor::from(Arc::new(config)), own, client_tls(&ca, None).unwrap())
}

#[tokio::test]
async fn over_tls_both_prove_themselves_and_only_a_proper_end_confirms() {
    let mut log = Log::new("n1");
    log.calls(3);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (acceptor, own, nameless) = tls();
    let (_, _, stranger) = tls();
    for peer in [nameless, stranger] {
        let (mut shipper, _) = log.shipper(syslog(tcp(&listener, Some(peer)), Confirm::Close));
        let refused = async {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err());
        };
        assert_eq!(tokio::join!(shipper.pass(), refused).0, Pass::Failed);
    }
    let (mut shipper, _) = log.shipper(syslog(tcp(&listener, Some(own)), Confirm::Close));
    // The end of the connection alone is nobody's word: anyone on the way can make one.
    let cut = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
    };
    assert_eq!(tokio::join!(shipper.pass(), cut).0, Pass::Failed);
    let proper = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.shutdown().await.unwrap();
        all
    };
    let (pass, all) = tokio::join!(shipper.pass(), proper);
    assert_eq!(pass, Pass::Shipped);
    assert!(records(&frames(&all)) == log.lines);
}

#[tokio::test]
async fn what_is_no_certificate_or_key_is_told_by_its_name() {
    let key = Secret::new("none");
    let said =
        |ca: &str, own: Option<(&str, &Secret)>| client_tls(ca, own).unwrap_err().to_string();
    assert!(said("nothing", None).starts_with("ca:"));
    let ca = rcgen::generate_simple_self_signed(vec!["x".into()]).unwrap().cert.pem();
    assert!(said(&ca, Some(("nothing", &key))).starts_with("certificate:"));
    assert!(said(&ca, Some((&ca, &key))).starts_with("key:"));
}

fn unix(path: &Path) -> SinkOptions {
    syslog(SyslogAddress::Unix(path.to_owned()), Confirm::Close)
}

#[tokio::test]
async fn a_record_that_is_too_long_for_a_datagram_is_named_and_not_cut() {
    let mut log = Log::new("n1");
    log.record("admin", &json!({"reason": "x".repeat(9_000)}));
    log.record("admin", &json!({"reason": "short"}));
    let path = log.folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (mut shipper, counts) = log.shipper(unix(&path));
    ship(&mut shipper).await;
    let mut messages = Vec::new();
    for _ in 0..3 {
        let mut buffer = vec![0; 16_384];
        let length = socket.recv(&mut buffer).await.unwrap();
        assert!(length <= 8192);
        messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
    }
    assert_eq!(record(&messages[0]), log.lines[0]);
    let stub: Value = serde_json::from_str(record(&messages[1])).unwrap();
    let whole: Value = serde_json::from_str(&log.lines[1]).unwrap();
    assert_eq!((&stub["seq"], &stub["hash"]), (&whole["seq"], &whole["hash"]));
    assert_eq!(stub["bytes"], log.lines[1].len());
    assert_eq!(record(&messages[2]), log.lines[2]);
    assert_eq!(counts.of("shortened_records_total"), 1.0);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_waited_for() {
    let mut log = Log::new("n1");
    log.calls(1);
    let path = log.folder.path().join("log");
    let (mut shipper, _) = log.shipper(unix(&path));
    assert_eq!(shipper.pass().await, Pass::Failed);
    let socket = UnixDatagram::bind(&path).unwrap();
    assert_eq!(shipper.pass().await, Pass::Shipped);
    let mut buffer = vec![0; 16_384];
    let length = socket.recv(&mut buffer).await.unwrap();
    assert_eq!(record(std::str::from_utf8(&buffer[..length]).unwrap()), log.lines[0]);
}
