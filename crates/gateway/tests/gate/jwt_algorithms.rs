//! Proof by JWT, end to end: which key, which algorithm, which carrier, and what beside it.

use esbgate_core::Clock as _;
use esbgate_gateway::SystemClock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm,
};
use serde_json::{Value, json};

use crate::support::*;

/// A key pair, in the shapes that a signer and a policy take.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    public_pem: String,
}

impl Signer {
    fn new(algorithm: Algorithm) -> Self {
        let generate = |kind: &'static SignatureAlgorithm| KeyPair::generate_for(kind).unwrap();
        let (pair, read): (_, fn(&[u8]) -> _) = if algorithm == Algorithm::ES256 {
            (generate(&PKCS_ECDSA_P256_SHA256), EncodingKey::from_ec_pem)
        } else if algorithm == Algorithm::EdDSA {
            (generate(&PKCS_ED25519), EncodingKey::from_ed_pem)
        } else {
            let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
            (pair.unwrap(), EncodingKey::from_rsa_pem)
        };
        let key = read(pair.serialize_pem().as_bytes()).unwrap();
        Self { algorithm, key, public_pem: pair.public_key_pem() }
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }

    fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }

    fn jwk(&self, kid: &str) -> Value {
        let pem = self.public_pem.as_bytes();
        let key = if self.algorithm == Algorithm::ES256 {
            DecodingKey::from_ec_pem(pem)
        } else if self.algorithm == Algorithm::EdDSA {
            DecodingKey::from_ed_pem(pem)
        } else {
            DecodingKey::from_rsa_pem(pem)
        };
        let mut jwk = Jwk::from_decoding_key(&key.unwrap(), Some(self.algorithm)).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).unwrap()
    }
}

/// The key of another application.
const OTHER_KEY: &str = "other-key-canary-1";
const SECRET: &str = "a-shared-secret-canary-of-32-bytes-or-more";

fn hs256(secret: &str, claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .unwrap()
}

/// A Bearer issuer of the name `name`, with a key of its own.
fn bearer(name: &str, algorithm: &str, key: &str) -> String {
    format!(
        "  {name}:\n    header: bearer\n    issuer: https://{name}.example.com\n    audience: esbgate\n    algorithm: {algorithm}\n    key: {key}\n    claims: {{app: app_code, user: username}}\n"
    )
}

