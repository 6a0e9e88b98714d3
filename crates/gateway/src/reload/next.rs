//! The next policy: a file beside the policy that is evaluated and not in force.

use std::{io, path::PathBuf, sync::Arc};

use esbgate_config::Problem;
use esbgate_model::sha256_hex;
use tokio::time::sleep;

use super::{
    Checked, Tests, check,
    source::{LONGEST, NEXT, PolicyFile, PolicyTexts},
    worker::{Worker, beside},
};
use crate::{regular_file, shadow::Shadow, sources::QUIET};

/// What was read last: the hash of the text, or why it cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NextSeen(Result<String, io::ErrorKind>);

impl Worker {
    /// Evaluates what stands in the file from here on, if it is another policy than before; and nothing where there is
    /// no such file. What is wrong with it is in the log and changes nothing.
    pub(super) async fn look_at_next(&mut self, shadow: &Shadow) {
        let read = self.read_next().await;
        let seen = match &read {
            Ok(text) => NextSeen(Ok(sha256_hex(text.as_bytes()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.next.take().is_some() {
                    shadow.clear();
                }
                return;
            }
            Err(error) => NextSeen(Err(error.kind())),
        };
        if self.next.as_ref() == Some(&seen) {
            return;
        }
        // Half a file is read again at the next look.
        sleep(QUIET).await;
        let again = self.read_next().await;
        if again.as_ref().ok() != read.as_ref().ok() {
            return;
        }
        self.next = Some(seen);
        let told = match read {
            Ok(text) => self.evaluate(text, shadow).await,
            Err(error) => Err(vec![self.problem(format!("{NEXT} cannot be read: {error}"))]),
        };
        if let Err(problems) = told {
            shadow.clear();
            for problem in problems {
                tracing::error!(%problem, "next policy is not evaluated");
            }
        }
    }

    async fn evaluate(&self, text: String, shadow: &Shadow) -> Result<(), Vec<Problem>> {
        let texts = PolicyTexts::new(vec![PolicyFile { name: NEXT.into(), text }]);
        let (source, grounds) = (self.source.clone(), Arc::clone(&self.grounds));
        let (now, shadow) = (self.clock.now().wall, shadow.clone());
        let set = beside(move || {
            let Checked { found, .. } = check(&source, &texts, &grounds, now, Tests::Skipped);
            let (plan, warnings) = found?;
            let set = shadow.set(plan, texts.sha256(), now);
            set.map_err(|error| vec![Problem::of_file(NEXT, error.to_string())])?;
            Ok::<_, Vec<Problem>>((texts.sha256().to_owned(), warnings))
        });
        let set =
            set.await.unwrap_or_else(|_| Err(vec![self.problem("its check ended in a fault")]));
        let (sha256, warnings) = set?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(sha256, "next policy is evaluated beside the one in force");
        Ok(())
    }

    async fn read_next(&self) -> io::Result<String> {
        let path = self.next_path();
        let read = beside(move || regular_file::read_text(&path, LONGEST)).await;
        read.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
    }

    /// In the policy's folder, or beside its file.
    fn next_path(&self) -> PathBuf {
        let policy = self.source.path();
        if policy.is_dir() { policy.join(NEXT) } else { policy.with_file_name(NEXT) }
    }
}
