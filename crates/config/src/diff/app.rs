//! Applications: how each proves itself, whom it may name, what it acts as, and its rules.

use std::collections::{BTreeMap, BTreeSet};

use esbgate_core::{AppKey, CertificateName, Exemption, HttpStatus, RiskRules, UserPattern, Users};
use esbgate_model::Name;
use jiff::Timestamp;

use super::{
    Changes, Effect,
    cover::Side,
    limit::{limits, switches},
    rule::{Rules, rules},
};
use crate::plan::PlannedApp;

pub(super) fn apps(
    old: &[PlannedApp],
    new: &[PlannedApp],
    old_risks: &RiskRules,
    new_risks: &RiskRules,
    changes: &mut Changes,
) {
    let before: BTreeMap<_, _> = old.iter().map(|app| (&app.code, app)).collect();
    let after: BTreeMap<_, _> = new.iter().map(|app| (&app.code, app)).collect();
    let codes: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for code in codes {
        changes.app = Some(code.as_str().into());
        match (before.get(*code), after.get(*code)) {
            (Some(old), Some(new)) => app(old, new, old_risks, new_risks, changes),
            (None, Some(new)) => added(new, new_risks, changes),
            (Some(_), None) => changes.add(Effect::Narrows, "apps", "the application is gone"),
            (None, None) => {}
        }
    }
    changes.app = None;
}

fn added(new: &PlannedApp, risks: &RiskRules, changes: &mut Changes) {
    let text = format!("the application is new, and acts as {}", new.acting);
    changes.add(Effect::Widens, "apps", text);
    users(&Users::default(), &new.users, changes);
    let none = Rules { side: Side::new(&[], risks, &new.weights), most: 0 };
    rules(&none, &of(new, risks), changes);
}

fn of<'a>(app: &'a PlannedApp, risks: &RiskRules) -> Rules<'a> {
    // A ceiling that is only watched holds nobody back.
    let most = if app.limits.shadow.hosts { u64::MAX } else { app.limits.hosts_per_call };
    Rules { side: Side::new(&app.allow, risks, &app.weights), most }
}

fn app(
    old: &PlannedApp,
    new: &PlannedApp,
    old_risks: &RiskRules,
    new_risks: &RiskRules,
    changes: &mut Changes,
) {
    let PlannedApp {
        code: _,
        owner,
        keys: new_keys,
        issuers: new_issuers,
        certificates: new_certificates,
        users: new_users,
        // What it holds is a secret; its name is compared.
        acts_as: _,
        acting,
        allow: _,
        switches: new_switches,
        http_status,
        limits: new_limits,
        weights,
    } = new;
    changes.differ(Effect::Changes, "owner", &old.owner, owner);
    keys(&old.keys, new_keys, changes);
    set("proofs", &tokens(&old.issuers), &tokens(new_issuers), changes);
    set("proofs", &named_in(&old.certificates), &named_in(new_certificates), changes);
    users(&old.users, new_users, changes);
    // Another credential may have other rights at the ESB, which nobody here knows.
    changes.differ(Effect::MayWiden, "acts_as", &old.acting, acting);
    switches(old.switches, *new_switches, changes);
    changes.differ(Effect::Changes, "http_status", status(old.http_status), status(*http_status));
    limits(old.limits, *new_limits, changes);
    if old.weights != *weights {
        changes.add(Effect::MayWiden, "hosts.weights", "hosts weigh otherwise");
    }
    rules(&of(old, old_risks), &of(new, new_risks), changes);
}

fn status(status: HttpStatus) -> &'static str {
    match status {
        HttpStatus::Real => "real",
        HttpStatus::Esb => "esb",
    }
}

fn tokens(issuers: &[Box<str>]) -> Vec<String> {
    issuers.iter().map(|name| format!("tokens of issuer {name}")).collect()
}

fn named_in(certificates: &[CertificateName]) -> Vec<String> {
    certificates.iter().map(certificate).collect()
}

fn certificate(name: &CertificateName) -> String {
    match name {
        CertificateName::Uri(uri) => format!("a certificate for URI {uri}"),
        CertificateName::Dns(dns) => format!("a certificate for DNS {dns}"),
    }
}

