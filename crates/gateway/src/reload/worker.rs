//! The task that looks at the policy's files, one look at a time.

use std::{sync::Arc, time::Duration};

use esbgate_config::Problem;
use esbgate_core::{Clock, Ledger, Metrics, PolicyHandle, ReloadCause};
use esbgate_journal::FileJournal;
use tokio::{
    sync::{mpsc, watch as broadcast},
    task::JoinError,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Checked, Command, Generation, Hold, PolicyGrounds, PolicySource, PolicyStatus, PolicyTexts,
    ReloadError, Reloaded, Shelf, Tests,
    next::NextSeen,
    sight::Looked,
    take::Offer,
    watch::{Changes, Folders},
};
use crate::{
    shadow::Shadow,
    sources::{QUIET, Seen},
};

/// How often files are looked at where nobody tells of a change, as on NFS.
const EACH: Duration = Duration::from_secs(5);

/// The policy in force.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) number: u64,
    pub(super) sha256: Box<str>,
    pub(super) restores: Option<u64>,
    /// The files that it names.
    pub(super) seen: Seen,
}

/// All that changes of policy need.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) source: PolicySource,
    pub(super) grounds: Arc<PolicyGrounds>,
    pub(super) shelf: Shelf,
    pub(super) journal: FileJournal,
    pub(super) metrics: Metrics,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handle: PolicyHandle,
    pub(super) ledger: Ledger,
    pub(super) in_force: InForce,
    pub(super) hold: Option<Hold>,
    /// The number that was given last.
    pub(super) last: u64,
    /// The hash of the files, as they were read last.
    pub(super) file: Box<str>,
    pub(super) looked: Option<Looked>,
    pub(super) status: broadcast::Sender<PolicyStatus>,
    /// What was read last of the next policy.
    pub(super) next: Option<NextSeen>,
}

/// Does `work` beside the threads that serve calls.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    tokio::task::spawn_blocking(work).await
}

