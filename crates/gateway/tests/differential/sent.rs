//! What ESB and JOB make of a message: of the one that the gateway sent, and of the one that its caller
//! sent, had it gone there directly.

use crate::{
    compare::{Dimension, View},
    esb::{self, Esb, Identity},
    jackson, job,
    policy::user_of,
    python::Value,
    render::{self, ABSENT},
};

/// The members that JOB may be sent.
const KNOWN: [&str; 19] = [
    "bk_biz_id",
    "bk_scope_type",
    "bk_scope_id",
    "script_version_id",
    "script_id",
    "script_content",
    "script_param",
    "timeout",
    "account_id",
    "account_alias",
    "is_param_sensitive",
    "script_language",
    "target_server",
    "callback_url",
    "task_name",
    "rolling_config",
    "windows_interpreter",
    "start_task",
    "host_password_list",
];

/// What the message of the gateway means.
pub fn view(esb: Esb, header: Option<&[u8]>, body: &[u8]) -> Result<View, String> {
    let (identity, params) = esb::read(esb, header.map(esb::latin1).as_deref(), body)?;
    let mut view = job::read(&params)?;
    user(&identity, &mut view);
    view.say(Dimension::Secret, render::sha256(identity.secret.as_bytes()));
    view.say(Dimension::ActsAs, identity.app);
    let Value::Object(members) = &params else { return Err("no object".into()) };
    let names = members.iter().map(|(name, _)| name.as_str());
    let extra: Vec<&str> = names.filter(|name| !KNOWN.contains(name)).collect();
    view.say(Dimension::Extra, extra.join(","));
    Ok(view)
}

/// What the caller asked for, less what the gateway changes: the header is UTF-8, a user key that a header
/// with an application leaves out may stand in the body, one line end after the parameters is none, and a
/// callback has one spelling. A call that JOB would refuse asks for nothing.
pub fn asked(header: Option<&[u8]>, cookie: Option<&str>, body: &[u8]) -> Result<View, String> {
    let header = header.map(std::str::from_utf8).transpose().map_err(|_| "header is not UTF-8")?;
    let (mut identity, mut params) = esb::read(Esb::Current, header, body)?;
    if !identity.app.is_empty() {
        let (beside, _) = esb::read(Esb::Legacy, None, body)?;
        identity.token = identity.token.or(beside.token);
        identity.name = identity.name.or(beside.name);
    }
    if identity.token.is_none() {
        identity.token = cookie.map(str::to_owned);
    }
    if let Value::Object(members) = &mut params {
        for (name, value) in members {
            if let ("script_param", Value::Text(text)) = (name.as_str(), value) {
                *text = without_line_end(text);
            }
        }
    }
    let mut view = job::read(&params).unwrap_or_default();
    user(&identity, &mut view);
    view.say(Dimension::App, identity.app);
    if let Some(url) = params.text("callback_url").filter(|url| !url.trim().is_empty()) {
        let (plain, query) = render::callback(Some(&canonical(url)));
        view.say(Dimension::Callback, plain);
        view.say(Dimension::CallbackQuery, query);
    }
    Ok(view)
}

fn user(identity: &Identity, view: &mut View) {
    let (user, key) = match (&identity.token, &identity.name, identity.stronger) {
        (_, _, Some(stronger)) => (stronger.to_owned(), ABSENT.into()),
        (Some(token), _, None) => {
            let user = user_of(token).unwrap_or("nobody");
            (user.to_owned(), format!("token {}", render::keyed("token", [token.as_str()])))
        }
        (None, Some(name), None) => (name.clone(), "name".into()),
        (None, None, None) => (ABSENT.into(), ABSENT.into()),
    };
    view.say(Dimension::User, user);
    view.say(Dimension::UserKey, key);
}

fn without_line_end(base64: &str) -> String {
    let Some(bytes) = jackson::decode(base64) else { return base64.to_owned() };
    let kept = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n"));
    kept.map_or_else(|| base64.to_owned(), encode)
}

/// RFC 4648 §4.
pub fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let padding = index > group.len();
            let sextet = (bits >> shift & 63) as usize;
            text.push(if padding { '=' } else { char::from(ALPHABET[sextet]) });
        }
    }
    text
}

/// RFC 3986 §6.2: scheme and host in lower case, no default port, no dot segments.
fn canonical(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (scheme, end) = (scheme.to_ascii_lowercase(), rest.find(['/', '?', '#']));
    let (authority, tail) = rest.split_at(end.unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(&authority);
    let (path, tail) = tail.split_at(tail.find(['?', '#']).unwrap_or(tail.len()));
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." && kept.len() > 1 {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("{scheme}://{authority}{}{tail}", kept.join("/"))
}

#[test]
fn what_the_gateway_may_change_is_changed_alike() {
    assert_eq!(without_line_end("YSBiDQo="), "YSBi");
    assert_eq!(without_line_end("YSBi"), "YSBi");
    for text in ["", "a", "ab", "abc", "abcd"] {
        assert_eq!(jackson::decode(&encode(text.as_bytes())).unwrap(), text.as_bytes());
    }
    for (url, same) in [
        ("HTTPS://CI.example.com:443/a/./b/../c?X=/../", "https://ci.example.com/a/c?X=/../"),
        ("http://ci.example.com:8080/a/..", "http://ci.example.com:8080/"),
        ("https://ci.example.com/../../a/.", "https://ci.example.com/a/"),
    ] {
        assert_eq!(canonical(url), same);
    }
}
