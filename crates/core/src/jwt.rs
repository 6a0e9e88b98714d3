//! Proof by JWT: the algorithm comes from the key's record, never from the token; times are judged
//! against the call's own; header and claims are read by the strict reader, so no name stands twice.

use std::time::Duration;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use esbgate_model::{
    Name, Secret,
    json::{Document, Node},
};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::signatures::{Mark, Signatures};

/// Base64url without padding and without stray bits: a token has one spelling.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Longer tokens are refused unread.
const LONGEST: usize = 16 * 1024;

/// Where an issuer's tokens are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer`.
    Bearer,
    /// `X-Bkapi-JWT`, from trusted peers alone.
    BkapiJwt,
}

/// One key, and the `kid` that names it.
#[derive(Clone)]
pub struct IssuerKey {
    /// The `kid` that a token must show; none for an issuer with a single key that pins none.
    pub kid: Option<Box<str>>,
    /// The key.
    pub key: DecodingKey,
}

impl std::fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuerKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Which claims name the application and the user; dots lead into objects.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The application's code.
    pub app: Box<str>,
    /// Must be `true` where it is named.
    pub app_verified: Option<Box<str>>,
    /// The user's name.
    pub user: Option<Box<str>>,
    /// A user whose claim is not `true` is no user.
    pub user_verified: Option<Box<str>>,
}

/// Somebody whose tokens are believed.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its name in policy.
    pub name: Box<str>,
    /// Where its tokens are read.
    pub carrier: Carrier,
    /// `iss`, required.
    pub issuer: Box<str>,
    /// `aud`; required of every Bearer token.
    pub audience: Option<Box<str>>,
    /// The one algorithm of its keys.
    pub algorithm: Algorithm,
    /// Its keys.
    pub keys: Vec<IssuerKey>,
    /// Its claims.
    pub claims: Claims,
    /// Tolerance for `exp` and `nbf`.
    pub leeway: Duration,
}

/// What a token says, once everything about it holds.
#[derive(Debug)]
pub(crate) struct Spoken<'p> {
    pub(crate) issuer: &'p Issuer,
    pub(crate) app: Name,
    pub(crate) user: Option<Name>,
}

/// Why a token was not believed. For the log; the caller learns only that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// Not three parts of Base64url JSON.
    #[error("jwt is malformed")]
    Malformed,
    /// No issuer of this name and carrier.
    #[error("jwt has an unknown issuer")]
    Issuer,
    /// The header asks for something that is not understood, or for another algorithm.
    #[error("jwt header is not accepted")]
    Header,
    /// No key of this `kid`.
    #[error("jwt names an unknown key")]
    Key,
    /// The signature does not hold.
    #[error("jwt signature does not verify")]
    Signature,
    /// `aud` does not name this gateway.
    #[error("jwt is for another audience")]
    Audience,
    /// `exp` is missing, no integer or past; `nbf` is no integer or ahead.
    #[error("jwt is outside its time")]
    Time,
    /// The claims name no verified application, or a user that is no name.
    #[error("jwt names no verified application")]
    App,
}

/// Verifies a token against the issuers of its carrier. `signatures` remembers which signatures held;
/// everything else is judged anew each time.
pub(crate) fn verify<'p>(
    issuers: &'p [Issuer],
    signatures: &Signatures,
    carrier: Carrier,
    token: &Secret,
    at: Timestamp,
) -> Result<Spoken<'p>, JwtFault> {
    let token = token.expose();
    if token.len() > LONGEST {
        return Err(JwtFault::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtFault::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtFault::Malformed)?;
    let (header, claims) = (part(header)?, part(claims)?);
    let iss = string(&claims, "iss").ok_or(JwtFault::Issuer)?;
    let issuer = issuers
        .iter()
        .find(|issuer| issuer.carrier == carrier && &*issuer.issuer == iss)
        .ok_or(JwtFault::Issuer)?;
    check_header(issuer, &header)?;
    let kid = string(&header, "kid");
    let key = match issuer.keys.as_slice() {
        [only] if only.kid.is_none() => only,
        keys => keys
            .iter()
            .find(|key| key.kid.is_some() && key.kid.as_deref() == kid)
            .ok_or(JwtFault::Key)?,
    };
    // The library decodes leniently; ours must accept the spelling first.
    BASE64URL.decode(signature).map_err(|_| JwtFault::Malformed)?;
    let mark = Mark::new(issuer.algorithm, &key.key, token);
    let verified = signatures.holds(mark, || {
        let verdict =
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.key, issuer.algorithm);
        verdict.unwrap_or(false)
    });
    let verified = verified.ok_or(JwtFault::Signature)?;
    check_audience(issuer, &claims)?;
    check_time(issuer, &claims, at)?;
    let spoken = spoken(issuer, &claims)?;
    // Last, so that only tokens that are good for something take a place.
    signatures.keep(verified);
    Ok(spoken)
}

