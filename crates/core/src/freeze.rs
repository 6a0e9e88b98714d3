//! What is stopped for a while, whatever is granted: by the policy, and by an admin while the gateway runs.
//!
//! Judged before the rules, so that nothing of a stopped call is read, counted or charged. Components that only read
//! pass, because whoever stops something wants to see what becomes of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use esbgate_model::{Component, ComponentCall, Faults, Kind, Name, Rule, Scope, Script};
use jiff::Timestamp;

/// What a freeze stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeSubject {
    /// Every call.
    Everything,
    /// The calls of one application.
    App(Name),
    /// The calls that are about one business, business set or tenant set, as the call names it.
    Business(Scope),
    /// The calls that run one script.
    Script(FrozenScript),
}

/// A script that is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrozenScript {
    /// Content with this hash, in any language.
    Sha256([u8; 32]),
    /// One version.
    Version(i64),
    /// A script by its id, where the call names it so.
    Id(Box<str>),
}

/// One entry: what is stopped, why and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// What is stopped.
    pub subject: FreezeSubject,
    /// Why; the caller reads it.
    pub reason: Arc<str>,
    /// The first instant at which it holds; from the beginning if none.
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds; for good if none.
    pub until: Option<Timestamp>,
}

/// Why something cannot be a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreezeFault {
    /// Nobody would know why.
    #[error("a freeze needs a reason")]
    NoReason,
    /// The reason has no place in an answer.
    #[error("a reason is one line of at most 300 characters")]
    LongReason,
    /// It would never hold.
    #[error("it ends before it begins: until is not after from")]
    EndsFirst,
    /// It would never match.
    #[error("a call with this id is about a business set")]
    BusinessSet,
}

/// Longest reason, in characters.
const LONGEST_REASON: usize = 300;

impl Freeze {
    /// What is wrong with it, if anything is.
    pub fn check(&self) -> Result<(), FreezeFault> {
        let reason = &*self.reason;
        if reason.trim().is_empty() {
            return Err(FreezeFault::NoReason);
        }
        if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
            return Err(FreezeFault::LongReason);
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until <= from
        {
            return Err(FreezeFault::EndsFirst);
        }
        match &self.subject {
            FreezeSubject::Business(Scope::Business(id)) if Scope::BUSINESS_SETS.contains(id) => {
                Err(FreezeFault::BusinessSet)
            }
            FreezeSubject::Business(_)
            | FreezeSubject::Everything
            | FreezeSubject::App(_)
            | FreezeSubject::Script(_) => Ok(()),
        }
    }

    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Where the call has what is stopped; none if it has not.
    fn place(
        &self,
        app: &Name,
        component: Component,
        call: &ComponentCall,
    ) -> Option<&'static str> {
        match &self.subject {
            FreezeSubject::Everything => Some(component.name()),
            FreezeSubject::App(frozen) => (frozen == app).then_some("bk_app_code"),
            FreezeSubject::Business(frozen) => {
                let path = if call.scope_pair() { "bk_scope_id" } else { "bk_biz_id" };
                (call.scope() == Some(frozen)).then_some(path)
            }
            FreezeSubject::Script(frozen) => match call {
                ComponentCall::FastExecuteScript(call) => runs(&call.script, frozen),
                ComponentCall::Plain(_) => None,
            },
        }
    }
}

fn runs(script: &Script, frozen: &FrozenScript) -> Option<&'static str> {
    let (same, path) = match (script, frozen) {
        (Script::Content(content), FrozenScript::Sha256(hash)) => {
            (content.sha256 == *hash, "script_content")
        }
        (Script::Version(id), FrozenScript::Version(frozen)) => (id == frozen, "script_version_id"),
        (Script::Id(id), FrozenScript::Id(frozen)) => (id == frozen, "script_id"),
        (Script::Content(_) | Script::Version(_) | Script::Id(_), _) => return None,
    };
    same.then_some(path)
}

/// The freezes that an admin has set. Clones share them; readers never wait.
#[derive(Debug, Clone)]
pub struct FreezeHandle(Arc<ArcSwap<Vec<Freeze>>>);

impl Default for FreezeHandle {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Vec::new())))
    }
}

impl FreezeHandle {
    /// Replaces all of them, for calls that are not judged yet.
    pub fn replace(&self, freezes: Vec<Freeze>) {
        self.0.store(Arc::new(freezes));
    }

    /// All of them as they are now, those included that do not hold.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Freeze>> {
        self.0.load_full()
    }
}

/// All that may stop a call under one generation of policy.
#[derive(Debug, Clone, Default)]
pub struct Freezes {
    /// Those of the policy.
    pub policy: Vec<Freeze>,
    /// Those of an admin, which outlive it.
    pub admin: FreezeHandle,
}

impl Freezes {
    /// Everything that stops the call at `at`, each with its reason and its end; none if nothing does.
    pub(crate) fn stopping(
        &self,
        app: &Name,
        component: Component,
        call: &ComponentCall,
        at: Timestamp,
    ) -> Option<Faults> {
        match component.kind() {
            Kind::Read => return None,
            Kind::Execute | Kind::Write => {}
        }
        let admin = self.admin.0.load();
        let mut faults = Faults::default();
        for freeze in admin.iter().chain(&self.policy).filter(|freeze| freeze.holds(at)) {
            if let Some(path) = freeze.place(app, component, call) {
                let until = freeze.until.map(|end| end.to_string().into());
                faults.push(path, Rule::Frozen { reason: Arc::clone(&freeze.reason), until });
            }
        }
        (!faults.is_empty()).then_some(faults)
    }

    /// Whether any call of the application to the component is stopped at `at`, whatever it is about.
    pub(crate) fn stop_all(&self, app: &Name, component: Component, at: Timestamp) -> bool {
        match component.kind() {
            Kind::Read => return false,
            Kind::Execute | Kind::Write => {}
        }
        let admin = self.admin.0.load();
        let mut holding = admin.iter().chain(&self.policy).filter(|freeze| freeze.holds(at));
        holding.any(|freeze| match &freeze.subject {
            FreezeSubject::Everything => true,
            FreezeSubject::App(frozen) => frozen == app,
            FreezeSubject::Business(_) | FreezeSubject::Script(_) => false,
        })
    }
}
