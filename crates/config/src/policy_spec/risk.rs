//! The shape of `risks` of a policy.

use serde::Deserialize;

use super::spec;
#[cfg(test)]
use crate::form;
use crate::{constraint::rule_id, node::Spanned};

spec! {
    /// What scripts must not say.
    RiskSpec {
        /// Its name in answers, records and metrics; once.
        #[cfg_attr(test, schemars(with = "form::RuleId"))]
        #[garde(custom(rule_id))]
        id: Spanned<String>,
        /// Scripts that it reads, at least one.
        #[cfg_attr(test, schemars(with = "Vec<form::Language>"))]
        #[garde(length(min = 1))]
        languages: Vec<Spanned<String>>,
        /// `^` and `$` are ends of lines, classes are ASCII, look-around and back-references are refused.
        #[cfg_attr(test, schemars(with = "form::Pattern"))]
        r#match: Spanned<String>,
        /// What is done.
        action: RiskActionSpec,
        /// What to do instead; the caller reads it.
        #[cfg_attr(test, schemars(length(min = 1, max = 300)))]
        hint: Spanned<String>,
        /// Scripts that it is tried on at each load.
        #[serde(default)] examples: ExamplesSpec,
    }
}
/// What is done about a script.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
        /// Scripts that it must match, in each of its languages.
        #[serde(default)] r#match: Vec<Spanned<String>>,
        /// Scripts that it must not match in any of them.
        #[serde(default)] pass: Vec<Spanned<String>>,
    }
}
