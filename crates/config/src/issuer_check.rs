//! Checks of issuers: the algorithm and the keys must fit, so that no token can choose.

use esbgate_core::{Carrier, Claims, Issuer, IssuerKey};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, JwkSet},
};

use crate::{
    lookup::{FileSource, Lookup, secret, text},
    node::Spanned,
    policy_spec::{AlgorithmSpec, CarrierSpec, IssuerKeySpec, IssuerSpec, LEEWAY},
    problem::{Faults, named},
};

/// Compiles one issuer, unless its keys are wrong.
pub(crate) fn issuer(
    name: &str,
    spec: &Spanned<IssuerSpec>,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<Issuer> {
    let path = format!("issuers.{}", named(name));
    let said = &spec.value;
    if said.header == CarrierSpec::Bearer
        && said.audience.as_ref().is_none_or(|audience| audience.value.is_empty())
    {
        faults.add(&said.issuer, &path, "a bearer issuer needs an audience");
    }
    let keys = keys(spec, port, &path, faults)?;
    if said.header == CarrierSpec::XBkapiJwt && keys.iter().any(|key| key.kid.is_none()) {
        let hint = Some("write the kid of the gateway's key, as its tokens show it".into());
        faults.hinted(&said.issuer, &path, "an x-bkapi-jwt issuer needs its kid pinned", hint);
    }
    let boxed = |text: &Option<String>| text.as_deref().map(Into::into);
    Some(Issuer {
        name: name.into(),
        carrier: match said.header {
            CarrierSpec::Bearer => Carrier::Bearer,
            CarrierSpec::XBkapiJwt => Carrier::BkapiJwt,
        },
        issuer: said.issuer.value.as_str().into(),
        audience: said.audience.as_ref().map(|text| text.value.as_str().into()),
        algorithm: match said.algorithm {
            AlgorithmSpec::RS256 => Algorithm::RS256,
            AlgorithmSpec::RS512 => Algorithm::RS512,
            AlgorithmSpec::ES256 => Algorithm::ES256,
            AlgorithmSpec::EdDSA => Algorithm::EdDSA,
            AlgorithmSpec::HS256 => Algorithm::HS256,
        },
        keys,
        claims: Claims {
            app: said.claims.app.value.as_str().into(),
            app_verified: boxed(&said.claims.app_verified),
            user: boxed(&said.claims.user),
            user_verified: boxed(&said.claims.user_verified),
        },
        leeway: said.leeway.map_or(LEEWAY, |span| span.0),
    })
}

fn keys(
    spec: &Spanned<IssuerSpec>,
    port: &dyn Lookup,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<Vec<IssuerKey>> {
    let said = &spec.value;
    let kid = said.kid.as_ref().map(|kid| kid.value.as_str().into());
    let key = match &said.key {
        IssuerKeySpec::Jwks(source) => {
            if let Some(kid) = &said.kid {
                faults.add(kid, path, "kid stands in the key set already");
            }
            return jwks(source, said.algorithm, port, path, faults);
        }
        IssuerKeySpec::Secret(source) => {
            let value = secret(source, port, path, faults)?;
            if said.algorithm != AlgorithmSpec::HS256 {
                return faults.none(&said.issuer, path, "only HS256 has a shared secret");
            }
            if value.len() < 32 {
                return faults.none(&said.issuer, path, "the secret has fewer than 32 bytes");
            }
            DecodingKey::from_secret(value.as_bytes())
        }
        IssuerKeySpec::Pem(source) => {
            let pem = text(source, port, path, faults)?;
            let key = match said.algorithm {
                AlgorithmSpec::RS256 | AlgorithmSpec::RS512 => {
                    DecodingKey::from_rsa_pem(pem.as_bytes())
                }
                AlgorithmSpec::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
                AlgorithmSpec::EdDSA => DecodingKey::from_ed_pem(pem.as_bytes()),
                AlgorithmSpec::HS256 => {
                    return faults.none(&said.issuer, path, "HS256 needs a secret, not a pem");
                }
            };
            match key {
                Ok(key) => key,
                Err(_) => {
                    return faults.none(&source.file, path, "no public key of this algorithm");
                }
            }
        }
    };
    Some(vec![IssuerKey { kid, key }])
}

fn jwks(
    source: &FileSource,
    algorithm: AlgorithmSpec,
    port: &dyn Lookup,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<Vec<IssuerKey>> {
    let text = text(source, port, path, faults)?;
    let Ok(set) = serde_json::from_str::<JwkSet>(&text) else {
        return faults.none(&source.file, path, "the file is no JWK set");
    };
    let mut keys = Vec::new();
    for jwk in &set.keys {
        let fits = match algorithm {
            AlgorithmSpec::RS256 | AlgorithmSpec::RS512 => {
                matches!(jwk.algorithm, AlgorithmParameters::RSA(_))
            }
            AlgorithmSpec::ES256 => matches!(jwk.algorithm, AlgorithmParameters::EllipticCurve(_)),
            AlgorithmSpec::EdDSA => matches!(jwk.algorithm, AlgorithmParameters::OctetKeyPair(_)),
            AlgorithmSpec::HS256 => false,
        };
        let kid: Option<Box<str>> = jwk.common.key_id.as_deref().map(Into::into);
        match DecodingKey::from_jwk(jwk) {
            Ok(key) if fits => keys.push(IssuerKey { kid, key }),
            Ok(_) | Err(_) => faults.add(&source.file, path, "a key does not fit the algorithm"),
        }
    }
    if keys.is_empty() {
        return faults.none(&source.file, path, "the key set has no usable key");
    }
    if keys.len() > 1 && keys.iter().any(|key| key.kid.is_none()) {
        return faults.none(&source.file, path, "every key of a set needs its kid");
    }
    Some(keys)
}
