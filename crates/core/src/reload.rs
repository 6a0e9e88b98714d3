//! What is written of a change of policy.

/// Why a policy was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadCause {
    /// The process began.
    Start,
    /// Its files changed.
    Watch,
    /// The process was sent SIGHUP.
    Signal,
    /// An admin asked for it.
    Admin,
    /// An admin went back to a kept generation.
    Rollback,
}

impl ReloadCause {
    /// The word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Watch => "watch",
            Self::Signal => "signal",
            Self::Admin => "admin",
            Self::Rollback => "rollback",
        }
    }
}

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// It is in force.
    Taken,
    /// Something is wrong with it; the one in force stays.
    Refused,
    /// The journal takes no records, so it was not taken, and will be tried again.
    Unrecorded,
}

impl ReloadResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Taken, Self::Refused, Self::Unrecorded];

    /// The label and the word in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Unrecorded => "unrecorded",
        }
    }
}

/// What became of a policy, for the journal.
#[derive(Debug, Clone, Copy)]
pub struct ReloadRecord<'a> {
    /// Why it was looked at.
    pub cause: ReloadCause,
    /// What became of it.
    pub result: ReloadResult,
    /// Its number, if it is taken.
    pub generation: Option<u64>,
    /// The generation that was in force.
    pub replaces: Option<u64>,
    /// The kept generation whose text it is.
    pub restores: Option<u64>,
    /// SHA-256 of the files that a held rollback keeps out of force.
    pub overrides: Option<&'a str>,
    /// SHA-256 of names and texts, if they could be read.
    pub sha256: Option<&'a str>,
    /// The names of its files.
    pub files: &'a [&'a str],
    /// Its applications, if it is taken.
    pub apps: Option<usize>,
    /// What it was refused for.
    pub problems: usize,
    /// What it warns of.
    pub warnings: usize,
}
