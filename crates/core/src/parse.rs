//! Establishes that a request has a single meaning: its head is one that may be judged, its parameters are
//! one strict JSON object, and the caller's credentials are set apart. Nothing is decoded yet.
//!
//! A GET of a component that only reads says the same in its query, and shows its identity in
//! `X-Bkapi-Authorization` alone: a URL is written into every log on its way.

use std::sync::Arc;

use esbgate_model::{
    Code, Component, Credentials, Faults, Kind, Language, PlainCall, Rule, Secret, Text,
    identity_in_body, identity_in_header, json::Document,
};
use http::{HeaderMap, HeaderName, Method, Version, header};
use ipnet::IpNet;

use crate::{
    AppFault, BodyPermit, Peer, ReceivedAt, ReceivedRequest, Rejection, Stage, Trace, trace::note,
};

/// What the head of a request is held to.
#[derive(Debug, Clone, Default)]
pub struct HeadRules {
    /// Accepted values of Host, in lower case, without port.
    pub hosts: Vec<Box<str>>,
    /// Peers whose `X-Bkapi-JWT` is read.
    pub trusted_peers: Vec<IpNet>,
    /// Peers whose `X-Forwarded-For` is read.
    pub trusted_proxies: Vec<IpNet>,
}

/// A request with a single meaning. Boxed, because every later state holds it and is moved at each step.
#[derive(Debug)]
pub struct ParsedCall(Box<Parsed>);

#[derive(Debug)]
struct Parsed {
    component: Component,
    forwarded: Vec<(HeaderName, http::HeaderValue)>,
    /// The caller's parameters, until they are interpreted.
    document: Option<Document>,
    credentials: Credentials,
    idempotency_key: bool,
    peer: Peer,
    received_at: ReceivedAt,
    permit: BodyPermit,
    trace: Arc<Trace>,
}

impl ParsedCall {
    pub(crate) fn component(&self) -> Component {
        self.0.component
    }

    /// The caller's parameters, for the one step that interprets them. A document takes a multiple of the
    /// body it was read from, so nothing keeps it while a call waits.
    pub(crate) fn take_document(&mut self) -> Option<Document> {
        self.0.document.take()
    }

    pub(crate) fn permit_mut(&mut self) -> &mut BodyPermit {
        &mut self.0.permit
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(crate) fn has_idempotency_key(&self) -> bool {
        self.0.idempotency_key
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// When the request arrived.
    #[must_use]
    pub fn received_at(&self) -> ReceivedAt {
        self.0.received_at
    }

    /// The trace of the request.
    #[must_use]
    pub fn trace(&self) -> &Arc<Trace> {
        &self.0.trace
    }

    pub(crate) fn into_permit(self) -> BodyPermit {
        self.0.permit
    }

    pub(crate) fn forwarded(&self) -> &[(HeaderName, http::HeaderValue)] {
        &self.0.forwarded
    }
}

/// The stage that makes a [`ParsedCall`].
#[derive(Debug, Clone)]
pub struct Parse(pub Arc<HeadRules>);

const BKAPI_AUTHORIZATION: HeaderName = HeaderName::from_static("x-bkapi-authorization");
const BKAPI_JWT: HeaderName = HeaderName::from_static("x-bkapi-jwt");
const TEST_ENV: HeaderName = HeaderName::from_static("x-use-test-env");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LANGUAGE: HeaderName = HeaderName::from_static("blueking-language");

/// Headers that are passed on; everything else of the caller's ends here (contract esb §2).
const FORWARDED: [HeaderName; 3] = [
    LANGUAGE,
    HeaderName::from_static("blueking-timezone"),
    HeaderName::from_static("traceparent"),
];

impl Stage for Parse {
    type In = ReceivedRequest;
    type Out = ParsedCall;

    fn run(&self, received: ReceivedRequest) -> Result<ParsedCall, Rejection> {
        let headers = &received.headers;
        let language = headers.get(&LANGUAGE).and_then(|value| value.to_str().ok());
        note(&received.trace.language, Language::from_header(language));
        // Its target is no path, so it would be answered 404 although no path is ever right.
        if received.method == Method::CONNECT {
            return Err(method_not_allowed());
        }
        let component = Component::at_path(received.uri.path()).ok_or(Rejection::NoRoute)?;
        note(&received.trace.component, component);
        self.check_head(component, &received)?;
        let header = header_identity(headers)?;
        let trusted = received
            .peer
            // Never the address that a proxy names: a proxy passes on what anybody behind it wrote.
            .socket()
            .is_some_and(|address| self.0.trusted_peers.iter().any(|net| net.contains(&address)));
        let ReceivedRequest {
            method, uri, headers, body, permit, peer, received_at, trace, ..
        } = received;
        let (document, credentials) = if method == Method::GET {
            let credentials = header.ok_or(AppFault::CodeMissing)?;
            let query = uri.query().unwrap_or_default();
            let document = PlainCall::query_document(component, query).map_err(refused_identity)?;
            (document, credentials)
        } else {
            let document =
                Document::read(body).map_err(|faults| malformed(Code::MalformedBody, faults))?;
            let mut credentials = identity_in_body(&document, header).map_err(refused_identity)?;
            credentials.bearer = bearer(&headers)?;
            credentials.gateway_jwt = if trusted { gateway_jwt(&headers)? } else { None };
            credentials.cookie_token = cookie_token(&headers);
            (document, credentials)
        };
        let forwarded = FORWARDED
            .iter()
            .filter_map(|name| headers.get(name).map(|value| (name.clone(), value.clone())))
            .filter(|(_, value)| value.len() <= 256 && value.to_str().is_ok())
            .collect();
        Ok(ParsedCall(Box::new(Parsed {
            component,
            forwarded,
            document: Some(document),
            credentials,
            idempotency_key: headers.contains_key(&IDEMPOTENCY_KEY),
            peer,
            received_at,
            permit,
            trace,
        })))
    }
}

fn malformed(code: Code, faults: Faults) -> Rejection {
    Rejection::Malformed { code, faults: Box::new(faults) }
}

fn method_not_allowed() -> Rejection {
    let rule = Rule::Header {
        expected: Text {
            en: "POST, or GET of a component that only reads",
            zh: "应使用 POST；只读组件也可用 GET",
        },
    };
    malformed(Code::MethodNotAllowed, Faults::one("method", rule))
}

fn bad_header(name: &HeaderName, expected: Text) -> Rejection {
    malformed(Code::BadHeader, Faults::one(name.as_str(), Rule::Header { expected }))
}

fn refused_identity(faults: Faults) -> Rejection {
    let refused = faults
        .list()
        .iter()
        .any(|fault| matches!(fault.rule, Rule::Alias { .. } | Rule::RefusedCredential));
    let code = if refused { Code::CredentialRefused } else { Code::InvalidArgs };
    malformed(code, faults)
}

/// The only value of a header that may be sent once.
fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h http::HeaderValue>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(malformed(Code::BadHeader, Faults::one(name.as_str(), Rule::Repeated)));
    }
    Ok(first)
}

