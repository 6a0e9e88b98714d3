//! Proof by JWT: what an issuer signed for this gateway and this moment, and nothing else.

use esbgate_core::Clock as _;
use esbgate_gateway::SystemClock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::*;

const SIGNING: &str = "a-signing-key-canary-of-32-bytes-or-more";

async fn gate() -> Gate {
    let policy =
        policy("", ALLOW).replace("    proofs: [{key", "    proofs: [{jwt: {issuer: ci}}, {key");
    let issuers = "issuers:\n  ci:\n    header: bearer\n    issuer: https://ci.example.com\n    audience: esbgate\n    algorithm: HS256\n    key: {secret: {file: signing.key}}\n    claims: {app: app_code, user: username}\n";
    let policy = policy.replace("apps:\n", &format!("{issuers}apps:\n"));
    let folder = tempfile::TempDir::new().unwrap();
    let key = folder.path().join("signing.key");
    std::fs::write(&key, SIGNING).unwrap();
    let policy = policy.replace("signing.key", key.to_str().unwrap());
    Gate::with(Files { policy, ..Files::default() }).await
}

fn claims(change: Value) -> Value {
    let now = SystemClock::start().now().wall.as_second();
    let mut claims = json!({"iss": "https://ci.example.com", "aud": "esbgate", "app_code": "team_app",
        "username": "ci_user", "exp": now + 300, "nbf": now - 5});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn token(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

async fn with(gate: &Gate, token: &str) -> Answer {
    gate.send(&[("Authorization", &format!("Bearer {token}"))], &call().to_string()).await
}

#[tokio::test]
async fn a_token_of_a_known_issuer_proves_application_and_user() {
    let gate = gate().await;
    let answer = with(&gate, &token(Algorithm::HS256, SIGNING, &claims(json!({})))).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
    let intent = &gate.records("intent")[0];
    assert_eq!((&intent["user"], &intent["user_proof"]), (&json!("ci_user"), &json!("jwt")));
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused() {
    let gate = gate().await;
    let now = SystemClock::start().now().wall.as_second();
    for change in [
        json!({"exp": now - 120}),
        json!({"exp": (now + 300).to_string()}),
        json!({"exp": 1e300}),
        json!({"exp": Value::Null}),
        json!({"nbf": now + 120}),
        json!({"nbf": "0"}),
        json!({"aud": "another"}),
        json!({"aud": Value::Null}),
        json!({"iss": "https://evil.example.com"}),
        json!({"app_code": "Team_App\u{0}"}),
        json!({"username": "张三"}),
    ] {
        let token = token(Algorithm::HS256, SIGNING, &claims(change.clone()));
        let answer = with(&gate, &token).await;
        assert!(answer.status == 401 || answer.status == 429, "{change}: {}", answer.body);
    }
    let good = token(Algorithm::HS256, SIGNING, &claims(json!({})));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        token(Algorithm::HS256, "another-key-of-at-least-32-bytes!!", &claims(json!({}))),
        token(Algorithm::HS512, SIGNING, &claims(json!({}))),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{good}."),
        signed.to_owned(),
    ] {
        let answer = with(&gate, &forged).await;
        assert!(answer.status == 401 || answer.status == 429, "{forged}: {}", answer.body);
    }
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn two_proofs_must_name_one_application_and_one_user() {
    let gate = gate().await;
    let bearer = format!("Bearer {}", token(Algorithm::HS256, SIGNING, &claims(json!({}))));
    let headers = |header: &str| {
        [
            ("Authorization".to_owned(), bearer.clone()),
            ("X-Bkapi-Authorization".to_owned(), header.to_owned()),
        ]
    };
    for (header, status) in [
        (json!({"bk_app_code": "team_app", "bk_app_secret": KEY}), 200),
        (json!({"bk_app_code": "other_app"}), 401),
        (json!({"bk_app_code": "team_app", "bk_app_secret": "wrong"}), 401),
        (json!({"bk_username": "svc_deploy"}), 401),
    ] {
        let headers = headers(&header.to_string());
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(gate.send(&headers, &call().to_string()).await.status, status, "{header}");
    }
}
