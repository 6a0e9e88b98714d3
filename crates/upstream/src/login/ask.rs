//! One question to the login service, and what is an answer to it.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::LoginDown;
use esbgate_model::{Name, Secret};
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, CONNECTION, HOST},
};
use http_body_util::Full;
use rustls::ClientConfig;

use super::verdict;
use crate::{
    endpoint::{Endpoint, OptionsError},
    talk::{Line, talk},
};

const ANSWER_LIMIT: usize = 64 * 1024;

/// Where the question goes.
pub(super) struct Ask {
    endpoint: Endpoint,
    path: Box<str>,
}

impl Ask {
    pub(super) fn new(url: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Self, OptionsError> {
        let (endpoint, path) = Endpoint::read(url, tls)?;
        Ok(Self { endpoint, path })
    }

    /// The target for a token. The login service unquotes once, so the token is encoded exactly once, though
    /// it may look encoded already (contract esb §5).
    pub(super) fn uri(&self, token: &Secret) -> Result<Uri, LoginDown> {
        let token = token.expose();
        let mut target = String::with_capacity(self.path.len() + 10 + token.len() * 3);
        target.push_str(&self.path);
        target.push_str("?bk_token=");
        for byte in token.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                target.push(char::from(byte));
            } else {
                write!(target, "%{byte:02X}").map_err(|_| LoginDown)?;
            }
        }
        Uri::try_from(target).map_err(|_| LoginDown)
    }

    /// Asks.
    pub(super) async fn send(
        &self,
        uri: Uri,
        connect_timeout: Duration,
    ) -> Result<Option<Name>, LoginDown> {
        let wire = self.endpoint.dial(connect_timeout).await.map_err(|_| LoginDown)?;
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.endpoint.authority().clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let line = Line::new(wire).await.map_err(|_| LoginDown)?;
        let talked = talk(line, request, ANSWER_LIMIT, false).await;
        let (reply, _ended) = talked.map_err(|_| LoginDown)?;
        if reply.status == StatusCode::OK { verdict::read(&reply.body) } else { Err(LoginDown) }
    }
}
