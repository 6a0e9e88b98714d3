//! Where parameters come from: the first bytes of the body decide, not the Content-Type.

use serde_json::{Map, Value};

use super::error::EsbError;
use super::path::split_target;
use crate::http::{Answer, Request};
use crate::json::{self, JsonFault};
use crate::urlencoded;

/// What the ESB read from a request, before anybody was authenticated.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) values: Map<String, Value>,
    /// `bk_signature` or `signature` in the query: the app is judged by it alone.
    pub(crate) signed: bool,
    /// `__esb_skip_signature__` in the query: inert unless the ESB runs in debug mode.
    pub(crate) skips_signature: bool,
    /// Whether JOB's reader would take what is written again.
    pub(crate) finite: bool,
}

/// Why there are no parameters.
#[derive(Debug)]
pub(crate) enum ParamsFault {
    Error(EsbError),
    /// Refused with a page before the ESB sees it.
    Page(Answer),
}

/// Reads the parameters of a GET or a POST.
pub(crate) fn extract(request: &Request) -> Result<Params, ParamsFault> {
    let query = fields(split_target(request.target()).1.as_bytes())?;
    let has = |names: &[&str]| {
        names.iter().any(|name| query.get(*name).is_some_and(|value| value.as_str() != Some("")))
    };
    let signed = has(&["bk_signature", "signature"]);
    let skips_signature = has(&["__esb_skip_signature__"]);
    let mut params = Params { signed, skips_signature, finite: true, ..Params::default() };
    if request.method() == "GET" {
        params.values = query;
    } else if trimmed(request.body()).first() == Some(&b'{') {
        read_json(request.body(), &mut params)?;
    } else {
        params.values = read_form(request)?;
    }
    Ok(params)
}

/// What Python's `bytes.strip` leaves.
fn trimmed(body: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = body.iter().position(|byte| !blank(byte)).unwrap_or(body.len());
    body.get(start..).unwrap_or_default()
}

fn read_json(body: &[u8], params: &mut Params) -> Result<(), ParamsFault> {
    let document = json::parse(body).map_err(|fault| {
        ParamsFault::Error(match fault {
            JsonFault::Malformed => EsbError::MalformedJson,
            JsonFault::TooDeep => EsbError::Component,
        })
    })?;
    params.finite = document.finite;
    if let Value::Object(values) = document.value {
        params.values = values;
    }
    Ok(())
}

fn read_form(request: &Request) -> Result<Map<String, Value>, ParamsFault> {
    let content_type = request.environ("content-type").unwrap_or_default();
    let content_type = String::from_utf8_lossy(&content_type).into_owned();
    let (kind, options) = content_type.split_once(';').unwrap_or((&content_type, ""));
    if kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        fields(request.body())
    } else if kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        Ok(boundary(options).map(|mark| parts(request.body(), &mark)).unwrap_or_default())
    } else {
        Ok(Map::new())
    }
}

fn fields(raw: &[u8]) -> Result<Map<String, Value>, ParamsFault> {
    let fields = urlencoded::fields(raw)
        .map_err(|_| ParamsFault::Page(Answer::bad_request("TooManyFieldsSent")))?;
    Ok(fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

fn boundary(options: &str) -> Option<Vec<u8>> {
    let mut named = options.split(';').filter_map(|option| option.trim().split_once('='));
    let (_, mark) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(format!("--{}", mark.trim_matches('"')).into_bytes())
}

/// Plain fields of a multipart body; files are no parameters.
fn parts(body: &[u8], mark: &[u8]) -> Map<String, Value> {
    let mut values = Map::new();
    let mut rest = body;
    while let Some(start) = find(rest, mark) {
        rest = rest.get(start + mark.len()..).unwrap_or_default();
        let part = rest.get(..find(rest, mark).unwrap_or(0)).unwrap_or_default();
        if let Some((name, value)) = part_field(part) {
            values.insert(name, Value::String(value));
        }
    }
    values
}

fn part_field(part: &[u8]) -> Option<(String, String)> {
    let blank = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(part.get(..blank)?).into_owned();
    let value = part.get(blank + 4..)?.strip_suffix(b"\r\n")?;
    let (_, after) = head.split_once("; name=\"")?;
    let (name, after) = after.split_once('"')?;
    let is_file = after.contains("filename=");
    (!is_file).then(|| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
