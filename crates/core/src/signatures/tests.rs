//! What is remembered of a token, and what is not.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use esbgate_model::Secret;
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};

use super::*;
use crate::jwt::{Carrier, Claims, Issuer, IssuerKey, JwtFault, verify};

const KEY: &str = "a-signing-key-of-at-least-32-bytes!!";
const NOW: i64 = 1_700_000_000;

fn token(key: &str, app: &str) -> Secret {
    let claims =
        serde_json::json!({"iss": "https://ci", "app": app, "other": "b", "exp": NOW + 60});
    let key = EncodingKey::from_secret(key.as_bytes());
    Secret::new(encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap())
}

fn issuer(key: &str) -> Issuer {
    let key = DecodingKey::from_secret(key.as_bytes());
    Issuer {
        name: "ci".into(),
        carrier: Carrier::Bearer,
        issuer: "https://ci".into(),
        audience: None,
        algorithm: Algorithm::HS256,
        keys: vec![IssuerKey { kid: None, key }],
        claims: Claims { app: "app".into(), app_verified: None, user: None, user_verified: None },
        leeway: Duration::ZERO,
    }
}

/// Verifies at this many seconds after now, and gives the application.
fn app(issuer: Issuer, of: &Signatures, token: &Secret, later: i64) -> Result<String, JwtFault> {
    let at = Timestamp::from_second(NOW + later).unwrap();
    let issuers = [issuer];
    verify(&issuers, of, Carrier::Bearer, token, at).map(|spoken| spoken.app.as_str().to_owned())
}

fn mark(key: &str, token: &Secret) -> Mark {
    Mark::new(Algorithm::HS256, &DecodingKey::from_secret(key.as_bytes()), token.expose())
}

/// Whether the signature is remembered.
fn remembers(signatures: &Signatures, mark: Mark) -> bool {
    signatures.holds(mark, || false).is_some()
}

#[test]
fn a_signature_is_verified_once_while_it_is_remembered() {
    let (signatures, asked) = (Signatures::default(), AtomicU32::new(0));
    let mark = mark(KEY, &token(KEY, "a"));
    for _ in 0..3 {
        let verified = signatures.holds(mark, || asked.fetch_add(1, Ordering::Relaxed) < 9);
        signatures.keep(verified.unwrap());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_verified_token_is_remembered_and_times_and_claims_are_judged_each_time() {
    let (signatures, token) = (Signatures::default(), token(KEY, "a"));
    assert!(!remembers(&signatures, mark(KEY, &token)));
    assert_eq!(app(issuer(KEY), &signatures, &token, 0), Ok("a".into()));
    assert!(remembers(&signatures, mark(KEY, &token)));
    assert_eq!(app(issuer(KEY), &signatures, &token, 59), Ok("a".into()));
    assert_eq!(app(issuer(KEY), &signatures, &token, 60), Err(JwtFault::Time), "exp is the end");
    assert_eq!(app(issuer(KEY), &signatures, &token, 0), Ok("a".into()), "no verdict is kept");
    let mut changed = issuer(KEY);
    changed.claims.app = "other".into();
    assert_eq!(app(changed, &signatures, &token, 0), Ok("b".into()), "a reload has its effect");
    let mut stricter = issuer(KEY);
    stricter.audience = Some("esbgate".into());
    assert_eq!(app(stricter, &signatures, &token, 0), Err(JwtFault::Audience));
    let mut elsewhere = issuer(KEY);
    elsewhere.carrier = Carrier::BkapiJwt;
    assert_eq!(app(elsewhere, &signatures, &token, 0), Err(JwtFault::Issuer));
}

#[test]
fn a_key_that_is_gone_or_replaced_takes_its_tokens_along() {
    let (signatures, token) = (Signatures::default(), token(KEY, "a"));
    assert_eq!(app(issuer(KEY), &signatures, &token, 0), Ok("a".into()));
    let mut without = issuer(KEY);
    without.keys.clear();
    assert_eq!(app(without, &signatures, &token, 0), Err(JwtFault::Key));
    let other = issuer("another-key-of-at-least-32-bytes!!!!");
    assert_eq!(app(other, &signatures, &token, 0), Err(JwtFault::Signature));
}

#[test]
fn what_is_good_for_nothing_takes_no_place() {
    let signatures = Signatures::default();
    let forged = token("another-key-of-at-least-32-bytes!!!!", "a");
    assert_eq!(app(issuer(KEY), &signatures, &forged, 0), Err(JwtFault::Signature));
    let good = token(KEY, "a");
    assert_eq!(app(issuer(KEY), &signatures, &good, 60), Err(JwtFault::Time));
    assert!(
        !remembers(&signatures, mark(KEY, &forged)) && !remembers(&signatures, mark(KEY, &good))
    );
    assert_eq!(signatures.0.len(), 0);
}

#[test]
fn key_algorithm_and_token_are_told_apart() {
    let rsa = |n: &[u8], e: &[u8]| DecodingKey::from_rsa_raw_components(n, e);
    let secret = |text: &str| DecodingKey::from_secret(text.as_bytes());
    let marks = [
        Mark::new(Algorithm::HS256, &secret("ab"), "c"),
        Mark::new(Algorithm::HS384, &secret("ab"), "c"),
        Mark::new(Algorithm::HS256, &secret("a"), "bc"),
        Mark::new(Algorithm::HS256, &secret("ab"), "d"),
        Mark::new(Algorithm::HS256, &rsa(b"a", b"b"), "c"),
        Mark::new(Algorithm::HS256, &rsa(b"ab", b""), "d"),
    ];
    for (index, mark) in marks.iter().enumerate() {
        let same = marks.iter().filter(|other| *other == mark).count();
        assert_eq!(same, if index == 3 || index == 5 { 2 } else { 1 }, "{index}");
    }
}

#[test]
fn many_threads_get_the_answer_of_their_own_token() {
    let signatures = Signatures::default();
    let tokens: Vec<_> =
        (0..8).map(|n| (format!("app-{n}"), token(KEY, &format!("app-{n}")))).collect();
    let forged = token("another-key-of-at-least-32-bytes!!!!", "a");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (name, token) in tokens.iter().cycle().take(200) {
                    assert_eq!(app(issuer(KEY), &signatures, token, 0).as_ref(), Ok(name));
                    let refused = app(issuer(KEY), &signatures, &forged, 0);
                    assert_eq!(refused, Err(JwtFault::Signature));
                }
            });
        }
    });
    assert_eq!(signatures.0.len(), tokens.len());
}
