//! From the text of a policy to a plan.
//!
//! Shape first, piece by piece, so that each application and each rule can show a fault of its own; then the meaning
//! of all that has a shape. Everything that is wrong is told at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use esbgate_model::dialect::Credential;
use jiff::Timestamp;

use crate::{
    app_check::app,
    budget_check::limits,
    diff::IssuerFacts,
    distinct::distinct,
    freeze_check::freezes,
    hours_check::Calendar,
    issuer_check::issuer,
    lookup::Lookup,
    merged::Merged,
    node::{Key, Node, Place, Spanned},
    plan::{OfflinePlan, Plan},
    policy_spec::{
        AppSpec, DefaultsSpec, FreezeSpec, GrantSpec, HolidaysSpec, IssuerSpec, PolicySpec,
        RiskSpec,
    },
    problem::{Faults, Problem, Warning, named},
    risk_check::risks,
    test_check::tests,
    test_document::TestDocument,
    texts::{PolicyText, Texts},
    yaml,
};

/// A policy whose files are YAML, read as far as its shape allows.
#[derive(Debug)]
pub struct PolicyDocument {
    texts: Texts,
    /// What has the wrong shape, or is a value that its key does not allow.
    pub(crate) problems: Vec<Problem>,
    /// Whether all of it has the right shape.
    whole: bool,
    defaults: Option<DefaultsSpec>,
    /// Under its name, and without a spec where the shape is wrong.
    pub(crate) issuers: BTreeMap<String, Option<Spanned<IssuerSpec>>>,
    pub(crate) apps: BTreeMap<String, AppDocument>,
    holidays: BTreeMap<String, Option<Spanned<HolidaysSpec>>>,
    risks: Vec<Spanned<RiskSpec>>,
    /// Of the policy itself, and of files beside it.
    pub(crate) tests: Vec<TestDocument>,
    freezes: Vec<Spanned<FreezeSpec>>,
}

/// One application, read as far as its shape allows.
#[derive(Debug)]
pub(crate) struct AppDocument {
    /// Where its code stands.
    pub(crate) code: Spanned<()>,
    pub(crate) spec: Option<AppSpec>,
    pub(crate) rules: Vec<Spanned<GrantSpec>>,
}

/// What the start-up file gives a policy.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// What applications act as.
    pub credentials: &'a HashMap<Box<str>, Arc<Credential>>,
    /// Whether there is a login service.
    pub login: bool,
}

/// What the checks of an application look at besides itself.
pub(crate) struct Known<'a> {
    pub(crate) document: &'a PolicyDocument,
    /// None where the policy is checked on its own.
    pub(crate) grounds: Option<Grounds<'a>>,
    pub(crate) now: Timestamp,
    pub(crate) calendar: Calendar,
}

impl PolicyDocument {
    /// Reads a policy, of one file or of several: then sections are merged in the order of the files' names, and a
    /// name that stands in two is a problem. Only what is no YAML ends the reading; see [`Self::check`] for the rest.
    pub fn read(files: &[PolicyText]) -> Result<Self, Vec<Problem>> {
        if files.is_empty() {
            return Err(vec![Problem::of_file("policy", "there is no file of a policy")]);
        }
        let texts = Texts::new(files);
        let mut roots = yaml::read(&texts)?;
        let mut faults = Faults::new(&texts);
        for root in &roots {
            let _: Option<PolicySpec> = faults.spec(root, "");
        }
        let merged = Merged(&roots);
        let defaults = match merged.once("defaults", &mut faults) {
            Some(node) => faults.spec(node, "defaults"),
            None => Some(DefaultsSpec::default()),
        };
        let issuers = merged.names("issuers", &mut faults).into_iter().map(|(key, node)| {
            (key.name.clone(), faults.spec(node, &format!("issuers.{}", named(&key.name))))
        });
        let issuers = issuers.collect();
        let holidays = merged.names("holidays", &mut faults).into_iter().map(|(key, node)| {
            (key.name.clone(), faults.spec(node, &format!("holidays.{}", named(&key.name))))
        });
        let holidays = holidays.collect();
        let risks = merged.list("risks").filter_map(|node| faults.spec(node, "risks")).collect();
        let freezes = merged.list("freeze");
        let freezes = freezes.filter_map(|node| faults.spec(node, "freeze")).collect();
        let apps = merged.names("apps", &mut faults).into_iter();
        let apps = apps
            .map(|(key, node)| (key.name.clone(), AppDocument::read(key, node, &mut faults)))
            .collect();
        let (problems, whole) = (faults.problems, !faults.misshapen);
        let tests = vec![TestDocument::of(&texts, &mut roots)];
        Ok(Self {
            texts,
            problems,
            whole,
            defaults,
            issuers,
            apps,
            holidays,
            risks,
            freezes,
            tests,
        })
    }

