//! Walks the steps of a real call with one that is only described, and notes what each of them says.
//!
//! Nothing is judged here. What a described call lacks is a proof; the walk brings its own: its policy is a copy
//! that nobody serves, in which the application has the one key, or certificate, that the walk shows.

use std::sync::Arc;

use esbgate_core::{
    Admit, AppKey, Authenticate, AuthenticatedCall, Authorize, BodyBudget, Bracket as _,
    BudgetLeft, CertificateName, Charge, ChargedCall, FreshCall, Gather as _, HeadRules, Interpret,
    Introspect, Limit, Login, LoginDown, MatchRoute, Metrics, NamedBy, Nobody, Once, Parse, Peer,
    Policy, PolicyHandle, ProveApp, Quota, ReceivedAt, ReceivedRequest, Rejection, RiskMatch,
    Stage as _, Trace, UserProof, Verdict,
};
use esbgate_model::{Code, Faults, Name, Secret, sha256};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    call::{Call, Proof},
    plan::{OfflinePlan, Plan, PlannedApp},
};

/// What a walk shows as key or `bk_token`. It opens nothing but the walk's own copy of the policy.
const SHOWN: &str = "offline";

/// The host of a walk.
const HOST: HeaderValue = HeaderValue::from_static("offline");

/// What a step said.
#[derive(Debug)]
pub struct Step {
    /// The step, as the design names it.
    pub name: &'static str,
    /// Whether the call may go on.
    pub passed: bool,
    /// What it found.
    pub detail: String,
}

/// What one rule said.
#[derive(Debug)]
pub struct RuleVerdict {
    /// The rule.
    pub rule: Box<str>,
    /// How many hosts the call counts as, or the first thing that is not covered, and where.
    pub verdict: Result<u64, (Code, Faults)>,
}

/// What became of a described call.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The steps up to the one that refused, or all of them.
    pub steps: Vec<Step>,
    /// The application's rules, where the call came so far.
    pub rules: Vec<RuleVerdict>,
    /// The rule that allows the call.
    pub rule: Option<Box<str>>,
    /// The risk rules that it matches, where its script was read.
    pub risk: Arc<[RiskMatch]>,
    /// What it counts as.
    pub host_runs: u64,
    /// What that is charged as: each host by its weight.
    pub charged: u64,
    /// The limits that would have refused it, and are in shadow mode.
    pub shadowed: Vec<&'static str>,
    /// The budget of calls after this one.
    pub calls: Option<BudgetLeft>,
    /// Why it is refused; none if it is allowed.
    pub refused: Option<Rejection>,
}

impl OfflinePlan {
    /// Says what would become of `call` at `at`, under fresh budgets. Login service, journal and upstream are not asked.
    pub async fn explain(&self, call: &Call, at: Timestamp, metrics: &Metrics) -> Explanation {
        self.0.explain(call, at, metrics).await
    }
}

impl Plan {
    pub(crate) async fn explain(
        &self,
        call: &Call,
        at: Timestamp,
        metrics: &Metrics,
    ) -> Explanation {
        let mut walk = Explanation::default();
        walk.refused = walk.walk(self, call, at, metrics).await.err();
        walk
    }
}

impl Explanation {
    async fn walk(
        &mut self,
        plan: &Plan,
        call: &Call,
        at: Timestamp,
        metrics: &Metrics,
    ) -> Result<(), Rejection> {
        let app = plan.app(&call.app);
        let proof = call.proof.unwrap_or_else(|| usual(app));
        // An application that nobody knows can show nothing but a wrong key.
        let keyed = app.is_none_or(by_keys);
        let policy = plan.policy_of(&call.app, metrics, |app| prove(app, keyed));
        let received = described(call, proof, keyed, at)?;
        let fresh = self.known(policy, received, call, proof).await?;
        self.rules = Authorize
            .verdicts(&fresh)
            .map(|(grant, verdict)| RuleVerdict {
                rule: grant.name.clone(),
                verdict: verdict.map_err(|short| (short.code(), short.faults().clone())),
            })
            .collect();
        let trace = Arc::clone(fresh.authenticated().trace());
        let granted = Authorize.run(fresh);
        self.risk = trace.risk.get().map(Arc::clone).unwrap_or_default();
        let granted = self.step("Authorize", granted, |granted| {
            format!("rule `{}` covers the whole call", granted.grant())
        })?;
        self.rule = Some(granted.grant().into());
        self.host_runs = granted.host_runs();
        let charged = Charge.enter(granted).await;
        let charged = self.step("Charge", charged, charge)?;
        self.charged = charged.charge();
        self.shadowed = charged.shadowed().iter().map(Limit::as_str).collect();
        Ok(())
    }

