//! The compiled policy: immutable, whole, replaced at once. Live state outlives it in the [`Ledger`].

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arc_swap::ArcSwap;
use esbgate_model::{
    CallbackPrefix, Component, Name, Reach, ScriptLanguage, Switches, TopologyNode,
    dialect::Credential,
};
use ipnet::Ipv4Net;
use jiff::Timestamp;

use crate::{
    Bucket, CertificateName, Freeze, FreezeHandle, Freezes, GrantLimits, GrantState, Hours, Limits,
    Quota, RiskRules, Rooms, UserPattern, Weights,
    jwt::Issuer,
    metrics::{AppMetrics, Metrics, RiskMetrics, Standing},
};

/// What a rule allows of one dimension. Absent and empty allow nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allow<T> {
    /// Everything: `any`, written out.
    Any,
    /// These.
    Only(Vec<T>),
}

impl<T> Default for Allow<T> {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl<T> Allow<T> {
    /// Whether it is `any`.
    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether it allows what `same` recognises.
    pub fn covers(&self, same: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(same),
        }
    }
}

/// A key of an application, known by its SHA-256 alone.
#[derive(Debug, Clone)]
pub struct AppKey {
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// The first refused instant.
    pub expires: Option<Timestamp>,
}

/// Users that an application may name without a token.
#[derive(Debug, Clone)]
pub struct Exemption {
    /// The users.
    pub users: HashSet<Name>,
    /// Patterns of their names.
    pub patterns: Vec<UserPattern>,
    /// The first refused instant.
    pub expires: Timestamp,
}

/// What of an exemption names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy<'e> {
    /// The name itself.
    Name,
    /// A pattern.
    Pattern(&'e str),
}

impl Exemption {
    /// What names `user`; the name itself before patterns, in their order.
    #[must_use]
    pub fn names(&self, user: &Name) -> Option<NamedBy<'_>> {
        if self.users.contains(user) {
            return Some(NamedBy::Name);
        }
        let pattern = self.patterns.iter().find(|pattern| pattern.matches(user.as_str()));
        pattern.map(|pattern| NamedBy::Pattern(pattern.as_str()))
    }
}

/// How an application may name its user.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// By `bk_token`.
    pub token: bool,
    /// By the `bk_token` cookie.
    pub cookie: bool,
    /// By `bk_username`.
    pub exemptions: Vec<Exemption>,
}

/// Businesses that a grant covers.
#[derive(Debug, Clone, Default)]
pub struct BusinessGrant {
    /// Single businesses.
    pub ids: Allow<i64>,
    /// Business sets.
    pub sets: Allow<i64>,
    /// Tenant sets.
    pub tenant_sets: Allow<i64>,
}

/// Accounts that a grant covers.
#[derive(Debug, Clone, Default)]
pub struct AccountGrant {
    /// By alias.
    pub aliases: Allow<Box<str>>,
    /// By id.
    pub ids: Allow<i64>,
}

/// Scripts that a grant covers.
#[derive(Debug, Clone, Default)]
pub struct ScriptGrant {
    /// Content in these languages.
    pub content: Allow<ScriptLanguage>,
    /// Content with these hashes, in any language.
    pub sha256: Vec<[u8; 32]>,
    /// Scripts by id, whatever version is online.
    pub ids: Allow<Box<str>>,
    /// Single versions.
    pub versions: Allow<i64>,
}

/// Targets that a grant covers.
#[derive(Debug, Clone, Default)]
pub struct TargetGrant {
    /// Networks.
    pub ips: Allow<Ipv4Net>,
    /// Networks that are left out again.
    pub except: Vec<Ipv4Net>,
    /// Cloud areas.
    pub clouds: Allow<i64>,
    /// Hosts by id.
    pub host_ids: Allow<i64>,
    /// Dynamic groups.
    pub groups: Allow<Box<str>>,
    /// Topology nodes.
    pub topology: Allow<TopologyNode>,
    /// Most hosts of one call; what a dynamic target is counted as.
    pub hosts: Option<u64>,
}

/// One rule that allows calls. It covers a whole call or nothing of it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its name in policy and records.
    pub name: Box<str>,
    /// Components.
    pub components: Allow<Component>,
    /// Businesses.
    pub business: BusinessGrant,
    /// Accounts.
    pub accounts: AccountGrant,
    /// Scripts.
    pub scripts: ScriptGrant,
    /// Targets.
    pub targets: TargetGrant,
    /// Callbacks.
    pub callbacks: Vec<CallbackPrefix>,
    /// When it holds; always if there is none.
    pub hours: Option<Hours>,
    /// Its own numbers.
    pub limits: GrantLimits,
}