    /// Adds a file of tests that stands beside the policy.
    pub fn add_tests(&mut self, file_name: &str, text: &str) -> Result<(), Vec<Problem>> {
        self.tests.push(TestDocument::read(file_name, text)?);
        Ok(())
    }

    /// Checks what it means; reports every fault at once, those of shape included.
    pub fn check(
        &self,
        grounds: Grounds<'_>,
        port: &dyn Lookup,
        now: Timestamp,
    ) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
        let faults = Faults::new(&self.texts);
        self.checked(Some(grounds), port, now, faults)
    }

    /// Checks it without a start-up file. What only a start can know is left out (names in `acts_as`, whether
    /// there is a login service) or told as a warning (secrets and files that cannot be read here).
    pub fn check_alone(
        &self,
        port: &dyn Lookup,
        now: Timestamp,
    ) -> Result<(OfflinePlan, Vec<Warning>), Vec<Problem>> {
        let faults = Faults::new(&self.texts).alone();
        self.checked(None, port, now, faults).map(|(plan, warnings)| (plan.into(), warnings))
    }

    fn checked(
        &self,
        grounds: Option<Grounds<'_>>,
        port: &dyn Lookup,
        now: Timestamp,
        mut faults: Faults<'_>,
    ) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
        faults.problems.clone_from(&self.problems);
        if let Some(defaults) = &self.defaults {
            limits(&DefaultsSpec::default(), defaults, "defaults", &mut faults);
        }
        distinct(self, &mut faults);
        let issuers = self.issuers.iter();
        let issuers = issuers
            .filter_map(|(name, spec)| issuer(name, spec.as_ref()?, port, &mut faults))
            .collect();
        let calendar = Calendar::new(&self.holidays, now, &mut faults);
        let known = Known { document: self, grounds, now, calendar };
        let apps = self.apps.iter();
        let apps = apps.filter_map(|(code, one)| app(code, one, &known, &mut faults)).collect();
        let risks = Arc::new(risks(&self.risks, &mut faults));
        let codes = self.apps.keys().map(String::as_str);
        let freezes = freezes(&self.freezes, &codes, now, &mut faults);
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let tests = tests(self, &mut problems, &mut warnings);
        let facts = self.issuers.iter();
        let facts = facts
            .filter_map(|(name, spec)| Some(IssuerFacts::of(name, &spec.as_ref()?.value)))
            .collect();
        match faults.end(Plan { apps, issuers, risks, tests, issuer_facts: facts, freezes }) {
            Ok((plan, own)) if problems.is_empty() => Ok((plan, [own, warnings].concat())),
            Ok(_) => Err(problems),
            Err(own) => Err([own, problems].concat()),
        }
    }

    /// Whether all of it has the right shape, so that what it does not name is not there.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The ids of the risk rules that have a shape.
    pub(crate) fn risk_ids(&self) -> impl Iterator<Item = &str> {
        self.risks.iter().map(|risk| risk.value.id.value.as_str())
    }

    /// Where an application, or one of its rules, stands: file, line and column, from 1.
    #[must_use]
    pub fn place(&self, app: &str, rule: Option<&str>) -> Option<(&str, u64, u64)> {
        let app = self.apps.get(app)?;
        let rule = rule.and_then(|name| {
            let mut rules = app.rules.iter().map(|rule| &rule.value.name);
            rules.find(|known| known.value == name)
        });
        let place = rule.map_or(app.code.place, |name| name.place);
        Some((self.texts.name(place), place.line, place.column))
    }

    /// The numbers of applications that have none of their own, if they have the right shape.
    pub(crate) fn defaults(&self) -> Option<&DefaultsSpec> {
        self.defaults.as_ref()
    }
}

impl AppDocument {
    fn read(key: &Key, node: &Node, faults: &mut Faults<'_>) -> Self {
        let path = format!("apps.{}", named(&key.name));
        let spec = faults.spec(node, &path);
        let path = format!("{path}.allow");
        let rules = node.get("allow").map_or(&[][..], Node::elements).iter();
        let rules = rules.filter_map(|node| faults.spec(node, &path)).collect();
        Self { code: here(key.place), spec, rules }
    }
}

/// A place of its own.
fn here(place: Place) -> Spanned<()> {
    Spanned { place, value: () }
}
