//! What a new policy changes: who gains and who loses which right.
//!
//! Compiled policies are compared, not texts, and rules as what they cover. A right that is gained is never told as
//! anything else: where it cannot be proved that nothing is gained, the change says so. Each comparison takes its values
//! apart field by field, so that a field that is added to them does not compile until it is compared.

mod app;
mod atom;
mod cover;
mod dimension;
mod freeze;
mod issuer;
mod limit;
mod networks;
mod risk;
mod rule;
mod target;

pub(crate) use self::issuer::IssuerFacts;
use self::{app::apps, freeze::freezes, issuer::issuers, risk::risks};
use crate::plan::{OfflinePlan, Plan};

/// What a change does to rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Somebody may do what nobody of theirs could.
    Widens,
    /// It cannot be proved that nobody may do more.
    MayWiden,
    /// Somebody may do less.
    Narrows,
    /// Neither more nor less is allowed.
    Changes,
}

impl Effect {
    /// The word in what is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Widens => "widens",
            Self::MayWiden => "may_widen",
            Self::Narrows => "narrows",
            Self::Changes => "changes",
        }
    }

    /// Whether somebody may be allowed more.
    #[must_use]
    pub fn is_widening(self) -> bool {
        match self {
            Self::Widens | Self::MayWiden => true,
            Self::Narrows | Self::Changes => false,
        }
    }
}

/// One difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it does to rights.
    pub effect: Effect,
    /// The application; none where all of them are meant.
    pub app: Option<Box<str>>,
    /// The rule, where one is meant.
    pub rule: Option<Box<str>>,
    /// What changed, as keys with dots.
    pub key: Box<str>,
    /// What about it.
    pub text: Box<str>,
}

impl OfflinePlan {
    /// What `new` changes, by application.
    #[must_use]
    pub fn diff(&self, new: &OfflinePlan) -> Vec<Change> {
        let Plan {
            apps: old_apps,
            issuers: _,
            risks: old_risks,
            freezes: stopped,
            tests: _,
            issuer_facts: before,
        } = &self.0;
        let Plan {
            apps: new_apps,
            issuers: _,
            risks: new_risks,
            freezes: stops,
            tests: _,
            issuer_facts: after,
        } = &new.0;
        let mut changes = Changes::default();
        freezes(stopped, stops, &mut changes);
        issuers(before, after, &mut changes);
        risks(old_risks, new_risks, &mut changes);
        apps(old_apps, new_apps, old_risks, new_risks, &mut changes);
        changes.list
    }
}

/// The changes, as they are found.
#[derive(Default)]
struct Changes {
    list: Vec<Change>,
    app: Option<Box<str>>,
    rule: Option<Box<str>>,
}

impl Changes {
    /// Adds a change of what is being looked at.
    fn add(&mut self, effect: Effect, key: &str, text: impl Into<Box<str>>) {
        self.list.push(Change {
            effect,
            app: self.app.clone(),
            rule: self.rule.clone(),
            key: key.into(),
            text: text.into(),
        });
    }

    /// Adds a change of a value that is compared as it is.
    fn differ(&mut self, effect: Effect, key: &str, old: &str, new: &str) {
        if old != new {
            self.add(effect, key, format!("{} becomes {}", shown(old), shown(new)));
        }
    }

    /// Adds a change of a number where more allows more.
    fn number(&mut self, key: &str, old: u64, new: u64) {
        match old.cmp(&new) {
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less => {
                self.add(Effect::Widens, key, format!("{old} becomes {new}"))
            }
            std::cmp::Ordering::Greater => {
                self.add(Effect::Narrows, key, format!("{old} becomes {new}"));
            }
        }
    }

    /// Adds a change of a switch that allows more where it is on.
    fn switch(&mut self, key: &str, old: bool, new: bool, off: Effect) {
        match (old, new) {
            (false, true) => self.add(Effect::Widens, key, "is switched on"),
            (true, false) => self.add(off, key, "is switched off"),
            (true, true) | (false, false) => {}
        }
    }
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

/// Most elements of a list that are told one by one.
const TOLD: usize = 10;

/// A list as it is told.
fn told(list: &[String]) -> String {
    let first: Vec<&str> = list.iter().take(TOLD).map(String::as_str).collect();
    let more = list.len().saturating_sub(TOLD);
    let first = first.join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}
