//! Checks of the freezes: each names one thing that can be stopped, says why, and when.

use std::sync::Arc;

use esbgate_core::{Freeze, FreezeFault, FreezeSubject, FrozenScript};
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
    let from = said.from.as_ref().and_then(|text| instant(text, faults));
    let until = said.until.as_ref().and_then(|text| instant(text, faults));
    match (&said.until, until) {
        (None, _) => faults.warn(spec, PATH, "it has no end; write until, the first free instant"),
        (Some(text), Some(end)) if end <= now => {
            faults.warn(text, PATH, "it has ended and stops nothing: take it out");
        }
        (Some(_), _) => {}
    }
    let subject = subject(spec, apps, faults)?;
    let freeze = Freeze { subject, reason: Arc::from(said.reason.value.as_str()), from, until };
    let Err(fault) = freeze.check() else { return Some(freeze) };
    match (fault, &said.until, &said.business) {
        (FreezeFault::EndsFirst, Some(text), _) => faults.add(text, PATH, fault.to_string()),
        (FreezeFault::BusinessSet, _, Some(business)) => {
            let number = business.number();
            let hint = Some(format!("write business: {{set: {}}}", number.value));
            faults.hinted(number, PATH, fault.to_string(), hint);
        }
        (
            FreezeFault::NoReason
            | FreezeFault::LongReason
            | FreezeFault::EndsFirst
            | FreezeFault::BusinessSet,
            ..,
        ) => faults.add(&said.reason, PATH, fault.to_string()),
    }
    None
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
            Some(FreezeSubject::Business(business(said)))
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

fn business(said: &FrozenBusinessSpec) -> Scope {
    match said {
        FrozenBusinessSpec::Id(id) => Scope::Business(id.value),
        FrozenBusinessSpec::Set(id) => Scope::BusinessSet(id.value),
        FrozenBusinessSpec::TenantSet(id) => Scope::TenantSet(id.value),
    }
}

fn script(said: &FrozenScriptSpec, faults: &mut Faults<'_>) -> Option<FrozenScript> {
    match said {
        FrozenScriptSpec::Sha256(text) => sha256(text, PATH, faults).map(FrozenScript::Sha256),
        FrozenScriptSpec::Version(id) => Some(FrozenScript::Version(id.value)),
        FrozenScriptSpec::Id(id) => Some(FrozenScript::Id(id.value.as_str().into())),
    }
}
