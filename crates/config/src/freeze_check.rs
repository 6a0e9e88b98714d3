//! Checks of the freezes: each names one thing that can be stopped, says why, and when.

use std::sync::Arc;

use esbgate_core::{Freeze, FreezeSubject, FrozenScript};
use esbgate_model::{Name, Scope};
use jiff::Timestamp;

use crate::{
    grant_check::sha256,
    node::Spanned,
    policy_spec::{FreezeSpec, FrozenBusinessSpec, FrozenScriptSpec},
    problem::{Faults, nearest},
};

const PATH: &str = "freeze";

/// Most freezes of a policy; each call is held against all of them.
const MOST: usize = 1000;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 300;

/// Ids of this range mean business sets wherever a business is named.
const SETS: std::ops::RangeInclusive<i64> = 8_000_000..=9_999_999;

/// Compiles the freezes; `apps` are the codes of all applications. What is wrong is in `faults`.
pub(crate) fn freezes<'a>(
    specs: &[Spanned<FreezeSpec>],
    apps: &(impl Iterator<Item = &'a str> + Clone),
    now: Timestamp,
    faults: &mut Faults<'_>,
) -> Vec<Freeze> {
    if let Some(one) = specs.get(MOST) {
        faults.add(one, PATH, format!("at most {MOST} freezes"));
        return Vec::new();
    }
    specs.iter().filter_map(|spec| freeze(spec, apps.clone(), now, faults)).collect()
}

fn freeze<'a>(
    spec: &Spanned<FreezeSpec>,
    apps: impl Iterator<Item = &'a str>,
    now: Timestamp,
    faults: &mut Faults<'_>,
) -> Option<Freeze> {
    let said = &spec.value;
    if let Err(message) = reason(&said.reason.value) {
        faults.add(&said.reason, PATH, message);
    }
    let from = said.from.as_ref().and_then(|text| instant(text, faults));
    let until = said.until.as_ref().and_then(|text| instant(text, faults));
    if let (Some(from), Some(until), Some(text)) = (from, until, &said.until)
        && until <= from
    {
        faults.add(text, PATH, "it ends before it begins: until is not after from");
    }
    match (&said.until, until) {
        (None, _) => faults.warn(spec, PATH, "it has no end; write until, the first free instant"),
        (Some(text), Some(end)) if end <= now => {
            faults.warn(text, PATH, "it has ended and stops nothing: take it out");
        }
        (Some(_), _) => {}
    }
    let subject = subject(spec, apps, faults)?;
    Some(Freeze { subject, reason: Arc::from(said.reason.value.as_str()), from, until })
}

/// Whether a text can be the reason of a freeze, and if not why.
pub(crate) fn reason(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("a freeze needs a reason".into());
    }
    if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of at most {LONGEST_REASON} characters"));
    }
    Ok(())
}

fn instant(text: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Timestamp> {
    let read = text.value.parse::<Timestamp>().ok();
    if read.is_none() {
        let hint = Some("write it with its zone, such as 2027-01-04T10:00+08:00".into());
        faults.hinted(text, PATH, "expected an instant with a zone", hint);
    }
    read
}

/// The one thing that is stopped.
fn subject<'a>(
    spec: &Spanned<FreezeSpec>,
    apps: impl Iterator<Item = &'a str>,
    faults: &mut Faults<'_>,
) -> Option<FreezeSubject> {
    match &spec.value {
        FreezeSpec { everything: Some(said), app: None, business: None, script: None, .. } => {
            if said.value {
                return Some(FreezeSubject::Everything);
            }
            faults.none(said, PATH, "write true, or take the entry out")
        }
        FreezeSpec { everything: None, app: Some(code), business: None, script: None, .. } => {
            app(code, apps, faults)
        }
        FreezeSpec { everything: None, app: None, business: Some(said), script: None, .. } => {
            business(said, faults).map(FreezeSubject::Business)
        }
        FreezeSpec { everything: None, app: None, business: None, script: Some(said), .. } => {
            script(said, faults).map(FreezeSubject::Script)
        }
        FreezeSpec { .. } => {
            let hint = "write one of everything: true, app: CODE, business: {id: N} or \
                        script: {sha256: HEX}; another subject is another entry";
            let message = "a freeze stops exactly one thing";
            faults.hinted(spec, PATH, message, Some(hint.into()));
            None
        }
    }
}

fn app<'a>(
    code: &Spanned<String>,
    mut apps: impl Iterator<Item = &'a str>,
    faults: &mut Faults<'_>,
) -> Option<FreezeSubject> {
    let known: Vec<&str> = apps.by_ref().collect();
    if known.contains(&code.value.as_str()) {
        return Name::new(&code.value).ok().map(FreezeSubject::App);
    }
    let hint = nearest(&code.value, known.into_iter());
    faults.hinted(code, PATH, "unknown application", hint);
    None
}

fn business(said: &FrozenBusinessSpec, faults: &mut Faults<'_>) -> Option<Scope> {
    let (number, scope) = match said {
        FrozenBusinessSpec::Id(id) => (id, Scope::Business(id.value)),
        FrozenBusinessSpec::Set(id) => (id, Scope::BusinessSet(id.value)),
        FrozenBusinessSpec::TenantSet(id) => (id, Scope::TenantSet(id.value)),
    };
    match scope {
        Scope::Business(id) if SETS.contains(&id) => {
            let hint = Some(format!("write business: {{set: {id}}}"));
            faults.hinted(number, PATH, "a call with this id is about a business set", hint);
            None
        }
        Scope::Business(_) | Scope::BusinessSet(_) | Scope::TenantSet(_) => Some(scope),
    }
}

fn script(said: &FrozenScriptSpec, faults: &mut Faults<'_>) -> Option<FrozenScript> {
    match said {
        FrozenScriptSpec::Sha256(text) => sha256(text, PATH, faults).map(FrozenScript::Sha256),
        FrozenScriptSpec::Version(id) => Some(FrozenScript::Version(id.value)),
        FrozenScriptSpec::Id(id) if id.value.trim().is_empty() => {
            faults.none(id, PATH, "the id is empty")
        }
        FrozenScriptSpec::Id(id) => Some(FrozenScript::Id(id.value.as_str().into())),
    }
}
