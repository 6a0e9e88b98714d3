//! Asks the login service whose token this is, if the call shows one that its application may use.

use esbgate_model::Secret;

use crate::{Call, Gather, Login, Rejection, login::Verdict};

/// A call with the login service's answer, if it had to be asked.
#[derive(Debug)]
pub struct IntrospectedCall {
    call: Call,
    verdict: Option<Verdict>,
}

impl IntrospectedCall {
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    pub(crate) fn into_call(self) -> Call {
        self.call
    }
}

/// The gather that makes an [`IntrospectedCall`].
#[derive(Debug, Clone)]
pub struct Introspect<L>(pub L);

/// The token that a call identifies its user by.
pub(crate) fn token(call: &Call) -> Option<&Secret> {
    let app_call = call.admitted().app_call();
    let shown = app_call.routed().parsed().credentials();
    let cookie = shown.cookie_token.as_ref().filter(|_| app_call.app().users.cookie);
    shown.bk_token.as_ref().or(cookie)
}

impl<L: Login> Gather for Introspect<L> {
    type In = Call;
    type Out = IntrospectedCall;

    async fn run(&self, call: Call) -> Result<IntrospectedCall, Rejection> {
        let app_call = call.admitted().app_call();
        let verdict = match token(&call).filter(|_| app_call.app().users.token) {
            Some(token) => {
                let at = app_call.routed().parsed().received_at();
                Some(self.0.introspect(token, at).await?)
            }
            None => None,
        };
        Ok(IntrospectedCall { call, verdict })
    }
}
