//! A next policy, evaluated beside the one in force: what would change for the calls that really come.
//!
//! It decides nothing. A call is looked at once more after its answer, by a task that nobody waits for, through the
//! same steps under budgets of its own; how often the two policies differ is counted, the last call of each kind of
//! difference is named, and a sample of them is put on record.

mod samples;
mod tally;
mod walk;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use esbgate_config::Plan;
use esbgate_core::{
    Binding, BodyBudget, FreezeHandle, HeadRules, Ledger, Login, LoginDown, Metrics,
    NextPolicyMetrics, PolicyHandle, ProveApp, ReceivedAt, ReceivedRequest, Rooms, ShadowResult,
    Trace, Verdict,
};
use esbgate_journal::FileJournal;
use esbgate_model::{Code, Origin, Secret};
use jiff::Timestamp;
use prometheus::Registry;

pub use self::tally::Difference;
use self::{
    samples::{Pair, Samples},
    tally::Tally,
    walk::walk,
};

/// Most calls that are looked at once more at a time; further ones are counted as not judged.
const AT_ONCE: u64 = 64;

/// Most bytes of their bodies.
const COPIES: u64 = 16 << 20;

/// What a policy says of a call: the code of its refusal, or none if it allows it.
type Decision = Option<Code>;

/// Where the next policy is put, and what came of it. Clones share it.
#[derive(Debug, Clone)]
pub struct Shadow(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    next: ArcSwapOption<NextPolicy>,
    looking: Rooms,
    bodies: Arc<BodyBudget>,
    head: Arc<HeadRules>,
    /// Those of an admin, which hold whatever the policy.
    frozen: FreezeHandle,
    metrics: NextPolicyMetrics,
    /// For the journal. Not of one next policy: what is noted outlives it until it is on record.
    samples: Samples,
}

/// A policy that somebody thinks of putting in force.
#[derive(Debug)]
struct NextPolicy {
    sha256: Box<str>,
    since: Timestamp,
    policy: PolicyHandle,
    prove_app: ProveApp,
    tally: Tally,
}

/// What a next policy would have decided otherwise since it is there.
#[derive(Debug)]
pub struct ShadowReport {
    /// The hash of its files.
    pub sha256: Box<str>,
    /// When it was loaded.
    pub since: Timestamp,
    /// Calls by result, in the order of [`ShadowResult::ALL`].
    pub counts: [u64; 5],
    /// Kinds of differences, the most frequent first.
    pub differences: Vec<Difference>,
    /// Differing calls that found no row among [`Self::differences`] any more.
    pub untold: u64,
}

/// A copy of a call, and what looks at it.
#[derive(Debug)]
pub(crate) struct Copied {
    next: Arc<NextPolicy>,
    request: ReceivedRequest,
    looking: esbgate_core::Room,
    live: Arc<Trace>,
}

impl Shadow {
    /// Nothing to evaluate yet.
    #[must_use]
    pub fn new(head: Arc<HeadRules>, frozen: FreezeHandle, metrics: NextPolicyMetrics) -> Self {
        let (next, looking) = (ArcSwapOption::empty(), Rooms::default());
        // Not that of the calls: a copy must not take the place of a call.
        let bodies = BodyBudget::new(COPIES);
        let samples = Samples::default();
        Self(Arc::new(Shared { next, looking, bodies, head, frozen, metrics, samples }))
    }

