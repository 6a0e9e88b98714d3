//! What a caller shows: its application, its key and its user, from `X-Bkapi-Authorization` or the body.
//!
//! The ESB reads seven spellings from two places with a precedence of its own (contract esb §3). Here an
//! identity has one spelling; a second source must agree, and every other kind of credential is refused.

use crate::{
    Name, Secret,
    fault::{Faults, Rule, Step, kind, write_step},
    json::{Document, Node},
};

/// The identity keys of a body; they never reach the call model.
pub const IDENTITY_KEYS: [&str; 4] = ["bk_app_code", "bk_app_secret", "bk_token", "bk_username"];

/// Legacy spellings and the right ones.
const ALIASES: [(&str, &str); 3] =
    [("app_code", "bk_app_code"), ("app_secret", "bk_app_secret"), ("username", "bk_username")];

/// Kinds of credential that the gateway does not take: some outrank `bk_token` at the ESB.
const REFUSED: [&str; 6] =
    ["access_token", "bk_access_token", "bk_signature", "signature", "bk_nonce", "bk_timestamp"];

/// The header that carries an identity.
const AUTHORIZATION: &str = "X-Bkapi-Authorization";

/// What a request shows, before anything of it is believed.
#[derive(Debug, Default)]
pub struct Credentials {
    /// `bk_app_code`.
    pub app_code: Option<Name>,
    /// `bk_app_secret`: the key that this gateway's admins issued.
    pub app_secret: Option<Secret>,
    /// `bk_token`, byte for byte.
    pub bk_token: Option<Secret>,
    /// `bk_username`.
    pub bk_username: Option<Name>,
    /// The `bk_token` cookie; counts only where the application's policy says so.
    pub cookie_token: Option<Secret>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<Secret>,
    /// `X-Bkapi-JWT`, from a trusted peer.
    pub gateway_jwt: Option<Secret>,
}

/// Whether the name belongs to identity: taken, misspelled or refused. Such names are no fields.
#[must_use]
pub(crate) fn is_identity(name: &str) -> bool {
    IDENTITY_KEYS.contains(&name)
        || REFUSED.contains(&name)
        || ALIASES.iter().any(|(alias, _)| *alias == name)
}

/// Reads the value of `X-Bkapi-Authorization`: one JSON object. `null` is none, because it would make
/// the ESB fall back to the body.
pub fn identity_in_header(value: &[u8]) -> Result<Credentials, Faults> {
    let document = Document::read(value.to_vec()).map_err(|faults| {
        let mut placed = Faults::default();
        for fault in faults.list() {
            placed.push(AUTHORIZATION, fault.rule.clone());
        }
        placed
    })?;
    read(&document, AUTHORIZATION)
}

/// Reads the identity keys of a body. Where the header already shows a value, an equal one is expected.
pub fn identity_in_body(
    document: &Document,
    header: Option<Credentials>,
) -> Result<Credentials, Faults> {
    let body = read(document, "")?;
    let Some(header) = header else { return Ok(body) };
    let mut faults = Faults::default();
    if body.app_code.is_some() && body.app_code != header.app_code {
        faults.push("bk_app_code", Rule::Conflict { with: AUTHORIZATION });
    }
    if body.app_secret.is_some() && body.app_secret != header.app_secret {
        faults.push("bk_app_secret", Rule::Conflict { with: AUTHORIZATION });
    }
    let bk_token = agree(header.bk_token, body.bk_token)
        .map_err(|()| faults.push("bk_token", Rule::Conflict { with: AUTHORIZATION }));
    let bk_username = agree(header.bk_username, body.bk_username)
        .map_err(|()| faults.push("bk_username", Rule::Conflict { with: AUTHORIZATION }));
    match (bk_token, bk_username) {
        (Ok(bk_token), Ok(bk_username)) if faults.is_empty() => {
            Ok(Credentials { bk_token, bk_username, ..header })
        }
        _ => Err(faults),
    }
}

/// The header's value; the body's where the header has none.
fn agree<T: PartialEq>(header: Option<T>, body: Option<T>) -> Result<Option<T>, ()> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => Err(()),
        (Some(value), _) | (None, Some(value)) => Ok(Some(value)),
        (None, None) => Ok(None),
    }
}

