//! A policy that means something, and the one step that joins it with live state.

use std::sync::Arc;

use esbgate_core::{
    App, AppKey, Binding, CertificateName, Freeze, Freezes, Grant, HttpStatus, Issuer, Ledger,
    Limits, Metrics, Policy, RiskRules, Risks, Users, Weights, shadowed,
};
use esbgate_model::{Name, Switches, dialect::Credential};

use crate::{diff::IssuerFacts, policy_test::PolicyTest};

/// A policy without a fault: ready to be bound.
#[derive(Debug)]
pub struct Plan {
    /// In the order of their codes.
    pub(crate) apps: Vec<PlannedApp>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) risks: Arc<RiskRules>,
    pub(crate) tests: Vec<PolicyTest>,
    /// What the policy says of the issuers, for those who compare.
    pub(crate) issuer_facts: Vec<IssuerFacts>,
    pub(crate) freezes: Vec<Freeze>,
}

/// An application without its live state.
#[derive(Debug, Clone)]
pub(crate) struct PlannedApp {
    pub(crate) code: Name,
    pub(crate) owner: Box<str>,
    pub(crate) keys: Vec<AppKey>,
    pub(crate) issuers: Vec<Box<str>>,
    pub(crate) certificates: Vec<CertificateName>,
    pub(crate) users: Users,
    pub(crate) acts_as: Arc<Credential>,
    /// Its name in the start-up file.
    pub(crate) acting: Box<str>,
    pub(crate) allow: Vec<Grant>,
    pub(crate) switches: Switches,
    pub(crate) http_status: HttpStatus,
    pub(crate) limits: Limits,
    pub(crate) weights: Weights,
}

impl PlannedApp {
    /// What an application was bound from, but for the names that only its files say.
    fn of(app: &App) -> Self {
        Self {
            code: app.code.clone(),
            owner: Box::default(),
            keys: app.keys.clone(),
            issuers: app.issuers.clone(),
            certificates: app.certificates.clone(),
            users: app.users.clone(),
            acts_as: Arc::clone(&app.acts_as),
            acting: Box::default(),
            allow: app.allow.clone(),
            switches: app.switches,
            http_status: app.http_status,
            limits: app.limits,
            weights: app.weights.clone(),
        }
    }
}

impl Plan {
    /// How many applications it has.
    #[must_use]
    pub fn app_count(&self) -> usize {
        self.apps.len()
    }

    /// Joins the plan with live state.
    #[must_use]
    pub fn bind(self, binding: Binding<'_>) -> Policy {
        let apps = self.apps.into_iter().map(|app| {
            let state = binding.ledger.state(&app.code, app.limits, &app.allow);
            let metrics =
                binding.metrics.app(app.code.as_str(), app.acts_as.app_code.as_str(), &app.allow);
            let shadow = shadowed(&app.limits, &app.allow);
            let metrics = metrics.with_shadow(binding.metrics.shadow(app.code.as_str(), shadow));
            let bound = App {
                code: app.code,
                keys: app.keys,
                issuers: app.issuers,
                certificates: app.certificates,
                users: app.users,
                acts_as: app.acts_as,
                allow: app.allow,
                switches: app.switches,
                http_status: app.http_status,
                limits: app.limits,
                weights: app.weights,
                state,
                metrics,
            };
            Arc::new(bound)
        });
        let apps: Vec<_> = apps.collect();
        let metrics = binding.metrics.risks(&self.risks);
        let risks = Risks { rules: self.risks, metrics };
        let freezes = Freezes { policy: self.freezes, admin: binding.ledger.frozen().clone() };
        Policy::new(binding.generation, apps, self.issuers, risks, freezes)
    }
}

impl Plan {
    /// The policy of one application, if it is known, under fresh budgets; `prepare` has the last word on it.
    pub(crate) fn policy_of(
        &self,
        code: &str,
        metrics: &Metrics,
        prepare: impl FnOnce(&mut PlannedApp),
    ) -> Policy {
        let mut apps: Vec<_> = self.app(code).cloned().into_iter().collect();
        if let Some(app) = apps.first_mut() {
            prepare(app);
        }
        let mut ledger = Ledger::default();
        let risks = Arc::clone(&self.risks);
        let (issuers, tests, issuer_facts) = Default::default();
        let freezes = self.freezes.clone();
        Plan { apps, issuers, risks, tests, issuer_facts, freezes }.bind(Binding {
            generation: 1,
            ledger: &mut ledger,
            metrics,
        })
    }

    /// The application of this code.
    pub(crate) fn app(&self, code: &str) -> Option<&PlannedApp> {
        let at = self.apps.binary_search_by(|app| app.code.as_str().cmp(code)).ok()?;
        self.apps.get(at)
    }
}

/// A policy without a fault that calls can be held against, and that cannot be served: it may have been checked
/// where the gateway's secrets are not.
#[derive(Debug)]
pub struct OfflinePlan(pub(crate) Plan);

impl OfflinePlan {
    /// What a generation of policy, and what an admin has frozen, say of one application now. Nothing live is in it, so
    /// that calls held against it are charged to nobody.
    #[must_use]
    pub fn in_force(policy: &Policy, app: &str) -> Self {
        let app = Name::new(app).ok().and_then(|code| policy.apps.get(&code));
        let (issuers, tests, issuer_facts) = Default::default();
        let admin = policy.freezes.admin.all();
        Self(Plan {
            apps: app.map(|app| PlannedApp::of(app)).into_iter().collect(),
            issuers,
            risks: Arc::clone(&policy.risks.rules),
            tests,
            issuer_facts,
            freezes: admin.iter().chain(&policy.freezes.policy).cloned().collect(),
        })
    }

    /// Whether it has an application of this code.
    #[must_use]
    pub fn knows(&self, app: &str) -> bool {
        self.0.app(app).is_some()
    }

    /// Its risk rules.
    #[must_use]
    pub fn risks(&self) -> &RiskRules {
        &self.0.risks
    }
}

impl From<Plan> for OfflinePlan {
    fn from(plan: Plan) -> Self {
        Self(plan)
    }
}
