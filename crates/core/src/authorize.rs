//! Establishes the rule that allows the call. One rule must cover the whole call, and nothing may stop it.

use std::{cell::OnceCell, sync::Arc};

use esbgate_model::{
    Account, Code, Component, ComponentCall, FastExecuteScript, Faults, PlainCall, Reach, Rule,
    Scope, Script, Target,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Call, FreshCall, Grant, GrantState, Hours, Rejection, RiskMatch, Stage, policy::TargetGrant,
    risk::refused, trace::note,
};

/// How far ahead the next hours are looked for, while a caller waits for its refusal.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(31 * 24);

/// A call that a rule allows.
#[derive(Debug)]
pub struct GrantedCall {
    fresh: FreshCall,
    grant: Box<str>,
    /// Its place among the application's rules.
    place: usize,
    host_runs: u64,
    risk: Arc<[RiskMatch]>,
}

impl GrantedCall {
    /// The fresh call.
    #[must_use]
    pub fn fresh(&self) -> &FreshCall {
        &self.fresh
    }

    /// The rule's name.
    #[must_use]
    pub fn grant(&self) -> &str {
        &self.grant
    }

    /// The rule and the state of its budgets.
    pub(crate) fn rule(&self) -> Option<(&Grant, &GrantState)> {
        let app = self.fresh.authenticated().call().admitted().app_call().app();
        Some((app.allow.get(self.place)?, app.state.rules.get(self.place)?))
    }

    /// How many hosts the call counts as.
    #[must_use]
    pub fn host_runs(&self) -> u64 {
        self.host_runs
    }

    /// The risk rules that the call matches, and may pass all the same.
    #[must_use]
    pub fn risk(&self) -> &[RiskMatch] {
        &self.risk
    }

    pub(crate) fn into_fresh(self) -> FreshCall {
        self.fresh
    }
}

/// The stage that makes a [`GrantedCall`].
#[derive(Debug, Clone, Copy)]
pub struct Authorize;

impl Stage for Authorize {
    type In = FreshCall;
    type Out = GrantedCall;

    fn run(&self, fresh: FreshCall) -> Result<GrantedCall, Rejection> {
        not_frozen(&fresh)?;
        let Covered { grant, place, host_runs, risk } = covering(&fresh)?;
        note(&fresh.authenticated().trace().rule, place);
        Ok(GrantedCall { fresh, grant, place, host_runs, risk })
    }
}

/// Texts from so many bytes on take long to be read by the risk rules: some milliseconds, where other calls wait for
/// their turn on the same thread.
const LONG: usize = 64 << 10;

impl Authorize {
    /// Whether judging a call may take long.
    #[must_use]
    pub fn is_long(fresh: &FreshCall) -> bool {
        let call = fresh.authenticated().call();
        let risks = &call.admitted().app_call().routed().policy().risks;
        let text = match call.asked() {
            ComponentCall::FastExecuteScript(call) => {
                let content = match &call.script {
                    Script::Content(content) => content.text.len(),
                    Script::Id(_) | Script::Version(_) => 0,
                };
                content + call.param.as_ref().map_or(0, |param| param.text.len())
            }
            ComponentCall::Plain(_) => 0,
        };
        text >= LONG && !risks.rules.list().is_empty()
    }

    /// What each rule of the application says of the call, in their order: how many hosts it would count as, or
    /// where the rule stops covering it. Judged as it is asked for.
    pub fn verdicts<'c>(
        &self,
        fresh: &'c FreshCall,
    ) -> impl Iterator<Item = (&'c Grant, Result<u64, Shortfall>)> {
        let judge = Judge::of(fresh);
        judge.rules().iter().map(move |grant| {
            let verdict = judge.verdict(grant);
            (grant, verdict.map_err(|short| judge.told(short, grant.hours.as_ref())))
        })
    }
}

/// First, so that nothing else is judged or counted of a call that is stopped.
fn not_frozen(fresh: &FreshCall) -> Result<(), Rejection> {
    let call = fresh.authenticated().call();
    let app_call = call.admitted().app_call();
    let routed = app_call.routed();
    let (app, at) = (&app_call.app().code, routed.parsed().received_at().wall);
    match routed.policy().freezes.stopping(app, routed.component(), call.asked(), at) {
        Some(faults) => Err(Rejection::Frozen(Box::new(faults))),
        None => Ok(()),
    }
}

/// What the rule that covers a call makes of it.
struct Covered {
    grant: Box<str>,
    place: usize,
    host_runs: u64,
    risk: Arc<[RiskMatch]>,
}

