//! The shape of `freeze` of a policy.

use serde::Deserialize;

use super::spec;
#[cfg(test)]
use crate::form;
use crate::{constraint::says, node::Spanned};

spec! {
    /// What is stopped for a while, whatever is granted. It names exactly one subject: `everything`, `app`, `business`
    /// or `script`. Components that only read pass.
    FreezeSpec {
        /// Every call.
        #[cfg_attr(test, schemars(extend("const" = true)))]
        everything: Option<Spanned<bool>>,
        /// The calls of the application with this code, one of `apps`.
        #[cfg_attr(test, schemars(with = "Option<form::AppName>"))]
        app: Option<Spanned<String>>,
        /// The calls that name this business, business set or tenant set. A set is not looked into: its calls pass
        /// where one of its businesses is frozen.
        business: Option<FrozenBusinessSpec>,
        /// The calls of `fast_execute_script` that run this script.
        #[garde(dive)]
        script: Option<FrozenScriptSpec>,
        /// Why, on one line. The caller reads it.
        #[cfg_attr(test, schemars(length(min = 1, max = 300)))]
        reason: Spanned<String>,
        /// The first instant at which it holds.
        #[cfg_attr(test, schemars(with = "Option<form::Instant>", extend("default" = "it holds at once")))]
        from: Option<Spanned<String>>,
        /// The first instant at which it no longer holds; without one it holds until the entry is taken out, which is a
        /// warning.
        #[cfg_attr(test, schemars(with = "Option<form::Instant>"))]
        until: Option<Spanned<String>>,
    }
}
/// A business that is stopped.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum FrozenBusinessSpec {
    /// A single one.
    Id(Spanned<i64>),
    /// A business set.
    Set(Spanned<i64>),
    /// A tenant set.
    TenantSet(Spanned<i64>),
}
impl FrozenBusinessSpec {
    /// The number, with its place.
    pub(crate) fn number(&self) -> &Spanned<i64> {
        match self {
            Self::Id(id) | Self::Set(id) | Self::TenantSet(id) => id,
        }
    }
}
/// A script that is stopped.
#[derive(Debug, Deserialize, garde::Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[garde(allow_unvalidated)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FrozenScriptSpec {
    /// Content with this hash, 64 hex digits, in any language.
    Sha256(Spanned<String>),
    /// One version.
    Version(Spanned<i64>),
    /// A script by its id, where the call names the id.
    Id(
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        Spanned<String>,
    ),
}
