//! Secrets and certificates are exchanged while calls go on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use esbgate_gateway::Looked;
use esbgate_standin::App;
use futures_util::future::join_all;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::{
    certificates::Authority,
    raw_server::{RawServer, end, sized},
    support::*,
    tls::{client, connect},
};

const OLD: &str = ESB_SECRET;
const NEW: &str = "esb-secret-canary-2";

/// A credential with a next secret.
fn files() -> Files {
    Files {
        secret_extra: ", next: {file: next.secret}",
        beside: vec![("next.secret", NEW.into())],
        ..Files::default()
    }
}

/// What the ESB takes from now on.
fn taken(gate: &Gate, secrets: &[&str]) {
    let (first, more) = secrets.split_first().unwrap();
    let app = App::new("ops_gateway", *first).skipping_user_auth();
    let app = more.iter().fold(app, |app, secret| app.secret(*secret));
    gate.standin.change(|world| *world = world.clone().app(app));
}

fn write(gate: &Gate, name: &str, text: &str) {
    std::fs::write(gate.folder.path().join(name), text).unwrap();
}

fn retries(metrics: &str) -> u64 {
    let line = "esbgate_upstream_credential_retries_total{credential=\"ops_gateway\"} ";
    metrics.lines().find_map(|l| l.strip_prefix(line)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_secret_is_exchanged_under_load_without_a_failed_call_or_a_second_run() {
    let gate = Arc::new(Gate::with(files()).await);
    let done = Arc::new(AtomicBool::new(false));
    let callers = (0..4).map(|_| {
        let (gate, done) = (Arc::clone(&gate), Arc::clone(&done));
        tokio::spawn(async move {
            let mut made = 0;
            while !done.load(Ordering::Relaxed) {
                gate.call(&call()).await.is(200, "", "yes");
                made += 1;
            }
            made
        })
    });
    let callers: Vec<_> = callers.collect();
    let some_more = async || {
        let ran = gate.standin.history().run_count();
        gate.standin.history().ran(ran + 20, PATIENCE).await.unwrap();
    };
    some_more().await;
    taken(&gate, &[OLD, NEW]);
    some_more().await;
    assert_eq!(retries(&gate.metrics().await), 0);
    taken(&gate, &[NEW]);
    some_more().await;
    assert!(retries(&gate.metrics().await) > 0);
    write(&gate, "esb.secret", NEW);
    assert_eq!(gate.running.look_again().await, Looked::Taken);
    some_more().await;
    done.store(true, Ordering::Relaxed);
    let made: usize = join_all(callers).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(gate.counts(), (made, made, made));
    let before = retries(&gate.metrics().await);
    gate.call(&call()).await.is(200, "", "yes");
    assert_eq!(retries(&gate.metrics().await), before, "the exchange is over");
}

#[tokio::test]
async fn a_call_is_sent_once_more_and_not_again_where_both_secrets_are_turned_down() {
    for (files, sent) in [(files(), 2), (Files::default(), 1)] {
        let gate = Gate::with(files).await;
        taken(&gate, &["another"]);
        let answer = gate.call(&call()).await;
        assert_eq!(
            (&answer.body["code"], &answer.body["executed"]),
            (&1_306_000.into(), &"no".into())
        );
        assert_eq!(gate.standin.history().request_count(), sent);
        assert_eq!(gate.counts(), (0, 1, 1));
    }
}

#[tokio::test]
async fn only_the_exact_answer_to_a_wrong_secret_lets_a_call_be_sent_once_more() {
    for message in ["ok ", "OK", "", "bkauth: ok", "User authentication failed"] {
        let body =
            format!(r#"{{"result":false,"code":1306000,"message":"{message}","data":null}}"#);
        let server = RawServer::start(end(sized("", body.as_bytes()))).await;
        let gate = Gate::with(Files { esb: Some(server.url()), ..files() }).await;
        let answer = gate.call(&call()).await;
        assert_eq!(answer.body["executed"], "unknown", "{message:?}");
        assert_eq!(server.connections(), 1, "{message:?}");
    }
}

#[tokio::test]
async fn a_secret_that_is_taken_away_or_emptied_leaves_the_one_in_use_in_use() {
    let gate = Gate::with(files()).await;
    assert_eq!(gate.running.look_again().await, Looked::Same);
    write(&gate, "esb.secret", " \n");
    assert_eq!(gate.running.look_again().await, Looked::Refused);
    std::fs::remove_file(gate.folder.path().join("esb.secret")).unwrap();
    assert_eq!(gate.running.look_again().await, Looked::Refused);
    gate.call(&call()).await.is(200, "", "yes");
    write(&gate, "esb.secret", OLD);
    assert_eq!(gate.running.look_again().await, Looked::Same);
    write(&gate, "next.secret", "a third");
    assert_eq!(gate.running.look_again().await, Looked::Taken);
}

#[tokio::test]
async fn a_certificate_is_exchanged_for_connections_to_come_and_half_an_exchange_is_not_used() {
    let authority = Authority::new("ca");
    let (old, new) = (authority.local(), authority.local());
    let gate = Gate::with(Files {
        listen_extra: ", tls: {certificate: {file: tls.crt}, key: {file: tls.key}}".into(),
        beside: vec![("tls.crt", old.certificate.clone()), ("tls.key", old.key)],
        ..Files::default()
    })
    .await;
    let shown = async || {
        let config = client(&authority, None, &[&rustls::version::TLS13]);
        let stream = connect(gate.running.addresses()[0], Arc::new(config)).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        chain.first().unwrap().clone().into_owned()
    };
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    assert_eq!(shown().await, der(&old.certificate));
    write(&gate, "tls.crt", &new.certificate);
    assert_eq!(gate.running.look_again().await, Looked::Refused, "the key is still the old one");
    assert_eq!(shown().await, der(&old.certificate));
    write(&gate, "tls.key", &new.key);
    assert_eq!(gate.running.look_again().await, Looked::Taken);
    assert_eq!(shown().await, der(&new.certificate));
}