/// The first rule that covers the call.
fn covering(fresh: &FreshCall) -> Result<Covered, Rejection> {
    let judge = Judge::of(fresh);
    let mut furthest: Option<Shortfall> = None;
    // Empty, and so of no cost, unless nothing but the hour keeps the call from being allowed.
    let mut outside: Vec<&Hours> = Vec::new();
    for (place, grant) in judge.rules().iter().enumerate() {
        match judge.verdict(grant) {
            Ok(host_runs) => {
                let risk = Arc::clone(judge.matches());
                return Ok(Covered { grant: grant.name.clone(), place, host_runs, risk });
            }
            Err(shortfall) => {
                if shortfall.code == Code::OutsideHours {
                    outside.extend(&grant.hours);
                }
                // The rule that came closest tells the caller most.
                if furthest.as_ref().is_none_or(|best| best.depth < shortfall.depth) {
                    furthest = Some(shortfall);
                }
            }
        }
    }
    let furthest = furthest.unwrap_or_else(|| {
        let component = judge.call.admitted().app_call().routed().component();
        Shortfall::one(0, Code::AppNoPermission, component.name())
    });
    let Shortfall { code, faults, .. } = judge.told(furthest, outside);
    Err(Rejection::NotGranted { code, faults: Box::new(faults) })
}

/// One call before the rules of its application.
struct Judge<'c> {
    call: &'c Call,
    /// Looked for once a rule covers the rest, so that a call without rights costs no look at its script.
    matches: OnceCell<Arc<[RiskMatch]>>,
}

impl<'c> Judge<'c> {
    fn of(fresh: &'c FreshCall) -> Self {
        Self { call: fresh.authenticated().call(), matches: OnceCell::new() }
    }

    fn rules(&self) -> &'c [Grant] {
        &self.call.admitted().app_call().app().allow
    }

    fn verdict(&self, grant: &Grant) -> Result<u64, Shortfall> {
        let component = self.call.admitted().app_call().routed().component();
        let asked = self.call.asked();
        let host_runs = judge(grant, component, asked)?;
        if grant.hours.as_ref().is_some_and(|hours| !hours.hold(self.now())) {
            // When it holds next is looked for once nothing else allows the call.
            return Err(Shortfall {
                depth: 6,
                code: Code::OutsideHours,
                faults: Faults::default(),
            });
        }
        match refused(self.matches(), reviewed(grant, asked)) {
            None => Ok(host_runs),
            Some(faults) => Err(Shortfall { depth: 7, code: Code::ScriptAtRisk, faults }),
        }
    }

    fn now(&self) -> Timestamp {
        self.call.admitted().app_call().routed().parsed().received_at().wall
    }

    /// A shortfall with its places, as a caller is told of it; `outside` are the hours that it may wait for.
    fn told<'h>(
        &self,
        short: Shortfall,
        outside: impl IntoIterator<Item = &'h Hours>,
    ) -> Shortfall {
        if short.code != Code::OutsideHours {
            return short;
        }
        let now = self.now();
        let mut end = now.saturating_add(LOOK_AHEAD).unwrap_or(now);
        let mut next = None;
        for hours in outside {
            if let Some(begin) = hours.next_until(now, end) {
                next = Some((begin, hours));
                // Only what begins earlier is of interest, so many rules cost little more than one.
                end = begin.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(begin);
            }
        }
        let next = next.map(|(begin, hours)| hours.shown(begin).into());
        Shortfall { faults: Faults::one("hours", Rule::OutsideHours { next }), ..short }
    }

    /// The risk rules that the call matches, counted and noted.
    fn matches(&self) -> &Arc<[RiskMatch]> {
        self.matches.get_or_init(|| {
            let routed = self.call.admitted().app_call().routed();
            let risks = &routed.policy().risks;
            let matches: Arc<[RiskMatch]> = risks.rules.judge(self.call.asked()).into();
            for found in &*matches {
                risks.metrics.matched(found);
            }
            note(&routed.parsed().trace().risk, Arc::clone(&matches));
            matches
        })
    }
}

/// Whether what runs is what somebody reviewed: a version cannot be published anew, and content is what it is
/// where the rule names its hash. An id can.
pub(crate) fn reviewed(grant: &Grant, call: &ComponentCall) -> bool {
    match call {
        ComponentCall::FastExecuteScript(call) => match &call.script {
            Script::Version(_) => true,
            Script::Id(_) => false,
            Script::Content(content) => grant.scripts.sha256.contains(&content.sha256),
        },
        ComponentCall::Plain(_) => false,
    }
}

/// Where a rule stopped covering the call.
#[derive(Debug)]
pub struct Shortfall {
    depth: u8,
    code: Code,
    faults: Faults,
}

impl Shortfall {
    /// What is not covered.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Where.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How many dimensions are covered before it.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    fn one(depth: u8, code: Code, path: impl Into<String>) -> Self {
        Self { depth, code, faults: Faults::one(path, Rule::NotGranted) }
    }
}