/// Issuers, those among them that may speak for `team_app`, and the files that they name.
fn files(issuers: &str, trusted: &[&str], beside: Vec<(&'static str, String)>) -> Files {
    let proofs: String =
        trusted.iter().map(|name| format!("{{jwt: {{issuer: {name}}}}}, ")).collect();
    let policy = policy("", ALLOW)
        .replace("    proofs: [{key", &format!("    proofs: [{proofs}{{key"))
        .replace("apps:\n", &format!("issuers:\n{issuers}apps:\n"));
    let other = format!(
        "  other_app:\n    owner: other@example.com\n    proofs: [{{key: {{sha256: \"{}\"}}}}]\n    acts_as: ops_gateway\n    allow: []\n",
        sha256(OTHER_KEY)
    );
    Files { policy: policy + &other, beside, ..Files::default() }
}

fn now() -> i64 {
    SystemClock::start().now().wall.as_second()
}

/// What the issuer `name` says of team_app and `ci_user`; null takes a claim out.
fn claims(name: &str, change: Value) -> Value {
    let mut claims = json!({"iss": format!("https://{name}.example.com"), "aud": "esbgate",
        "app_code": "team_app", "username": "ci_user", "exp": now() + 300});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

async fn with(gate: &Gate, token: &str) -> Answer {
    beside(gate, token, &json!({})).await
}

async fn beside(gate: &Gate, token: &str, identity: &Value) -> Answer {
    let (bearer, identity) = (format!("Bearer {token}"), identity.to_string());
    let headers = [("Authorization", bearer.as_str()), ("X-Bkapi-Authorization", &identity)];
    gate.send(&headers, &call().to_string()).await
}

/// Not believed; said so, or throttled because it was said too often.
fn not_believed(answer: &Answer, why: &str) {
    let code = (answer.status, answer.code());
    let refused = [(401, "JWT_VERIFY_FAILED"), (429, "PROOF_THROTTLED")].contains(&code);
    assert!(refused && answer.body["executed"] == "no", "{why}: {}", answer.body);
}

const ASYMMETRIC: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::RS512, Algorithm::ES256, Algorithm::EdDSA];

#[tokio::test]
async fn each_algorithm_proves_by_a_pem_by_a_key_set_or_by_a_secret() {
    for algorithm in ASYMMETRIC {
        let signer = Signer::new(algorithm);
        let name = format!("{algorithm:?}");
        let issuers = bearer("pem", &name, "{pem: {file: key.pem}}")
            + &bearer("set", &name, "{jwks: {file: keys.json}}");
        let set = json!({"keys": [signer.jwk("2027-01")]}).to_string();
        let texts = vec![("key.pem", signer.public_pem.clone()), ("keys.json", set)];
        let gate = Gate::with(files(&issuers, &["pem", "set"], texts)).await;
        for token in [
            signer.sign(&claims("pem", json!({}))),
            signer.sign_as("2027-01", &claims("set", json!({}))),
        ] {
            let answer = with(&gate, &token).await;
            assert_eq!(answer.body["executed"], "yes", "{algorithm:?}: {}", answer.body);
        }
        let intent = &gate.records("intent")[1];
        let said = (&intent["app_proofs"], &intent["user"], &intent["user_proof"]);
        assert_eq!(said, (&json!(["jwt"]), &json!("ci_user"), &json!("jwt")));
    }
    let issuer = bearer("shared", "HS256", "{secret: {file: shared.key}}");
    let gate = Gate::with(files(&issuer, &["shared"], vec![("shared.key", SECRET.into())])).await;
    let answer = with(&gate, &hs256(SECRET, &claims("shared", json!({})))).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
}

#[tokio::test]
async fn the_algorithm_is_the_keys_and_never_the_tokens() {
    for algorithm in ASYMMETRIC {
        let signer = Signer::new(algorithm);
        let issuer = bearer("ci", &format!("{algorithm:?}"), "{pem: {file: key.pem}}");
        let texts = vec![("key.pem", signer.public_pem.clone())];
        let gate = Gate::with(files(&issuer, &["ci"], texts)).await;
        let claims = claims("ci", json!({}));
        let good = signer.sign(&claims);
        let (_, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        // {"alg":"none"} and {"alg":"None"}
        for none in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIn0"] {
            for signature in ["", signature] {
                let token = format!("{none}.{payload}.{signature}");
                not_believed(&with(&gate, &token).await, "alg none");
            }
        }
        // The public key is public: whoever has it could sign, if it were taken for a secret.
        for secret in [signer.public_pem.as_str(), signer.public_pem.trim_end()] {
            not_believed(&with(&gate, &hs256(secret, &claims)).await, "public key as secret");
        }
        let twin = Signer::new(algorithm);
        not_believed(&with(&gate, &twin.sign(&claims)).await, "another key");
        if algorithm == Algorithm::RS256 {
            let other = encode(&Header::new(Algorithm::RS512), &claims, &signer.key).unwrap();
            not_believed(&with(&gate, &other).await, "another algorithm of the same key");
        }
        assert_eq!(gate.standin.history().request_count(), 0);
        assert_eq!(with(&gate, &good).await.body["executed"], "yes");
    }
}

#[tokio::test]
async fn a_key_of_a_set_is_the_one_that_the_token_names() {
    let (old, new) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let set = json!({"keys": [old.jwk("old"), new.jwk("new")]}).to_string();
    let issuer = bearer("ci", "ES256", "{jwks: {file: keys.json}}");
    let gate = Gate::with(files(&issuer, &["ci"], vec![("keys.json", set)])).await;
    let claims = claims("ci", json!({}));
    for token in [old.sign_as("old", &claims), new.sign_as("new", &claims)] {
        assert_eq!(with(&gate, &token).await.body["executed"], "yes");
    }
    for (kid, why) in [("new", "another key's name"), ("../old", "a path"), ("", "empty")] {
        not_believed(&with(&gate, &old.sign_as(kid, &claims)).await, why);
    }
    not_believed(&with(&gate, &old.sign(&claims)).await, "no kid");
}

#[tokio::test]
async fn a_token_holds_for_its_audience_its_issuer_and_its_time() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = bearer("ci", "ES256", "{pem: {file: key.pem}}");
    let texts = vec![("key.pem", signer.public_pem.clone())];
    let gate = Gate::with(files(&issuer, &["ci"], texts)).await;
    let (past, ahead) = (now() - 300, now() + 300);
    for good in [
        json!({"aud": ["other", "esbgate"]}),
        json!({"aud": ["esbgate"]}),
        json!({"exp": now() - 30}),
        json!({"nbf": now() + 30}),
        json!({"nbf": past, "iat": past}),
    ] {
        let answer = with(&gate, &signer.sign(&claims("ci", good.clone()))).await;
        assert_eq!(answer.body["executed"], "yes", "{good}: {}", answer.body);
    }
    let ran = gate.standin.history().run_count();
    for bad in [
        json!({"aud": "other"}),
        json!({"aud": ["other"]}),
        json!({"aud": []}),
        json!({"aud": ["esbgate", 1]}),
        json!({"aud": {"esbgate": true}}),
        json!({"aud": "esbgate "}),
        json!({"iss": "https://CI.example.com"}),
        json!({"iss": ["https://ci.example.com"]}),
        json!({"exp": ahead.to_string()}),
        json!({"exp": null}),
        json!({"exp": 4e9}),
        json!({"exp": past}),
        json!({"exp": -1}),
        json!({"exp": 9_223_372_036_854_775_808_u64}),
        json!({"nbf": ahead}),
        json!({"nbf": past.to_string()}),
        json!({"nbf": null}),
        json!({"iat": "now"}),
        json!({"app_code": ["team_app"]}),
        json!({"username": 5}),
    ] {
        let token = signer.sign(&claims("ci", bad.clone()));
        not_believed(&with(&gate, &token).await, &bad.to_string());
    }
    for name in ["aud", "iss", "exp", "app_code"] {
        let token = signer.sign(&without(claims("ci", json!({})), name));
        not_believed(&with(&gate, &token).await, &format!("no {name}"));
    }
    assert_eq!(gate.standin.history().request_count(), ran);
}

