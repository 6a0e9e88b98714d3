//! The shape of `risks` of a policy.

use serde::Deserialize;

use super::spec;
use crate::node::Spanned;

spec! {
    /// What scripts must not say.
    RiskSpec {
        /// Its name in records and answers.
        id: Spanned<String>,
        /// Languages of the scripts that it reads.
        languages: Vec<Spanned<String>>,
        /// The pattern.
        r#match: Spanned<String>,
        /// What is done.
        action: RiskActionSpec,
        /// What to do instead.
        hint: Spanned<String>,
        /// Scripts that it is tried on at each load.
        #[serde(default)] examples: ExamplesSpec,
    }
}
/// What is done about a script.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RiskActionSpec {
    /// It is put on record.
    Observe,
    /// The caller is told as well.
    Warn,
    /// Only what was reviewed passes.
    ReviewedOnly,
    /// The call is refused.
    Deny,
}
spec! {
    /// Scripts that a risk rule is tried on.
    #[derive(Default)]
    ExamplesSpec {
        /// It must match them.
        #[serde(default)] r#match: Vec<Spanned<String>>,
        /// It must not match them.
        #[serde(default)] pass: Vec<Spanned<String>>,
    }
}
