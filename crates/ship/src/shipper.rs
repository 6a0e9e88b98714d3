//! One sink: reads a batch, delivers it, saves the cursor, and begins anew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use esbgate_core::{Clock, SinkMetrics};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    batch::Batch,
    cursor::{CursorFile, Saved},
    options::{SinkOptions, TargetOptions},
    reader::Reader,
    target::{DeliverError, Delivered, Target},
};

/// How often a sink that has nothing to do looks at the journal.
const LOOK: Duration = Duration::from_millis(500);

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A batch was delivered.
    Shipped,
    /// There was nothing to do.
    Idle,
    /// Something failed; it is tried again.
    Failed,
}

/// One sink.
#[derive(Debug)]
pub struct Shipper {
    name: Box<str>,
    journal: PathBuf,
    head: PathBuf,
    options: SinkOptions,
    cursors: CursorFile,
    reader: Option<Reader>,
    target: Target,
    /// What is delivered next.
    batch: Option<Batch>,
    /// A cursor that could not be saved.
    unsaved: Option<Saved>,
    /// The number of the last record that the sink is done with.
    done: u64,
    metrics: SinkMetrics,
    clock: Arc<dyn Clock>,
}

impl Shipper {
    /// A sink of the journal in `journal`, whose cursor is in `cursors`. Nothing is read yet.
    #[must_use]
    pub fn new(
        options: SinkOptions,
        journal: &Path,
        head: &Path,
        cursors: &Path,
        metrics: SinkMetrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name: options.name.clone(),
            journal: journal.to_owned(),
            head: head.to_owned(),
            cursors: CursorFile::new(cursors, &options.name),
            reader: None,
            target: Target::new(&options.name, options.target.clone()),
            options,
            batch: None,
            unsaved: None,
            done: 0,
            metrics,
            clock,
        }
    }

    /// Delivers one batch, if there is one.
    pub async fn pass(&mut self) -> Pass {
        let batch = match self.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return self.save(Pass::Idle),
            Err(()) => return Pass::Failed,
        };
        self.look(&batch);
        let ended = if batch.records.is_empty() {
            Ok(Delivered::default())
        } else {
            let delivery = self.target.deliver(&batch.records);
            match timeout(self.options.timeout, delivery).await {
                Ok(ended) => ended,
                Err(_) => Err(DeliverError::Timeout),
            }
        };
        match ended {
            Ok(delivered) => {
                self.delivered(batch, delivered);
                self.save(Pass::Shipped)
            }
            Err(error) => {
                self.target.reset();
                self.metrics.failed();
                let (sink, seq) = (&self.name, self.done);
                tracing::warn!(%sink, %error, after = seq, "a sink did not take its records: they stay in the journal");
                self.batch = Some(batch);
                Pass::Failed
            }
        }
    }

    /// Runs until `finish`, and then to the end of what can be delivered without another failure.
    pub async fn run(mut self, finish: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            // Looked at before the pass: what was written before it is read in it.
            let finishing = finish.is_cancelled();
            let wait = match self.pass().await {
                Pass::Shipped => {
                    backoff.reset();
                    continue;
                }
                Pass::Idle => {
                    backoff.reset();
                    LOOK
                }
                Pass::Failed => backoff.after_failure(),
            };
            if finishing {
                return;
            }
            tokio::select! {
                () = finish.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, ()> {
        if let Some(batch) = self.batch.take() {
            return Ok(Some(batch));
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        let read = reader.read();
        if let Ok(None) = read {
            self.metrics.behind(0, None);
        }
        match read {
            Ok(batch) => {
                self.reader = Some(reader);
                Ok(batch)
            }
            Err(error) => {
                self.metrics.failed();
                let sink = &self.name;
                tracing::error!(%sink, %error, "a sink cannot read the journal");
                self.reader = Some(reader);
                Err(())
            }
        }
    }

    fn open(&mut self) -> Result<Reader, ()> {
        let sink = &self.name;
        let path = self.cursors.path().display();
        let opened = self
            .cursors
            .load()
            .map_err(|error| {
                tracing::error!(%sink, %path, %error, "a sink's cursor cannot be read; without the file all that the journal has is shipped again");
            })
            .and_then(|saved| {
                self.done = saved.seq;
                let join = matches!(self.options.target, TargetOptions::BkAudit(_));
                let kinds = self.options.kinds.clone();
                Reader::open(&self.journal, &self.head, kinds, join, saved).map_err(|error| {
                    tracing::error!(%sink, %error, "a sink cannot read the journal");
                })
            });
        match opened {
            Ok((reader, lost)) => {
                self.metrics.skipped(lost);
                Ok(reader)
            }
            Err(()) => {
                self.metrics.failed();
                Err(())
            }
        }
    }

    fn look(&self, batch: &Batch) {
        let known = self.reader.as_ref().and_then(|reader| reader.beyond(self.done));
        let waiting = known.unwrap_or(0).max(batch.records.len() as u64);
        self.metrics.behind(waiting, batch.oldest);
    }

    fn delivered(&mut self, batch: Batch, delivered: Delivered) {
        let Delivered { shortened, unfit } = delivered;
        if unfit > 0 {
            tracing::error!(sink = %self.name, unfit, "records without a hash have no row");
        }
        self.done = batch.after.seq;
        self.metrics.skipped(batch.skipped.saturating_add(unfit));
        self.metrics.shortened(shortened);
        let shipped = (batch.records.len() as u64).saturating_sub(unfit);
        self.metrics.shipped(shipped, self.clock.now().wall);
        let left = self.reader.as_ref().and_then(|reader| reader.beyond(self.done));
        self.metrics.behind(left.unwrap_or(0), None);
        self.unsaved = Some(batch.after);
    }

    /// Saves the cursor. A sink goes on where that fails: what is delivered twice after a restart is better than what
    /// waits on this machine.
    fn save(&mut self, pass: Pass) -> Pass {
        let Some(saved) = self.unsaved.take() else { return pass };
        let Err(error) = self.cursors.save(&saved) else { return pass };
        self.metrics.failed();
        let (sink, path) = (&self.name, self.cursors.path().display());
        tracing::error!(%sink, %path, %error, "a sink's cursor cannot be saved: its records are delivered again after a restart");
        self.unsaved = Some(saved);
        match pass {
            Pass::Shipped => Pass::Shipped,
            Pass::Idle | Pass::Failed => Pass::Failed,
        }
    }
}
