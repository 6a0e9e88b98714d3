//! The last part of the way: on record, bound, in force, kept.

use std::sync::Arc;

use esbgate_config::{Plan, Problem};
use esbgate_core::{
    Binding, JournalDown, Ledger, Metrics, Policy, ReloadCause, ReloadRecord, ReloadResult,
};
use esbgate_journal::FileJournal;

use super::{
    Generation, Hold, PolicyTexts, ReloadError, Reloaded, ShelfError,
    sight::Looked,
    worker::{InForce, Worker, beside},
};
use crate::sources::Seen;

/// A policy without a fault, which is not in force yet.
pub(super) struct Offer {
    pub(super) cause: ReloadCause,
    pub(super) number: u64,
    pub(super) texts: PolicyTexts,
    pub(super) plan: Plan,
    pub(super) warnings: usize,
    pub(super) seen: Seen,
    /// The rollback that makes it be in force, and that is held once it is.
    pub(super) hold: Option<Hold>,
}

impl Offer {
    /// Returns once it is on record that the offer is taken.
    pub(super) async fn record(
        &self,
        journal: &FileJournal,
        replaces: Option<u64>,
    ) -> Result<(), JournalDown> {
        let record = ReloadRecord {
            cause: self.cause,
            result: ReloadResult::Taken,
            generation: Some(self.number),
            replaces,
            restores: self.hold.as_ref().map(|hold| hold.restores),
            overrides: self.hold.as_ref().map(|hold| &*hold.overrides),
            sha256: Some(self.texts.sha256()),
            files: &self.texts.names(),
            apps: Some(self.plan.app_count()),
            problems: 0,
            warnings: self.warnings,
        };
        journal.reload(&record).await
    }
}

/// Binds a plan beside the threads that serve calls, and hands the policy to `place` there.
pub(super) async fn bind<T: Send + 'static>(
    plan: Plan,
    generation: u64,
    (mut ledger, metrics): (Ledger, Metrics),
    place: impl FnOnce(Policy) -> T + Send + 'static,
) -> (Ledger, T) {
    let bound = beside(move || {
        let binding = Binding { generation, ledger: &mut ledger, metrics: &metrics };
        let placed = place(plan.bind(binding));
        (ledger, placed)
    });
    match bound.await {
        Ok(bound) => bound,
        // Without its ledger the next policy would fill every budget again: better that none is taken any more.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

impl Worker {
    /// Takes an offer, if it can be put on record and its rollback be held.
    pub(super) async fn take(&mut self, offer: Offer) -> Result<Reloaded, ReloadError> {
        if offer.hold.is_some() && offer.hold != self.hold {
            self.write_hold(offer.hold.clone()).await?;
        }
        if offer.record(&self.journal, Some(self.in_force.number)).await.is_err() {
            return self.unrecorded(offer.hold.is_some()).await;
        }
        let Offer { cause, number, texts, plan, warnings, seen, hold } = offer;
        let apps = plan.app_count();
        let (handle, ledger) = (self.handle.clone(), std::mem::take(&mut self.ledger));
        let place = move |policy| handle.replace(policy);
        (self.ledger, ()) = bind(plan, number, (ledger, self.metrics.clone()), place).await;
        let (time, sha256) = (self.clock.now().wall, Box::<str>::from(texts.sha256()));
        tracing::info!(generation = number, %sha256, apps, warnings, cause = cause.as_str(), "policy is in force");
        self.last = number;
        self.metrics.policy_loaded(number, apps, time);
        self.metrics.reload.finished(ReloadResult::Taken);
        let restores = hold.as_ref().map(|hold| hold.restores);
        self.looked = Some(Looked { read: Ok(self.file.clone()), seen: seen.clone() });
        self.in_force = InForce { number, sha256: sha256.clone(), restores, seen };
        self.hold = hold;
        if self.hold.is_none() {
            // One may be there that the start could not go back to. Where it cannot be taken away, it still holds over
            // files that are there no more.
            self.write_hold(None).await.ok();
            self.keep(Generation { number, time, sha256, apps, texts }).await;
        }
        self.in_step();
        Ok(Reloaded::Taken(number))
    }

    /// Nothing was taken, and the next look tries again.
    async fn unrecorded(&mut self, held: bool) -> Result<Reloaded, ReloadError> {
        if held {
            // The rollback that held before holds on.
            self.write_hold(self.hold.clone()).await?;
        }
        tracing::error!("policy is not taken: the journal takes no records");
        self.metrics.reload.finished(ReloadResult::Unrecorded);
        let path = self.source.path().display().to_string();
        let problem = Problem::of_file(&path, "the journal takes no records");
        self.out_of_step(Arc::from([problem]));
        self.looked = None;
        Err(ReloadError::Unrecorded)
    }

    /// Tells what is wrong with a policy, and that it was refused.
    pub(super) async fn refused(
        &mut self,
        cause: ReloadCause,
        texts: Option<&PolicyTexts>,
        problems: &[Problem],
    ) {
        for problem in problems {
            tracing::error!(%problem, cause = cause.as_str(), "policy is not taken");
        }
        self.metrics.reload.finished(ReloadResult::Refused);
        let record = ReloadRecord {
            cause,
            result: ReloadResult::Refused,
            generation: None,
            replaces: Some(self.in_force.number),
            restores: None,
            overrides: None,
            sha256: texts.map(PolicyTexts::sha256),
            files: &texts.map(PolicyTexts::names).unwrap_or_default(),
            apps: None,
            problems: problems.len(),
            warnings: 0,
        };
        if self.journal.reload(&record).await.is_err() {
            tracing::warn!("that a policy was refused is in the log alone");
        }
    }

    pub(super) async fn write_hold(&self, hold: Option<Hold>) -> Result<(), ShelfError> {
        let shelf = self.shelf.clone();
        let written = beside(move || shelf.set_hold(hold.as_ref())).await;
        let written = written.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
        written.map_err(|error| {
            tracing::error!(%error, "rollback cannot be written to the state folder");
            error.into()
        })
    }

    pub(super) async fn keep(&self, generation: Generation) {
        let (shelf, spared) = (self.shelf.clone(), self.hold.as_ref().map(|hold| hold.restores));
        let kept = beside(move || shelf.keep(&generation, spared)).await;
        if let Err(error) = kept.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked))) {
            self.metrics.reload.not_kept();
            tracing::error!(%error, "generation cannot be kept, so nobody can go back to it");
        }
    }
}
