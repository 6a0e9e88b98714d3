//! The shape of `policy.yaml`. Unknown keys are refused; what is absent allows nothing.

mod budget;
mod freeze;
mod grant;
mod hours;
mod issuer;
mod risk;
mod test;
mod user;

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};

pub(crate) use self::{
    budget::*, freeze::*, grant::*, hours::*, issuer::*, risk::*, test::*, user::*,
};
#[cfg(test)]
use crate::form;
use crate::{
    constraint::{known_version, says},
    node::Spanned,
};

macro_rules! spec {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, garde::Validate)]
        #[cfg_attr(
            test,
            derive(schemars::JsonSchema),
            schemars(extend("x-keys" = [$(stringify!($field)),*]))
        )]
        #[garde(allow_unvalidated)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type,)* }
    };
}
pub(crate) use spec;

/// A map whose values are read one by one, each a piece of its own.
type Pieces = BTreeMap<String, IgnoredAny>;

spec! {
    /// The whole file.
    PolicySpec {
        /// The version of the file's form.
        #[cfg_attr(test, schemars(extend("const" = 1)))]
        #[garde(custom(known_version))]
        version: Spanned<u32>,
        /// Numbers of applications that have none of their own.
        #[cfg_attr(test, schemars(with = "DefaultsSpec"))]
        #[serde(default, rename = "defaults")] _defaults: IgnoredAny,
        /// Whose JWTs are believed, by a name of your own.
        #[cfg_attr(test, schemars(with = "BTreeMap<String, IssuerSpec>"))]
        #[serde(default, rename = "issuers")] _issuers: Pieces,
        /// Lists of holidays by a name of your own, for the `hours` of rules.
        #[cfg_attr(test, schemars(with = "BTreeMap<String, HolidaysSpec>"))]
        #[serde(default, rename = "holidays")] _holidays: Pieces,
        /// What scripts are read for; see [risks.md](risks.md).
        #[cfg_attr(test, schemars(with = "Vec<RiskSpec>", length(max = 200)))]
        #[serde(default, rename = "risks")] _risks: Vec<IgnoredAny>,
        /// What is stopped for a while, whatever is granted.
        #[cfg_attr(test, schemars(with = "Vec<FreezeSpec>", length(max = 1000)))]
        #[serde(default, rename = "freeze")] _freeze: Vec<IgnoredAny>,
        /// Applications by code; no two differ in case alone.
        #[cfg_attr(test, schemars(with = "form::Map<form::AppName, AppSpec>"))]
        #[serde(default, rename = "apps")] _apps: Pieces,
        /// What must become of calls, at most 10,000 with those beside the policy; see [policy.md](policy.md#tests).
        #[cfg_attr(test, schemars(with = "Vec<TestSpec>"))]
        #[serde(default, rename = "tests")] _tests: Vec<IgnoredAny>,
    }
}
spec! {
    /// Numbers for every application.
    #[derive(Default)]
    DefaultsSpec {
        /// The budget of calls.
        #[garde(dive)]
        #[serde(default)] calls: CallsSpec,
        /// The budget of host-runs.
        #[garde(dive)]
        #[serde(default)] hosts: HostsSpec,
    }
}
spec! {
    /// One application.
    AppSpec {
        /// Whom to ask.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        owner: Spanned<String>,
        /// How it proves itself, at least one; a certificate's name is compared byte by byte. No key and no name
        /// stands in two applications.
        #[cfg_attr(test, schemars(required))]
        #[garde(length(min = 1), dive)]
        #[serde(default)] proofs: Vec<ProofSpec>,
        /// How it names its user.
        #[garde(dive)]
        #[serde(default)] users: UsersSpec,
        /// A name of `credentials`.
        #[cfg_attr(test, schemars(required))]
        acts_as: Option<Spanned<String>>,
        /// Statuses of refusals; `esb` is 200.
        #[cfg_attr(test, schemars(extend("default" = "real")))]
        #[serde(default)] http_status: HttpStatusSpec,
        /// What happens to unknown fields of a call.
        #[cfg_attr(test, schemars(extend("default" = "refuse")))]
        #[serde(default)] unknown_fields: UnknownFieldsSpec,
        /// Newer fields, off until switched on.
        #[garde(dive)]
        #[serde(default)] fields: FieldsSpec,
        /// Its budget of calls; each number on its own falls back to `defaults`.
        #[garde(dive)]
        #[serde(default)] calls: CallsSpec,
        /// Its budget of host-runs; each number on its own falls back to `defaults`.
        #[garde(dive)]
        #[serde(default)] hosts: HostsSpec,
        /// What it may do; one rule must cover a whole call.
        #[cfg_attr(test, schemars(with = "Vec<GrantSpec>"))]
        #[serde(default, rename = "allow")] _allow: Vec<IgnoredAny>,
    }
}
/// One way to prove an application.
#[derive(Debug, Deserialize, garde::Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[garde(allow_unvalidated)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProofSpec {
    /// A key, known by its hash.
    Key(KeySpec),
    /// A token of an issuer.
    Jwt(JwtSpec),
    /// A name in a client certificate.
    Certificate(#[garde(dive)] CertificateSpec),
}
spec! {
    /// A key, known by its hash.
    KeySpec {
        /// SHA-256 of the key's text.
        #[cfg_attr(test, schemars(with = "form::Hash"))]
        sha256: Spanned<String>,
        /// When the key ends.
        #[cfg_attr(test, schemars(with = "Option<form::Instant>"))]
        expires: Option<Spanned<String>>,
    }
}
spec! {
    /// A token of an issuer.
    JwtSpec {
        /// A name of `issuers`.
        issuer: Spanned<String>,
    }
}
/// A name in a client certificate.
#[derive(Debug, Deserialize, garde::Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum CertificateSpec {
    /// `uniformResourceIdentifier`.
    Uri(
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        Spanned<String>,
    ),
    /// `dNSName`.
    Dns(
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        Spanned<String>,
    ),
}
spec! {
    /// How an application names its user.
    #[derive(Default)]
    UsersSpec {
        /// By `bk_token`, which the login service knows.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        token: Option<Spanned<bool>>,
        /// By the `bk_token` cookie as well; needs `token`.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        cookie: Option<Spanned<bool>>,
        /// By `bk_username` alone.
        #[garde(dive)]
        #[serde(default)] exemptions: Vec<Spanned<ExemptionSpec>>,
    }
}
spec! {
    /// Users that may be named without a token.
    ExemptionSpec {
        /// Who may be named, at least one: names, or `{pattern: TEXT}`.
        #[garde(length(min = 1))]
        users: Vec<Spanned<UserSpec>>,
        /// Who answers for it.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        owner: Spanned<String>,
        /// Why.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        reason: Spanned<String>,
        /// Where it was decided.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        ticket: Spanned<String>,
        /// When it ends, at most 180 days ahead.
        #[cfg_attr(test, schemars(with = "form::Instant"))]
        expires: Option<Spanned<String>>,
    }
}
/// Statuses of refusals.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum HttpStatusSpec {
    /// Real ones.
    #[default]
    Real,
    /// 200.
    Esb,
}
/// What happens to unknown fields.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownFieldsSpec {
    /// The call is refused.
    #[default]
    Refuse,
    /// They are left out.
    Drop,
}
spec! {
    /// Fields that are off unless switched on.
    #[derive(Default)]
    FieldsSpec {
        /// The longest `timeout`, in seconds.
        #[cfg_attr(test, schemars(extend("default" = 86400)))]
        #[garde(range(min = 1, max = 259_200))]
        timeout_max: Option<Spanned<u32>>,
        /// Allows the field.
        #[serde(default)] rolling_config: bool,
        /// Allows the field.
        #[serde(default)] windows_interpreter: bool,
        /// Allows the field.
        #[serde(default)] host_id_list: bool,
        /// Allows the field.
        #[serde(default)] start_task: bool,
        /// Allows the field.
        #[serde(default)] host_password_list: bool,
    }
}
