//! Checks of one application: how it proves itself, whom it may name, what it acts as, what it may do.

use std::{collections::HashSet, sync::Arc};

use esbgate_core::{
    AppKey, CertificateName, Exemption, Grant, GrantLimits, HttpStatus, Limits, UserPattern, Users,
    Weights,
};
use esbgate_model::{
    Name,
    dialect::{AppSecrets, Credential},
};
use jiff::SignedDuration;

use crate::{
    budget_check::limits,
    ceiling_check::{ceilings, weighed_accounts},
    grant_check::{grant, sha256},
    node::Spanned,
    plan::PlannedApp,
    policy_document::{AppDocument, Known},
    policy_spec::{
        AppSpec, CertificateSpec, DefaultsSpec, ExemptionSpec, HttpStatusSpec, ProofSpec,
        UserPatternSpec, UserSpec, UsersSpec,
    },
    problem::{Faults, named, nearest},
    reach_check::reach,
    switch_check::switches,
    term::end,
};

/// The longest time an exemption may last from now.
const LONGEST_EXEMPTION: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Compiles one application; what is wrong is in `faults`.
pub(crate) fn app(
    code: &str,
    document: &AppDocument,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<PlannedApp> {
    let path = format!("apps.{}", named(code));
    let at = &document.code;
    let name = Name::new(code).map_err(|fault| faults.add(at, &path, fault.to_string())).ok();
    let Some(said) = &document.spec else {
        rules(document, None, known, &path, faults);
        return None;
    };
    let (keys, issuers, certificates) = proofs(said, &path, known, faults);
    let users = users(&said.users, &path, known, faults);
    let own = DefaultsSpec { calls: said.calls.clone(), hosts: said.hosts.clone() };
    let defaults = known.document.defaults();
    let limits = defaults.and_then(|defaults| limits(defaults, &own, &path, faults));
    let numbers = limits.as_ref().map(|(limits, weights)| (limits, weights));
    let allow = rules(document, numbers, known, &path, faults);
    weighed_accounts(&said.hosts, &document.rules, &path, faults);
    let acts_as = acts_as(at, said, &path, known, faults);
    let switches = switches(&said.fields, said.unknown_fields);
    let (limits, weights) = limits?;
    Some(PlannedApp {
        code: name?,
        owner: said.owner.value.as_str().into(),
        keys,
        issuers,
        certificates,
        users,
        acts_as: acts_as?,
        acting: said.acts_as.as_ref().map_or("", |name| &name.value).into(),
        allow,
        switches,
        http_status: http_status(said.http_status),
        limits,
        weights,
    })
}

fn http_status(said: HttpStatusSpec) -> HttpStatus {
    match said {
        HttpStatusSpec::Real => HttpStatus::Real,
        HttpStatusSpec::Esb => HttpStatus::Esb,
    }
}

fn rules(
    document: &AppDocument,
    numbers: Option<(&Limits, &Weights)>,
    known: &Known<'_>,
    path: &str,
    faults: &mut Faults<'_>,
) -> Vec<Grant> {
    let path = format!("{path}.allow");
    let mut names = HashSet::new();
    let mut allow = Vec::with_capacity(document.rules.len());
    for rule in &document.rules {
        if !names.insert(rule.value.name.value.as_str()) {
            faults.add(&rule.value.name, &path, "another rule has this name");
        }
        let compiled = grant(rule, &known.calendar, &path, faults);
        if let Some(said) = &document.spec {
            let most = numbers.and_then(|(limits, _)| most(limits, &compiled.limits));
            reach(&rule.value, &said.fields, most, &path, faults);
        }
        if let Some(numbers) = numbers {
            ceilings(&rule.value, &compiled.limits, numbers, &path, faults);
        }
        allow.push(compiled);
    }
    allow
}

/// The smallest ceiling on the hosts of a call that is enforced.
fn most(limits: &Limits, own: &GrantLimits) -> Option<u64> {
    let app = Some(limits.hosts_per_call).filter(|_| !limits.shadow.hosts);
    let own = own.hosts_per_call.filter(|_| !own.shadow.hosts);
    app.into_iter().chain(own).min()
}

fn users(spec: &UsersSpec, path: &str, known: &Known<'_>, faults: &mut Faults<'_>) -> Users {
    let on = |switch: &Option<Spanned<bool>>| switch.as_ref().is_some_and(|said| said.value);
    let (token, cookie) = (on(&spec.token), on(&spec.cookie));
    if let Some(at) = spec.token.as_ref().filter(|_| token)
        && known.grounds.is_some_and(|grounds| !grounds.login)
    {
        let hint = Some("add login to the start-up file, or set token to false".into());
        let message = "there is no login service that could say whose a bk_token is";
        faults.hinted(at, &format!("{path}.users.token"), message, hint);
    }
    if let Some(at) = spec.cookie.as_ref().filter(|_| cookie && !token) {
        let hint = Some("add token: true".into());
        let message = "the bk_token cookie is read only where bk_token is";
        faults.hinted(at, &format!("{path}.users.cookie"), message, hint);
    }
    let exemptions = spec.exemptions.iter();
    let exemptions = exemptions.filter_map(|one| exemption(one, path, known, faults)).collect();
    Users { token, cookie, exemptions }
}

/// A stand-in without a secret where the policy is checked on its own and names cannot be looked up: such a
/// policy is never served.
fn acts_as(
    at: &Spanned<()>,
    spec: &AppSpec,
    path: &str,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<Arc<Credential>> {
    let Some(name) = &spec.acts_as else {
        return faults.none(at, path, "the application has no acts_as");
    };
    let Some(grounds) = known.grounds else {
        let app_code = Name::new("offline").ok()?;
        return Some(Arc::new(Credential::new(app_code, AppSecrets::one(""))));
    };
    let credentials = grounds.credentials;
    let found = credentials.get(name.value.as_str()).map(Arc::clone);
    if found.is_none() {
        let hint = nearest(&name.value, credentials.keys().map(|name| &**name))
            .unwrap_or_else(|| "name one of `credentials` in the start-up file".into());
        let hint = Some(hint);
        faults.hinted(name, path, "unknown credential", hint);
    }
    found
}

type Proofs = (Vec<AppKey>, Vec<Box<str>>, Vec<CertificateName>);

fn proofs(spec: &AppSpec, path: &str, known: &Known<'_>, faults: &mut Faults<'_>) -> Proofs {
    let (mut keys, mut issuers, mut certificates) = Proofs::default();
    for proof in &spec.proofs {
        match proof {
            ProofSpec::Key(key) => {
                let text = key.expires.as_ref();
                let expires = text.and_then(|text| end(text, path, known.now, faults));
                if let Some(sha256) = sha256(&key.sha256, path, faults) {
                    keys.push(AppKey { sha256, expires });
                }
            }
            ProofSpec::Jwt(jwt) => {
                let name = &jwt.issuer;
                if !known.document.issuers.contains_key(&name.value) {
                    let names = known.document.issuers.keys().map(String::as_str);
                    let hint = nearest(&name.value, names)
                        .unwrap_or_else(|| "name one of `issuers` of this policy".into());
                    faults.hinted(name, path, "unknown issuer", Some(hint));
                }
                issuers.push(name.value.as_str().into());
            }
            ProofSpec::Certificate(name) => certificates.push(certificate(name)),
        }
    }
    (keys, issuers, certificates)
}

fn certificate(name: &CertificateSpec) -> CertificateName {
    match name {
        CertificateSpec::Uri(text) => CertificateName::Uri(text.value.as_str().into()),
        CertificateSpec::Dns(text) => CertificateName::Dns(text.value.as_str().into()),
    }
}

fn exemption(
    spec: &Spanned<ExemptionSpec>,
    path: &str,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<Exemption> {
    let path = format!("{path}.users.exemptions");
    let said = &spec.value;
    let (users, patterns) = exempt(&said.users, &path, faults);
    let Some(text) = &said.expires else {
        let hint = "add expires: with an instant and its zone, at most 180 days ahead".into();
        faults.hinted(spec, &path, "the exemption has no end: it needs expires", Some(hint));
        return None;
    };
    let expires = end(text, &path, known.now, faults)?;
    if expires.duration_since(known.now) > LONGEST_EXEMPTION {
        let hint = "end it earlier, and renew it when somebody has looked at it again".into();
        faults.hinted(text, &path, "an exemption may last at most 180 days from now", Some(hint));
        return None;
    }
    Some(Exemption { users, patterns, expires })
}

fn exempt(
    specs: &[Spanned<UserSpec>],
    path: &str,
    faults: &mut Faults<'_>,
) -> (HashSet<Name>, Vec<UserPattern>) {
    let (mut users, mut patterns) = (HashSet::new(), Vec::new());
    for spec in specs {
        match &spec.value {
            UserSpec::Name(text) => {
                let name =
                    Name::new(text).map_err(|fault| faults.add(spec, path, fault.to_string()));
                users.extend(name.ok());
            }
            UserSpec::Pattern(UserPatternSpec { pattern }) => {
                let read = UserPattern::new(&pattern.value).map_err(|fault| {
                    let hint = "a pattern names its users, such as \"svc_[a-z]+\"; it holds for whole names";
                    let message = format!("the pattern cannot be used: {fault}");
                    faults.hinted(pattern, path, message, Some(hint.into()));
                });
                patterns.extend(read.ok());
            }
        }
    }
    (users, patterns)
}