fn set(key: &str, old: &[String], new: &[String], changes: &mut Changes) {
    for one in new.iter().filter(|one| !old.contains(one)) {
        changes.add(Effect::Widens, key, format!("gains {one}"));
    }
    for one in old.iter().filter(|one| !new.contains(one)) {
        changes.add(Effect::Narrows, key, format!("loses {one}"));
    }
}

/// A key is told by its end: its hash may be a key that was pasted in the wrong place.
fn keys(old: &[AppKey], new: &[AppKey], changes: &mut Changes) {
    let ends = |end: Option<Timestamp>| end.map_or("for good".into(), |end| format!("until {end}"));
    for key in new {
        let AppKey { sha256, expires } = key;
        match old.iter().find(|known| known.sha256 == *sha256) {
            None => {
                changes.add(Effect::Widens, "proofs", format!("gains a key, {}", ends(*expires)))
            }
            Some(known) if known.expires == *expires => {}
            Some(known) => {
                let longer = match (known.expires, expires) {
                    (Some(_), None) => true,
                    (Some(before), Some(after)) => before < *after,
                    (None, _) => false,
                };
                let effect = if longer { Effect::Widens } else { Effect::Narrows };
                let text = format!("a key holds {}, not {}", ends(*expires), ends(known.expires));
                changes.add(effect, "proofs", text);
            }
        }
    }
    for key in old.iter().filter(|key| !new.iter().any(|known| known.sha256 == key.sha256)) {
        changes.add(Effect::Narrows, "proofs", format!("loses a key, {}", ends(key.expires)));
    }
}

fn users(old: &Users, new: &Users, changes: &mut Changes) {
    let Users { token, cookie, exemptions } = new;
    changes.switch("users.token", old.token, *token, Effect::Narrows);
    changes.switch("users.cookie", old.cookie, *cookie, Effect::Narrows);
    let (before, after) = (named(&old.exemptions), named(exemptions));
    const KEY: &str = "users.exemptions";
    for (one, end) in &after {
        let user = one.text();
        let known = before.get(one).copied().max(one.by_pattern(&old.exemptions));
        let (effect, text) = match &known {
            None => (Effect::Widens, format!("{user} may be named without a token until {end}")),
            Some(known) if known == end => continue,
            Some(known) => {
                let effect = if known < end { Effect::Widens } else { Effect::Narrows };
                (effect, format!("{user} may be named until {end}, not {known}"))
            }
        };
        changes.add(effect, KEY, text);
    }
    let gone = |one: &&Named<'_>| !after.contains_key(one) && one.by_pattern(exemptions).is_none();
    for one in before.keys().filter(gone) {
        changes.add(
            Effect::Narrows,
            KEY,
            format!("{} may not be named without a token", one.text()),
        );
    }
}

/// What names users. A pattern is never one of the names that it matches, even where it is spelled like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named<'e> {
    Name(&'e Name),
    Pattern(&'e str),
}

impl<'e> Named<'e> {
    fn text(self) -> &'e str {
        match self {
            Self::Name(name) => name.as_str(),
            Self::Pattern(text) => text,
        }
    }

    /// The last end of the exemptions that name this user, be it by a pattern.
    fn by_pattern(self, exemptions: &[Exemption]) -> Option<Timestamp> {
        let Self::Name(user) = self else { return None };
        let naming = exemptions.iter().filter(|one| one.names(user).is_some());
        naming.map(|one| one.expires).max()
    }
}

/// Who may be named, each until the last end of all exemptions that name them.
fn named(exemptions: &[Exemption]) -> BTreeMap<Named<'_>, Timestamp> {
    let mut ends = BTreeMap::new();
    for exemption in exemptions {
        let Exemption { users, patterns, expires } = exemption;
        let patterns = patterns.iter().map(|one| Named::Pattern(UserPattern::as_str(one)));
        for one in users.iter().map(Named::Name).chain(patterns) {
            let end = ends.entry(one).or_insert(*expires);
            *end = (*end).max(*expires);
        }
    }
    ends
}