    /// As far as who calls, and with what.
    async fn known(
        &mut self,
        policy: Policy,
        received: ReceivedRequest,
        call: &Call,
        proof: Proof,
    ) -> Result<FreshCall, Rejection> {
        let head = HeadRules { hosts: vec![SHOWN.into()], ..HeadRules::default() };
        let parsed = Parse(Arc::new(head)).run(received);
        let parsed = self.step("Parse", parsed, |_| "one strict JSON object".into())?;
        let routed = MatchRoute(PolicyHandle::new(policy)).run(parsed);
        let routed = self.step("MatchRoute", routed, |routed| routed.component().name().into())?;
        let app = ProveApp::unthrottled().run(routed);
        let app = self.step("ProveApp", app, |app| {
            format!("application {}; its proof is taken as shown", app.app().code.as_str())
        })?;
        let trace = Arc::clone(app.routed().parsed().trace());
        let admitted = Admit.enter(app).await;
        self.calls = trace.budget.get().copied();
        let left = self.calls.map_or(0, |left| left.remaining);
        let admitted =
            self.step("Admit", admitted, |_| format!("a slot, and a call of {left} more"))?;
        let asked = self.step("Interpret", Interpret.run(admitted), |_| "no fault".into())?;
        let login = Vouched(Name::new(&call.user).ok().filter(|_| proof == Proof::Token));
        let told = Introspect(login).run(asked).await;
        let told = self.step("Introspect", told, |_| match proof {
            Proof::Token => "the token is taken as the user's".into(),
            Proof::Exemption => "no token is shown".into(),
        })?;
        let user = self.step("Authenticate", Authenticate.run(told), user)?;
        self.step("Once", Once.enter(user).await, |_| "no Idempotency-Key".into())
    }

    fn step<T>(
        &mut self,
        name: &'static str,
        made: Result<T, Rejection>,
        detail: impl FnOnce(&T) -> String,
    ) -> Result<T, Rejection> {
        let (passed, detail) = match &made {
            Ok(made) => (true, detail(made)),
            Err(rejection) => (false, rejection.to_string()),
        };
        self.steps.push(Step { name, passed, detail });
        made
    }
}

/// How a call of this application names its user where nothing is said.
fn usual(app: Option<&PlannedApp>) -> Proof {
    match app {
        Some(app) if app.users.token && app.users.exemptions.is_empty() => Proof::Token,
        Some(_) | None => Proof::Exemption,
    }
}

/// Whether nothing but keys proves the application, so that their end is the end of its calls.
fn by_keys(app: &PlannedApp) -> bool {
    app.issuers.is_empty() && app.certificates.is_empty()
}

/// Exchanges the proofs of an application for what the walk shows. The key lasts as long as the longest of its own.
fn prove(app: &mut PlannedApp, keyed: bool) {
    let own = std::mem::take(&mut app.keys);
    app.certificates.clear();
    if !keyed {
        app.certificates.push(CertificateName::Dns(SHOWN.into()));
        return;
    }
    let ends: Option<Vec<Timestamp>> = own.iter().map(|key| key.expires).collect();
    let expires = ends.and_then(|ends| ends.into_iter().max());
    app.keys.push(AppKey { sha256: sha256(SHOWN.as_bytes()), expires });
}

