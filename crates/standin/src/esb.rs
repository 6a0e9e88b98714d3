//! The ESB: routes a request, finds out who calls, takes the identity out of the parameters and hands the rest to
//! JOB. HTTP 200 almost always; only `result` and `code` tell.

pub(crate) mod envelope;
mod error;
mod identity;
mod params;
mod path;

pub use error::EsbError;
pub(crate) use path::split_target;

use serde_json::{Map, Value};

use crate::far_side::FarSide;
use crate::fault::Echo;
use crate::history::{Identity, Resolved};
use crate::http::{Answer, Request};
use crate::job::{self, Effect};
use crate::urlencoded::percent_encode;
use crate::world::World;
use identity::Claims;
use params::{Params, ParamsFault};
use path::Route;

/// Taken out before JOB sees the parameters.
const REMOVED: [&str; 14] = [
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
];

/// One request on its way through the ESB.
struct Passage<'a> {
    far_side: &'a FarSide,
    request: &'a Request,
    world: &'a World,
    request_id: String,
    component: &'static str,
}

/// Handles a request; JOB does what `effect` says.
pub(crate) fn answer(far_side: &FarSide, request: &Request, effect: Effect) -> Answer {
    let world = far_side.world();
    let request_id = far_side.next_id();
    let (raw_path, _) = split_target(request.target());
    let mut record = Resolved {
        component: None,
        identity: None,
        params: Map::new(),
        sent_to_job: Map::new(),
        request_id: request_id.clone(),
        code: None,
    };
    let routed = match path::route(raw_path) {
        Route::Component(name) if matches!(request.method(), "GET" | "POST") => Ok(name),
        Route::Component(_) | Route::Nowhere => Err(EsbError::NotFound),
        Route::Buffet => Err(EsbError::InactiveBuffet),
    };
    let answer = match routed {
        Err(error) => refuse(&error, "", &request_id, &mut record),
        Ok(component) => {
            record.component = Some(component.to_owned());
            let passage = Passage { far_side, request, world: &world, request_id, component };
            passage.go(effect, &mut record)
        }
    };
    request.resolve(record);
    Answer { bodiless: request.method() == "HEAD", ..answer }
}

fn refuse(error: &EsbError, component: &str, request_id: &str, record: &mut Resolved) -> Answer {
    record.code = error.code();
    envelope::of_error(error, component, request_id)
}

impl Passage<'_> {
    fn go(&self, effect: Effect, record: &mut Resolved) -> Answer {
        match self.authenticate(record) {
            Err(ParamsFault::Page(page)) => page,
            Err(ParamsFault::Error(error)) => {
                refuse(&error, self.component, &self.request_id, record)
            }
            Ok((params, identity)) => {
                if self.far_side.history().keeps() {
                    record.params.clone_from(&params.values);
                }
                record.identity = Some(identity.clone());
                self.hand_over(params, &identity, effect, record)
            }
        }
    }

    fn authenticate(&self, record: &mut Resolved) -> Result<(Params, Identity), ParamsFault> {
        let params = params::extract(self.request)?;
        let judge = || {
            let claims = Claims::read(self.request)?;
            if claims.has_jwt() && !self.world.believes_tokens {
                return Err(EsbError::BadJwt);
            }
            claims.prove(&params, self.world)
        };
        match judge() {
            Ok(identity) => Ok((params, identity)),
            Err(error) => {
                record.params = params.values;
                Err(ParamsFault::Error(error))
            }
        }
    }

    fn hand_over(
        &self,
        params: Params,
        identity: &Identity,
        effect: Effect,
        record: &mut Resolved,
    ) -> Answer {
        if self.wants_test_environment() {
            return refuse(&EsbError::HostMissing, self.component, &self.request_id, record);
        }
        let mut body = params.values;
        body.retain(|name, _| !REMOVED.contains(&name.as_str()));
        body.insert("bk_username".to_owned(), Value::String(identity.user.clone()));
        body.insert("bk_app_code".to_owned(), Value::String(identity.app.clone()));
        if self.far_side.history().keeps() {
            record.sent_to_job.clone_from(&body);
        }
        let call = job::Call {
            component: self.component,
            body: &body,
            readable: params.finite,
            identity,
            english: self.language_is_english(),
            request_id: &self.request_id,
            world: self.world,
            effect,
        };
        let reply = job::call(&call, self.far_side.history(), self.far_side.first_job_id());
        record.code = Some(reply.code());
        envelope::of_job(reply, &self.far_side.next_id(), &self.request_id)
    }

    fn wants_test_environment(&self) -> bool {
        let value = self.request.environ("x-use-test-env").unwrap_or_default();
        let value = value.trim_ascii();
        !(value.is_empty() || value == b"0" || value.eq_ignore_ascii_case(b"false"))
    }

    /// The ESB says `en` to JOB unless told otherwise; JOB takes everything else for Chinese.
    fn language_is_english(&self) -> bool {
        self.request.environ("blueking-language").is_none_or(|language| language == b"en")
    }
}

/// Answers an error that a test asked for, whatever the request was worth.
pub(crate) fn answer_error(far_side: &FarSide, request: &Request, error: &EsbError) -> Answer {
    let component = match path::route(split_target(request.target()).0) {
        Route::Component(name) => name,
        Route::Buffet | Route::Nowhere => "",
    };
    let own = request.resolved().map(|resolved| resolved.request_id.clone());
    envelope::of_error(error, component, &own.unwrap_or_else(|| far_side.next_id()))
}

/// Answers an error whose message gives the credentials of the request away.
pub(crate) fn answer_echo(far_side: &FarSide, request: &Request, how: Echo) -> Answer {
    let params = params::extract(request).unwrap_or_default();
    let claims = Claims::read(request).ok();
    let found = claims.map(|claims| claims.credentials(&params)).unwrap_or_default();
    envelope::of_echo(&written(&found, how), &far_side.next_id())
}

/// The message as JSON text without its quotes.
pub(crate) fn written(credentials: &[String], how: Echo) -> String {
    use base64::Engine as _;
    let standard = &base64::engine::general_purpose::STANDARD;
    let plain = |text: &str| {
        let quoted = String::from_utf8(envelope::json_text(text)).unwrap_or_default();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    let each = |text: &String| match how {
        Echo::Plain | Echo::Split => plain(text),
        Echo::Percent => percent_encode(text),
        Echo::Base64 => standard.encode(text),
        Echo::Escaped => text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    let texts: Vec<String> = credentials.iter().map(each).collect();
    format!("request was: {}", texts.join(" "))
}
