//! The shape of `policy.yaml`. Unknown keys are refused; what is absent allows nothing.

mod budget;
mod grant;
mod hours;
mod issuer;
mod risk;
mod user;

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};

pub(crate) use self::{budget::*, grant::*, hours::*, issuer::*, risk::*, user::*};
use crate::node::Spanned;

macro_rules! spec {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type,)* }

        #[cfg(test)]
        impl $name {
            /// Its keys, as docs/configuration.md must list them.
            pub(crate) const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}
pub(crate) use spec;

/// A map whose values are read one by one, each a piece of its own.
type Pieces = BTreeMap<String, IgnoredAny>;

spec! {
    /// The whole file.
    PolicySpec {
        /// 1.
        version: Spanned<u32>,
        /// Numbers of applications that have none of their own.
        #[serde(default, rename = "defaults")] _defaults: IgnoredAny,
        /// Issuers of JWTs by name.
        #[serde(default, rename = "issuers")] _issuers: Pieces,
        /// Lists of holidays by a name of your own, for the `hours` of rules. Default: none.
        #[serde(default, rename = "holidays")] _holidays: Pieces,
        /// What scripts are read for.
        #[serde(default, rename = "risks")] _risks: Vec<IgnoredAny>,
        /// Applications by code.
        #[serde(default, rename = "apps")] _apps: Pieces,
    }
}
spec! {
    /// Numbers for every application.
    #[derive(Default)]
    DefaultsSpec {
        /// Calls.
        #[serde(default)] calls: CallsSpec,
        /// Host-runs.
        #[serde(default)] hosts: HostsSpec,
    }
}
spec! {
    /// One application.
    AppSpec {
        /// Whom to ask.
        owner: Spanned<String>,
        /// How it proves itself.
        #[serde(default)] proofs: Vec<ProofSpec>,
        /// How it names its user.
        #[serde(default)] users: UsersSpec,
        /// The credential the gateway acts as.
        acts_as: Option<Spanned<String>>,
        /// Statuses of refusals.
        #[serde(default)] http_status: HttpStatusSpec,
        /// What happens to unknown fields of a call.
        #[serde(default)] unknown_fields: UnknownFieldsSpec,
        /// Fields that are off unless switched on.
        #[serde(default)] fields: FieldsSpec,
        /// Its own budget of calls.
        #[serde(default)] calls: CallsSpec,
        /// Its own budget of host-runs.
        #[serde(default)] hosts: HostsSpec,
        /// What it may do.
        #[serde(default, rename = "allow")] _allow: Vec<IgnoredAny>,
    }
}
/// One way to prove an application.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProofSpec {
    /// A key, known by its hash.
    Key(KeySpec),
    /// A token of an issuer.
    Jwt(JwtSpec),
    /// A name in a client certificate.
    Certificate(CertificateSpec),
}
spec! {
    /// A key, known by its hash.
    KeySpec {
        /// SHA-256 of the key's text, in lower or upper hex.
        sha256: Spanned<String>,
        /// The first refused instant, with zone.
        expires: Option<Spanned<String>>,
    }
}
spec! {
    /// A token of an issuer.
    JwtSpec {
        /// The issuer's name in this file.
        issuer: Spanned<String>,
    }
}
/// A name in a client certificate.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CertificateSpec {
    /// `uniformResourceIdentifier`.
    Uri(Spanned<String>),
    /// `dNSName`.
    Dns(Spanned<String>),
}
spec! {
    /// How an application names its user.
    #[derive(Default)]
    UsersSpec {
        /// By `bk_token`.
        token: Option<Spanned<bool>>,
        /// By the `bk_token` cookie.
        cookie: Option<Spanned<bool>>,
        /// By `bk_username`.
        #[serde(default)] exemptions: Vec<Spanned<ExemptionSpec>>,
    }
}
spec! {
    /// Users that may be named without a token.
    ExemptionSpec {
        /// The users: names, or `{pattern: TEXT}`. Required, at least one.
        users: Vec<Spanned<UserSpec>>,
        /// Who answers for it.
        owner: Spanned<String>,
        /// Why.
        reason: Spanned<String>,
        /// Where it was decided.
        ticket: Spanned<String>,
        /// The first refused instant, with zone.
        expires: Option<Spanned<String>>,
    }
}
/// Statuses of refusals.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
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
        /// The longest `timeout` in seconds.
        timeout_max: Option<Spanned<u32>>,
        /// `rolling_config`.
        #[serde(default)] rolling_config: bool,
        /// `windows_interpreter`.
        #[serde(default)] windows_interpreter: bool,
        /// `host_id_list`.
        #[serde(default)] host_id_list: bool,
        /// `start_task`.
        #[serde(default)] start_task: bool,
        /// `host_password_list`.
        #[serde(default)] host_password_list: bool,
    }
}
