//! What is said over the admin socket. docs/admin.md describes it.

use std::sync::Arc;

use esbgate_core::{Freeze, FreezeSubject, FrozenScript};
use esbgate_model::{Name, Scope, Secret, sha256_from_hex};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::explained::Explained;

/// The version of what is said.
pub const VERSION: u32 = 1;

/// Longest line, in bytes: a call to be explained, with its script.
pub const LONGEST_LINE: usize = 2 << 20;

/// Longest line of any other order.
pub const LONGEST_ORDER: usize = 64 << 10;

/// Looked at first, so that a later version is told so and not called garbage.
#[derive(Debug, Deserialize)]
pub(super) struct Versioned {
    pub(super) v: u32,
}

/// One line in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[serde(rename = "v")]
    pub(super) _version: u32,
    pub(super) operation: Operation,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Stops something.
    Freeze(Order),
    /// Takes a freeze of an admin out.
    Unfreeze {
        /// Which.
        id: String,
    },
    /// Lists the freezes of an admin.
    Freezes,
    /// Forgets what the login service said.
    Purge {
        /// Of this `bk_token` alone.
        #[serde(default)]
        token: Option<Token>,
    },
    /// Ends the process as SIGTERM does.
    Drain,
    /// Says how the gateway is.
    Status,
    /// Looks at the policy's files now.
    Reload,
    /// Goes back to a kept generation, and holds it until the files change.
    Rollback {
        /// Which; else the one before that in force.
        #[serde(default)]
        to: Option<u64>,
    },
    /// Says what the next policy would have decided otherwise.
    Shadow,
    /// Says what records have in the place of a value.
    Lookup {
        /// The field.
        field: String,
        /// The value.
        value: Token,
    },
    /// Says what would become of a call, without making it.
    Explain {
        /// The text of a call, as `policy explain` reads it from a file: a text, so that numbers keep their digits and a
        /// name that stands twice is seen.
        call: String,
        /// When it comes; else now.
        #[serde(default)]
        at: Option<Timestamp>,
    },
}

impl Operation {
    /// Its name in records.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Freeze(_) => "freeze",
            Self::Unfreeze { .. } => "unfreeze",
            Self::Freezes => "freezes",
            Self::Purge { .. } => "purge",
            Self::Drain => "drain",
            Self::Status => "status",
            Self::Reload => "reload",
            Self::Rollback { .. } => "rollback",
            Self::Shadow => "shadow",
            Self::Lookup { .. } => "lookup",
            Self::Explain { .. } => "explain",
        }
    }
}

/// A token, or another value that is never shown.
#[derive(Debug)]
pub struct Token(pub(super) Secret);

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// A freeze, as it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is stopped.
    pub subject: Subject,
    /// Why.
    pub reason: String,
    /// The first instant at which it holds.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// What is stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Every call.
    Everything,
    /// The calls of one application.
    App(String),
    /// The calls about one business.
    Business(Business),
    /// The calls that run one script.
    Script(FrozenText),
}

/// A business that is stopped.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Business {
    /// A single one.
    Id(i64),
    /// A business set.
    Set(i64),
    /// A tenant set.
    TenantSet(i64),
}

/// A script that is stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrozenText {
    /// Content with this hash, in hex.
    Sha256(String),
    /// One version.
    Version(i64),
    /// A script by its id.
    Id(String),
}

/// A freeze that is set, as it is listed and kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetFreeze {
    /// Its id.
    pub id: String,
    /// What was asked for.
    pub order: Order,
    /// When it was set.
    pub set_at: Timestamp,
    /// The number of the user who set it.
    pub set_by_uid: u32,
}

impl Order {
    /// What the judge makes of it, or why nothing.
    pub(super) fn freeze(&self) -> Result<Freeze, String> {
        let subject = match &self.subject {
            Subject::Everything => FreezeSubject::Everything,
            Subject::App(code) => {
                FreezeSubject::App(Name::new(code).map_err(|fault| fault.to_string())?)
            }
            Subject::Business(Business::Id(id)) => FreezeSubject::Business(Scope::Business(*id)),
            Subject::Business(Business::Set(id)) => {
                FreezeSubject::Business(Scope::BusinessSet(*id))
            }
            Subject::Business(Business::TenantSet(id)) => {
                FreezeSubject::Business(Scope::TenantSet(*id))
            }
            Subject::Script(FrozenText::Sha256(text)) => {
                FreezeSubject::Script(FrozenScript::Sha256(hash(text)?))
            }
            Subject::Script(FrozenText::Version(id)) => {
                FreezeSubject::Script(FrozenScript::Version(*id))
            }
            Subject::Script(FrozenText::Id(id)) if id.trim().is_empty() || id.len() > 256 => {
                return Err("a script's id is 1 to 256 bytes".into());
            }
            Subject::Script(FrozenText::Id(id)) => {
                FreezeSubject::Script(FrozenScript::Id(id.as_str().into()))
            }
        };
        let reason = Arc::from(self.reason.as_str());
        let freeze = Freeze { subject, reason, from: self.from, until: self.until };
        freeze.check().map_err(|fault| fault.to_string())?;
        Ok(freeze)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::App(code) => write!(f, "app {code}"),
            Self::Business(Business::Id(id)) => write!(f, "business {id}"),
            Self::Business(Business::Set(id)) => write!(f, "business set {id}"),
            Self::Business(Business::TenantSet(id)) => write!(f, "tenant set {id}"),
            Self::Script(FrozenText::Sha256(hash)) => write!(f, "script sha256 {hash}"),
            Self::Script(FrozenText::Version(id)) => write!(f, "script version {id}"),
            Self::Script(FrozenText::Id(id)) => write!(f, "script {id}"),
        }
    }
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    sha256_from_hex(text).ok_or_else(|| "sha256 must be 64 hex digits".into())
}

