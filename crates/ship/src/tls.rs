//! How peers of sinks prove themselves, and we to them.

use std::sync::Arc;

use esbgate_model::Secret;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::options::TlsPeer;

/// Why TLS cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate in it, or one that cannot be read.
    #[error("ca: it has no certificate that can be read")]
    Ca,
    /// Ours cannot be read.
    #[error("certificate: it has no certificate that can be read")]
    Certificate,
    /// Ours cannot be read.
    #[error("key: it has no key that can be read")]
    Key,
    /// The two do not belong together, or are of a kind that is not known.
    #[error("certificate and key: {0}")]
    Pair(#[source] rustls::Error),
    /// The provider knows none of the versions.
    #[error(transparent)]
    Versions(rustls::Error),
}

/// Trusts what `ca` signs; shows a certificate where there is one. All are PEM.
///
/// # Errors
/// Where one of them is not what it should be.
pub fn client_tls(ca: &str, own: Option<(&str, &Secret)>) -> Result<TlsPeer, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca).ok_or(TlsError::Ca)? {
        roots.add(certificate).map_err(|_| TlsError::Ca)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate).ok_or(TlsError::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
            let key = key.map_err(|_| TlsError::Key)?;
            builder.with_client_auth_cert(chain, key).map_err(TlsError::Pair)?
        }
    };
    Ok(TlsPeer(Arc::new(config)))
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty())
}