    /// Evaluates `plan` from here on, with full budgets and nothing counted yet. Its series are its own and are not
    /// scraped; the error is one of theirs.
    pub fn set(&self, plan: Plan, sha256: &str, now: Timestamp) -> prometheus::Result<()> {
        let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))?;
        let mut ledger = Ledger::under(self.0.frozen.clone());
        let binding = Binding { generation: 0, ledger: &mut ledger, metrics: &metrics };
        let next = NextPolicy {
            sha256: sha256.into(),
            since: now,
            policy: PolicyHandle::new(plan.bind(binding)),
            prove_app: ProveApp::default(),
            tally: Tally::default(),
        };
        self.0.next.store(Some(Arc::new(next)));
        self.0.metrics.loaded(true);
        Ok(())
    }

    /// Evaluates nothing any more.
    pub fn clear(&self) {
        self.0.next.store(None);
        self.0.metrics.loaded(false);
    }

    /// What came of the next policy so far, if there is one.
    #[must_use]
    pub fn report(&self) -> Option<ShadowReport> {
        let next = self.0.next.load_full()?;
        let (counts, differences, untold) = next.tally.report();
        Some(ShadowReport {
            sha256: next.sha256.clone(),
            since: next.since,
            counts,
            differences,
            untold,
        })
    }

    /// Hands a sample of the differences since it was last asked for to the journal, which the gateway asks for each
    /// minute and when it stops. Never waits.
    pub(crate) fn put_on_record(&self, journal: &FileJournal) {
        let lost = self.0.samples.take(|record| journal.differ(record));
        journal.differences_lost(lost);
    }

    /// Copies a call, if there is a next policy to ask and room for the copy.
    pub(crate) fn copy(&self, request: &ReceivedRequest) -> Option<Copied> {
        let next = self.0.next.load_full()?;
        let looking = self.0.looking.take(AT_ONCE);
        let permit = self.0.bodies.take(request.body.len() as u64);
        let (Some(looking), Some(permit)) = (looking, permit) else {
            self.note(&next, ShadowResult::Unjudged);
            return None;
        };
        let live = Arc::clone(&request.trace);
        let request = walk::copy(request, permit);
        Some(Copied { next, request, looking, live })
    }

    /// Asks the next policy about a call whose answer is there. Of its token it is told what `login` knows already.
    pub(crate) async fn look<L: Login>(&self, copied: Copied, login: L) {
        let Copied { next, request, looking, live } = copied;
        let Some(said) = decided(&live) else { return self.note(&next, ShadowResult::Unjudged) };
        let (at, trace) = (request.received_at.wall, Arc::clone(&request.trace));
        let walked = walk(request, &self.0.head, &next.policy, &next.prove_app, Known(login)).await;
        drop(looking);
        let would = match walked {
            Ok(()) => None,
            Err(rejection) if judges(rejection.code()) => Some(rejection.code()),
            Err(_) => return self.note(&next, ShadowResult::Unjudged),
        };
        let result = match (said, would) {
            (None, Some(_)) => ShadowResult::WouldRefuse,
            (Some(_), None) => ShadowResult::WouldAllow,
            (Some(said), Some(would)) if said != would => ShadowResult::OtherReason,
            (None, None) | (Some(_), Some(_)) => ShadowResult::Same,
        };
        if result != ShadowResult::Same {
            next.tally.differ(&live, result, said, would, at);
            let pair = Pair { live: &live, now: said, walked: &trace, next: would };
            self.0.samples.add(pair, result, &next.sha256);
        }
        self.note(&next, result);
    }

    fn note(&self, next: &NextPolicy, result: ShadowResult) {
        self.0.metrics.decided(result);
        next.tally.count(result);
    }
}

/// A login service that is not asked: a caller whom the policy in force keeps away from it must not reach it here.
struct Known<L>(L);

impl<L: Login> Login for Known<L> {
    async fn introspect(&self, token: &Secret, at: ReceivedAt) -> Result<Verdict, LoginDown> {
        self.known(token, at).ok_or(LoginDown)
    }

    fn known(&self, token: &Secret, at: ReceivedAt) -> Option<Verdict> {
        self.0.known(token, at)
    }
}

/// Whether a code is the policy's word on a call, and not the state of the gateway or of what is behind it.
fn judges(code: Code) -> bool {
    match code.origin() {
        Origin::Caller | Origin::Policy => true,
        Origin::Gateway | Origin::Login | Origin::Upstream => false,
    }
}

/// What the policy in force decided; none if the call did not get so far.
fn decided(live: &Trace) -> Option<Decision> {
    match live.rejection.get() {
        Some((code, _)) if judges(*code) => Some(Some(*code)),
        // Noted by the step that allows calls; what ended such a call later was no decision.
        Some(_) | None => live.risk.get().map(|_| None),
    }
}
