//! The shape of `issuers` of a policy.

use std::time::Duration;

use serde::Deserialize;

use super::spec;
#[cfg(test)]
use crate::form;
use crate::{
    constraint::says,
    lookup::{FileSource, Source},
    node::Spanned,
    units::Span,
};

/// Tolerance of `exp` and `nbf` where an issuer has none of its own.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);

spec! {
    /// Somebody whose tokens are believed.
    IssuerSpec {
        /// `Authorization: Bearer`, or `X-Bkapi-JWT` from `trusted_peers` alone.
        header: CarrierSpec,
        /// `iss`; one record for one `iss` and header.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        issuer: Spanned<String>,
        /// `aud`; required of `bearer`.
        audience: Option<Spanned<String>>,
        /// The one algorithm, whatever a token says.
        algorithm: AlgorithmSpec,
        /// The key or keys; `secret` (from 32 bytes) is for HS256 alone.
        key: IssuerKeySpec,
        /// The `kid` that a token must show; required of `x-bkapi-jwt`, except that a `jwks` brings its own.
        kid: Option<Spanned<String>>,
        /// Which claims say what.
        #[garde(dive)]
        claims: ClaimsSpec,
        /// Tolerance of `exp` and `nbf`.
        #[cfg_attr(test, schemars(extend("default" = "60s")))]
        leeway: Option<Span>,
    }
}
/// Where a token travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CarrierSpec {
    /// `Authorization: Bearer`.
    Bearer,
    /// `X-Bkapi-JWT`.
    XBkapiJwt,
}
/// Algorithms of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum AlgorithmSpec {
    /// RSA PKCS#1 with SHA-256.
    RS256,
    /// RSA PKCS#1 with SHA-512.
    RS512,
    /// ECDSA on P-256.
    ES256,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256.
    HS256,
}
/// The keys of an issuer.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum IssuerKeySpec {
    /// A public key.
    Pem(FileSource),
    /// A set of public keys.
    Jwks(FileSource),
    /// A shared secret.
    Secret(Source),
}
spec! {
    /// Names of claims; dots lead into objects.
    ClaimsSpec {
        /// The application's code.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        app: Spanned<String>,
        /// Must be `true`.
        app_verified: Option<String>,
        /// The user's name.
        user: Option<String>,
        /// The user counts only where this is `true`.
        user_verified: Option<String>,
    }
}