impl Parse {
    fn check_head(
        &self,
        component: Component,
        received: &ReceivedRequest,
    ) -> Result<(), Rejection> {
        let headers = &received.headers;
        if received.version != Version::HTTP_11 && received.version != Version::HTTP_2 {
            let rule = Rule::Header {
                expected: Text { en: "HTTP/1.1 or HTTP/2", zh: "应使用 HTTP/1.1 或 HTTP/2" },
            };
            return Err(malformed(Code::BadHeader, Faults::one("version", rule)));
        }
        let asks = received.method == Method::GET && component.kind() == Kind::Read;
        if received.method != Method::POST && !asks {
            return Err(method_not_allowed());
        }
        if received.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
            let rule = Rule::Header {
                expected: Text { en: "http or https", zh: "应使用 http 或 https" },
            };
            return Err(malformed(Code::BadHeader, Faults::one("scheme", rule)));
        }
        if received.uri.query().is_some() && !asks {
            let rule = Rule::Header {
                expected: Text { en: "no query string", zh: "不应带查询参数" },
            };
            return Err(malformed(Code::QueryNotAllowed, Faults::one("query", rule)));
        }
        self.check_host(received)?;
        check_framing(headers)?;
        if asks && !(received.body.is_empty() && headers.get(header::TRANSFER_ENCODING).is_none()) {
            let rule = Rule::Header { expected: Text { en: "no body", zh: "不应带请求体" } };
            return Err(malformed(Code::BadFraming, Faults::one("content-length", rule)));
        }
        check_options(headers)?;
        check_content_type(headers)
    }

    fn check_host(&self, received: &ReceivedRequest) -> Result<(), Rejection> {
        let refuse = || {
            let rule = Rule::Header {
                expected: Text {
                    en: "one Host of this gateway", zh: "应为本网关的唯一 Host"
                },
            };
            malformed(Code::HostNotAllowed, Faults::one("host", rule))
        };
        let host = single(&received.headers, &header::HOST).map_err(|_| refuse())?;
        let host = host.map(|value| value.to_str().map_err(|_| refuse())).transpose()?;
        let authority = received.uri.authority().map(http::uri::Authority::as_str);
        let named = match (host, authority) {
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(refuse());
            }
            (Some(name), _) => name,
            // HTTP/2 names the authority in a pseudo-header; HTTP/1.1 must name a Host.
            (None, Some(name)) if received.version == Version::HTTP_2 => name,
            (None, _) => return Err(refuse()),
        };
        let (name, port) = match named.rsplit_once(':') {
            Some((name, port)) if !name.ends_with(']') || !port.contains(']') => (name, port),
            Some(_) | None => (named, "0"),
        };
        let port_holds = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let known = self.0.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
        if known && port_holds { Ok(()) } else { Err(refuse()) }
    }
}

