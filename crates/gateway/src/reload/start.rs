//! The first policy of a process: that of the files, or the one that a rollback holds over them.

use std::{io, path::PathBuf, sync::Arc};

use esbgate_config::{Plan, Problem, Warning};
use esbgate_core::{Clock, Ledger, Metrics, PolicyHandle, ReloadCause, ReloadResult};
use esbgate_journal::FileJournal;
use tokio::sync::{mpsc, watch as broadcast};

use super::{
    Checked, Command, Generation, Hold, PolicyGrounds, PolicySource, PolicyStatus, PolicyTexts,
    Reloader, Shelf, Tests, check,
    sight::Looked,
    take::{Offer, bind},
    worker::{InForce, Worker, beside},
};
use crate::{boot::StartError, sources::Seen};

/// What a start needs of a policy: where it is, and what was read and checked.
#[derive(Debug)]
pub struct PolicySettings {
    pub(crate) source: PolicySource,
    pub(crate) grounds: PolicyGrounds,
    /// The folder of what is remembered.
    pub(crate) state: PathBuf,
    pub(crate) texts: PolicyTexts,
    pub(crate) plan: Plan,
    pub(crate) warnings: usize,
    /// The files that the policy names.
    pub(crate) seen: Seen,
}

/// What a policy is taken with.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    pub(crate) journal: FileJournal,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What the state folder remembers.
struct Memory {
    shelf: Shelf,
    hold: Option<Hold>,
    /// The newest number that was given.
    last: u64,
    /// The newest generation that is kept.
    newest: Option<Generation>,
}

fn remember(dir: &std::path::Path) -> io::Result<Memory> {
    let shelf = Shelf::open(dir)?;
    let hold = shelf.hold()?;
    let newest = shelf.numbers()?.pop();
    let held = hold.as_ref().map(|hold| hold.generation);
    let last = newest.max(held).unwrap_or(0);
    let newest = newest.and_then(|number| shelf.load(number).ok());
    Ok(Memory { shelf, hold, last, newest })
}

async fn remembered(dir: PathBuf) -> Result<Memory, StartError> {
    let own = dir.clone();
    let memory = beside(move || remember(&own)).await;
    let memory = memory.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
    memory.map_err(|error| StartError::State(dir, error))
}

/// Puts the first policy in force, on record like any other. Its own tests were not run: a restart must not fail on a
/// date.
pub(crate) async fn begin(
    settings: PolicySettings,
    ports: Ports,
) -> Result<(PolicyHandle, Reloader, mpsc::Receiver<Command>, Worker), StartError> {
    let file: Box<str> = settings.texts.sha256().into();
    let Memory { shelf, hold, last, newest } = remembered(settings.state.clone()).await?;
    let (source, grounds) = (settings.source.clone(), Arc::new(settings.grounds.clone()));
    let had = hold.is_some();
    let hold = hold.filter(|hold| hold.overrides == file);
    let ended = had && hold.is_none();
    if ended {
        tracing::info!("the policy's files have changed: no rollback is held over them any more");
    }
    let held = match hold {
        Some(hold) => held(&shelf, hold, &source, &grounds, &*ports.clock).await,
        None => None,
    };
    let of_files = |settings: PolicySettings| {
        let known = newest.as_ref().filter(|newest| newest.sha256 == file);
        let number = known.map_or(last + 1, |known| known.number);
        let PolicySettings { texts, plan, warnings, seen, .. } = settings;
        Offer { cause: ReloadCause::Start, number, texts, plan, warnings, seen, hold: None }
    };
    let offer = held.unwrap_or_else(|| of_files(settings));
    // One that only cannot be gone back to now is tried again by the next start.
    if ended && shelf.set_hold(None).is_err() {
        tracing::error!("rollback that holds no more cannot be taken out of the state folder");
    }
    offer.record(&ports.journal, None).await.map_err(|_| StartError::Unrecorded)?;
    Ok(in_force(offer, (source, grounds, shelf), (file, last), ports).await)
}

/// What a held rollback puts in force. One that cannot be gone back to any more gives way to the files.
async fn held(
    shelf: &Shelf,
    hold: Hold,
    source: &PolicySource,
    grounds: &Arc<PolicyGrounds>,
    clock: &dyn Clock,
) -> Option<Offer> {
    let (own, number) = (shelf.clone(), hold.restores);
    let (source, grounds, now) = (source.clone(), Arc::clone(grounds), clock.now().wall);
    let looked = beside(move || {
        let path = source.path().display().to_string();
        let kept = own.load(number);
        let kept = kept.map_err(|error| vec![Problem::of_file(&path, error.to_string())])?;
        let Checked { found, seen } = check(&source, &kept.texts, &grounds, now, Tests::Skipped);
        found.map(|(plan, warnings)| (kept, plan, warnings, seen))
    });
    let problems = match looked.await {
        Ok(Ok((kept, plan, warnings, seen))) => {
            tracing::warn!(
                restores = hold.restores,
                overrides = %hold.overrides,
                "a rollback is held over the policy's files"
            );
            let (number, texts) = (hold.generation, kept.texts);
            let (cause, warnings, hold) = (ReloadCause::Start, told(&warnings), Some(hold));
            return Some(Offer { cause, number, texts, plan, warnings, seen, hold });
        }
        Ok(Err(problems)) => problems,
        Err(panicked) => vec![Problem::of_file("rollback.json", panicked.to_string())],
    };
    for problem in problems {
        tracing::error!(%problem, "a rollback cannot be held: the policy's files are taken");
    }
    None
}

fn told(warnings: &[Warning]) -> usize {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    warnings.len()
}

/// Binds the first policy and makes the task that looks after the next.
async fn in_force(
    offer: Offer,
    (source, grounds, shelf): (PolicySource, Arc<PolicyGrounds>, Shelf),
    (file, last): (Box<str>, u64),
    Ports { journal, metrics, clock }: Ports,
) -> (PolicyHandle, Reloader, mpsc::Receiver<Command>, Worker) {
    let Offer { number, texts, plan, seen, hold, .. } = offer;
    let (apps, sha256) = (plan.app_count(), Box::<str>::from(texts.sha256()));
    let fresh = (Ledger::default(), metrics.clone());
    let (ledger, handle) = bind(plan, number, fresh, PolicyHandle::new).await;
    let time = clock.now().wall;
    metrics.policy_loaded(number, apps, time);
    metrics.reload.finished(ReloadResult::Taken);
    metrics.reload.in_step(true);
    metrics.reload.held(hold.is_some());
    tracing::info!(generation = number, %sha256, apps, cause = "start", "policy is in force");
    let status = PolicyStatus {
        generation: number,
        sha256: sha256.clone(),
        hold: hold.clone(),
        problems: Arc::from([]),
        looks: 0,
    };
    let (status, told) = broadcast::channel(status);
    let (commands, asked) = mpsc::channel(1);
    let restores = hold.as_ref().map(|hold| hold.restores);
    let kept = Generation { number, time, sha256: sha256.clone(), apps, texts };
    let worker = Worker {
        next: None,
        source,
        grounds,
        shelf,
        journal,
        metrics,
        clock,
        handle: handle.clone(),
        ledger,
        in_force: InForce { number, sha256, restores, seen: seen.clone() },
        hold,
        last: last.max(number),
        looked: Some(Looked { read: Ok(file.clone()), seen }),
        file,
        status,
    };
    if restores.is_none() && number > last {
        worker.keep(kept).await;
    }
    (handle, Reloader { commands, status: told }, asked, worker)
}