fn read(document: &Document, place: &str) -> Result<Credentials, Faults> {
    let mut faults = Faults::default();
    let at = |name: &str| {
        let mut path = place.to_owned();
        write_step(&mut path, Step::Name(name));
        path
    };
    for (name, _) in document.members() {
        let name = document.str(name);
        if REFUSED.contains(&name) {
            faults.push(at(name), Rule::RefusedCredential);
        } else if let Some((_, right)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
            faults.push(at(name), Rule::Alias { right });
        }
    }
    let mut text = |name: &'static str| match document.get(name) {
        None | Some(Node::Null) => None,
        Some(Node::String(text)) => Some(document.str(text)).filter(|text| !text.is_empty()),
        Some(_) => {
            faults.push(at(name), Rule::Type { expected: kind::STRING });
            None
        }
    };
    let (code, secret) = (text("bk_app_code"), text("bk_app_secret"));
    let (token, user) = (text("bk_token"), text("bk_username"));
    let mut name = |field: &'static str, text: Option<&str>| {
        text.and_then(|text| Name::new(text).map_err(|_| faults.push(at(field), Rule::Name)).ok())
    };
    let app_code = name("bk_app_code", code);
    let bk_username = name("bk_username", user);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Credentials {
        app_code,
        app_secret: secret.map(Secret::new),
        bk_token: token.map(Secret::new),
        bk_username,
        ..Credentials::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, header: Option<&str>) -> Result<Credentials, Faults> {
        let header = header.map(|value| identity_in_header(value.as_bytes()).unwrap());
        identity_in_body(&Document::read(text.into()).unwrap(), header)
    }

    fn rule(result: Result<Credentials, Faults>) -> (String, &'static str) {
        let faults = result.unwrap_err();
        (faults.list()[0].path.clone(), faults.list()[0].rule.name())
    }

    #[test]
    fn an_identity_has_one_spelling() {
        assert_eq!(rule(body(r#"{"username":"x"}"#, None)), ("username".into(), "alias"));
        for refused in REFUSED {
            let text = format!(r#"{{"{refused}":null}}"#);
            assert_eq!(rule(body(&text, None)).1, "refused_credential");
            assert_eq!(rule(identity_in_header(text.as_bytes())).1, "refused_credential");
        }
    }

    #[test]
    fn the_header_must_be_one_object() {
        for value in ["", "null", "[]", "\"x\"", "{\"a\":1,\"a\":1}", "a:b", "{\"a\":1},{\"b\":2}"]
        {
            assert!(identity_in_header(value.as_bytes()).is_err(), "{value}");
        }
        assert!(identity_in_header(b"{\"bk_app_code\":\"a\xff\"}").is_err());
    }

    #[test]
    fn a_body_beside_a_header_must_agree() {
        let header = r#"{"bk_app_code":"a","bk_app_secret":"k","bk_username":"u"}"#;
        assert!(body(r#"{"bk_app_code":"a","bk_username":"u"}"#, Some(header)).is_ok());
        assert!(body(r#"{"bk_username":""}"#, Some(header)).is_ok());
        let other = body(r#"{"bk_username":"admin"}"#, Some(header));
        assert_eq!(rule(other), ("bk_username".into(), "conflict"));
        let other = body(r#"{"bk_app_secret":"z"}"#, Some(header));
        assert_eq!(rule(other), ("bk_app_secret".into(), "conflict"));
        // The application is proved where it is named; the header `{}` names none.
        assert_eq!(rule(body(r#"{"bk_app_code":"a"}"#, Some("{}"))).1, "conflict");
        let user = body(r#"{"bk_token":"t"}"#, Some(r#"{"bk_app_code":"a","bk_app_secret":"k"}"#));
        assert_eq!(user.unwrap().bk_token, Some(Secret::new("t")));
    }

    #[test]
    fn identities_are_strict_strings() {
        assert_eq!(rule(body(r#"{"bk_token":5}"#, None)), ("bk_token".into(), "type"));
        assert_eq!(rule(body(r#"{"bk_username":"张三"}"#, None)), ("bk_username".into(), "name"));
        assert_eq!(rule(body(r#"{"bk_app_code":"x/../y"}"#, None)).1, "name");
        let none = body(r#"{"bk_username":null,"bk_token":""}"#, None).unwrap();
        assert!(none.bk_username.is_none() && none.bk_token.is_none());
    }

    #[test]
    fn credentials_do_not_print() {
        let text = r#"{"bk_app_secret":"hunter2","bk_token":"hunter3"}"#;
        let printed = format!("{:?}", body(text, None).unwrap());
        assert!(!printed.contains("hunter"));
    }
}