impl Grant {
    /// Whether it covers what a component can bring about unseen: it says `any` in every dimension that
    /// such a call can touch, and how many hosts that is counted as.
    #[must_use]
    pub fn reaches(&self, reach: Reach) -> bool {
        let (accounts, scripts, targets) = (&self.accounts, &self.scripts, &self.targets);
        let any_script =
            scripts.content.is_any() && scripts.ids.is_any() && scripts.versions.is_any();
        match reach {
            Reach::Nothing => true,
            Reach::Scripts => any_script,
            Reach::Hosts => {
                any_script
                    && accounts.aliases.is_any()
                    && accounts.ids.is_any()
                    && targets.ips.is_any()
                    && targets.except.is_empty()
                    && targets.clouds.is_any()
                    && targets.host_ids.is_any()
                    && targets.groups.is_any()
                    && targets.topology.is_any()
                    && targets.hosts.is_some()
            }
        }
    }
}

/// The statuses of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpStatus {
    /// Real ones.
    #[default]
    Real,
    /// 200, for clients that need it.
    Esb,
}

/// Everything the gateway must know about one application, ready to use.
#[derive(Debug)]
pub struct App {
    /// Its code.
    pub code: Name,
    /// Its keys.
    pub keys: Vec<AppKey>,
    /// Issuers whose tokens may speak for it.
    pub issuers: Vec<Box<str>>,
    /// Certificate names that may speak for it.
    pub certificates: Vec<CertificateName>,
    /// Its users.
    pub users: Users,
    /// The credential that the gateway acts as.
    pub acts_as: Arc<Credential>,
    /// What it may do.
    pub allow: Vec<Grant>,
    /// What its calls may use.
    pub switches: Switches,
    /// The statuses of its refusals.
    pub http_status: HttpStatus,
    /// Its numbers.
    pub limits: Limits,
    /// What weighs more than one host-run.
    pub weights: Weights,
    /// Its live state.
    pub state: AppState,
    /// Its series.
    pub metrics: AppMetrics,
}

/// The live state of an application's budgets.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Calls.
    pub calls: Arc<Bucket>,
    /// Calls in flight.
    pub slots: Rooms,
    /// Host-runs.
    pub host_runs: Arc<Bucket>,
    /// Host-runs over a day.
    pub hosts_per_day: Option<Arc<Bucket>>,
    /// Of each rule, in their order.
    pub rules: Arc<[GrantState]>,
}

/// One generation of policy.
#[derive(Debug)]
pub struct Policy {
    /// Counts loads, from 1.
    pub generation: u64,
    /// Applications by code.
    pub apps: HashMap<Name, Arc<App>>,
    /// Issuers of JWTs.
    pub issuers: Vec<Issuer>,
    /// What scripts are read for.
    pub risks: Risks,
    /// What is stopped.
    pub freezes: Freezes,
    /// The applications that each name in a certificate speaks for.
    certificates: HashMap<CertificateName, Vec<Arc<App>>>,
}

/// The risk rules and their series.
#[derive(Debug, Default)]
pub struct Risks {
    /// The rules; shared, because policies of one plan have the same.
    pub rules: Arc<RiskRules>,
    /// Their series.
    pub metrics: RiskMetrics,
}

impl Policy {
    /// A generation of these applications, found by code and by certificate without a look at the others.
    #[must_use]
    pub fn new(
        generation: u64,
        apps: impl IntoIterator<Item = Arc<App>>,
        issuers: Vec<Issuer>,
        risks: Risks,
        freezes: Freezes,
    ) -> Self {
        let apps: HashMap<Name, Arc<App>> =
            apps.into_iter().map(|app| (app.code.clone(), app)).collect();
        let mut certificates: HashMap<CertificateName, Vec<Arc<App>>> = HashMap::new();
        for app in apps.values() {
            for name in &app.certificates {
                certificates.entry(name.clone()).or_default().push(Arc::clone(app));
            }
        }
        Self { generation, apps, issuers, risks, freezes, certificates }
    }

    /// The applications that the names of a certificate speak for, once for each name; two different ones are a
    /// disagreement.
    pub(crate) fn apps_of_certificate(
        &self,
        names: &[CertificateName],
    ) -> impl Iterator<Item = &Arc<App>> {
        names.iter().filter_map(|name| self.certificates.get(name)).flatten()
    }
}

