//! TLS towards an upstream: the roots that are trusted and, where asked for, the gateway's own certificate.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::WantsClientCert,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A TLS configuration that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The text is not PEM.
    #[error("not readable as PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// No certificate stands in the text.
    #[error("no certificate found")]
    Empty,
    /// The certificate or the key is refused.
    #[error("certificate or key refused")]
    Refused(#[source] rustls::Error),
}

/// Trusts the certificates in `ca_pem` and nobody else.
pub fn tls_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, TlsFault> {
    Ok(Arc::new(trusting(ca_pem)?.with_no_client_auth()))
}

/// As [`tls_config`], and shows a certificate of its own.
pub fn tls_config_with_certificate(
    ca_pem: &[u8],
    chain_pem: &[u8],
    key_pem: &[u8],
) -> Result<Arc<ClientConfig>, TlsFault> {
    let chain = certificates(chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(TlsFault::Pem)?;
    let config = trusting(ca_pem)?.with_client_auth_cert(chain, key).map_err(TlsFault::Refused)?;
    Ok(Arc::new(config))
}

fn trusting(
    ca_pem: &[u8],
) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_pem)? {
        roots.add(certificate).map_err(TlsFault::Refused)?;
    }
    // Named, so that no process-wide default decides which cryptography is used.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsFault::Refused)?
        .with_root_certificates(roots))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsFault::Pem)?;
    if found.is_empty() { Err(TlsFault::Empty) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_a_certificate_is_refused() {
        assert!(matches!(tls_config(b"").unwrap_err(), TlsFault::Empty));
    }

    #[test]
    fn a_certificate_of_its_own_needs_its_key() {
        let own = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
        let pem = own.cert.pem();
        let key = own.signing_key.serialize_pem();
        tls_config_with_certificate(pem.as_bytes(), pem.as_bytes(), key.as_bytes()).unwrap();
        let other = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
        let other = other.signing_key.serialize_pem();
        assert!(
            tls_config_with_certificate(pem.as_bytes(), pem.as_bytes(), other.as_bytes()).is_err()
        );
    }
}
