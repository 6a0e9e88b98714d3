//! Writes the message that the ESB sees: our credential, one user key, the canonical body.

use bytes::Bytes;
use esbgate_model::{
    Component, ComponentCall, Credentials, Needles, Secret,
    dialect::{Dialect, User},
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
        let written = self.0.write(&app.acts_as, user, call).map_err(|_| Rejection::Internal)?;
        let echoes = echoes(parsed.credentials(), call, &app.acts_as.app_secret);
        let (call, _principal) = authenticated.into_parts();
        let (admitted, _asked) = call.into_parts();
        let (app_call, slot) = admitted.into_parts();
        let mut permit = app_call.into_routed().into_parsed().into_permit();
        // All that is left of the call while the ESB is waited for.
        permit.shrink(written.body.len() as u64);
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
            dialect: self.0,
            echoes,
        };
        Ok(UpstreamRequest { message, pending: Pending::new(obligations) })
    }
}

/// Everything that the call held in secret: what the journal does not have in clear, no answer may show.
fn echoes(shown: &Credentials, call: &ComponentCall, own: &Secret) -> Needles {
    let tokens = [&shown.bk_token, &shown.cookie_token, &shown.bearer, &shown.gateway_jwt];
    let shown = tokens.into_iter().chain([&shown.app_secret]).flatten();
    let credentials = shown.chain([own]).map(Secret::expose);
    Needles::new(credentials.chain(call.secrets()))
}

/// The ESB ignores it today; its log and ours then share an id where it does not.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One address, the caller's: the ESB's log takes every address that it finds there (contract esb §9).
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
