//! Proving an application by JWT: a token whose signature is remembered, and one that comes first.
//!
//! The difference is the signature's own cost: much for ES256 and RS512, nothing worth having for HS256.

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use esbgate_core::{
    App, BodyBudget, Carrier, Claims, Freezes, HeadRules, Issuer, IssuerKey, Ledger, Limits,
    MatchRoute, Metrics, Parse, Peer, Policy, PolicyHandle, ProveApp, Quota, ReceivedAt,
    ReceivedRequest, Risks, RoutedCall, Stage, Trace, TraceSink,
};
use esbgate_model::{
    Name, Switches,
    dialect::{AppSecrets, Credential},
};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Debug)]
struct Unheard;

impl TraceSink for Unheard {
    fn ended(&self, _: &Trace) {}
}

const NOW: i64 = 1_700_000_000;
const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";

/// What comes before the step, and a token that it accepts.
struct Caller {
    parse: Parse,
    route: MatchRoute,
    token: String,
}

impl Caller {
    fn new(algorithm: Algorithm, signing: &EncodingKey, key: DecodingKey) -> Fallible<Self> {
        let claims = serde_json::json!({"iss": "https://ci", "app_code": "team_app", "exp": NOW + 60,
            "username": "svc_deploy", "aud": "esbgate", "iat": NOW, "nbf": NOW - 5});
        let token = encode(&Header::new(algorithm), &claims, signing)?;
        let issuer = Issuer {
            name: "ci".into(),
            carrier: Carrier::Bearer,
            issuer: "https://ci".into(),
            audience: Some("esbgate".into()),
            algorithm,
            keys: vec![IssuerKey { kid: None, key }],
            claims: Claims {
                app: "app_code".into(),
                app_verified: None,
                user: Some("username".into()),
                user_verified: None,
            },
            leeway: Duration::ZERO,
        };
        let app = app()?;
        let policy =
            Policy::new(1, [Arc::new(app)], vec![issuer], Risks::default(), Freezes::default());
        let head = HeadRules { hosts: vec!["gate".into()], ..HeadRules::default() };
        let parse = Parse(Arc::new(head));
        Ok(Self { parse, route: MatchRoute(PolicyHandle::new(policy)), token })
    }

    /// A call as it comes to the step.
    fn call(&self) -> Fallible<RoutedCall> {
        let received_at = ReceivedAt {
            wall: jiff::Timestamp::from_second(NOW)?,
            monotonic: Duration::from_secs(1),
        };
        let peer = Peer::new(None, Arc::default());
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("gate"));
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.token))?;
        headers.insert(header::AUTHORIZATION, bearer);
        let received = ReceivedRequest {
            method: Method::POST,
            uri: Uri::from_static(PATH),
            version: Version::HTTP_11,
            headers,
            body: b"{}".to_vec(),
            permit: BodyBudget::new(2).take(2).ok_or("no room")?,
            peer: peer.clone(),
            received_at,
            trace: Trace::new("0".into(), peer, received_at, Arc::new(Unheard)),
        };
        Ok(self.route.run(self.parse.run(received)?)?)
    }
}

fn app() -> Fallible<App> {
    let quota = Quota { period: Duration::from_millis(1), burst: std::num::NonZeroU32::MIN };
    let limits = Limits {
        calls: quota,
        in_flight: 1,
        host_runs: quota,
        hosts_per_day: None,
        hosts_per_call: 1,
        shadow: Default::default(),
    };
    let code = Name::new("team_app")?;
    let metrics = Metrics::register(&prometheus::Registry::new(), "bench")?;
    Ok(App {
        keys: vec![],
        issuers: vec!["ci".into()],
        certificates: vec![],
        users: Default::default(),
        acts_as: Arc::new(Credential::new(code.clone(), AppSecrets::one("s"))),
        allow: vec![],
        switches: Switches::default(),
        http_status: Default::default(),
        limits,
        weights: Default::default(),
        state: Ledger::default().state(&code, limits, &[]),
        metrics: metrics.app("team_app", "team_app", &[]),
        code,
    })
}

fn callers() -> Fallible<Vec<(&'static str, Caller)>> {
    let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA512, rcgen::RsaKeySize::_2048)?;
    let secret = b"a-signing-key-of-at-least-32-bytes!!";
    Ok(vec![
        (
            "HS256",
            Caller::new(
                Algorithm::HS256,
                &EncodingKey::from_secret(secret),
                DecodingKey::from_secret(secret),
            )?,
        ),
        (
            "ES256",
            Caller::new(
                Algorithm::ES256,
                &EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes())?,
                DecodingKey::from_ec_pem(ec.public_key_pem().as_bytes())?,
            )?,
        ),
        (
            "RS512",
            Caller::new(
                Algorithm::RS512,
                &EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes())?,
                DecodingKey::from_rsa_pem(rsa.public_key_pem().as_bytes())?,
            )?,
        ),
    ])
}

#[expect(clippy::expect_used, reason = "a bench stops at its first fault")]
fn prove_app(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prove_app");
    for (name, caller) in callers().expect("the keys are made here") {
        let call = || caller.call().expect("the call holds");
        let warm = ProveApp::default();
        assert!(warm.run(call()).is_ok());
        group.bench_function(format!("{name} hit"), |bencher| {
            bencher.iter_batched(call, |call| warm.run(call).is_ok(), BatchSize::SmallInput);
        });
        group.bench_function(format!("{name} miss"), |bencher| {
            let first = || (ProveApp::default(), call());
            // The stage is given back, so that dropping it is not measured.
            let prove = |(stage, call): (ProveApp, _)| (stage.run(call).is_ok(), stage);
            bencher.iter_batched(first, prove, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, prove_app);
criterion_main!(benches);
