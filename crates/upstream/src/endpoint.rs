//! An address that calls are sent to, read once at the start so that dialling it cannot fail on its spelling.

use std::{io, sync::Arc, time::Duration};

use esbgate_core::NotSent;
use http::{HeaderValue, Uri, uri::Scheme};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::wire::Wire;

/// Options that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// No endpoint is named.
    #[error("no endpoint is named")]
    NoEndpoint,
    /// Not `http://host:port` or `https://host:port`.
    #[error("{0:?} is not an http or https URL of the expected form")]
    Url(Box<str>),
    /// An `https` URL without a CA bundle.
    #[error("{0:?} needs a CA bundle")]
    NoCa(Box<str>),
    /// The system gives no random bytes.
    #[error("no random bytes")]
    Random,
}

/// Where to dial, and how the peer is named.
pub(crate) struct Endpoint {
    host: Box<str>,
    port: u16,
    authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Endpoint {
    /// Reads the scheme and the authority of `text`; says what path follows.
    pub(crate) fn read(
        text: &str,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<(Self, Box<str>), OptionsError> {
        let fault = || OptionsError::Url(text.into());
        let uri: Uri = text.parse().map_err(|_| fault())?;
        let authority = uri.authority().ok_or_else(fault)?;
        // A password has no place in an address, and a query belongs to the one who asks.
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(fault());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(fault());
        }
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) | None => return Err(fault()),
        };
        let tls = match (secure, tls) {
            (false, _) => None,
            (true, None) => return Err(OptionsError::NoCa(text.into())),
            (true, Some(config)) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| fault())?;
                Some((TlsConnector::from(Arc::clone(config)), name))
            }
        };
        let endpoint = Self {
            host: host.into(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| fault())?,
            tls,
        };
        Ok((endpoint, uri.path().into()))
    }

    /// The `Host` field.
    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Opens a connection within `timeout`, TLS included. No byte of a call is written.
    pub(crate) async fn dial(&self, timeout: Duration) -> Result<Wire, NotSent> {
        tokio::time::timeout(timeout, self.open()).await.unwrap_or(Err(NotSent::ConnectTimeout))
    }

    async fn open(&self) -> Result<Wire, NotSent> {
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(|e| refusal(&e))?;
        // A call is written whole: waiting for more only delays it.
        stream.set_nodelay(true).map_err(|e| refusal(&e))?;
        match &self.tls {
            None => Ok(Wire::plain(stream)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                Ok(Wire::tls(stream.map_err(|_| NotSent::Tls)?))
            }
        }
    }
}

fn refusal(error: &io::Error) -> NotSent {
    if error.kind() == io::ErrorKind::TimedOut { NotSent::ConnectTimeout } else { NotSent::Refused }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_field_is_the_authority_as_it_was_given() {
        let (endpoint, path) = Endpoint::read("http://[::1]:8000", None).unwrap();
        assert_eq!((&*endpoint.host, endpoint.port, &*path), ("::1", 8000, "/"));
        assert_eq!(endpoint.authority(), "[::1]:8000");
    }

    #[test]
    fn other_schemes_passwords_and_queries_are_refused() {
        for text in ["", "esb", "ftp://esb", "http://u:p@esb", "http://esb/?x=1", "http://"] {
            assert!(matches!(Endpoint::read(text, None), Err(OptionsError::Url(_))), "{text}");
        }
    }

    #[test]
    fn https_needs_a_ca_bundle() {
        assert!(matches!(Endpoint::read("https://esb", None), Err(OptionsError::NoCa(_))));
    }
}