/// An issuer as a BlueKing API gateway is one: no audience, a pinned kid, verified marks.
const APIGW: &str = "  apigw:\n    header: x-bkapi-jwt\n    issuer: APIGW\n    algorithm: RS512\n    key: {pem: {file: key.pem}}\n    kid: bk-esb\n    claims: {app: app.app_code, app_verified: app.verified, user: user.username, user_verified: user.verified}\n";

fn apigw_claims(app: Value, user: Value) -> Value {
    json!({"iss": "APIGW", "nbf": now() - 300, "exp": now() + 1500, "app": app, "user": user})
}

#[tokio::test]
async fn the_token_of_a_blueking_gateway_is_read_from_trusted_peers_alone() {
    let signer = Signer::new(Algorithm::RS512);
    let files = |trusted: &str| Files {
        boot_extra: format!("trusted_peers: [{trusted}]\n"),
        ..files(APIGW, &["apigw"], vec![("key.pem", signer.public_pem.clone())])
    };
    let app = json!({"version": 1, "app_code": "team_app", "verified": true});
    let user = json!({"version": 1, "username": "alice", "verified": true});
    let good = signer.sign_as("bk-esb", &apigw_claims(app.clone(), user.clone()));
    let asked = |token: &str, identity: &Value| {
        let identity = identity.to_string();
        let headers = [("X-Bkapi-JWT", token), ("X-Bkapi-Authorization", &identity)];
        post(&headers, &call().to_string()).into_bytes()
    };
    let gate = Gate::with(files("")).await;
    let ignored = Answer::read(&gate.raw(&asked(&good, &json!({}))).await);
    ignored.is(401, "APP_VERIFY_FAILED", "no");

    let gate = Gate::with(files("127.0.0.0/8")).await;
    let ask = async |token: &str, identity: Value| {
        Answer::read(&gate.raw(&asked(token, &identity)).await)
    };
    assert_eq!(ask(&good, json!({})).await.body["executed"], "yes");
    assert_eq!(gate.records("intent")[0]["user"], "alice");
    let in_bearer = with(&gate, &good).await;
    not_believed(&in_bearer, "a token of the other carrier");
    for (kid, app, why) in [
        ("other", app.clone(), "another kid"),
        ("bk-esb", json!({"app_code": "team_app", "verified": false}), "not verified"),
        ("bk-esb", json!({"app_code": "team_app", "verified": "true"}), "verified as text"),
        ("bk-esb", json!({"app_code": "team_app"}), "no mark"),
        ("bk-esb", json!({"bk_app_code": "team_app", "verified": true}), "other names"),
    ] {
        let token = signer.sign_as(kid, &apigw_claims(app, user.clone()));
        not_believed(&ask(&token, json!({})).await, why);
    }
    not_believed(&ask(&signer.sign(&apigw_claims(app.clone(), user)), json!({})).await, "no kid");
    for mark in [json!(false), json!("true"), Value::Null] {
        let user = json!({"username": "alice", "verified": mark});
        let token = signer.sign_as("bk-esb", &apigw_claims(app.clone(), user));
        ask(&token, json!({})).await.is(401, "USER_MISSING", "no");
        let named = ask(&token, json!({"bk_username": "svc_deploy"})).await;
        assert_eq!(named.body["executed"], "yes", "{}", named.body);
    }
    let last = gate.records("intent").pop().unwrap();
    assert_eq!((&last["user"], &last["user_proof"]), (&json!("svc_deploy"), &json!("exemption")));
}

