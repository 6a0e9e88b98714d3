//! From the spec of a policy to a plan: all faults of meaning at once, each with its place. `bind` is the
//! only step that touches live state, and it cannot fail.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use esbgate_core::{
    App, AppKey, Binding, CertificateName, Exemption, Grant, HttpStatus, Issuer, Limits, Policy,
    Quota, Users,
};
use esbgate_model::{Name, Switches, UnknownFields, dialect::Credential};
use jiff::{SignedDuration, Timestamp};
use serde_saphyr::Spanned;

use crate::{
    document::{Faults, Problem, Warning, nearest, read},
    grant_check::{grant, sha256},
    issuer_check::issuer,
    lookup::Lookup,
    policy_spec::{
        AppSpec, CertificateSpec, DefaultsSpec, ExemptionSpec, FieldsSpec, HttpStatusSpec,
        PolicySpec, ProofSpec, UnknownFieldsSpec,
    },
};

/// The longest time an exemption may last from now.
const LONGEST_EXEMPTION: SignedDuration = SignedDuration::from_hours(180 * 24);

/// A policy file that has the right shape.
#[derive(Debug)]
pub struct PolicyDocument {
    file: Box<str>,
    text: Box<str>,
    spec: PolicySpec,
}

/// A policy that means something: ready to be bound.
#[derive(Debug)]
pub struct Plan {
    apps: Vec<PlannedApp>,
    issuers: Vec<Issuer>,
}

#[derive(Debug)]
struct PlannedApp {
    code: Name,
    keys: Vec<AppKey>,
    issuers: Vec<Box<str>>,
    certificates: Vec<CertificateName>,
    users: Users,
    acts_as: Arc<Credential>,
    allow: Vec<Grant>,
    switches: Switches,
    http_status: HttpStatus,
    limits: Limits,
}

impl Plan {
    /// Joins the plan with live state.
    #[must_use]
    pub fn bind(self, binding: Binding<'_>) -> Policy {
        let apps = self.apps.into_iter().map(|app| {
            let state = binding.ledger.state(&app.code, app.limits);
            let metrics = binding.metrics.app(app.code.as_str(), app.acts_as.app_code.as_str());
            let bound = App {
                code: app.code.clone(),
                keys: app.keys,
                issuers: app.issuers,
                certificates: app.certificates,
                users: app.users,
                acts_as: app.acts_as,
                allow: app.allow,
                switches: app.switches,
                http_status: app.http_status,
                limits: app.limits,
                state,
                metrics,
            };
            (app.code, Arc::new(bound))
        });
        let apps = apps.collect();
        Policy { generation: binding.generation, apps, issuers: self.issuers }
    }
}

/// What the checks of an application look at besides itself.
struct Known<'a> {
    spec: &'a PolicySpec,
    credentials: &'a HashMap<Box<str>, Arc<Credential>>,
    now: Timestamp,
}

impl PolicyDocument {
    /// Reads the shape of a policy.
    pub fn read(file_name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let spec = read(file_name, text)?;
        Ok(Self { file: file_name.into(), text: text.into(), spec })
    }

    /// Checks what it means; reports every fault at once.
    pub fn check(
        &self,
        credentials: &HashMap<Box<str>, Arc<Credential>>,
        port: &dyn Lookup,
        now: Timestamp,
    ) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
        let mut faults = Faults::new(&self.file, &self.text);
        if self.spec.version.value != 1 {
            faults.add(&self.spec.version, "version", "only version 1 is known");
        }
        limits(&DefaultsSpec::default(), &self.spec.defaults, "defaults", &mut faults);
        let issuers = self.spec.issuers.iter();
        let issuers =
            issuers.filter_map(|(name, spec)| issuer(name, spec, port, &mut faults)).collect();
        let known = Known { spec: &self.spec, credentials, now };
        let apps = self.spec.apps.iter();
        let apps = apps.filter_map(|(code, spec)| app(code, spec, &known, &mut faults)).collect();
        if faults.problems.is_empty() {
            Ok((Plan { apps, issuers }, faults.warnings))
        } else {
            Err(faults.problems)
        }
    }
}

