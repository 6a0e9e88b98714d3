//! The ESB, re-stated from contract esb §2, §3 and §13: whose request it takes a message for, and which
//! of its members reach JOB.

use crate::python::{Value, loads};

/// The members that never reach JOB.
const STRIPPED: [&str; 15] = [
    "app_secret",
    "signature",
    "bk_nonce",
    "bk_timestamp",
    "bk_app_secret",
    "bk_signature",
    "app_code",
    "username",
    "bk_token",
    "bk_app_code",
    "bk_username",
    "__esb_skip_signature__",
    "__esb_skip_comp_perm__",
    "bk_supplier_account",
    "bk_signature",
];

/// Which ESB reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Esb {
    /// Sees `X-Bkapi-Authorization`.
    Current,
    /// Does not.
    Legacy,
}

/// Who the ESB takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub app: String,
    pub secret: String,
    pub token: Option<String>,
    pub name: Option<String>,
    /// A credential that outranks them.
    pub stronger: Option<&'static str>,
}

/// The text of a header: WSGI hands its bytes over as Latin-1.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Reads a message: the identity and what JOB gets.
pub fn read(esb: Esb, header: Option<&str>, body: &[u8]) -> Result<(Identity, Value), String> {
    let trimmed = body.trim_ascii();
    if !trimmed.starts_with(b"{") {
        return Err("the ESB sees no parameters".into());
    }
    let params = loads(body)?;
    let header = header.filter(|_| esb == Esb::Current);
    let header = header.map(|text| loads(text.as_bytes())).transpose()?;
    let identity = match &header {
        Some(object @ Value::Object(_)) => identity(object, &params, true),
        Some(Value::Null) | None => identity(&params, &params, false),
        Some(_) => return Err("the ESB fails on the header".into()),
    };
    let Value::Object(members) = params else { return Err("no object".into()) };
    let rest = members.into_iter().filter(|(name, _)| !STRIPPED.contains(&name.as_str()));
    Ok((identity, Value::Object(rest.collect())))
}

fn identity(source: &Value, params: &Value, in_header: bool) -> Identity {
    let filled = |name: &str| match source.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Text(text)) if text.is_empty() => None,
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::List(list)) if list.is_empty() => None,
        Some(Value::Object(members)) if members.is_empty() => None,
        Some(Value::Int(number)) if number == "0" => None,
        Some(other) => Some(format!("{other:?}")),
    };
    let stronger = if in_header && filled("access_token").is_some() {
        Some("access_token")
    } else {
        params.get("bk_access_token").map(|_| "bk_access_token")
    };
    Identity {
        app: filled("bk_app_code").or_else(|| filled("app_code")).unwrap_or_default(),
        secret: filled("bk_app_secret").or_else(|| filled("app_secret")).unwrap_or_default(),
        // The login service is asked for the token without the blanks around it.
        token: filled("bk_token").map(|token| token.trim().to_owned()).filter(|t| !t.is_empty()),
        name: filled("bk_username").or_else(|| filled("username")),
        stronger,
    }
}

#[test]
fn the_header_rules_where_it_is_seen_and_null_makes_the_body_rule() {
    let body = br#" {"bk_app_code":"b","app_secret":"s","username":"eve","bk_token":"","x":1}"#;
    let (read_body, rest) = read(Esb::Current, None, body).unwrap();
    assert_eq!((read_body.app.as_str(), read_body.name.as_deref()), ("b", Some("eve")));
    assert_eq!(rest, Value::Object(vec![("x".into(), Value::Int("1".into()))]));
    let header = r#"{"bk_app_code":"h","bk_token":" t "}"#;
    let (seen, _) = read(Esb::Current, Some(header), body).unwrap();
    assert_eq!((seen.app.as_str(), seen.token.as_deref(), seen.name), ("h", Some("t"), None));
    assert_eq!(read(Esb::Legacy, Some(header), body).unwrap().0, read_body);
    assert_eq!(read(Esb::Current, Some("null"), body).unwrap().0, read_body);
    assert!(read(Esb::Current, Some("[]"), body).is_err());
    assert!(read(Esb::Current, None, b"a=1").is_err());
    let stronger =
        read(Esb::Current, Some(header), br#"{"bk_access_token":1}"#).unwrap().0.stronger;
    assert_eq!(stronger, Some("bk_access_token"));
}
