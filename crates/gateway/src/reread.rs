//! Files of the start-up file whose change needs no restart: the secrets of credentials, and the TLS of listeners.
//!
//! All files are read and checked before one of them is used, so a half-done exchange changes nothing and is tried
//! again at the next look.

use std::{collections::HashMap, sync::Arc, time::Duration};

use esbgate_config::{Boot, BootDocument, ListenTls, Problem, Sink};
use esbgate_core::Metrics;
use esbgate_model::{Secret, dialect::Credential};
use esbgate_server::ListenerTls;
use rustls::ServerConfig;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::sources::{QUIET, RESTLESS, Recording, Seen};

/// How often files are looked at. Polling works on every file system, and a secret is not exchanged in a hurry.
const EACH: Duration = Duration::from_secs(10);

/// What is asked to look at once, and who is told when it has.
pub(crate) type Asked = mpsc::Receiver<oneshot::Sender<Looked>>;

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// No file has changed.
    Same,
    /// What has changed is in use.
    Taken,
    /// Something is wrong with what has changed; what was in use stays.
    Refused,
}

/// The files in use, and what is made of them.
#[derive(Debug)]
pub struct Reread {
    document: BootDocument,
    seen: Seen,
    /// What was refused last, so that it is told once.
    refused: Option<Seen>,
    credentials: HashMap<Box<str>, Arc<Credential>>,
    /// In the order of the file.
    listeners: Vec<Option<(ListenTls, ListenerTls)>>,
    fixed: Fixed,
}

/// What is read once, at the start.
#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    hmac_key: Secret,
    upstream_ca: Option<String>,
    sinks: Vec<Sink>,
}

impl Fixed {
    fn of(boot: &Boot) -> Self {
        Self {
            hmac_key: boot.journal.hmac_key.clone(),
            upstream_ca: boot.upstream_ca.clone(),
            sinks: boot.sinks.clone(),
        }
    }
}

impl Reread {
    /// The files that `boot` was made of, from `document` through `recording`, with what is made of its listeners.
    pub(crate) fn new(
        document: BootDocument,
        recording: Recording,
        boot: &Boot,
        listeners: &[Option<ListenerTls>],
    ) -> Self {
        let texts = boot.listeners.iter().map(|listener| listener.tls.clone());
        Self {
            document,
            seen: recording.seen(),
            refused: None,
            credentials: boot.credentials.clone(),
            listeners: texts.zip(listeners).map(|(texts, tls)| texts.zip(tls.clone())).collect(),
            fixed: Fixed::of(boot),
        }
    }

    /// What is in the files now, if that is not what is in use. Blocks on the disk.
    fn changed(&self) -> Option<Seen> {
        Some(self.seen.again()).filter(|now| *now != self.seen)
    }

    /// Looks whether a file has changed, and uses what has. Blocks on the disk.
    pub(crate) fn look(&mut self) -> Looked {
        let now = self.seen.again();
        if now == self.seen {
            self.refused = None;
            return Looked::Same;
        }
        match self.read() {
            Ok(()) => {
                self.refused = None;
                tracing::info!("changed files are in use");
                Looked::Taken
            }
            Err(problems) => {
                if self.refused.as_ref() != Some(&now) {
                    for problem in problems {
                        tracing::error!(%problem, "a changed file is not used");
                    }
                }
                self.refused = Some(now);
                Looked::Refused
            }
        }
    }

    fn read(&mut self) -> Result<(), Vec<Problem>> {
        let recording = Recording::default();
        let boot = self.document.check(&recording)?;
        let mut configs = Vec::with_capacity(self.listeners.len());
        for (own, read) in self.listeners.iter_mut().zip(&boot.listeners) {
            let (Some((texts, tls)), Some(read)) = (own, &read.tls) else { continue };
            if texts != read {
                let config =
                    server_tls(read).map_err(|why| vec![Problem::of_file("listen", why)])?;
                configs.push((texts, tls, read, config));
            }
        }
        for (texts, tls, read, config) in configs {
            tls.replace(config);
            *texts = read.clone();
        }
        for (name, read) in &boot.credentials {
            if let Some(credential) = self.credentials.get(name) {
                credential.replace((*read.secrets()).clone());
            }
        }
        if Fixed::of(&boot) != self.fixed {
            tracing::warn!(
                "journal.hmac_key, upstream.ca or a file of a sink has changed: it is used from the next start on"
            );
        }
        self.seen = recording.seen();
        Ok(())
    }
}

