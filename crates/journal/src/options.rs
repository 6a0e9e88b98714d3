//! How a journal is opened, and why it may not be.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use esbgate_core::JournalDown;
use esbgate_model::Secret;

/// When a record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The kernel has it: survives the process.
    Written,
    /// The disk has it: survives the machine.
    Synced,
}

impl Durability {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Synced => "synced",
        }
    }
}

/// What happens without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// No execution.
    Strict,
    /// It is counted, and told in a `loss` record as soon as there can be one.
    BestEffort,
}

impl Mode {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::BestEffort => "best_effort",
        }
    }
}

/// When a segment is closed and followed by another.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// Once it holds as many bytes.
    pub bytes: u64,
    /// Once its first record is as old.
    pub time: Duration,
}

/// How much is held.
#[derive(Debug, Clone, Copy)]
pub struct Retain {
    /// Closed segments whose records are all older are removed.
    pub time: Duration,
    /// The bound of all segments, in bytes; the oldest closed ones are removed to stay below.
    pub bytes: u64,
}

/// What is done with closed segments.
pub trait Archive: std::fmt::Debug + Send + Sync {
    /// Puts the compressed form of a closed segment (`NNNNNNNN.jsonl.zst`) in its place. Blocks.
    fn close(&self, plain: &Path) -> io::Result<()>;
    /// The first and the last line of a compressed segment, without their line ends. Blocks.
    fn ends(&self, compressed: &Path) -> io::Result<(Vec<u8>, Vec<u8>)>;
}

/// How a journal is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of all boots; made if it is not there.
    pub dir: PathBuf,
    /// The folder of the key that signs checkpoints; made if it is not there.
    pub state: PathBuf,
    /// The file of the witness; `HEAD` in `dir` without it.
    pub witness: Option<PathBuf>,
    /// When a record counts as kept.
    pub durability: Durability,
    /// What happens without a record.
    pub mode: Mode,
    /// The key of the hashes that stand for secrets.
    pub hmac_key: Secret,
    /// Keys that were in use before it: values are looked up under them too.
    pub previous_keys: Vec<Secret>,
    /// The name of this gateway.
    pub node: String,
    /// The version of the gateway.
    pub version: &'static str,
    /// Most intents without an outcome.
    pub open_intents: u64,
    /// When a segment is closed.
    pub rotation: Rotation,
    /// How much is held.
    pub retain: Retain,
    /// What is done with closed segments; without it they stay as they are.
    pub archive: Option<Arc<dyn Archive>>,
}

impl Options {
    /// Options with the values that the start-up file has where it says nothing.
    #[must_use]
    pub fn new(dir: PathBuf, state: PathBuf, hmac_key: Secret) -> Self {
        Self {
            dir,
            state,
            witness: None,
            durability: Durability::Synced,
            mode: Mode::Strict,
            hmac_key,
            previous_keys: Vec::new(),
            node: "esbgate".into(),
            version: env!("CARGO_PKG_VERSION"),
            open_intents: 1024,
            rotation: Rotation { bytes: 128 << 20, time: Duration::from_secs(3600) },
            retain: Retain { time: Duration::from_secs(400 * 86_400), bytes: 50 << 30 },
            archive: None,
        }
    }

    /// The file of the witness.
    #[must_use]
    pub fn head(&self) -> PathBuf {
        self.witness.clone().unwrap_or_else(|| self.dir.join("HEAD"))
    }
}

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("cannot use the journal folder {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// Another process writes there.
    #[error("another process writes the journal in {}: each gateway needs a folder of its own", .0.display())]
    Taken(PathBuf),
    /// The key of checkpoints cannot be made or read.
    #[error("cannot use the key of checkpoints {}", .0.display())]
    Key(PathBuf, #[source] io::Error),
    /// The first segment cannot be made.
    #[error("cannot make a segment in {}", .0.display())]
    Segment(PathBuf, #[source] io::Error),
    /// The `start` record cannot be written.
    #[error("cannot write the start record")]
    Start(#[from] JournalDown),
    /// No name for this boot or no text for its record.
    #[error("cannot name this boot")]
    Boot,
    /// A thread cannot be started.
    #[error("cannot start the writer")]
    Thread(#[source] io::Error),
}
