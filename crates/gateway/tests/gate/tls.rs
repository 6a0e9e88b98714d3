//! TLS on both sides: who is spoken to, in which protocol, and what a client certificate proves.

use std::{io, net::SocketAddr, process::Stdio, sync::Arc};

use futures_util::future::join_all;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    certificates::{Authority, Pair, dns, uri},
    drip::Drip,
    support::*,
};

const URI: &str = "spiffe://example.com/team_app";
const DNS: &str = "team.example.com";

/// An application that certificates prove, another one, and TLS in front of both.
fn files(authority: &Authority) -> Files {
    let proofs = format!(
        "    proofs: [{{certificate: {{uri: \"{URI}\"}}}}, {{certificate: {{dns: {DNS}}}}}, {{key"
    );
    let other = "  other_app:\n    owner: other@example.com\n    proofs: [{certificate: {uri: \"spiffe://example.com/other_app\"}}]\n    users: {token: true}\n    acts_as: ops_gateway\n    allow: []\n";
    let server = authority.local();
    Files {
        policy: policy("", ALLOW).replace("    proofs: [{key", &proofs) + other,
        listen_extra:
            ", tls: {certificate: {file: tls.crt}, key: {file: tls.key}, client_ca: {file: ca.crt}}"
                .into(),
        beside: vec![
            ("tls.crt", server.certificate),
            ("tls.key", server.key),
            ("ca.crt", authority.pem.clone()),
        ],
        ..Files::default()
    }
}