#[tokio::test]
async fn an_issuer_speaks_for_the_applications_that_name_it_and_for_no_other() {
    let (ours, theirs) = (Signer::new(Algorithm::EdDSA), Signer::new(Algorithm::EdDSA));
    let issuers = bearer("ours", "EdDSA", "{pem: {file: ours.pem}}")
        + &bearer("theirs", "EdDSA", "{pem: {file: theirs.pem}}");
    let texts =
        vec![("ours.pem", ours.public_pem.clone()), ("theirs.pem", theirs.public_pem.clone())];
    let gate = Gate::with(files(&issuers, &["ours"], texts)).await;
    let foreign = with(&gate, &theirs.sign(&claims("theirs", json!({})))).await;
    foreign.is(401, "APP_VERIFY_FAILED", "no");
    let unknown = with(&gate, &ours.sign(&claims("ours", json!({"app_code": "nobody"})))).await;
    unknown.is(401, "APP_VERIFY_FAILED", "no");
    not_believed(&with(&gate, &theirs.sign(&claims("ours", json!({})))).await, "another's name");
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn what_stands_beside_a_token_must_name_the_same_application_and_user() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = bearer("ci", "ES256", "{pem: {file: key.pem}}");
    let texts = vec![("key.pem", signer.public_pem.clone())];
    let gate = Gate::with(files(&issuer, &["ci"], texts)).await;
    let token = |change: Value| signer.sign(&claims("ci", change));
    let (ci_user, alice) = (token(json!({})), token(json!({"username": "alice"})));
    let nobody = signer.sign(&without(claims("ci", json!({})), "username"));
    let key = |code: &str, key: &str| json!({"bk_app_code": code, "bk_app_secret": key});
    let disagree = Err((401, "PROOFS_DISAGREE"));
    for (token, identity, expected) in [
        (&ci_user, key("team_app", KEY), Ok(("ci_user", "jwt"))),
        (&ci_user, json!({"bk_app_code": "other_app"}), disagree),
        (&ci_user, key("other_app", OTHER_KEY), disagree),
        (&ci_user, key("team_app", "wrong"), Err((401, "APP_VERIFY_FAILED"))),
        (&alice, json!({"bk_token": TOKEN}), Ok(("alice", "bk_token"))),
        (&ci_user, json!({"bk_token": TOKEN}), disagree),
        (&ci_user, json!({"bk_token": "nobody's"}), Err((401, "USER_VERIFY_FAILED"))),
        (&nobody, json!({"bk_token": TOKEN}), Ok(("alice", "bk_token"))),
        (&ci_user, json!({"bk_username": "ci_user"}), Ok(("ci_user", "jwt"))),
        (&ci_user, json!({"bk_username": "svc_deploy"}), disagree),
        (&ci_user, json!({"bk_username": "CI_USER"}), disagree),
        (&nobody, json!({"bk_username": "svc_deploy"}), Ok(("svc_deploy", "exemption"))),
        (&nobody, json!({"bk_username": "mallory"}), Err((401, "USER_NOT_EXEMPT"))),
        (&nobody, json!({}), Err((401, "USER_MISSING"))),
    ] {
        let answer = beside(&gate, token, &identity).await;
        match expected {
            Err((status, code)) => answer.is(status, code, "no"),
            Ok((user, proof)) => {
                assert_eq!(answer.body["executed"], "yes", "{identity}: {}", answer.body);
                let last = gate.records("intent").pop().unwrap();
                let seen = (&last["user"], &last["user_proof"]);
                assert_eq!(seen, (&json!(user), &json!(proof)), "{identity}");
            }
        }
    }
}