/// Looks each [`EACH`], and when it is asked to, until `drain` is cancelled.
pub(crate) async fn keep_reading(
    mut reread: Reread,
    mut asked: Asked,
    metrics: Metrics,
    drain: CancellationToken,
) {
    metrics.files_read(true);
    let mut tick = interval_at(Instant::now() + EACH, EACH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let waiting = tokio::select! {
            () = drain.cancelled() => return,
            _ = tick.tick() => None,
            Some(waiting) = asked.recv() => Some(waiting),
        };
        let Ok((again, looked)) = settled(reread).await else {
            tracing::error!("files are not looked at any more: the task that looks has ended");
            return;
        };
        reread = again;
        metrics.files_read(looked != Looked::Refused);
        if let Some(waiting) = waiting {
            // Who asked may have gone.
            waiting.send(looked).ok();
        }
    }
}

/// Looks once files that have changed stay as they are: the beginning of a secret is a secret like any other.
async fn settled(mut reread: Reread) -> Result<(Reread, Looked), JoinError> {
    let mut before = None;
    for _ in 0..RESTLESS {
        let look = move || {
            let now = reread.changed();
            let looked = (now == before).then(|| reread.look());
            (reread, now, looked)
        };
        let (again, now, looked) = spawn_blocking(look).await?;
        if let Some(looked) = looked {
            return Ok((again, looked));
        }
        (reread, before) = (again, now);
        sleep(QUIET).await;
    }
    // The next look tries again.
    Ok((reread, Looked::Refused))
}

/// What a listener speaks; the error tells no secret.
pub(crate) fn server_tls(tls: &ListenTls) -> Result<Arc<ServerConfig>, String> {
    let client_ca = tls.client_ca.as_deref().map(str::as_bytes);
    esbgate_server::tls_config(tls.certificate.as_bytes(), tls.key.expose().as_bytes(), client_ca)
        .map_err(|error| format!("listen: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = r#"version: 1
listen: [{address: "127.0.0.1:0"}]
hosts: [localhost]
monitor: {address: "127.0.0.1:0"}
upstream: {kind: esb, endpoints: ["http://127.0.0.1:1"]}
credentials:
  c: {bk_app_code: c, bk_app_secret: {current: {file: esb.secret}}}
journal: {dir: journal, durability: written, hmac_key: {file: hmac.key}}
policy: policy.yaml
"#;

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_is_still_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("esb.secret", "before");
        put("hmac.key", "0123456789abcdef0123456789abcdef");
        let file = folder.path().join("esbgate.yaml").display().to_string();
        let document = BootDocument::read(&file, BOOT).unwrap();
        let recording = Recording::default();
        let boot = document.check(&recording).unwrap();
        let reread = Reread::new(document, recording, &boot, &[None]);
        let credential = Arc::clone(&boot.credentials["c"]);
        let unused = credential.secrets();
        put("esb.secret", "half of");
        let write = async {
            sleep(QUIET / 2).await;
            put("esb.secret", "half of it, and the rest");
        };
        let (looked, ()) = tokio::join!(settled(reread), write);
        let (reread, looked) = looked.unwrap();
        assert_eq!(looked, Looked::Taken);
        assert!(!Arc::ptr_eq(&unused, &credential.secrets()));
        // All of it was read: there is nothing more to see.
        assert_eq!(reread.changed(), None);
        assert_eq!(settled(reread).await.unwrap().1, Looked::Same);
    }
}
