//! Issuers of JWTs. Which of two records believes more cannot be said of most of their keys.

use super::{Changes, Effect};
use crate::{
    lookup::Source,
    policy_spec::{ClaimsSpec, IssuerKeySpec, IssuerSpec, LEEWAY},
};

/// What a policy says of an issuer: names of files and variables, never what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerFacts {
    name: Box<str>,
    /// In milliseconds.
    leeway: u128,
    facts: Vec<(&'static str, String)>,
}

impl IssuerFacts {
    /// The facts of a spec that has no fault.
    pub(crate) fn of(name: &str, spec: &IssuerSpec) -> Self {
        let IssuerSpec { header, issuer, audience, algorithm, key, kid, claims, leeway } = spec;
        let ClaimsSpec { app, app_verified, user, user_verified } = claims;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let placed = |text: &Option<crate::node::Spanned<String>>| {
            text.as_ref().map(|text| text.value.clone()).unwrap_or_default()
        };
        let facts = vec![
            ("header", format!("{header:?}")),
            ("issuer", issuer.value.clone()),
            ("audience", placed(audience)),
            ("algorithm", format!("{algorithm:?}")),
            ("key", keys(key)),
            ("kid", placed(kid)),
            ("claims.app", app.value.clone()),
            ("claims.app_verified", text(app_verified)),
            ("claims.user", text(user)),
            ("claims.user_verified", text(user_verified)),
        ];
        let leeway = leeway.map_or(LEEWAY, |leeway| leeway.0).as_millis();
        Self { name: name.into(), leeway, facts }
    }
}

/// Where the keys are.
fn keys(key: &IssuerKeySpec) -> String {
    match key {
        IssuerKeySpec::Pem(file) => format!("pem file {}", file.file.value),
        IssuerKeySpec::Jwks(file) => format!("jwks file {}", file.file.value),
        IssuerKeySpec::Secret(Source::Env(name)) => format!("secret of variable {}", name.value),
        IssuerKeySpec::Secret(Source::File(name)) => format!("secret of file {}", name.value),
    }
}

pub(super) fn issuers(old: &[IssuerFacts], new: &[IssuerFacts], changes: &mut Changes) {
    for after in new {
        let key = format!("issuers.{}", after.name);
        match old.iter().find(|before| before.name == after.name) {
            Some(before) => changed(&key, before, after, changes),
            None => changes.add(Effect::Widens, &key, "is believed from now on"),
        }
    }
    for before in old.iter().filter(|one| !new.iter().any(|after| after.name == one.name)) {
        changes.add(
            Effect::Narrows,
            &format!("issuers.{}", before.name),
            "is not believed any more",
        );
    }
}

fn changed(key: &str, old: &IssuerFacts, new: &IssuerFacts, changes: &mut Changes) {
    for ((fact, before), (_, after)) in old.facts.iter().zip(&new.facts) {
        changes.differ(Effect::MayWiden, &format!("{key}.{fact}"), before, after);
    }
    let millis = |leeway: u128| u64::try_from(leeway).unwrap_or(u64::MAX);
    changes.number(&format!("{key}.leeway in ms"), millis(old.leeway), millis(new.leeway));
}
