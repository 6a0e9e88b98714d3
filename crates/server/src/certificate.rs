//! The names of a verified client certificate, read once per connection.

use std::sync::Arc;

use esbgate_core::CertificateName;
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

/// The URI and DNS names of a certificate; none where the extension is missing or malformed.
pub(crate) fn names(certificate: &[u8]) -> Arc<[CertificateName]> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Arc::default();
    };
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return Arc::default();
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

fn name(general: &GeneralName<'_>) -> Option<CertificateName> {
    if let GeneralName::URI(uri) = general {
        plain(uri).map(CertificateName::Uri)
    } else if let GeneralName::DNSName(dns) = general {
        plain(dns).map(CertificateName::Dns)
    } else {
        None
    }
}

/// A NUL or a character outside ASCII can make two names look like one.
fn plain(name: &str) -> Option<Box<str>> {
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Arc<[CertificateName]> {
        let mut params = CertificateParams::default();
        change(&mut params);
        names(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn uri_and_dns_names_arrive_and_odd_ones_are_skipped() {
        let found = certificate(|params| {
            params.subject_alt_names = vec![
                SanType::URI("spiffe://example/app".try_into().unwrap()),
                SanType::URI("spiffe://example/\0app".try_into().unwrap()),
                SanType::DnsName("app.example".try_into().unwrap()),
                SanType::IpAddress([127, 0, 0, 1].into()),
            ];
        });
        let wanted = [
            CertificateName::Uri("spiffe://example/app".into()),
            CertificateName::Dns("app.example".into()),
        ];
        assert_eq!(*found, wanted);
    }

    #[test]
    fn a_malformed_extension_or_certificate_has_no_names() {
        let malformed = CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x7f, 1]);
        assert!(certificate(|params| params.custom_extensions = vec![malformed]).is_empty());
        assert!(names(b"no certificate").is_empty());
        assert!(certificate(|_| ()).is_empty());
    }
}