fn check_framing(headers: &HeaderMap) -> Result<(), Rejection> {
    let refuse = |expected| {
        let rule = Rule::Header { expected };
        malformed(Code::BadFraming, Faults::one("transfer-encoding", rule))
    };
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        // A Content-Length beside it is a `HeadFault`: HTTP libraries take it away before it is seen here.
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(refuse(Text { en: "`chunked` alone", zh: "应仅为 `chunked`" })),
    }
}

fn check_options(headers: &HeaderMap) -> Result<(), Rejection> {
    for value in headers.get_all(header::CONNECTION) {
        let options = value.to_str().unwrap_or_default().split(',').map(str::trim);
        let known = |option: &str| {
            let known = ["close", "keep-alive", "te", "upgrade", "http2-settings", ""];
            known.iter().any(|known| option.eq_ignore_ascii_case(known))
        };
        if value.to_str().is_err() || !options.into_iter().all(known) {
            return Err(bad_header(
                &header::CONNECTION,
                Text { en: "close or keep-alive", zh: "应为 close 或 keep-alive" },
            ));
        }
    }
    for value in headers.get_all(header::UPGRADE) {
        // Java's client offers h2c with every request; the offer is ignored, never answered 101.
        if !value.as_bytes().eq_ignore_ascii_case(b"h2c") {
            return Err(bad_header(
                &header::UPGRADE,
                Text { en: "no Upgrade", zh: "不应带 Upgrade" },
            ));
        }
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(bad_header(
            &header::CONTENT_ENCODING,
            Text { en: "no Content-Encoding", zh: "不应带 Content-Encoding" },
        ));
    }
    if let Some(expect) = single(headers, &header::EXPECT)?
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(bad_header(
            &header::EXPECT,
            Text { en: "100-continue", zh: "应为 100-continue" },
        ));
    }
    // It must not silently run in production (contract esb §6: the ESB would call the test host).
    for value in headers.get_all(&TEST_ENV) {
        if !matches!(value.as_bytes().to_ascii_lowercase().as_slice(), b"" | b"0" | b"false") {
            return Err(bad_header(
                &TEST_ENV,
                Text { en: "no test environment", zh: "不支持测试环境" },
            ));
        }
    }
    Ok(())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Rejection> {
    let refuse = || {
        let rule = Rule::Header {
            expected: Text {
                en: "application/json, or none", zh: "应为 application/json，或不带"
            },
        };
        malformed(Code::UnsupportedMediaType, Faults::one("content-type", rule))
    };
    for value in headers.get_all(header::CONTENT_TYPE) {
        let text = value.to_str().map_err(|_| refuse())?;
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let json = media == "application/json"
            || media == "text/json"
            || (media.starts_with("application/") && media.ends_with("+json"));
        let charset_holds = parts.all(|parameter| {
            let lower = parameter.to_ascii_lowercase();
            lower.strip_prefix("charset=").is_none_or(|charset| {
                matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
            })
        });
        if !json || !charset_holds {
            return Err(refuse());
        }
    }
    Ok(())
}

fn header_identity(headers: &HeaderMap) -> Result<Option<Credentials>, Rejection> {
    let value = single(headers, &BKAPI_AUTHORIZATION)?;
    value.map(|value| identity_in_header(value.as_bytes()).map_err(refused_identity)).transpose()
}

fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, Rejection> {
    let Some(value) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    let refuse = || {
        bad_header(
            &header::AUTHORIZATION,
            Text { en: "Bearer and one token", zh: "应为 Bearer 加一个 token" },
        )
    };
    let text = value.to_str().map_err(|_| refuse())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refuse)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(plain) {
        return Err(refuse());
    }
    Ok(Some(Secret::new(token)))
}

fn gateway_jwt(headers: &HeaderMap) -> Result<Option<Secret>, Rejection> {
    let value = single(headers, &BKAPI_JWT)?;
    let refuse = |_| bad_header(&BKAPI_JWT, Text { en: "one token", zh: "应为一个 token" });
    let text = value.map(http::HeaderValue::to_str).transpose().map_err(refuse)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

/// The `bk_token` cookie, if there is exactly one; its bytes as they are.
fn cookie_token(headers: &HeaderMap) -> Option<Secret> {
    let mut tokens = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("bk_token="))
        .filter(|token| !token.is_empty());
    match (tokens.next(), tokens.next()) {
        (Some(only), None) => Some(Secret::new(only)),
        _ => None,
    }
}
