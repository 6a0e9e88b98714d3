//! The rules that a head is held to.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use esbgate_core::{
    BodyBudget, HeadRules, Parse, ParsedCall, Peer, ReceivedAt, ReceivedRequest, Rejection,
    Stage as _, Trace, TraceSink,
};
use esbgate_model::{Component, Executed, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use jiff::Timestamp;

use crate::call::told;

pub(crate) const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";

pub(crate) const HOST: &str = "gate.example.com";

/// When everything happens.
pub(crate) const AT: ReceivedAt =
    ReceivedAt { wall: Timestamp::constant(1_800_000_000, 0), monotonic: Duration::from_secs(1) };

#[derive(Debug)]
struct Silent;

impl TraceSink for Silent {
    fn ended(&self, _: &Trace) {}
}

/// A request line, header lines and, after an empty line, a body.
struct Sent {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A head is refused before anything ran and with what is wrong, or it has a single meaning.
pub fn head(data: &[u8]) {
    let Some(sent) = read(data) else { return };
    let accepted = match parse(&sent) {
        Ok(_) => true,
        Err(rejection) => {
            assert_eq!(rejection.code().executed(), Executed::No, "{rejection}");
            if let Rejection::Malformed { faults, .. } = &rejection {
                told(faults);
            }
            false
        }
    };
    if accepted {
        single_meaning(&sent);
    }
}

fn read(data: &[u8]) -> Option<Sent> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let line = lines.next()?;
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let uri = Uri::try_from(words.next()?).ok()?;
    let version = match words.next() {
        Some(b"2") => Version::HTTP_2,
        Some(b"0") => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let mut headers = HeaderMap::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()).take(64) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    let body = lines.collect::<Vec<_>>().join(&b'\n');
    Some(Sent { method, uri, version, headers, body })
}

fn parse(sent: &Sent) -> Result<ParsedCall, Rejection> {
    let rules = HeadRules { hosts: vec![HOST.into()], ..HeadRules::default() };
    Parse(Arc::new(rules)).run(received(
        sent.method.clone(),
        sent.uri.clone(),
        sent.version,
        sent.headers.clone(),
        sent.body.clone(),
    ))
}

/// A request as the server hands it over.
pub(crate) fn received(
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
) -> ReceivedRequest {
    let peer = Peer::new(Some(Ipv4Addr::LOCALHOST.into()), [].into());
    let trace = Trace::new("fuzz".into(), peer.clone(), AT, Arc::new(Silent));
    let permit = BodyBudget::new(1 << 30).take(body.len() as u64).unwrap();
    ReceivedRequest { method, uri, version, headers, body, permit, peer, received_at: AT, trace }
}

/// What an accepted head looks like, said in other words than the rules say it.
fn single_meaning(sent: &Sent) {
    let count = |name: &str| sent.headers.get_all(name).iter().count();
    assert_ne!(sent.version, Version::HTTP_10);
    let path = sent.uri.path();
    let spelled = |known: &str| path == known || known.strip_suffix('/') == Some(path);
    let component = Component::all().find(|component| spelled(component.path()));
    let component = component.unwrap_or_else(|| panic!("{path}"));
    let hosts = count("host");
    assert!(hosts == 1 || (hosts == 0 && sent.version == Version::HTTP_2));
    for name in ["x-bkapi-authorization", "authorization", "transfer-encoding", "expect"] {
        assert!(count(name) <= 1, "{name} twice");
    }
    assert_eq!(count("content-encoding"), 0);
    for value in sent.headers.get_all(header::CONTENT_TYPE) {
        assert!(value.to_str().unwrap().to_ascii_lowercase().contains("json"), "{value:?}");
    }
    for value in sent.headers.get_all("x-use-test-env") {
        assert!(value.len() <= 5, "{value:?}");
    }
    let body = std::str::from_utf8(&sent.body).unwrap().trim_ascii();
    if sent.method == Method::GET {
        assert_eq!(component.kind(), Kind::Read);
        assert_eq!((body, count("transfer-encoding")), ("", 0));
        assert_eq!(count("x-bkapi-authorization"), 1);
        assert!(!sent.uri.query().unwrap_or_default().contains(';'));
    } else {
        assert_eq!(sent.method, Method::POST);
        assert_eq!(sent.uri.query(), None);
        assert!(body.starts_with('{') && body.ends_with('}'));
    }
}