fn user(call: &AuthenticatedCall) -> String {
    let (principal, users) =
        (call.principal(), &call.call().admitted().app_call().app().users.exemptions);
    let naming = users.iter().filter_map(|one| Some((one.expires, one.names(principal.user())?)));
    let longest = naming.max_by_key(|(end, _)| *end);
    let name = principal.user().as_str();
    let proof = principal.proof().as_str();
    match longest.filter(|_| principal.proof() == UserProof::Exemption) {
        Some((end, NamedBy::Name)) => format!("user {name}, by {proof} until {end}"),
        Some((end, NamedBy::Pattern(pattern))) => {
            format!("user {name}, by {proof} of the pattern {pattern:?} until {end}")
        }
        None => format!("user {name}, by {proof}"),
    }
}

/// What a call pays, and what limits it: ceilings on the hosts of one call, and the bursts of budgets.
fn charge(call: &ChargedCall) -> String {
    let granted = call.granted();
    let app = granted.fresh().authenticated().call().admitted().app_call().app();
    let own = app.allow.iter().find(|rule| *rule.name == *granted.grant());
    let own = own.map(|rule| rule.limits).unwrap_or_default();
    let limits = app.limits;
    let burst = |quota: Quota| u64::from(quota.burst.get());
    let numbers = [
        (Limit::RuleCalls, own.calls.map(burst)),
        (Limit::RuleHostsPerCall, own.hosts_per_call),
        (Limit::RuleHostsPerMinute, own.host_runs.map(burst)),
        (Limit::RuleHostsPerDay, own.hosts_per_day.map(burst)),
        (Limit::HostsPerCall, Some(limits.hosts_per_call)),
        (Limit::HostsPerMinute, Some(burst(limits.host_runs))),
        (Limit::HostsPerDay, limits.hosts_per_day.map(burst)),
    ];
    let mut told = format!("{} host(s), charged as {}", granted.host_runs(), call.charge());
    for (limit, most) in numbers {
        let shadow = if call.shadowed().contains(limit) { " (shadow: passed over)" } else { "" };
        told.extend(most.map(|most| format!("; {} {most}{shadow}", limit.as_str())));
    }
    told
}

/// The request that a program would send.
fn described(
    call: &Call,
    proof: Proof,
    keyed: bool,
    at: Timestamp,
) -> Result<ReceivedRequest, Rejection> {
    let mut identity = json!({"bk_app_code": call.app});
    if keyed {
        identity["bk_app_secret"] = SHOWN.into();
    }
    match proof {
        Proof::Token => identity["bk_token"] = SHOWN.into(),
        Proof::Exemption => identity["bk_username"] = call.user.as_str().into(),
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HOST);
    // A name that no header can carry is no name, which `null` is neither.
    let identity = HeaderValue::from_str(&identity.to_string());
    let identity = identity.unwrap_or(HeaderValue::from_static("null"));
    headers.insert("x-bkapi-authorization", identity);
    let certificate: Arc<[CertificateName]> =
        if keyed { Arc::default() } else { [CertificateName::Dns(SHOWN.into())].into() };
    let peer = Peer::new(call.peer, certificate);
    let received_at = ReceivedAt { wall: at, monotonic: std::time::Duration::ZERO };
    let trace = Trace::new("offline".into(), peer.clone(), received_at, Arc::new(Nobody));
    Ok(ReceivedRequest {
        method: Method::POST,
        uri: Uri::from_static(call.component.path()),
        version: Version::HTTP_11,
        headers,
        body: call.body.clone(),
        // One call on its own: the budget of bodies is of a gateway that serves many.
        permit: BodyBudget::new(u64::MAX).take(0).ok_or(Rejection::NoRoom)?,
        peer,
        received_at,
        trace,
    })
}

/// A login service that knows the one token of the walk.
struct Vouched(Option<Name>);

impl Login for Vouched {
    async fn introspect(&self, token: &Secret, at: ReceivedAt) -> Result<Verdict, LoginDown> {
        self.known(token, at).ok_or(LoginDown)
    }

    fn known(&self, _: &Secret, _: ReceivedAt) -> Option<Verdict> {
        Some(Verdict { user: self.0.clone(), stale: false })
    }
}
