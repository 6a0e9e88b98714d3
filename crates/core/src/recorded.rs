//! Judges a call of which a record alone is left, by the rules that judge calls that come.
//!
//! What the record does not hold is never guessed: where it could change the verdict there is none. Who called is taken as
//! proved, unless the policy has nothing left that could prove it; budgets are full.

use esbgate_model::{Code, Component, ComponentCall, Faults, Name, Script, Switches};
use jiff::Timestamp;

use crate::{
    Allow, App, AppProof, Grant, Policy, RiskAction, RiskRule, TargetGrant, UserProof,
    authorize::{judge, reviewed},
};

/// What of a call its record does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Which hosts are named by address: there are so many that their hash is on record.
    pub hosts: bool,
    /// The same, by id.
    pub host_ids: bool,
    /// Which dynamic groups are named.
    pub groups: bool,
    /// Which nodes of the topology are named.
    pub nodes: bool,
    /// The text of the script or its parameters.
    pub text: bool,
    /// SHA-256 of the script.
    pub script: Option<[u8; 32]>,
    /// How many hosts the call counted as.
    pub host_runs: u64,
}

/// A call on record.
pub struct RecordedCall<'c> {
    /// The application.
    pub app: &'c Name,
    /// How it was proved.
    pub app_proofs: &'c [AppProof],
    /// The user.
    pub user: &'c Name,
    /// How the user was proved.
    pub user_proof: UserProof,
    /// When the call came.
    pub at: Timestamp,
    /// The component.
    pub component: Component,
    /// Reads what is known of the call under an application's switches; a list that is hidden has one element, which
    /// stands for all.
    pub read: &'c dyn Fn(Switches) -> Result<ComponentCall, Faults>,
    /// What is not known.
    pub hidden: Hidden,
    /// Whether a risk rule of the policy matches the texts that are not stored, if that is known.
    pub matches: &'c dyn Fn(&RiskRule) -> Option<bool>,
    /// Whether those texts hide more than can be looked at, if that is known.
    pub unfoldable: Option<bool>,
}

/// A refused call on record: who called what, and nothing of the call itself.
#[derive(Debug, Clone, Copy)]
pub struct RecordedRefusal<'c> {
    /// The application.
    pub app: &'c Name,
    /// When the call came.
    pub at: Timestamp,
    /// The component, if the call named one.
    pub component: Option<Component>,
}

impl std::fmt::Debug for RecordedCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { app, component, at, hidden, .. } = self;
        f.debug_struct("RecordedCall")
            .field("app", app)
            .field("component", component)
            .field("at", at)
            .field("hidden", hidden)
            .finish_non_exhaustive()
    }
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untold {
    /// Risk rules would read a text that is not stored.
    Text,
    /// The record does not name all targets.
    Targets,
}

impl Untold {
    /// The reason, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "content not stored: risk rules that read text",
            Self::Targets => "targets not on record: groups, topology, or a hashed list",
        }
    }
}

/// What a policy says of a call on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedVerdict {
    /// It allows the call by this rule.
    Allowed(Box<str>),
    /// It refuses it.
    Refused(Code),
    /// It cannot be told.
    Untold(Untold),
}

use RecordedVerdict::{Allowed, Refused};

impl Policy {
    /// What this policy says of a call on record, at the call's own time.
    #[must_use]
    pub fn judge_recorded(&self, call: &RecordedCall<'_>) -> RecordedVerdict {
        self.recorded(call).unwrap_or_else(Refused)
    }

    /// The code by which this policy, too, refuses a refused call, whatever else the call was; none where that depends on
    /// what is not on record.
    #[must_use]
    pub fn refuses_anyhow(&self, call: RecordedRefusal<'_>) -> Option<Code> {
        let Some(app) = self.apps.get(call.app) else { return Some(Code::AppVerifyFailed) };
        let component = call.component?;
        if self.freezes.stop_all(call.app, component, call.at) {
            return Some(Code::Frozen);
        }
        let mut covering =
            app.allow.iter().filter(|rule| rule.components.covers(|known| *known == component));
        let Some(first) = covering.next() else { return Some(Code::AppNoPermission) };
        let closed = |rule: &Grant| rule.hours.as_ref().is_some_and(|hours| !hours.hold(call.at));
        (closed(first) && covering.all(closed)).then_some(Code::OutsideHours)
    }