fn part(text: &str) -> Result<Document, JwtFault> {
    let bytes = BASE64URL.decode(text).map_err(|_| JwtFault::Malformed)?;
    Document::read(bytes).map_err(|_| JwtFault::Malformed)
}

fn at<'d>(document: &'d Document, path: &str) -> Option<&'d Node> {
    let mut names = path.split('.');
    let mut node = document.get(names.next()?)?;
    for name in names {
        let Node::Object(members) = node else { return None };
        node = members.iter().find(|(key, _)| document.str(key) == name).map(|(_, node)| node)?;
    }
    Some(node)
}

fn string<'d>(document: &'d Document, path: &str) -> Option<&'d str> {
    match at(document, path)? {
        Node::String(text) => Some(document.str(text)),
        Node::Null
        | Node::Bool(_)
        | Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::Array(_)
        | Node::Object(_) => None,
    }
}

fn is_true(document: &Document, path: &str) -> bool {
    matches!(at(document, path), Some(Node::Bool(true)))
}

fn check_header(issuer: &Issuer, header: &Document) -> Result<(), JwtFault> {
    let algorithm = format!("{:?}", issuer.algorithm);
    // RFC 7515: `crit` names extensions that must be understood, and none is; keys from the token
    // (`jwk`, `jku`, `x5u`) are never looked at.
    let crit = header.get("crit").is_some();
    let kid_is_text = header.get("kid").is_none_or(|kid| matches!(kid, Node::String(_)));
    let typ_holds = header.get("typ").is_none_or(|_| {
        string(header, "typ").is_some_and(|typ| typ.eq_ignore_ascii_case("JWT") || typ == "at+jwt")
    });
    if string(header, "alg") != Some(algorithm.as_str()) || crit || !kid_is_text || !typ_holds {
        return Err(JwtFault::Header);
    }
    Ok(())
}

fn check_audience(issuer: &Issuer, claims: &Document) -> Result<(), JwtFault> {
    let Some(expected) = issuer.audience.as_deref() else { return Ok(()) };
    let named = |node: &Node| match node {
        Node::String(text) => claims.str(text) == expected,
        Node::Null
        | Node::Bool(_)
        | Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::Array(_)
        | Node::Object(_) => false,
    };
    let holds = match claims.get("aud") {
        Some(Node::Array(list)) => {
            list.iter().all(|node| matches!(node, Node::String(_))) && list.iter().any(named)
        }
        Some(node) => named(node),
        None => false,
    };
    if holds { Ok(()) } else { Err(JwtFault::Audience) }
}

fn check_time(issuer: &Issuer, claims: &Document, at: Timestamp) -> Result<(), JwtFault> {
    let leeway = i64::try_from(issuer.leeway.as_secs()).unwrap_or(i64::MAX);
    let now = at.as_second();
    let integer = |name: &str| match claims.get(name) {
        Some(Node::Integer(value)) => Ok(Some(*value)),
        None => Ok(None),
        Some(_) => Err(JwtFault::Time),
    };
    let exp = integer("exp")?.ok_or(JwtFault::Time)?;
    let nbf = integer("nbf")?;
    integer("iat")?;
    if now >= exp.saturating_add(leeway) || nbf.is_some_and(|nbf| now < nbf.saturating_sub(leeway))
    {
        return Err(JwtFault::Time);
    }
    Ok(())
}

fn spoken<'p>(issuer: &'p Issuer, claims: &Document) -> Result<Spoken<'p>, JwtFault> {
    let verified =
        |path: &Option<Box<str>>| path.as_deref().is_none_or(|path| is_true(claims, path));
    if !verified(&issuer.claims.app_verified) {
        return Err(JwtFault::App);
    }
    let app = string(claims, &issuer.claims.app).ok_or(JwtFault::App)?;
    let app = Name::new(app).map_err(|_| JwtFault::App)?;
    let user = match issuer.claims.user.as_deref().and_then(|path| at(claims, path)) {
        None | Some(Node::Null) => None,
        Some(Node::String(text)) if claims.str(text).is_empty() => None,
        Some(Node::String(_)) if !verified(&issuer.claims.user_verified) => None,
        Some(Node::String(text)) => Some(Name::new(claims.str(text)).map_err(|_| JwtFault::App)?),
        Some(_) => return Err(JwtFault::App),
    };
    Ok(Spoken { issuer, app, user })
}
