//! What is seen of the policy's files, and whether that is all there is to see.

use std::sync::Arc;

use esbgate_config::Problem;
use tokio::time::sleep;

use super::{
    Checked, Generation, Hold, PolicyTexts, ReloadError, ShelfError, Tests, check,
    worker::{Worker, beside},
};
use crate::sources::{QUIET, RESTLESS, Seen};

/// What the last look saw; the same sight is not looked at again.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    pub(super) read: Result<Box<str>, Vec<Problem>>,
    pub(super) seen: Seen,
}

impl Worker {
    /// The files as they are now, and whether the last look saw the same.
    pub(super) async fn look(&self) -> (Result<PolicyTexts, Vec<Problem>>, bool) {
        let (source, looked) = (self.source.clone(), self.looked.clone());
        let look = beside(move || {
            let read = source.read();
            let known = looked.is_some_and(|looked| {
                let same = match (&read, &looked.read) {
                    (Ok(texts), Ok(sha256)) => texts.sha256() == &**sha256,
                    (Err(now), Err(before)) => now == before,
                    (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
                };
                same && looked.seen.again() == looked.seen
            });
            (read, known)
        });
        look.await.unwrap_or_else(|_| (Err(vec![self.problem("reading it failed")]), false))
    }

    /// The files once they stay as they are.
    pub(super) async fn settle(
        &self,
        mut read: Result<PolicyTexts, Vec<Problem>>,
    ) -> Result<PolicyTexts, Vec<Problem>> {
        for _ in 0..RESTLESS {
            sleep(QUIET).await;
            let (again, _) = self.look().await;
            if again == read {
                return read;
            }
            read = again;
        }
        Err(vec![self.problem("it does not stop changing")])
    }

    /// Whether `texts` are in force, as a rollback holds them or as the files say, with all that they name.
    pub(super) async fn is_in_force(&self, texts: &PolicyTexts, hold: Option<&Hold>) -> bool {
        let in_force = &self.in_force;
        let same = match hold {
            Some(hold) => in_force.restores == Some(hold.restores),
            None => in_force.restores.is_none() && *in_force.sha256 == *texts.sha256(),
        };
        same && self.still(in_force.seen.clone()).await
    }

    /// Checks a policy, once more while the files that it names are still written.
    pub(super) async fn check(&self, texts: &PolicyTexts, tests: Tests) -> Checked {
        let texts = Arc::new(texts.clone());
        for _ in 0..RESTLESS {
            let (source, texts) = (self.source.clone(), Arc::clone(&texts));
            let (grounds, now) = (Arc::clone(&self.grounds), self.clock.now().wall);
            let checked = beside(move || check(&source, &texts, &grounds, now, tests)).await;
            let Ok(checked) = checked else {
                return self.unchecked("its check ended in a fault of the gateway");
            };
            if checked.seen.is_empty() {
                return checked;
            }
            sleep(QUIET).await;
            if self.still(checked.seen.clone()).await {
                return checked;
            }
        }
        self.unchecked("files that it names do not stop changing")
    }

    fn unchecked(&self, why: &str) -> Checked {
        Checked { found: Err(vec![self.problem(why)]), seen: Seen::default() }
    }

    /// Whether files have the content that was seen.
    async fn still(&self, seen: Seen) -> bool {
        beside(move || seen.again() == seen).await.unwrap_or(false)
    }

    pub(super) async fn load(&self, number: u64) -> Result<Generation, ShelfError> {
        let shelf = self.shelf.clone();
        let loaded = beside(move || shelf.load(number)).await;
        loaded.unwrap_or(Err(ShelfError::Damaged(number)))
    }

    pub(super) async fn generations(&self) -> Result<Vec<Generation>, ReloadError> {
        let shelf = self.shelf.clone();
        let listed = beside(move || {
            let numbers = shelf.numbers().map_err(ShelfError::Folder)?.into_iter();
            Ok(numbers.filter_map(|number| shelf.load(number).ok()).collect())
        });
        listed.await.unwrap_or_else(|panicked| {
            Err(ShelfError::Folder(std::io::Error::other(panicked)).into())
        })
    }
}
