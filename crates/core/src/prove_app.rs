//! Establishes which application calls, by key, JWT or certificate; more than one must agree.
//!
//! Local and cheap, so it stands before everything that waits or decodes. A failed proof is throttled
//! per peer; a credential that verifies is never refused by the throttle.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use esbgate_model::{Credentials, Name, sha256};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::{
    AppFault, Bucket, Network, Quota, Rejection, RoutedCall, Stage,
    bucket::Refused,
    jwt::{self, Carrier},
    policy::{App, Policy},
    signatures::Signatures,
    trace::note,
};

/// How an application was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppProof {
    /// By its key.
    Key,
    /// By a JWT.
    Jwt,
    /// By a client certificate.
    Certificate,
}

impl AppProof {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Jwt => "jwt",
            Self::Certificate => "certificate",
        }
    }
}

/// A call of a proved application.
#[derive(Debug)]
pub struct AppCall {
    routed: RoutedCall,
    app: Arc<App>,
    proofs: Vec<AppProof>,
    jwt_user: Option<Name>,
}

impl AppCall {
    /// The routed call.
    #[must_use]
    pub fn routed(&self) -> &RoutedCall {
        &self.routed
    }

    /// The application.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// How it was proved.
    #[must_use]
    pub fn proofs(&self) -> &[AppProof] {
        &self.proofs
    }

    pub(crate) fn routed_mut(&mut self) -> &mut RoutedCall {
        &mut self.routed
    }

    pub(crate) fn into_routed(self) -> RoutedCall {
        self.routed
    }

    pub(crate) fn jwt_user(&self) -> Option<&Name> {
        self.jwt_user.as_ref()
    }
}

/// Failed proofs of each peer, in a fixed number of budgets: an attacker with many addresses makes
/// peers share one, and all that a shared one does is to turn the 401 of a failed proof into 429.
#[derive(Debug)]
pub struct ProofThrottle(Box<[Arc<Bucket>]>);

impl Default for ProofThrottle {
    fn default() -> Self {
        const PEERS: usize = 4096;
        let quota = Quota::new(NonZeroU32::MIN, Duration::from_secs(1), BURST);
        Self((0..PEERS).map(|_| Bucket::new(quota)).collect())
    }
}

/// Failed proofs at once.
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();

impl ProofThrottle {
    fn failed(&self, peer: Option<IpAddr>, at: Duration, fault: AppFault) -> Rejection {
        use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(peer.map(Network::from));
        let index = usize::try_from(hash).unwrap_or(0) % self.0.len().max(1);
        match self.0.get(index).map(|bucket| bucket.take(NonZeroU32::MIN, at)) {
            Some(Ok((mut charge, _))) => {
                charge.keep();
                fault.into()
            }
            Some(Err(Refused::Wait(retry_after))) => {
                Rejection::ProofThrottled { fault, retry_after }
            }
            Some(Err(Refused::Never)) | None => fault.into(),
        }
    }
}

/// The stage that makes an [`AppCall`].
#[derive(Debug, Clone, Default)]
pub struct ProveApp {
    throttle: Arc<ProofThrottle>,
    /// Outlives generations of policy: what it holds depends on nothing but the key and the token.
    signatures: Arc<Signatures>,
}

impl ProveApp {
    /// The stage without a memory, for calls that nobody makes.
    #[must_use]
    pub fn unthrottled() -> Self {
        let throttle = Arc::new(ProofThrottle(Box::default()));
        Self { throttle, signatures: Arc::new(Signatures::none()) }
    }
}

impl Stage for ProveApp {
    type In = RoutedCall;
    type Out = AppCall;

    fn run(&self, routed: RoutedCall) -> Result<AppCall, Rejection> {
        let parsed = routed.parsed();
        let proved = prove(&routed, &self.signatures);
        let at = parsed.received_at().monotonic;
        let Proved { app, proofs, jwt_user } =
            proved.map_err(|fault| self.throttle.failed(parsed.peer().address(), at, fault))?;
        note(&parsed.trace().app, Arc::clone(&app));
        Ok(AppCall { routed, app, proofs, jwt_user })
    }
}

struct Proved {
    app: Arc<App>,
    proofs: Vec<AppProof>,
    jwt_user: Option<Name>,
}

fn prove(routed: &RoutedCall, signatures: &Signatures) -> Result<Proved, AppFault> {
    let (parsed, policy) = (routed.parsed(), routed.policy());
    let shown = parsed.credentials();
    let at = parsed.received_at().wall;
    let mut proved: Option<Proved> = None;
    let mut add = |app: &Arc<App>, proof: AppProof, user: Option<Name>| {
        let proved = proved.get_or_insert_with(|| Proved {
            app: Arc::clone(app),
            proofs: Vec::with_capacity(1),
            jwt_user: None,
        });
        let users_agree = match (&proved.jwt_user, &user) {
            (Some(known), Some(user)) => known == user,
            (None, _) | (_, None) => true,
        };
        if proved.app.code != app.code || !users_agree {
            return Err(AppFault::Disagree);
        }
        proved.proofs.push(proof);
        proved.jwt_user = proved.jwt_user.take().or(user);
        Ok(())
    };
    if let Some(app) = by_key(policy, shown, at)? {
        add(app, AppProof::Key, None)?;
    }
    let tokens = [(Carrier::Bearer, &shown.bearer), (Carrier::BkapiJwt, &shown.gateway_jwt)];
    for (carrier, token) in tokens {
        if let Some(token) = token {
            let spoken = jwt::verify(&policy.issuers, signatures, carrier, token, at)?;
            let app = policy
                .apps
                .get(&spoken.app)
                .filter(|app| app.issuers.contains(&spoken.issuer.name));
            add(app.ok_or(AppFault::Wrong)?, AppProof::Jwt, spoken.user)?;
        }
    }
    let mut by_certificate: Option<&Arc<App>> = None;
    for app in policy.apps_of_certificate(parsed.peer().certificate()) {
        // Two names of one certificate may speak for one application: that is one proof.
        if by_certificate.is_none_or(|known| known.code != app.code) {
            add(app, AppProof::Certificate, None)?;
        }
        by_certificate = Some(app);
    }
    match (proved, &shown.app_code) {
        (Some(proved), Some(code)) if proved.app.code != *code => Err(AppFault::Disagree),
        (Some(proved), _) => Ok(proved),
        (None, Some(_)) => Err(AppFault::SecretMissing),
        (None, None) => Err(AppFault::CodeMissing),
    }
}

fn by_key<'p>(
    policy: &'p Policy,
    shown: &Credentials,
    at: Timestamp,
) -> Result<Option<&'p Arc<App>>, AppFault> {
    let Some(secret) = &shown.app_secret else { return Ok(None) };
    let code = shown.app_code.as_ref().ok_or(AppFault::CodeMissing)?;
    let hash = sha256(secret.expose().as_bytes());
    let app = policy.apps.get(code).ok_or(AppFault::Wrong)?;
    let mut expired = false;
    for key in &app.keys {
        if bool::from(key.sha256.ct_eq(&hash)) {
            if key.expires.is_none_or(|expires| at < expires) {
                return Ok(Some(app));
            }
            expired = true;
        }
    }
    Err(if expired { AppFault::Expired } else { AppFault::Wrong })
}