fn app(
    code: &str,
    spec: &Spanned<AppSpec>,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<PlannedApp> {
    let path = format!("apps.{code}");
    let said = &spec.value;
    let name = Name::new(code).map_err(|fault| faults.add(spec, &path, fault.to_string())).ok();
    if said.owner.value.trim().is_empty() {
        faults.add(&said.owner, &path, "the owner must say something");
    }
    let (keys, issuers, certificates) = proofs(spec, &path, known, faults);
    let exemptions = said.users.exemptions.iter();
    let users = Users {
        token: said.users.token,
        cookie: said.users.cookie,
        exemptions: exemptions.filter_map(|one| exemption(one, &path, known, faults)).collect(),
    };
    let mut names = HashSet::new();
    let mut allow = Vec::new();
    for rule in &said.allow {
        if !names.insert(rule.value.name.value.as_str()) {
            faults.add(&rule.value.name, &path, "another rule has this name");
        }
        allow.push(grant(rule, &format!("{path}.allow"), faults));
    }
    let own = DefaultsSpec { calls: said.calls.clone(), hosts: said.hosts.clone() };
    let limits = limits(&known.spec.defaults, &own, &path, faults);
    let acts_as = acts_as(spec, &path, known, faults);
    let switches = switches(&said.fields, said.unknown_fields, &path, faults);
    Some(PlannedApp {
        code: name?,
        keys,
        issuers,
        certificates,
        users,
        acts_as: acts_as?,
        allow,
        switches,
        http_status: match said.http_status {
            HttpStatusSpec::Real => HttpStatus::Real,
            HttpStatusSpec::Esb => HttpStatus::Esb,
        },
        limits: limits?,
    })
}

fn acts_as(
    spec: &Spanned<AppSpec>,
    path: &str,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Option<Arc<Credential>> {
    let Some(name) = &spec.value.acts_as else {
        return faults.none(spec, path, "the application has no acts_as");
    };
    let found = known.credentials.get(name.value.as_str()).map(Arc::clone);
    if found.is_none() {
        let hint = nearest(&name.value, known.credentials.keys().map(|name| &**name));
        faults.hinted(name, path, "unknown credential", hint);
    }
    found
}

type Proofs = (Vec<AppKey>, Vec<Box<str>>, Vec<CertificateName>);

fn proofs(
    spec: &Spanned<AppSpec>,
    path: &str,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Proofs {
    let (mut keys, mut issuers, mut certificates) = Proofs::default();
    if spec.value.proofs.is_empty() {
        faults.add(spec, path, "the application has no proofs");
    }
    for proof in &spec.value.proofs {
        match proof {
            ProofSpec::Key(key) => {
                let text = key.expires.as_ref();
                let expires = text.and_then(|text| instant(text, path, known.now, faults));
                if let Some(sha256) = sha256(&key.sha256, path, faults) {
                    keys.push(AppKey { sha256, expires });
                }
            }
            ProofSpec::Jwt(jwt) => {
                let name = &jwt.issuer;
                if !known.spec.issuers.contains_key(&name.value) {
                    let names = known.spec.issuers.keys().map(String::as_str);
                    faults.hinted(name, path, "unknown issuer", nearest(&name.value, names));
                }
                issuers.push(name.value.as_str().into());
            }
            ProofSpec::Certificate(name) => certificates.extend(certificate(name, path, faults)),
        }
    }
    (keys, issuers, certificates)
}

fn certificate(
    name: &CertificateSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<CertificateName> {
    match name {
        CertificateSpec::Uri(text) | CertificateSpec::Dns(text) if text.value.is_empty() => {
            faults.none(text, path, "a certificate name must not be empty")
        }
        CertificateSpec::Uri(text) => Some(CertificateName::Uri(text.value.as_str().into())),
        CertificateSpec::Dns(text) => Some(CertificateName::Dns(text.value.as_str().into())),
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
    for text in [&said.owner, &said.reason, &said.ticket] {
        if text.value.trim().is_empty() {
            faults.add(text, &path, "owner, reason and ticket must say something");
        }
    }
    if said.users.is_empty() {
        faults.add(spec, &path, "the exemption names no user");
    }
    let users = said.users.iter().filter_map(|text| {
        Name::new(&text.value).map_err(|fault| faults.add(text, &path, fault.to_string())).ok()
    });
    let users = users.collect();
    let Some(text) = &said.expires else {
        return faults.none(spec, &path, "the exemption has no end: it needs expires");
    };
    let expires = instant(text, &path, known.now, faults)?;
    if expires.duration_since(known.now) > LONGEST_EXEMPTION {
        return faults.none(text, &path, "an exemption may last at most 180 days from now");
    }
    Some(Exemption { users, expires })
}

fn instant(
    text: &Spanned<String>,
    path: &str,
    now: Timestamp,
    faults: &mut Faults<'_>,
) -> Option<Timestamp> {
    let Ok(instant) = text.value.parse::<Timestamp>() else {
        let hint = Some("write it with its zone, such as 2027-06-30T00:00+08:00".into());
        faults.hinted(text, path, "expires is no instant with a zone", hint);
        return None;
    };
    if instant <= now {
        faults.warn(text, path, "it has expired");
    }
    Some(instant)
}

/// The numbers of `own`, else of `defaults`, else our own.
fn limits(
    defaults: &DefaultsSpec,
    own: &DefaultsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<Limits> {
    let mut number = |own: &Option<Spanned<u32>>, default: &Option<Spanned<u32>>, ours: u32| {
        if let Some(said) = own.as_ref().filter(|said| said.value == 0) {
            faults.add(said, path, "the number must be at least 1");
        }
        NonZeroU32::new(own.as_ref().or(default.as_ref()).map_or(ours, |said| said.value))
    };
    let (calls, hosts) = (&own.calls, &own.hosts);
    let per_second = number(&calls.per_second, &defaults.calls.per_second, 10);
    let calls_burst = number(&calls.burst, &defaults.calls.burst, 20);
    let in_flight = number(&calls.in_flight, &defaults.calls.in_flight, 16);
    let per_call = number(&hosts.per_call, &defaults.hosts.per_call, 100);
    let per_minute = number(&hosts.per_minute, &defaults.hosts.per_minute, 600);
    let hosts_burst = number(&hosts.burst, &defaults.hosts.burst, 600);
    let (per_call, hosts_burst) = (per_call?, hosts_burst?);
    if per_call > hosts_burst
        && let Some(at) = hosts.per_call.as_ref().or(hosts.burst.as_ref())
    {
        faults.add(
            at,
            path,
            format!("hosts.per_call {per_call} is over hosts.burst {hosts_burst}"),
        );
    }
    Some(Limits {
        calls: Quota::new(per_second?, Duration::from_secs(1), calls_burst?),
        in_flight: in_flight?.get().into(),
        host_runs: Quota::new(per_minute?, Duration::from_secs(60), hosts_burst),
        hosts_per_call: per_call.get().into(),
    })
}

fn switches(
    fields: &FieldsSpec,
    unknown: UnknownFieldsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Switches {
    let max = fields.timeout_max.as_ref();
    if let Some(max) = max.filter(|max| !(1..=259_200).contains(&max.value)) {
        faults.add(max, path, "timeout_max is 1 to 259200 seconds");
    }
    Switches {
        unknown_fields: match unknown {
            UnknownFieldsSpec::Refuse => UnknownFields::Refuse,
            UnknownFieldsSpec::Drop => UnknownFields::Drop,
        },
        timeout_max: max.map_or(Switches::default().timeout_max, |max| max.value),
        rolling_config: fields.rolling_config,
        windows_interpreter: fields.windows_interpreter,
        host_id_list: fields.host_id_list,
        start_task: fields.start_task,
        host_password_list: fields.host_password_list,
    }
}