/// How many hosts the call counts as, if the rule covers all of it.
pub(crate) fn judge(
    grant: &Grant,
    component: Component,
    call: &ComponentCall,
) -> Result<u64, Shortfall> {
    if !grant.components.covers(|known| *known == component) {
        return Err(Shortfall::one(0, Code::AppNoPermission, component.name()));
    }
    if call.scope().is_some_and(|scope| !covers_business(grant, scope)) {
        let path = if call.scope_pair() { "bk_scope_id" } else { "bk_biz_id" };
        return Err(Shortfall::one(1, Code::BusinessNotAllowed, path));
    }
    let host_runs = match call {
        ComponentCall::FastExecuteScript(call) => covers_run(grant, call)?,
        ComponentCall::Plain(call) => covers_plain(grant, call)?,
    };
    if let Some(callback) = call.callback()
        && !grant.callbacks.iter().any(|prefix| prefix.covers(callback))
    {
        return Err(Shortfall::one(5, Code::CallbackNotAllowed, "callback_url"));
    }
    Ok(host_runs)
}

/// A call whose model does not show what it brings about is covered only by a rule that says `any` there,
/// and counts as all the hosts that the rule allows.
fn covers_plain(grant: &Grant, call: &PlainCall) -> Result<u64, Shortfall> {
    let component = call.component();
    if !grant.reaches(component.reach()) {
        return Err(Shortfall::one(2, Code::AppNoPermission, component.name()));
    }
    Ok(match component.reach() {
        Reach::Nothing | Reach::Scripts => 0,
        Reach::Hosts => grant.targets.hosts.unwrap_or(u64::MAX),
    })
}

fn covers_run(grant: &Grant, call: &FastExecuteScript) -> Result<u64, Shortfall> {
    let (covered, path) = match &call.account {
        Account::Id(id) => (grant.accounts.ids.covers(|known| known == id), "account_id"),
        Account::Alias(alias) => {
            (grant.accounts.aliases.covers(|known| known == alias), "account_alias")
        }
    };
    if !covered {
        return Err(Shortfall::one(2, Code::AccountNotAllowed, path));
    }
    covers_script(grant, &call.script)
        .map_err(|path| Shortfall::one(3, Code::ScriptNotAllowed, path))?;
    covers_target(&grant.targets, &call.target).map_err(|faults| Shortfall {
        depth: 4,
        code: Code::TargetNotAllowed,
        faults,
    })
}

fn covers_business(grant: &Grant, scope: &Scope) -> bool {
    match scope {
        Scope::Business(id) => grant.business.ids.covers(|known| known == id),
        Scope::BusinessSet(id) => grant.business.sets.covers(|known| known == id),
        Scope::TenantSet(id) => grant.business.tenant_sets.covers(|known| known == id),
    }
}

fn covers_script(grant: &Grant, script: &Script) -> Result<(), &'static str> {
    let scripts = &grant.scripts;
    let (covered, path) = match script {
        Script::Version(id) => (scripts.versions.covers(|known| known == id), "script_version_id"),
        Script::Id(id) => (scripts.ids.covers(|known| known == id), "script_id"),
        Script::Content(content) => (
            scripts.content.covers(|known| *known == content.language)
                || scripts.sha256.contains(&content.sha256),
            "script_content",
        ),
    };
    if covered { Ok(()) } else { Err(path) }
}

fn covers_target(grant: &TargetGrant, target: &Target) -> Result<u64, Faults> {
    const SERVER: &str = "target_server";
    let mut faults = Faults::default();
    let named = u64::try_from(target.named_hosts()).unwrap_or(u64::MAX);
    // First, because it bounds what follows.
    if let Some(ceiling) = grant.hosts.filter(|ceiling| named > *ceiling) {
        let max = i64::try_from(ceiling).unwrap_or(i64::MAX);
        return Err(Faults::one(SERVER, Rule::Range { min: 1, max }));
    }
    for (index, host) in target.hosts.iter().enumerate() {
        let listed = grant.ips.covers(|net| net.contains(&host.ip));
        if !listed || grant.except.iter().any(|net| net.contains(&host.ip)) {
            faults.push(format!("{SERVER}.ip_list[{index}].ip"), Rule::NotGranted);
        }
        if !grant.clouds.covers(|known| *known == host.cloud) {
            faults.push(format!("{SERVER}.ip_list[{index}].bk_cloud_id"), Rule::NotGranted);
        }
    }
    for (index, id) in target.host_ids.iter().enumerate() {
        if !grant.host_ids.covers(|known| known == id) {
            faults.push(format!("{SERVER}.host_id_list[{index}]"), Rule::NotGranted);
        }
    }
    for (index, id) in target.groups.iter().enumerate() {
        if !grant.groups.covers(|known| known == id) {
            faults.push(format!("{SERVER}.dynamic_group_list[{index}].id"), Rule::NotGranted);
        }
    }
    for (index, node) in target.nodes.iter().enumerate() {
        if !grant.topology.covers(|known| known == node) {
            faults.push(format!("{SERVER}.topo_node_list[{index}]"), Rule::NotGranted);
        }
    }
    // What CMDB resolves later cannot be counted here, so it counts as all that the rule allows.
    let count = match grant.hosts {
        Some(ceiling) if target.is_dynamic() => ceiling.max(named),
        None if target.is_dynamic() => {
            faults.push(SERVER, Rule::NotGranted);
            named
        }
        Some(_) | None => named,
    };
    if faults.is_empty() { Ok(count) } else { Err(faults) }
}