    fn recorded(&self, call: &RecordedCall<'_>) -> Result<RecordedVerdict, Code> {
        let app = self.apps.get(call.app).ok_or(Code::AppVerifyFailed)?;
        proved(app, call)?;
        let mut asked = (call.read)(app.switches).map_err(|_| Code::InvalidArgs)?;
        hide(&mut asked, call.hidden);
        user(app, call)?;
        if self.freezes.stopping(call.app, call.component, &asked, call.at).is_some() {
            return Err(Code::Frozen);
        }
        let mut untold = None;
        let mut furthest = (0, Code::AppNoPermission);
        for grant in &app.allow {
            match self.rule(grant, &asked, call) {
                Says::Covers(hosts) if untold.is_none() => {
                    ceilings(app, grant, &asked, hosts)?;
                    return Ok(Allowed(grant.name.clone()));
                }
                // An earlier rule may be the one that pays, and with other ceilings.
                Says::Covers(_) => break,
                Says::Short(depth, code) if depth > furthest.0 => furthest = (depth, code),
                Says::Short(..) => {}
                Says::Untold(why) => untold = untold.or(Some(why)),
            }
        }
        untold.map(RecordedVerdict::Untold).ok_or(furthest.1)
    }

    fn rule(&self, grant: &Grant, asked: &ComponentCall, call: &RecordedCall<'_>) -> Says {
        let known = judge(grant, call.component, asked);
        let hosts = match (known, targets(&grant.targets, asked, call.hidden)) {
            (Err(short), _) if short.depth() <= TARGETS => {
                return Says::Short(short.depth(), short.code());
            }
            (_, Seen::No) => return Says::Short(TARGETS, Code::TargetNotAllowed),
            (_, Seen::Unknown) => return Says::Untold(Untold::Targets),
            (Err(short), _) => return Says::Short(short.depth(), short.code()),
            (Ok(hosts), Seen::All) => hosts,
            (Ok(_), Seen::Yes(hosts)) => hosts,
        };
        if grant.hours.as_ref().is_some_and(|hours| !hours.hold(call.at)) {
            return Says::Short(6, Code::OutsideHours);
        }
        match self.at_risk(call, reviewed(grant, asked)) {
            Some(false) => Says::Covers(hosts),
            Some(true) => Says::Short(7, Code::ScriptAtRisk),
            None => Says::Untold(Untold::Text),
        }
    }

