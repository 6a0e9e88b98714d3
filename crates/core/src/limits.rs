//! The limits of an application and of its rules: their numbers, their names, and what weighs more than one host-run.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use esbgate_model::{Account, ComponentCall, Faults, Reach, Rule, Script};

use crate::{Bucket, Grant, Quota};

/// Which limits are watched and not enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shadow {
    /// Those of calls.
    pub calls: bool,
    /// Those of hosts.
    pub hosts: bool,
}

/// The numbers of an application's budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls.
    pub calls: Quota,
    /// Calls at once.
    pub in_flight: u64,
    /// Host-runs.
    pub host_runs: Quota,
    /// Host-runs over a day.
    pub hosts_per_day: Option<Quota>,
    /// Most hosts of one call.
    pub hosts_per_call: u64,
    /// What is watched alone.
    pub shadow: Shadow,
}

/// The numbers of a rule's own budgets, beside those of its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrantLimits {
    /// Calls.
    pub calls: Option<Quota>,
    /// Host-runs.
    pub host_runs: Option<Quota>,
    /// Host-runs over a day.
    pub hosts_per_day: Option<Quota>,
    /// Most hosts of one call.
    pub hosts_per_call: Option<u64>,
    /// What is watched alone.
    pub shadow: Shadow,
}

/// The live state of a rule's own budgets.
#[derive(Debug, Clone, Default)]
pub struct GrantState {
    /// Calls.
    pub calls: Option<Arc<Bucket>>,
    /// Host-runs.
    pub host_runs: Option<Arc<Bucket>>,
    /// Host-runs over a day.
    pub hosts_per_day: Option<Arc<Bucket>>,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident $name:literal $key:literal,)*) => {
        /// A limit, as refusals, records and metrics name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $limit,)* }

        impl Limit {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$limit,)*];

            /// The label of metrics and the word in records.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$limit => $name,)* }
            }

            /// Its place in the policy, below the application.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Self::$limit => $key,)* }
            }
        }
    };
}

limits! {
    /// Calls of the application.
    Calls "calls" "calls.per_second",
    /// Its calls at once.
    InFlight "in_flight" "calls.in_flight",
    /// Its hosts of one call.
    HostsPerCall "hosts_per_call" "hosts.per_call",
    /// Its host-runs.
    HostsPerMinute "hosts_per_minute" "hosts.per_minute",
    /// Its host-runs over a day.
    HostsPerDay "hosts_per_day" "hosts.per_day",
    /// Calls of the rule.
    RuleCalls "rule_calls" "allow[].calls.per_second",
    /// Its hosts of one call.
    RuleHostsPerCall "rule_hosts_per_call" "allow[].hosts.per_call",
    /// Its host-runs.
    RuleHostsPerMinute "rule_hosts_per_minute" "allow[].hosts.per_minute",
    /// Its host-runs over a day.
    RuleHostsPerDay "rule_hosts_per_day" "allow[].hosts.per_day",
}

impl Limit {
    /// What a caller is told of it.
    pub(crate) fn faults(self) -> Box<Faults> {
        Box::new(Faults::one(self.key(), Rule::Limit))
    }

    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// Some of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitSet(u16);

impl LimitSet {
    /// Adds one.
    pub fn insert(&mut self, limit: Limit) {
        self.0 |= limit.bit();
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(self, limit: Limit) -> bool {
        self.0 & limit.bit() != 0
    }

    /// Those that are there, in the order of [`Limit::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Limit> {
        Limit::ALL.iter().copied().filter(move |limit| self.contains(*limit))
    }
}

impl FromIterator<Limit> for LimitSet {
    fn from_iter<I: IntoIterator<Item = Limit>>(limits: I) -> Self {
        let mut set = Self::default();
        limits.into_iter().for_each(|limit| set.insert(limit));
        set
    }
}

/// The limits that an application and its rules have in shadow mode.
#[must_use]
pub fn shadowed(limits: &Limits, allow: &[Grant]) -> LimitSet {
    let own = |limit: Limit| match limit {
        Limit::Calls | Limit::InFlight => limits.shadow.calls,
        Limit::HostsPerCall | Limit::HostsPerMinute => limits.shadow.hosts,
        Limit::HostsPerDay => limits.shadow.hosts && limits.hosts_per_day.is_some(),
        Limit::RuleCalls => allow.iter().any(|rule| rule.limits.shadow.calls),
        Limit::RuleHostsPerCall | Limit::RuleHostsPerMinute | Limit::RuleHostsPerDay => {
            allow.iter().any(|rule| rule.limits.shadow.hosts)
        }
    };
    Limit::ALL.iter().copied().filter(|limit| own(*limit)).collect()
}

/// How many host-runs a host counts as, by what runs there and as whom.
///
/// The two weights multiply. What a call does not show counts as the heaviest that it could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    content: NonZeroU32,
    aliases: HashMap<Box<str>, NonZeroU32>,
    ids: HashMap<i64, NonZeroU32>,
}

impl Default for Weights {
    fn default() -> Self {
        Self { content: NonZeroU32::MIN, aliases: HashMap::new(), ids: HashMap::new() }
    }
}

impl Weights {
    /// Weights of ad-hoc content, and of accounts by alias or by the digits of their id.
    #[must_use]
    pub fn new(content: NonZeroU32, accounts: Vec<(Box<str>, NonZeroU32)>) -> Self {
        let ids = accounts.iter();
        let ids = ids.filter_map(|(name, weight)| Some((name.parse().ok()?, *weight))).collect();
        Self { content, aliases: accounts.into_iter().collect(), ids }
    }

    /// The weight of a call that `grant` covers.
    #[must_use]
    pub fn of(&self, call: &ComponentCall, grant: &Grant) -> u64 {
        let call = match call {
            ComponentCall::FastExecuteScript(call) => call,
            ComponentCall::Plain(call) => {
                return match call.component().reach() {
                    Reach::Hosts => self.heaviest(true, |_| true),
                    Reach::Nothing | Reach::Scripts => 1,
                };
            }
        };
        let content = match &call.script {
            Script::Content(content) if !grant.scripts.sha256.contains(&content.sha256) => {
                self.content
            }
            Script::Content(_) | Script::Id(_) | Script::Version(_) => NonZeroU32::MIN,
        };
        let account = match &call.account {
            Account::Alias(alias) => self.aliases.get(&**alias),
            Account::Id(id) => self.ids.get(id),
        };
        product(content, account.copied().unwrap_or(NonZeroU32::MIN))
    }

    /// The largest weight of calls with or without ad-hoc content, as the accounts whose name `counts`.
    #[must_use]
    pub fn heaviest(&self, content: bool, counts: impl Fn(&str) -> bool) -> u64 {
        let content = if content { self.content } else { NonZeroU32::MIN };
        let accounts = self.aliases.iter().filter(|(name, _)| counts(name));
        let account = accounts.map(|(_, weight)| *weight).max();
        product(content, account.unwrap_or(NonZeroU32::MIN))
    }
}

fn product(content: NonZeroU32, account: NonZeroU32) -> u64 {
    u64::from(content.get()).saturating_mul(account.get().into())
}
