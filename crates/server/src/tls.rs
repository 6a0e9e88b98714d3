//! TLS as the gateway offers it: versions, provider and protocols are stated, never defaulted.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate in the certificate file.
    #[error("no certificate in the certificate file")]
    NoCertificate,
    /// The certificate file is not PEM.
    #[error("the certificate file is not PEM: {0}")]
    CertificateFile(pem::Error),
    /// No private key in the key file.
    #[error("no private key in the key file")]
    NoKey,
    /// The key file is not PEM.
    #[error("the key file is not PEM")]
    KeyFile,
    /// The key is not the certificate's.
    #[error("the private key does not fit the certificate")]
    KeyMismatch,
    /// No certificate in the client CA file.
    #[error("no certificate in the client CA file")]
    NoClientCa,
    /// The client CA file is not PEM.
    #[error("the client CA file is not PEM: {0}")]
    ClientCaFile(pem::Error),
    /// The client CA cannot verify.
    #[error("the client CA is not usable: {0}")]
    ClientCa(#[from] VerifierBuilderError),
    /// The certificate or the key is not usable.
    #[error("the certificate or the key is not usable: {0}")]
    Unusable(rustls::Error),
}

/// The TLS of a listener, which may be replaced while it serves: a connection keeps what it began with.
#[derive(Debug, Clone)]
pub struct ListenerTls(Arc<ArcSwap<ServerConfig>>);

impl ListenerTls {
    /// Begins with `config`.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(ArcSwap::new(config)))
    }

    /// Replaces it for connections to come.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }

    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

/// A configuration for TLS 1.2 and 1.3 with HTTP/2 and HTTP/1.1; client certificates are asked for,
/// and verified where shown, if there is a client CA.
pub fn tls_config(
    cert_pem: &[u8],
    key_pem: &[u8],
    client_ca_pem: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(cert_pem).map_err(TlsError::CertificateFile)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| {
        // The source is not kept: an error about a key file must never carry a part of it.
        if matches!(error, pem::Error::NoItemsFound) { TlsError::NoKey } else { TlsError::KeyFile }
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Unusable)?;
    let builder = match client_ca_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => builder.with_client_cert_verifier(verifier(pem, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            TlsError::KeyMismatch
        } else {
            TlsError::Unusable(error)
        }
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Early data can be replayed, and a replayed call is a second run.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

fn verifier(
    pem: &[u8],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(pem).map_err(TlsError::ClientCaFile)? {
        roots.add(root).map_err(TlsError::Unusable)?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoClientCa);
    }
    // A certificate is one proof among several, so a caller may come without one.
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_file_is_named_and_a_sound_pair_is_taken() {
        let one = rcgen::generate_simple_self_signed(vec!["one.example".to_owned()]).unwrap();
        let two = rcgen::generate_simple_self_signed(vec!["two.example".to_owned()]).unwrap();
        let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let other = two.signing_key.serialize_pem();
        let fault = |cert: &str, key: &str, ca: Option<&str>| {
            tls_config(cert.as_bytes(), key.as_bytes(), ca.map(str::as_bytes)).unwrap_err()
        };
        assert!(matches!(fault("", &key, None), TlsError::NoCertificate));
        assert!(matches!(fault(&key, &key, None), TlsError::NoCertificate));
        assert!(matches!(fault(&cert, &cert, None), TlsError::NoKey));
        assert!(matches!(fault(&cert, &other, None), TlsError::KeyMismatch));
        assert!(matches!(fault(&cert, &key, Some("")), TlsError::NoClientCa));
        let config = tls_config(cert.as_bytes(), key.as_bytes(), Some(cert.as_bytes())).unwrap();
        assert_eq!(config.max_early_data_size, 0);
    }
}
