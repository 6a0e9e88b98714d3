//! Establishes who is calling: application and user, and how each was proved.

use esbgate_model::{Name, Secret};

use crate::{Call, IntrospectedCall, Rejection, Stage, UserFault, introspect::token, trace::note};

/// How a user was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserProof {
    /// By `bk_token`, asked at the login service.
    Token,
    /// The same, from an old answer while the login service is down.
    StaleToken,
    /// By the verified claim of a JWT.
    Jwt,
    /// By exemption: the application's word.
    Exemption,
}

impl UserProof {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "bk_token",
            Self::StaleToken => "bk_token_stale",
            Self::Jwt => "jwt",
            Self::Exemption => "exemption",
        }
    }
}

/// Who is calling. Nothing but [`Authenticate`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Principal {
    app: Name,
    user: Name,
    proof: UserProof,
}

impl Principal {
    /// The application.
    #[must_use]
    pub fn app(&self) -> &Name {
        &self.app
    }

    /// The user it calls for.
    #[must_use]
    pub fn user(&self) -> &Name {
        &self.user
    }

    /// How the user was proved.
    #[must_use]
    pub fn proof(&self) -> UserProof {
        self.proof
    }
}

/// A call whose principal is known.
#[derive(Debug)]
pub struct AuthenticatedCall {
    call: Call,
    principal: Principal,
}

impl AuthenticatedCall {
    /// The call.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Who is calling.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The trace of the request.
    #[must_use]
    pub fn trace(&self) -> &std::sync::Arc<crate::Trace> {
        self.call.admitted().app_call().routed().parsed().trace()
    }

    /// The token behind the user, when it was verified just now.
    pub(crate) fn verified_token(&self) -> Option<&Secret> {
        match self.principal.proof {
            UserProof::Token | UserProof::StaleToken => token(&self.call),
            UserProof::Jwt | UserProof::Exemption => None,
        }
    }

    pub(crate) fn into_parts(self) -> (Call, Principal) {
        (self.call, self.principal)
    }
}

/// The stage that makes an [`AuthenticatedCall`].
#[derive(Debug, Clone, Copy)]
pub struct Authenticate;

impl Stage for Authenticate {
    type In = IntrospectedCall;
    type Out = AuthenticatedCall;

    fn run(&self, introspected: IntrospectedCall) -> Result<AuthenticatedCall, Rejection> {
        let (user, proof) = user(&introspected)?;
        let call = introspected.into_call();
        let app = call.admitted().app_call().app().code.clone();
        note(&call.admitted().app_call().routed().parsed().trace().user, user.clone());
        Ok(AuthenticatedCall { call, principal: Principal { app, user, proof } })
    }
}

fn user(introspected: &IntrospectedCall) -> Result<(Name, UserProof), UserFault> {
    let call = introspected.call();
    let app_call = call.admitted().app_call();
    let parsed = app_call.routed().parsed();
    let claimed = parsed.credentials().bk_username.as_ref();
    let agrees =
        |user: &Name, others: &[Option<&Name>]| others.iter().flatten().all(|other| *other == user);
    if token(call).is_some() {
        let verdict = introspected.verdict().ok_or(UserFault::TokenNotAllowed)?;
        let user = verdict.user.clone().ok_or(UserFault::Nobody)?;
        if !agrees(&user, &[claimed, app_call.jwt_user()]) {
            return Err(UserFault::Disagree);
        }
        let proof = if verdict.stale { UserProof::StaleToken } else { UserProof::Token };
        return Ok((user, proof));
    }
    if let Some(user) = app_call.jwt_user() {
        if !agrees(user, &[claimed]) {
            return Err(UserFault::Disagree);
        }
        return Ok((user.clone(), UserProof::Jwt));
    }
    let claimed = claimed.ok_or(UserFault::Missing)?;
    let exemptions = &app_call.app().users.exemptions;
    let mut naming = exemptions.iter().filter(|one| one.names(claimed).is_some()).peekable();
    if naming.peek().is_none() {
        return Err(UserFault::NotExempt);
    }
    let now = parsed.received_at().wall;
    if naming.any(|exemption| now < exemption.expires) {
        Ok((claimed.clone(), UserProof::Exemption))
    } else {
        Err(UserFault::Expired)
    }
}