pub fn client(
    authority: &Authority,
    own: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(Pair { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

pub async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(config).connect("127.0.0.1".try_into().unwrap(), stream).await
}

/// Sends a call; an error is a handshake that the gateway refused.
async fn ask(gate: &Gate, config: ClientConfig, header: &Value) -> io::Result<Answer> {
    let mut stream = connect(gate.running.addresses()[0], Arc::new(config)).await?;
    let header = header.to_string();
    let request = post(&[("X-Bkapi-Authorization", &header)], &call().to_string());
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap()?;
    Ok(Answer::read(&text))
}

async fn with(gate: &Gate, authority: &Authority, own: &Pair, header: &Value) -> Answer {
    ask(gate, client(authority, Some(own), &[&TLS13]), header).await.unwrap()
}

fn named_user() -> Value {
    json!({"bk_username": "svc_deploy"})
}

fn keyed() -> Value {
    serde_json::from_str(&authorization("bk_username", "svc_deploy")).unwrap()
}

#[tokio::test]
async fn curl_calls_over_tls_in_http_2_and_in_http_1_with_a_key_or_with_a_certificate() {
    let authority = Authority::new("ca");
    let own = authority.named([uri(URI)]);
    let mut files = files(&authority);
    files.beside.extend([("own.crt", own.certificate), ("own.key", own.key)]);
    let gate = Gate::with(files).await;
    let url = format!("https://{}{PATH}", gate.running.addresses()[0]);
    let at = |name: &str| gate.folder.path().join(name).display().to_string();
    let certificate = ["--cert", &at("own.crt"), "--key", &at("own.key")].map(str::to_owned);
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for (header, own) in [(keyed(), &[][..]), (named_user(), &certificate[..])] {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--max-time", "20", version, "--cacert", &at("ca.crt")]).args(own);
            curl.args(["-w", "\n%{http_version}", "-H"]);
            curl.arg(format!("X-Bkapi-Authorization: {header}"));
            curl.args(["-H", "Content-Type: application/json", "-d", &call().to_string(), &url]);
            let output = curl.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let (body, spoken) = text.rsplit_once('\n').unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!((spoken, &body["executed"]), (expected, &json!("yes")), "{body}");
        }
    }
    let proofs: Vec<Value> =
        gate.records("intent").into_iter().map(|intent| intent["app_proofs"].clone()).collect();
    let (key, certificate) = (json!(["key"]), json!(["certificate"]));
    assert_eq!(proofs, [&key, &certificate, &key, &certificate].map(Value::clone));
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_alpn_offers_two_protocols_and_no_other() {
    let authority = Authority::new("ca");
    let gate = Gate::with(files(&authority)).await;
    for version in [&TLS12, &TLS13] {
        let answer = ask(&gate, client(&authority, None, &[version]), &keyed()).await.unwrap();
        assert_eq!(answer.body["executed"], "yes");
        for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
            let mut config = client(&authority, None, &[version]);
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let stream = connect(gate.running.addresses()[0], Arc::new(config)).await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(session.alpn_protocol(), Some(chosen.as_bytes()));
            assert_eq!(session.protocol_version(), Some(version.version));
        }
        let mut config = client(&authority, None, &[version]);
        config.alpn_protocols = vec![b"spdy/3".to_vec()];
        assert!(ask(&gate, config, &keyed()).await.is_err());
    }
}

#[tokio::test]
async fn early_data_is_never_offered_because_a_replayed_call_would_run_again() {
    let authority = Authority::new("ca");
    let gate = Gate::with(files(&authority)).await;
    let mut config = client(&authority, None, &[&TLS13]);
    config.enable_early_data = true;
    // Clones share the tickets of the first session.
    assert_eq!(ask(&gate, config.clone(), &keyed()).await.unwrap().status, 200);
    let stream = TcpStream::connect(gate.running.addresses()[0]).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect_with(name, stream, |session| {
        assert!(session.early_data().is_none());
    });
    let stream = connecting.await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn a_certificate_proves_an_application_by_the_bytes_of_a_uri_or_dns_name_alone() {
    let authority = Authority::new("ca");
    let gate = Gate::with(files(&authority)).await;
    for name in [uri(URI), dns(DNS)] {
        let own = authority.named([dns("unrelated.example.com"), name]);
        for version in [&TLS12, &TLS13] {
            let config = client(&authority, Some(&own), &[version]);
            let answer = ask(&gate, config, &named_user()).await.unwrap();
            assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
        }
    }
    let ran = gate.standin.history().run_count();
    let common_name = |params: &mut CertificateParams| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, DNS);
    };
    for own in [
        authority.issue(common_name),
        authority.named([uri(&URI.to_uppercase())]),
        authority.named([uri(&format!("{URI}/"))]),
        authority.named([uri(&format!("{URI}\0"))]),
        authority.named([uri(DNS)]),
        authority.named([dns("Team.example.com")]),
        authority.named([dns(&format!("{DNS}."))]),
        authority.named([dns(&format!("{DNS}\0.example.net"))]),
        authority.named([dns("*.example.com")]),
        authority.named([dns(URI)]),
        authority.named([SanType::Rfc822Name(DNS.try_into().unwrap())]),
        authority.named([SanType::IpAddress([10, 0, 0, 1].into())]),
    ] {
        let answer = with(&gate, &authority, &own, &named_user()).await;
        let refused = ["APP_VERIFY_FAILED", "PROOF_THROTTLED"].contains(&answer.code());
        assert!(refused && answer.body["executed"] == "no", "{}", answer.body);
    }
    assert_eq!(gate.standin.history().request_count(), ran);
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_ends_the_handshake() {
    let (authority, stranger) = (Authority::new("ca"), Authority::new("ca"));
    let gate = Gate::with(files(&authority)).await;
    let name = |params: &mut CertificateParams| params.subject_alt_names = vec![uri(URI)];
    for (why, own) in [
        ("signed by another authority", stranger.issue(name)),
        (
            "expired",
            authority.issue(|params| {
                name(params);
                params.not_after = date_time_ymd(2020, 1, 1);
            }),
        ),
        (
            "not valid yet",
            authority.issue(|params| {
                name(params);
                params.not_before = date_time_ymd(3000, 1, 1);
            }),
        ),
        (
            "made for servers",
            authority.issue(|params| {
                name(params);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
    ] {
        for version in [&TLS12, &TLS13] {
            let config = client(&authority, Some(&own), &[version]);
            let refused = ask(&gate, config, &keyed()).await;
            assert!(refused.is_err(), "{why}: {refused:?}");
        }
    }
    assert_eq!(gate.standin.history().request_count(), 0);
    let without = client(&authority, None, &[&TLS13]);
    assert_eq!(ask(&gate, without, &keyed()).await.unwrap().body["executed"], "yes");
}

#[tokio::test]
async fn a_certificate_beside_another_proof_must_name_the_same_application() {
    let authority = Authority::new("ca");
    let gate = Gate::with(files(&authority)).await;
    let own = authority.named([uri(URI)]);
    let other = authority.named([uri("spiffe://example.com/other_app")]);
    let both = authority.named([uri(URI), uri("spiffe://example.com/other_app")]);
    let other_code = json!({"bk_app_code": "other_app", "bk_username": "svc_deploy"});
    let wrong_key =
        json!({"bk_app_code": "team_app", "bk_app_secret": "wrong", "bk_username": "svc_deploy"});
    for (own, header, code) in [
        (&other, &keyed(), "PROOFS_DISAGREE"),
        (&both, &keyed(), "PROOFS_DISAGREE"),
        (&both, &named_user(), "PROOFS_DISAGREE"),
        (&own, &other_code, "PROOFS_DISAGREE"),
        (&own, &wrong_key, "APP_VERIFY_FAILED"),
    ] {
        with(&gate, &authority, own, header).await.is(401, code, "no");
    }
    assert_eq!(gate.standin.history().request_count(), 0);
    assert_eq!(with(&gate, &authority, &own, &keyed()).await.body["executed"], "yes");
    assert_eq!(gate.records("intent")[0]["app_proofs"], json!(["key", "certificate"]));
}

#[tokio::test]
async fn what_is_no_handshake_or_goes_silent_is_ended_and_the_listener_lives_on() {
    let authority = Authority::new("ca");
    let short = "limits: {header_time: 2s}\n".to_owned();
    let gate = Gate::with(Files { boot_extra: short, ..files(&authority) }).await;
    let address = gate.running.addresses()[0];
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let plain = post(&[], "{}");
    let odd: [&[u8]; 5] = [plain.as_bytes(), hello, b"", b"\x16", b"\0\0\0\0\0\0\0\0"];
    let ended = odd.map(|bytes| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut said = Vec::new();
        // An alert or nothing, and the end.
        drop(timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap());
        assert!(!said.starts_with(b"HTTP"), "{said:?}");
    });
    let silent = async {
        let config = Arc::new(client(&authority, None, &[&TLS13]));
        let mut stream = connect(address, config).await.unwrap();
        drop(timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap());
    };
    tokio::join!(join_all(ended), silent);
    let good = ask(&gate, client(&authority, None, &[&TLS13]), &keyed()).await.unwrap();
    assert_eq!(good.body["executed"], "yes");
}

#[tokio::test]
async fn a_handshake_that_comes_byte_by_byte_is_understood() {
    let authority = Authority::new("ca");
    let gate = Gate::with(files(&authority)).await;
    let stream = TcpStream::connect(gate.running.addresses()[0]).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let config = Arc::new(client(&authority, None, &[&TLS13]));
    let connecting =
        TlsConnector::from(config).connect("127.0.0.1".try_into().unwrap(), Drip(stream));
    let mut stream = timeout(PATIENCE, connecting).await.unwrap().unwrap();
    let header = keyed().to_string();
    let request = post(&[("X-Bkapi-Authorization", &header)], &call().to_string());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!(Answer::read(&text).body["executed"], "yes");
}

/// A gateway whose ESB speaks TLS as `server` and is believed by `ca`.
async fn gate_to(server: Pair, ca: &Authority) -> Gate {
    let Pair { certificate, key } = server;
    let esb = esbgate_server::tls_config(certificate.as_bytes(), key.as_bytes(), None);
    Gate::with(Files {
        policy: policy("    hosts: {per_call: 1, per_minute: 1, burst: 1}\n", ALLOW),
        upstream_extra: ", ca: {file: esb-ca.crt}".into(),
        esb_tls: Some(esb.unwrap()),
        beside: vec![("esb-ca.crt", ca.pem.clone())],
        ..Files::default()
    })
    .await
}

#[tokio::test]
async fn the_esb_is_called_over_tls_when_its_authority_vouches_for_the_name_that_is_dialled() {
    let authority = Authority::new("esb ca");
    let gate = gate_to(authority.local(), &authority).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    assert_eq!(gate.counts(), (1, 1, 1));
}

#[tokio::test]
async fn an_esb_that_cannot_prove_its_name_is_sent_nothing_and_nothing_is_charged() {
    let (authority, stranger) = (Authority::new("esb ca"), Authority::new("esb ca"));
    let elsewhere = authority.named([dns("esb.example.com")]);
    let expired = authority.issue(|params| {
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    for (server, ca) in
        [(authority.local(), &stranger), (elsewhere, &authority), (expired, &authority)]
    {
        let gate = gate_to(server, ca).await;
        // The budget is one host-run: the second call would be refused if the first had paid.
        for _ in 0..2 {
            gate.call(&call()).await.is(502, "UPSTREAM_UNREACHABLE", "no");
        }
        assert_eq!(gate.standin.history().request_count(), 0);
        assert_eq!(gate.records("outcome")[0]["executed"], "no");
    }
}