impl Worker {
    /// Looks when the files change, each [`EACH`], and when it is asked to, until `drain` is cancelled.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        (mut folders, mut changes): (Folders, Changes),
        shadow: Shadow,
        drain: CancellationToken,
    ) {
        // At once, because files may have changed since they were read and before they were watched.
        let mut tick = interval_at(Instant::now(), EACH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let command = tokio::select! {
                () = drain.cancelled() => return,
                Some(command) = commands.recv() => Some(command),
                () = changes.next() => None,
                _ = tick.tick() => None,
            };
            let renewed = beside(move || {
                folders.renew();
                folders
            });
            folders = match renewed.await {
                Ok(folders) => folders,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            };
            match command {
                Some(command) => {
                    self.obey(command).await;
                    self.look_at_next(&shadow).await;
                }
                None => {
                    let rested = Instant::now() + QUIET;
                    // Its errors are logged, and told by metrics.
                    self.reload(ReloadCause::Watch).await.ok();
                    self.look_at_next(&shadow).await;
                    // A folder in which something always changes must not keep a thread busy.
                    sleep_until(rested).await;
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        // Who asked may have gone.
        match command {
            Command::Reload(cause, told) => {
                let reloaded = self.reload(cause).await;
                told.send(reloaded).ok();
            }
            Command::Rollback(to, told) => {
                let reloaded = self.roll_back(to).await;
                told.send(reloaded).ok();
            }
            Command::Generations(told) => {
                told.send(self.generations().await).ok();
            }
        }
    }

    /// Looks at the files, and takes what they say.
    pub(super) async fn reload(&mut self, cause: ReloadCause) -> Result<Reloaded, ReloadError> {
        let (read, known) = self.look().await;
        if known && cause == ReloadCause::Watch {
            return Ok(self.standing());
        }
        match self.settle(read).await {
            Ok(texts) => self.consider(cause, texts).await,
            Err(problems) => self.refuse(cause, None, problems, Seen::default()).await,
        }
    }

    /// Takes what the files say, or what a rollback holds over them.
    async fn consider(
        &mut self,
        cause: ReloadCause,
        texts: PolicyTexts,
    ) -> Result<Reloaded, ReloadError> {
        self.file = texts.sha256().into();
        let number = self.last + 1;
        let hold = self.hold.clone().filter(|hold| hold.overrides == self.file);
        if self.is_in_force(&texts, hold.as_ref()).await {
            let seen = self.in_force.seen.clone();
            self.looked = Some(Looked { read: Ok(self.file.clone()), seen });
            self.in_step();
            return Ok(self.standing());
        }
        let Some(hold) = hold else { return self.offer(cause, texts, None).await };
        match self.load(hold.restores).await {
            Ok(kept) => {
                let hold = Hold { generation: number, ..hold };
                self.offer(cause, kept.texts, Some(hold)).await
            }
            Err(error) => {
                let problem = self.problem(error.to_string());
                self.refuse(cause, None, vec![problem], self.in_force.seen.clone()).await
            }
        }
    }

    /// Checks a policy and takes it.
    async fn offer(
        &mut self,
        cause: ReloadCause,
        texts: PolicyTexts,
        hold: Option<Hold>,
    ) -> Result<Reloaded, ReloadError> {
        // What a rollback restores was in force, and may be wanted in a hurry.
        let back = hold.is_some() || cause == ReloadCause::Rollback;
        let tests = if back { Tests::Skipped } else { Tests::All };
        let Checked { found, seen } = self.check(&texts, tests).await;
        let (plan, warnings) = match found {
            Ok(found) => found,
            Err(problems) => return self.refuse(cause, Some(&texts), problems, seen).await,
        };
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let (number, warnings) = (self.last + 1, warnings.len());
        self.take(Offer { cause, number, texts, plan, warnings, seen, hold }).await
    }

    /// The generation in force stays. What is asked for by a rollback says nothing about the files.
    async fn refuse(
        &mut self,
        cause: ReloadCause,
        texts: Option<&PolicyTexts>,
        problems: Vec<Problem>,
        seen: Seen,
    ) -> Result<Reloaded, ReloadError> {
        self.refused(cause, texts, &problems).await;
        let told: Arc<[Problem]> = problems.clone().into();
        if cause != ReloadCause::Rollback {
            let read = texts.map(|_| self.file.clone()).ok_or(problems);
            self.looked = Some(Looked { read, seen });
            self.out_of_step(Arc::clone(&told));
        }
        Err(ReloadError::Refused(told))
    }

    /// Goes back to a kept generation, and holds it over the files as they are.
    async fn roll_back(&mut self, to: Option<u64>) -> Result<Reloaded, ReloadError> {
        let (read, _) = self.look().await;
        // Files that cannot be read now are taken for those that could be read last.
        if let Ok(texts) = self.settle(read).await {
            self.file = texts.sha256().into();
        }
        let target = self.target(to).await?;
        let hold = Hold {
            generation: self.last + 1,
            restores: target.number,
            overrides: self.file.clone(),
        };
        // What the files say themselves needs nobody to hold it.
        let hold = Some(hold).filter(|_| target.sha256 != self.file);
        if self.is_in_force(&target.texts, hold.as_ref()).await
            && self.hold.as_ref().map(|hold| &hold.overrides)
                == hold.as_ref().map(|hold| &hold.overrides)
        {
            return Ok(self.standing());
        }
        self.offer(ReloadCause::Rollback, target.texts, hold).await
    }

    /// The kept generation to go back to.
    async fn target(&self, to: Option<u64>) -> Result<Generation, ReloadError> {
        if let Some(number) = to {
            return Ok(self.load(number).await?);
        }
        let from = self.in_force.restores.unwrap_or(self.in_force.number);
        let sha256 = &self.in_force.sha256;
        let kept = self.generations().await?.into_iter().rev();
        let mut earlier = kept.filter(|kept| kept.number < from && kept.sha256 != *sha256);
        earlier.next().ok_or(ReloadError::NoPrevious)
    }

    fn standing(&self) -> Reloaded {
        let held = self.in_force.restores.is_some();
        if held {
            Reloaded::Held(self.in_force.number)
        } else {
            Reloaded::Same(self.in_force.number)
        }
    }

    pub(super) fn problem(&self, message: impl Into<Box<str>>) -> Problem {
        Problem::of_file(&self.source.path().display().to_string(), message)
    }

    /// The files are in force, or what is held over them.
    pub(super) fn in_step(&self) {
        self.tell(Arc::from([]));
    }

    pub(super) fn out_of_step(&self, problems: Arc<[Problem]>) {
        self.tell(problems);
    }

    fn tell(&self, problems: Arc<[Problem]>) {
        self.metrics.reload.in_step(problems.is_empty());
        self.metrics.reload.held(self.hold.is_some());
        self.status.send_modify(|status| {
            status.generation = self.in_force.number;
            status.sha256.clone_from(&self.in_force.sha256);
            status.hold.clone_from(&self.hold);
            status.problems = problems;
            status.looks += 1;
        });
    }
}
