//! The reader of tokens.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use esbgate_core::{AppCall, MatchRoute, Parse, PolicyHandle, ProveApp, Rejection, Stage as _};
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::{
    head::{HOST, PATH, received},
    policy::{FOUND, load},
};

const POLICY: &str = r#"
version: 1
issuers:
  sso:
    header: bearer
    issuer: https://sso.example.com
    audience: esbgate
    algorithm: HS256
    key: {secret: {env: SSO_SECRET}}
    claims: {app: app, user: user}
apps:
  team_app:
    owner: team@example.com
    proofs: [{jwt: {issuer: sso}}]
    acts_as: ops_gateway
    users: {token: true}
    allow:
      - name: one
        components: [fast_execute_script]
        business: {ids: [2]}
        accounts: {aliases: [root]}
        scripts: {ids: any}
        targets: {ips: any, clouds: any, hosts: 10}
"#;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

const CLAIMS: &str = r#"{"iss":"https://sso.example.com","aud":"esbgate","exp":1800000600,"app":"team_app","user":"alice"}"#;

/// Routing and proof under a policy of their own. No throttle: every proof has a peer of its own budget.
struct Prover {
    route: MatchRoute,
    /// A token that holds.
    token: String,
}

static PROVER: LazyLock<Prover> = LazyLock::new(|| {
    let (policy, _) = load(POLICY).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Prover {
        route: MatchRoute(PolicyHandle::new(policy)),
        token: sign(HEADER.as_bytes(), CLAIMS.as_bytes(), FOUND),
    }
});

fn sign(header: &[u8], claims: &[u8], key: &str) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    format!("{signed}.{}", part(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

/// Nothing is believed without the key: not any bytes, not the token with one character changed, not any
/// header and claims under another key. Signed with the key, whatever the claims say, nothing panics.
pub fn jwt(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => refused(
            &HeaderValue::from_bytes(rest)
                .map(|value| value.as_bytes().to_vec())
                .unwrap_or_default(),
        ),
        1 => changed(rest),
        2 => {
            let (header, claims) = halves(rest);
            refused(sign(header, claims, "another-key-of-the-same-length-000").as_bytes());
        }
        _ => {
            let (header, claims) = halves(rest);
            if let Ok(call) = proved(sign(header, claims, FOUND).as_bytes()) {
                assert_eq!(call.app().code.as_str(), "team_app");
            }
        }
    }
}

fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let middle = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, claims) = data.split_at(middle);
    let header = if header.is_empty() { HEADER.as_bytes() } else { header };
    (header, claims.strip_prefix(b"\n").unwrap_or(CLAIMS.as_bytes()))
}

/// One character at some place is another one.
fn changed(data: &[u8]) {
    let [high, low, other, ..] = data else { return };
    let mut token = PROVER.token.clone().into_bytes();
    assert!(proved(&token).is_ok(), "the token itself holds");
    let at = usize::from(u16::from_be_bytes([*high, *low])) % token.len();
    if let Some(byte) = token.get_mut(at).filter(|byte| **byte != *other) {
        *byte = *other;
        refused(&token);
    }
}

fn refused(token: &[u8]) {
    assert!(proved(token).is_err(), "believed: {}", token.escape_ascii());
}

fn proved(token: &[u8]) -> Result<AppCall, Rejection> {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(HOST));
    let value = [b"Bearer ", token].concat();
    let value = HeaderValue::from_bytes(&value).map_err(|_| Rejection::Internal)?;
    headers.insert("authorization", value);
    let uri = PATH.parse().unwrap();
    let request = received(Method::POST, uri, Version::HTTP_11, headers, b"{}".to_vec());
    let rules = esbgate_core::HeadRules { hosts: vec![HOST.into()], ..Default::default() };
    let parsed = Parse(rules.into()).run(request)?;
    ProveApp::default().run(PROVER.route.run(parsed)?)
}