/// One line out: what was done, or why nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The version.
    pub v: u32,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Done>,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why nothing was done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    /// In one word.
    pub code: String,
    /// In a sentence.
    pub message: String,
}

/// What was done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// A freeze holds.
    Frozen {
        /// Under this id.
        id: String,
        /// Whether it outlives a restart.
        kept: bool,
        /// Whether it is on record.
        recorded: bool,
    },
    /// A freeze is taken out.
    Unfrozen {
        /// Which.
        id: String,
    },
    /// The freezes of an admin.
    Freezes(Vec<SetFreeze>),
    /// What the login service said is forgotten.
    Purged {
        /// Whether it is on record.
        recorded: bool,
    },
    /// The process ends.
    Draining {
        /// Whether it is on record.
        recorded: bool,
    },
    /// How the gateway is.
    Status(Status),
    /// A generation is in force.
    InForce {
        /// Its number.
        generation: u64,
        /// Whether it was not in force before.
        taken: bool,
        /// Whether a rollback holds it over the files.
        held: bool,
    },
    /// What the next policy would have decided otherwise; nothing where there is none.
    Shadow(Option<Shadowed>),
    /// What records have in the place of a value: one for each key, or two where the field has two forms.
    Hashed(Vec<HashedValue>),
    /// What would become of a call.
    Explained(Box<Explained>),
}

/// What records have in the place of a value.
#[derive(Debug, Serialize, Deserialize)]
pub struct HashedValue {
    /// The key.
    pub key_id: String,
    /// The keyed hash.
    pub hmac: String,
}

/// What came of a next policy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shadowed {
    /// The hash of its file.
    pub sha256: String,
    /// When it was loaded.
    pub since: Timestamp,
    /// Calls that it would have decided in the same way.
    pub same: u64,
    /// Calls that it would have refused.
    pub would_refuse: u64,
    /// Calls that it would have allowed.
    pub would_allow: u64,
    /// Calls that it would have refused for another reason.
    pub other_reason: u64,
    /// Calls that it was not asked about.
    pub unjudged: u64,
    /// Kinds of differences, the most frequent first.
    pub differences: Vec<Differing>,
    /// Differing calls beyond those kinds.
    pub untold: u64,
}

/// One kind of difference.
#[derive(Debug, Serialize, Deserialize)]
pub struct Differing {
    /// How it would decide: `would_refuse`, `would_allow` or `other_reason`.
    pub result: String,
    /// The application.
    pub app: Option<String>,
    /// The component.
    pub component: Option<String>,
    /// The code of the refusal by the policy in force.
    pub now: Option<String>,
    /// The code of the refusal by the next policy.
    pub next: Option<String>,
    /// How many calls.
    pub count: u64,
    /// When the last of them came.
    pub last_at: Timestamp,
    /// Its id, as answers, log and journal have it.
    pub last_request_id: String,
}

/// How the gateway is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's version.
    pub version: String,
    /// The generation of policy in force.
    pub generation: u64,
    /// Its applications.
    pub apps: usize,
    /// The kept generation that a rollback holds over the files.
    pub held: Option<u64>,
    /// How many problems the files have as they are now; none if they are in force.
    pub problems: usize,
    /// Requests inside.
    pub in_flight: u64,
    /// Connections of callers.
    pub connections: u64,
    /// Whether the journal takes records.
    pub journal_writable: bool,
    /// Whether the gateway stops.
    pub stopping: bool,
    /// Freezes of the policy, those included that do not hold now.
    pub policy_freezes: usize,
    /// Freezes of an admin.
    pub admin_freezes: usize,
}

impl Answer {
    pub(super) fn done(done: Done) -> Self {
        Self { v: VERSION, done: Some(done), refused: None }
    }

    pub(super) fn refused(code: &str, message: impl Into<String>) -> Self {
        let refused = Refused { code: code.into(), message: message.into() };
        Self { v: VERSION, done: None, refused: Some(refused) }
    }
}
