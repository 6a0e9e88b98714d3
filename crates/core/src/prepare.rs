//! Writes the message that the ESB sees: our credential, one user key, the canonical body.

use std::sync::Arc;

use bytes::Bytes;
use esbgate_model::{
    Component, ComponentCall, Credentials, Needles, Secret,
    dialect::{AppSecrets, Credential, Dialect, Message, Sender, User},
};
use http::{HeaderName, HeaderValue};

use crate::{JournaledCall, Pending, Rejection, Stage, answer::Obligations};

/// The message, for the upstream client to send.
#[derive(Debug)]
pub struct OutgoingMessage {
    /// The component; its path is constant.
    pub component: Component,
    /// `X-Bkapi-Authorization`, where the dialect uses it.
    pub authorization: Option<HeaderValue>,
    /// Allow-listed headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The canonical JSON.
    pub body: Bytes,
    /// The same message under the credential's next secret, if it has one: sent where the ESB turns the
    /// current secret down, for then nothing was executed.
    pub second: Option<Message>,
    /// How the answer is read.
    pub dialect: Dialect,
    /// What an answer must not echo.
    pub echoes: Needles,
}

/// A request that may leave the gateway.
#[derive(Debug)]
pub struct UpstreamRequest {
    message: OutgoingMessage,
    pending: Pending,
}

impl UpstreamRequest {
    /// Splits it for sending.
    #[must_use]
    pub fn into_parts(self) -> (OutgoingMessage, Pending) {
        (self.message, self.pending)
    }
}

/// The stage that makes an [`UpstreamRequest`].
#[derive(Debug, Clone, Copy)]
pub struct Prepare(pub Dialect);

impl Stage for Prepare {
    type In = JournaledCall;
    type Out = UpstreamRequest;

    fn run(&self, journaled: JournaledCall) -> Result<UpstreamRequest, Rejection> {
        let (charged, ticket) = journaled.into_parts();
        let (granted, paid) = charged.into_parts();
        let host_runs = granted.host_runs();
        let authenticated = granted.into_fresh().into_authenticated();
        let app = authenticated.call().admitted().app_call().app().clone();
        let routed = authenticated.call().admitted().app_call().routed();
        let parsed = routed.parsed();
        let (component, trace) = (routed.component(), parsed.trace().clone());
        let mut headers = parsed.forwarded().to_vec();
        let request_id = HeaderValue::try_from(trace.request_id());
        headers.push((REQUEST_ID, request_id.map_err(|_| Rejection::Internal)?));
        let caller = parsed.peer().address();
        // Digits, points and colons always make a value.
        let caller = caller.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        headers.extend(caller.map(|address| (FORWARDED_FOR, address)));
        let user = match authenticated.verified_token() {
            Some(token) => User::Token(token),
            None => User::Name(authenticated.principal().user()),
        };
        let call = authenticated.call().asked();
        let (written, second, secrets) = self.written(&app.acts_as, user, call)?;
        let echoes = echoes(parsed.credentials(), call, &secrets);
        let (call, _principal) = authenticated.into_parts();
        let (admitted, _asked) = call.into_parts();
        let (app_call, slot) = admitted.into_parts();
        let mut permit = app_call.into_routed().into_parsed().into_permit();
        // All that is left of the call while the ESB is waited for. A second body is counted where the permit
        // has room for it; only the dialect that writes secrets into bodies makes one, and only with `next`.
        let own = |again: &&Message| again.body.as_ptr() != written.body.as_ptr();
        let bodies = second.as_ref().filter(own).map_or(0, |again| again.body.len());
        permit.shrink((written.body.len() + bodies) as u64);
        let obligations = Obligations {
            trace,
            app,
            component,
            host_runs,
            ticket: Some(ticket),
            paid,
            slot: Some(slot),
            _permit: permit,
        };
        let message = OutgoingMessage {
            component,
            authorization: written.authorization,
            headers,
            body: written.body,
            second,
            dialect: self.0,
            echoes,
        };
        Ok(UpstreamRequest { message, pending: Pending::new(obligations) })
    }
}

impl Prepare {
    /// The message, once more under the next secret if there is one, and the secrets that they hold.
    fn written(
        &self,
        credential: &Credential,
        user: User<'_>,
        call: &ComponentCall,
    ) -> Result<(Message, Option<Message>, Arc<AppSecrets>), Rejection> {
        let secrets = credential.secrets();
        let sender = |app_secret| Sender { app_code: &credential.app_code, app_secret, user };
        let written = self.0.write(sender(&secrets.current), call);
        let written = written.map_err(|_| Rejection::Internal)?;
        let again = |next| self.0.write_again(&written, sender(next), call);
        let second = secrets.next.as_ref().map(again).transpose();
        let second = second.map_err(|_| Rejection::Internal)?;
        Ok((written, second, secrets))
    }
}

/// Everything that the call held in secret: what the journal does not have in clear, no answer may show.
fn echoes(shown: &Credentials, call: &ComponentCall, own: &AppSecrets) -> Needles {
    let tokens = [&shown.bk_token, &shown.cookie_token, &shown.bearer, &shown.gateway_jwt];
    let shown = tokens.into_iter().chain([&shown.app_secret]).flatten();
    let own = [&own.current].into_iter().chain(&own.next);
    let credentials = shown.chain(own).map(Secret::expose);
    Needles::new(credentials.chain(call.secrets()))
}

/// The ESB ignores it today; its log and ours then share an id where it does not.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One address, the caller's: the ESB's log takes every address that it finds there (contract esb §9).
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