/// Live state that survives reloads: the compiler borrows it, the request path never sees it.
#[derive(Debug, Default)]
pub struct Ledger {
    // Applications, rules and limits that a policy does not name any more are kept: one that comes back must not come
    // back full.
    apps: HashMap<Name, Kept>,
    frozen: FreezeHandle,
}

/// What is known of an application.
#[derive(Debug, Default)]
struct Kept {
    calls: Option<Arc<Bucket>>,
    slots: Rooms,
    host_runs: Option<Arc<Bucket>>,
    hosts_per_day: Option<Arc<Bucket>>,
    rules: HashMap<Box<str>, GrantState>,
}

impl Ledger {
    /// Nothing known yet, under the freezes that an admin sets elsewhere.
    #[must_use]
    pub fn under(frozen: FreezeHandle) -> Self {
        Self { apps: HashMap::new(), frozen }
    }

    /// Where the freezes of an admin are; every generation of policy looks here.
    #[must_use]
    pub fn frozen(&self) -> &FreezeHandle {
        &self.frozen
    }

    /// The state of an application and its rules under their limits. What was spent of a budget stays spent, and who
    /// is inside stays counted, whatever the numbers become.
    pub fn state(&mut self, app: &Name, limits: Limits, allow: &[Grant]) -> AppState {
        let kept = self.apps.entry(app.clone()).or_default();
        let rules = allow.iter().map(|grant| {
            let rule = kept.rules.entry(grant.name.clone()).or_default();
            let limits = grant.limits;
            GrantState {
                calls: limits.calls.map(|quota| carried(&mut rule.calls, quota)),
                host_runs: limits.host_runs.map(|quota| carried(&mut rule.host_runs, quota)),
                hosts_per_day: limits
                    .hosts_per_day
                    .map(|quota| carried(&mut rule.hosts_per_day, quota)),
            }
        });
        AppState {
            rules: rules.collect(),
            calls: carried(&mut kept.calls, limits.calls),
            slots: kept.slots.clone(),
            host_runs: carried(&mut kept.host_runs, limits.host_runs),
            hosts_per_day: limits
                .hosts_per_day
                .map(|quota| carried(&mut kept.hosts_per_day, quota)),
        }
    }
}

/// The bucket under `quota`, with what is known to be spent of it.
fn carried(kept: &mut Option<Arc<Bucket>>, quota: Quota) -> Arc<Bucket> {
    let bucket = match kept {
        Some(known) => known.with_quota(quota),
        None => Bucket::new(quota),
    };
    *kept = Some(Arc::clone(&bucket));
    bucket
}

/// Where the first step reads the policy in force and the loader puts the next one.
#[derive(Debug, Clone)]
pub struct PolicyHandle(Arc<ArcSwap<Policy>>);

impl PolicyHandle {
    /// Starts with `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(policy)))
    }

    /// Replaces the policy for calls that have not been routed yet.
    pub fn replace(&self, policy: Policy) {
        self.0.store(Arc::new(policy));
    }

    /// Where the freezes of an admin are, which every generation looks at.
    #[must_use]
    pub fn frozen(&self) -> FreezeHandle {
        self.0.load().freezes.admin.clone()
    }

    /// The number of the generation in force, how many applications it has, and how many freezes.
    #[must_use]
    pub fn summary(&self) -> (u64, usize, usize) {
        let policy = self.0.load();
        (policy.generation, policy.apps.len(), policy.freezes.policy.len())
    }

    /// What holds at `at`, and what ends next after it.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> Standing {
        let policy = self.0.load();
        let exemptions = policy.apps.values().flat_map(|app| &app.users.exemptions);
        let ends = exemptions.map(|one| one.expires).filter(|end| *end > at);
        let holding = |all: &[Freeze]| all.iter().filter(|freeze| freeze.holds(at)).count() as u64;
        Standing {
            exemption_end: ends.min(),
            policy_freezes: holding(&policy.freezes.policy),
            admin_freezes: holding(&policy.freezes.admin.all()),
        }
    }

    /// Whether the policy in force has an application of this code.
    #[must_use]
    pub fn knows(&self, code: &Name) -> bool {
        self.0.load().apps.contains_key(code)
    }

    /// The generation in force, as it is now. Of what serves a call only the routing step may ask for it, and once: a
    /// call lives under one generation.
    #[must_use]
    pub fn pin(&self) -> Arc<Policy> {
        self.0.load_full()
    }
}

/// What `bind` needs besides the plan.
#[derive(Debug)]
pub struct Binding<'a> {
    /// The number of this generation.
    pub generation: u64,
    /// The live state.
    pub ledger: &'a mut Ledger,
    /// Where series are resolved.
    pub metrics: &'a Metrics,
}
