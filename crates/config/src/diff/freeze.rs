//! Freezes: what is stopped allows more once it is not.

use esbgate_core::{Freeze, FreezeSubject, FrozenScript};
use esbgate_model::Scope;
use jiff::Timestamp;

use super::{Changes, Effect};

const KEY: &str = "freeze";

pub(super) fn freezes(old: &[Freeze], new: &[Freeze], changes: &mut Changes) {
    for freeze in old.iter().filter(|freeze| !held(freeze, new)) {
        changes.add(Effect::Widens, KEY, format!("{} is not stopped any more", said(freeze)));
    }
    for freeze in new.iter().filter(|freeze| !held(freeze, old)) {
        changes.add(Effect::Narrows, KEY, format!("{} is stopped", said(freeze)));
    }
}

/// Whether one of `others` stops all that a freeze does, for as long.
fn held(freeze: &Freeze, others: &[Freeze]) -> bool {
    let Freeze { subject, reason: _, from, until } = freeze;
    others.iter().any(|other| {
        let all = match &other.subject {
            FreezeSubject::Everything => true,
            same @ (FreezeSubject::App(_)
            | FreezeSubject::Business(_)
            | FreezeSubject::Script(_)) => same == subject,
        };
        let begins = other.from.is_none_or(|other| from.is_some_and(|from| other <= from));
        let ends = other.until.is_none_or(|other| until.is_some_and(|until| until <= other));
        all && begins && ends
    })
}

fn said(freeze: &Freeze) -> String {
    let what = match &freeze.subject {
        FreezeSubject::Everything => "everything".into(),
        FreezeSubject::App(code) => format!("application {}", code.as_str()),
        FreezeSubject::Business(Scope::Business(id)) => format!("business {id}"),
        FreezeSubject::Business(Scope::BusinessSet(id)) => format!("business set {id}"),
        FreezeSubject::Business(Scope::TenantSet(id)) => format!("tenant set {id}"),
        FreezeSubject::Script(FrozenScript::Sha256(hash)) => {
            let begin: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("script {begin}…")
        }
        FreezeSubject::Script(FrozenScript::Version(id)) => format!("script version {id}"),
        FreezeSubject::Script(FrozenScript::Id(id)) => format!("script {id}"),
    };
    let time = |word: &str, at: Option<Timestamp>| {
        at.map(|at| format!(" {word} {at}")).unwrap_or_default()
    };
    format!("{what}{}{}", time("from", freeze.from), time("until", freeze.until))
}
