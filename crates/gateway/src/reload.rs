//! From the policy's files to the policy in force, at a start and whenever they change.
//!
//! read → check → its own tests → on record → bind → replace. Nothing before `bind` has an effect, nothing after it can
//! fail. One task does it, so there is one at a time, and what takes time is done beside the threads that serve calls.

mod check;
mod next;
mod shelf;
mod sight;
mod source;
mod start;
mod take;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use esbgate_config::Problem;
use esbgate_core::ReloadCause;
use tokio::sync::{mpsc, oneshot, watch as broadcast};

pub(crate) use self::{
    check::{Checked, PolicyGrounds, Tests, check},
    source::{LONGEST, PolicySource, PolicyTexts},
    start::{Ports, begin},
    watch::watch,
};
pub use self::{
    shelf::{Generation, Hold, Shelf, ShelfError},
    start::PolicySettings,
};

/// What a look at the policy's files came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// What they say is in force already, under this number.
    Same(u64),
    /// A rollback holds over them; this generation is in force.
    Held(u64),
    /// What was asked for is in force, under this number.
    Taken(u64),
}

/// Why the generation in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Something is wrong with the policy.
    #[error("the policy has {} problem(s)", .0.len())]
    Refused(Arc<[Problem]>),
    /// It would be in force without a record.
    #[error("the journal takes no records")]
    Unrecorded,
    /// There is no generation to go back to.
    #[error("no earlier generation is kept")]
    NoPrevious,
    /// The generation cannot be gone back to.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
}

/// The policy in force, and how it stands to the files.
#[derive(Debug, Clone)]
pub struct PolicyStatus {
    /// Its number.
    pub generation: u64,
    /// SHA-256 of its files' names and texts.
    pub sha256: Box<str>,
    /// The rollback that is held.
    pub hold: Option<Hold>,
    /// What is wrong with the files as they are now; nothing if they are in force.
    pub problems: Arc<[Problem]>,
    /// How often the files were looked at because they changed or somebody asked.
    pub looks: u64,
}

/// What the task is asked, and who is told.
pub(crate) enum Command {
    Reload(ReloadCause, oneshot::Sender<Result<Reloaded, ReloadError>>),
    Rollback(Option<u64>, oneshot::Sender<Result<Reloaded, ReloadError>>),
    Generations(oneshot::Sender<Result<Vec<Generation>, ReloadError>>),
}

/// Asks for changes of policy. Clones ask the same task.
#[derive(Debug, Clone)]
pub struct Reloader {
    commands: mpsc::Sender<Command>,
    status: broadcast::Receiver<PolicyStatus>,
}

impl Reloader {
    /// Looks at the files now, and takes what they say.
    pub async fn reload(&self, cause: ReloadCause) -> Result<Reloaded, ReloadError> {
        self.ask(|told| Command::Reload(cause, told)).await
    }

    /// Goes back to a kept generation; to the one before that in force where none is named. It holds, over restarts
    /// too, until the files change.
    pub async fn rollback(&self, to: Option<u64>) -> Result<Reloaded, ReloadError> {
        self.ask(|told| Command::Rollback(to, told)).await
    }

    /// The generations that are kept, the oldest first; damaged ones are left out.
    pub async fn generations(&self) -> Result<Vec<Generation>, ReloadError> {
        self.ask(Command::Generations).await
    }

    /// The policy in force, now and whenever it changes.
    #[must_use]
    pub fn status(&self) -> broadcast::Receiver<PolicyStatus> {
        self.status.clone()
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ReloadError>>) -> Command,
    ) -> Result<T, ReloadError> {
        let (told, answer) = oneshot::channel();
        self.commands.send(command(told)).await.map_err(|_| ReloadError::Stopping)?;
        answer.await.unwrap_or(Err(ReloadError::Stopping))
    }
}
