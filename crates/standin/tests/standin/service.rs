//! Starting, stopping, keeping connections, TLS, and what the history keeps.

use std::sync::Arc;

use esbgate_standin::{Fault, Options, Standin};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw::{PATIENCE, RUN, Reply, bounded, post, request, run, sample, send, standin};

#[tokio::test]
async fn connections_stay_open_if_they_may() {
    let options = Options { keep_alive: true, ..Options::default() };
    let standin = Standin::start(options).await.unwrap();
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    for _ in 0..2 {
        // Two at once: what comes after a request waits for its turn.
        stream.write_all(&post(RUN, &sample()).repeat(2)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(next_answer(&mut stream).await.code(), Some(0));
        }
    }
    assert_eq!((standin.history().run_count(), standin.history().connection_count()), (4, 1));
}

async fn next_answer(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(bounded(stream.read_u8()).await.unwrap());
    }
    let head = Reply::of(&bytes);
    assert_eq!(head.header("connection"), Some("keep-alive"));
    let mut body = vec![0; head.header("content-length").unwrap().parse().unwrap()];
    bounded(stream.read_exact(&mut body)).await.unwrap();
    Reply { body, ..head }
}

#[tokio::test]
async fn the_history_forgets_the_oldest_and_goes_on_counting() {
    let options = Options { history_limit: 2, ..Options::default() };
    let standin = Standin::start(options).await.unwrap();
    for _ in 0..3 {
        run(&standin, &sample()).await;
    }
    assert_eq!((standin.history().requests().len(), standin.history().request_count()), (2, 3));
    let options = Options { history_limit: 0, ..Options::default() };
    let standin = Standin::start(options).await.unwrap();
    assert_eq!(run(&standin, &sample()).await.code(), Some(0));
    assert_eq!((standin.history().requests().len(), standin.history().request_count()), (0, 1));
}

#[tokio::test]
async fn nothing_is_left_once_it_has_stopped() {
    let standin = standin().await;
    let (esb, login) = (standin.esb_addr(), standin.login_addr());
    let silence = standin.esb_faults().arm(Fault::Silence);
    let mut held = TcpStream::connect(esb).await.unwrap();
    held.write_all(&post(RUN, &sample())).await.unwrap();
    silence.hit(1, PATIENCE).await.unwrap();
    bounded(standin.stop()).await;
    assert_eq!(bounded(held.read(&mut [0; 8])).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(esb).await.is_err());
    assert!(TcpStream::connect(login).await.is_err());
    // Its ports can be had again.
    let options = Options { esb, login, ..Options::default() };
    assert_eq!(run(&Standin::start(options).await.unwrap(), &sample()).await.code(), Some(0));
}

#[tokio::test]
async fn dropping_it_ends_it_too() {
    let standin = standin().await;
    let mut idle = TcpStream::connect(standin.esb_addr()).await.unwrap();
    drop(standin);
    assert_eq!(bounded(idle.read(&mut [0; 8])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_esb_speaks_tls_if_it_is_told_to() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let options = Options { tls: Some(Arc::new(server)), ..Options::default() };
    let standin = Standin::start(options).await.unwrap();
    assert!(standin.esb_url().starts_with("https://127.0.0.1:"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    for (fault, whole) in [(Fault::Pass, true), (Fault::Cut(30), false)] {
        standin.esb_faults().arm(fault.once());
        let stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(&post(RUN, &sample())).await.unwrap();
        let mut answer = Vec::new();
        drop(bounded(stream.read_to_end(&mut answer)).await);
        assert_eq!(answer.len() > 30, whole);
    }
    standin.esb_faults().arm(Fault::CloseOnAccept.once());
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    assert_eq!(bounded(stream.read(&mut [0; 8])).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_printed_holds_no_secret() {
    let standin = standin().await;
    send(standin.esb_addr(), &post(RUN, &sample())).await;
    let ask = request("GET", "/login/accounts/is_login/?bk_token=xxx", &[], b"");
    send(standin.login_addr(), &ask).await;
    let (requests, logins) = (standin.history().requests(), standin.history().logins());
    let resolved = requests[0].resolved().unwrap();
    let printed = format!("{standin:?} {resolved:?} {logins:?} {:?}", Options::default());
    assert!(!printed.contains("xxx"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_are_all_answered_and_counted() {
    let standin = Arc::new(standin().await);
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let standin = Arc::clone(&standin);
            tokio::spawn(async move { run(&standin, &sample()).await.code() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Some(0));
    }
    let jobs = standin.history().jobs();
    let ids: std::collections::BTreeSet<i64> = jobs.iter().map(|job| job.job_instance_id).collect();
    assert_eq!((ids.len(), ids.last()), (64, Some(&10063)));
}