    /// Whether risk rules refuse the call; none where that takes its texts.
    fn at_risk(&self, call: &RecordedCall<'_>, reviewed: bool) -> Option<bool> {
        if !call.hidden.text {
            return Some(false);
        }
        let refuses = |action: RiskAction| match action {
            RiskAction::Observe | RiskAction::Warn => false,
            RiskAction::ReviewedOnly => !reviewed,
            RiskAction::Deny => true,
        };
        let rules = &self.risks.rules;
        let strict = rules.list().iter().filter(|rule| refuses(rule.action()));
        let matched = strict.map(|rule| (call.matches)(rule));
        let whole = rules.unfoldable().filter(|action| refuses(*action)).map(|_| call.unfoldable);
        let mut known = Some(false);
        for seen in matched.chain(whole) {
            match seen {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
        known
    }
}

/// The depth at which a rule is held against targets.
const TARGETS: u8 = 4;

enum Says {
    Covers(u64),
    Short(u8, Code),
    Untold(Untold),
}

fn proved(app: &App, call: &RecordedCall<'_>) -> Result<(), Code> {
    for proof in call.app_proofs {
        match proof {
            AppProof::Key if app.keys.is_empty() => return Err(Code::AppVerifyFailed),
            AppProof::Key => {
                let lives = |end: Option<Timestamp>| end.is_none_or(|end| call.at < end);
                if !app.keys.iter().any(|key| lives(key.expires)) {
                    return Err(Code::KeyExpired);
                }
            }
            AppProof::Jwt if app.issuers.is_empty() => return Err(Code::AppVerifyFailed),
            AppProof::Certificate if app.certificates.is_empty() && call.app_proofs.len() == 1 => {
                return Err(Code::AppVerifyFailed);
            }
            AppProof::Jwt | AppProof::Certificate => {}
        }
    }
    Ok(())
}

fn user(app: &App, call: &RecordedCall<'_>) -> Result<(), Code> {
    match call.user_proof {
        UserProof::Token | UserProof::StaleToken if !app.users.token => Err(Code::TokenNotAllowed),
        UserProof::Token | UserProof::StaleToken | UserProof::Jwt => Ok(()),
        UserProof::Exemption => {
            let exemptions = app.users.exemptions.iter();
            let naming = exemptions.filter(|one| one.names(call.user).is_some());
            let last = naming.map(|one| one.expires).max().ok_or(Code::UserNotExempt)?;
            if call.at < last { Ok(()) } else { Err(Code::ExemptionExpired) }
        }
    }
}

/// Puts what is known in the place of what stood for it.
fn hide(asked: &mut ComponentCall, hidden: Hidden) {
    let ComponentCall::FastExecuteScript(call) = asked else { return };
    if let (Script::Content(content), Some(sha256)) = (&mut call.script, hidden.script) {
        content.sha256 = sha256;
    }
    let target = &mut call.target;
    if hidden.hosts {
        target.hosts.clear();
    }
    if hidden.host_ids {
        target.host_ids.clear();
    }
    if hidden.groups {
        target.groups.clear();
    }
    if hidden.nodes {
        target.nodes.clear();
    }
}

/// What a rule says of targets that nobody sees.
enum Seen {
    /// All are seen.
    All,
    /// It covers them, whatever they are, and they count as so many hosts.
    Yes(u64),
    No,
    Unknown,
}

fn targets(grant: &TargetGrant, asked: &ComponentCall, hidden: Hidden) -> Seen {
    let ComponentCall::FastExecuteScript(call) = asked else { return Seen::All };
    let dynamic = hidden.groups || hidden.nodes;
    let listed = hidden.hosts || hidden.host_ids;
    if !dynamic && !listed {
        return Seen::All;
    }
    let seen = u64::try_from(call.target.named_hosts()).unwrap_or(u64::MAX);
    let (least, most) = match (listed, dynamic) {
        (false, _) => (seen, seen),
        // What was counted then was the ceiling of a rule, or more.
        (true, true) => (1, hidden.host_runs),
        (true, false) => (hidden.host_runs, hidden.host_runs),
    };
    let except = if grant.except.is_empty() { Some(true) } else { None };
    let ceiling = match grant.hosts {
        Some(ceiling) if least > ceiling => Some(false),
        Some(ceiling) if most > ceiling => None,
        Some(_) => Some(true),
        None => Some(!dynamic),
    };
    let lists = [
        ceiling,
        of(hidden.hosts, any(&grant.ips)),
        of(hidden.hosts, except),
        of(hidden.hosts, any(&grant.clouds)),
        of(hidden.host_ids, any(&grant.host_ids)),
        of(hidden.groups, any(&grant.groups)),
        of(hidden.nodes, any(&grant.topology)),
    ];
    if lists.contains(&Some(false)) {
        return Seen::No;
    }
    if lists.contains(&None) {
        return Seen::Unknown;
    }
    Seen::Yes(grant.hosts.filter(|_| dynamic).unwrap_or(most))
}

fn of(hidden: bool, covered: Option<bool>) -> Option<bool> {
    if hidden { covered } else { Some(true) }
}

/// Whether it allows something that nobody sees.
fn any<T>(allow: &Allow<T>) -> Option<bool> {
    match allow {
        Allow::Any => Some(true),
        Allow::Only(list) if list.is_empty() => Some(false),
        Allow::Only(_) => None,
    }
}

/// What full budgets refuse all the same: too many hosts for one call.
fn ceilings(app: &App, rule: &Grant, asked: &ComponentCall, hosts: u64) -> Result<(), Code> {
    if hosts == 0 {
        return Ok(());
    }
    let charge = hosts.saturating_mul(app.weights.of(asked, rule));
    let burst = |quota: crate::Quota| u64::from(quota.burst.get());
    let (own, limits) = (&rule.limits, &app.limits);
    let bounds = [
        (hosts, own.hosts_per_call, own.shadow.hosts),
        (charge, own.host_runs.map(burst), own.shadow.hosts),
        (charge, own.hosts_per_day.map(burst), own.shadow.hosts),
        (hosts, Some(limits.hosts_per_call), limits.shadow.hosts),
        (charge, Some(burst(limits.host_runs)), limits.shadow.hosts),
        (charge, limits.hosts_per_day.map(burst), limits.shadow.hosts),
    ];
    let over = |(asked, most, shadow): &(u64, Option<u64>, bool)| {
        !shadow && most.is_some_and(|most| *asked > most)
    };
    if bounds.iter().any(over) { Err(Code::HostsPerCallExceeded) } else { Ok(()) }
}
