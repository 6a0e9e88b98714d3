//! Who calls, by the ESB's own precedence: the auth header beats the parameters, a JWT beats both, and an access
//! token among the parameters beats `bk_token` even beside an auth header.

use serde_json::{Map, Value};

use super::error::EsbError;
use super::params::Params;
use crate::history::{AppProof, CredentialPlace, Identity, UserProof};
use crate::http::Request;
use crate::json;
use crate::world::{App, BYPASS, World};

/// What the parameters and headers claim, before it is proved.
#[derive(Debug)]
pub(crate) struct Claims {
    place: CredentialPlace,
    header: Map<String, Value>,
    has_jwt: bool,
}

impl Claims {
    /// Reads the auth header as the WSGI server hands it over: Latin-1, twins joined.
    pub(crate) fn read(request: &Request) -> Result<Self, EsbError> {
        let has_jwt = request.environ("x-bkapi-jwt").is_some_and(|value| !value.is_empty());
        let in_params = Self { place: CredentialPlace::Params, header: Map::new(), has_jwt };
        let Some(raw) = request.environ("x-bkapi-authorization") else { return Ok(in_params) };
        let text: String = raw.iter().copied().map(char::from).collect();
        match json::parse_text(&text).map_err(|_| EsbError::BadAuthHeader)?.value {
            Value::Null => Ok(in_params),
            Value::Object(header) => Ok(Self { place: CredentialPlace::Header, header, has_jwt }),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(EsbError::Component)
            }
        }
    }

    /// Whether a gateway JWT came; it is judged before the route is.
    pub(crate) fn has_jwt(&self) -> bool {
        self.has_jwt
    }

    /// Secrets and tokens as they came, for faults that echo them.
    pub(crate) fn credentials(&self, params: &Params) -> Vec<String> {
        let from = self.source(params);
        ["bk_app_secret", "app_secret", "bk_token"]
            .into_iter()
            .filter_map(|name| from.get(name).and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    }

    fn source<'a>(&'a self, params: &'a Params) -> &'a Map<String, Value> {
        match self.place {
            CredentialPlace::Header => &self.header,
            CredentialPlace::Params => &params.values,
        }
    }

    /// Proves the application, then the user.
    pub(crate) fn prove(&self, params: &Params, world: &World) -> Result<Identity, EsbError> {
        if self.has_jwt {
            return Ok(self.bypassed(AppProof::Jwt, UserProof::Jwt));
        }
        if is_true(self.header.get("access_token")) {
            return if world.believes_tokens {
                Ok(self.bypassed(AppProof::AccessToken, UserProof::AccessToken))
            } else {
                Err(EsbError::BadAccessToken)
            };
        }
        let source = self.source(params);
        let (app, app_proof) = prove_app(source, params, world)?;
        let (user, user_proof) = prove_user(source, params, world, app.known)?;
        let app = match app_proof {
            AppProof::SkippedSignature => BYPASS.to_owned(),
            AppProof::Secret | AppProof::Jwt | AppProof::AccessToken => app.code,
        };
        Ok(Identity { app, user, app_proof, user_proof, place: self.place })
    }

    fn bypassed(&self, app_proof: AppProof, user_proof: UserProof) -> Identity {
        let (app, user) = (BYPASS.to_owned(), BYPASS.to_owned());
        Identity { app, user, app_proof, user_proof, place: self.place }
    }
}

/// An application as claimed, with what is known of it.
struct ClaimedApp<'a> {
    code: String,
    known: Option<&'a App>,
}

fn prove_app<'a>(
    source: &Map<String, Value>,
    params: &Params,
    world: &'a World,
) -> Result<(ClaimedApp<'a>, AppProof), EsbError> {
    let secret = first_true(source, &["bk_app_secret", "app_secret"]);
    if secret.is_none() && !params.signed {
        return Err(EsbError::NoProof);
    }
    let code = first_true(source, &["bk_app_code", "app_code"]).ok_or(EsbError::NoAppCode)?;
    let code = python_text(code)?;
    let asked = asked_at_bkauth(&code);
    let known = world.apps.iter().find(|app| app.code == asked);
    if params.signed {
        // The ESB's signature check cannot pass for a POST; only its debug switch lets one by.
        return if params.skips_signature && world.believes_tokens {
            Ok((ClaimedApp { code, known }, AppProof::SkippedSignature))
        } else {
            Err(EsbError::BadSignature)
        };
    }
    let secret = python_text(secret.unwrap_or(&Value::Null))?;
    let app = known.ok_or(EsbError::UnknownApp)?;
    if !app.secrets.contains(&secret) {
        return Err(EsbError::WrongSecret);
    }
    Ok((ClaimedApp { code, known }, AppProof::Secret))
}

/// The code stands in the path of bkauth's URL, whose dot segments are removed before it is sent: what is asked
/// for may be another application than the one that goes on.
fn asked_at_bkauth(code: &str) -> String {
    let mut segments = Vec::new();
    for segment in code.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    segments.join("/")
}

fn prove_user(
    source: &Map<String, Value>,
    params: &Params,
    world: &World,
    app: Option<&App>,
) -> Result<(String, UserProof), EsbError> {
    if is_true(params.values.get("bk_access_token")) {
        return if world.believes_tokens {
            Ok((BYPASS.to_owned(), UserProof::BkAccessToken))
        } else {
            Err(EsbError::BadBkAccessToken)
        };
    }
    if let Some(token) = first_true(source, &["bk_token"]) {
        let token = python_text(token)?;
        let user = world.tokens.get(token.trim()).ok_or(EsbError::BadToken)?;
        return Ok((user.clone(), UserProof::Token));
    }
    let named = first_true(source, &["bk_username", "username"]);
    match named {
        Some(name) if app.is_some_and(|app| app.skips_user_auth) => {
            let text = name.as_str().unwrap_or_default();
            if text.is_empty() || !is_header_text(text) {
                return Err(EsbError::JobUserName);
            }
            Ok((text.to_owned(), UserProof::Name))
        }
        Some(_) | None => Err(EsbError::NoUser),
    }
}

/// The name travels to JOB as a header, which takes no line end, no outer blank and nothing beyond ASCII.
fn is_header_text(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn first_true<'a>(source: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().filter_map(|name| source.get(*name)).find(|value| is_true(Some(value)))
}

/// Python's truth: `""`, null, 0, false and what is empty are not.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
    }
}

/// Numbers are written out; a list or an object breaks the component.
fn python_text(value: &Value) -> Result<String, EsbError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(true) => Ok("True".to_owned()),
        Value::Bool(false) => Ok("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(EsbError::Component),
    }
}
