//! Whether a call took effect: the one question a caller has after a failure.

/// Whether the call was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executed {
    /// It was not; repeating it is safe.
    No,
    /// It was.
    Yes,
    /// A byte may have left and no answer settles it; look before repeating.
    Unknown,
}

impl Executed {
    /// The value of the `executed` member of answers and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unknown => "unknown",
        }
    }
}
