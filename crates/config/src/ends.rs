//! What of a policy ends: exemptions and keys, for those who look after them.

use std::fmt;

use esbgate_core::UserPattern;
use jiff::Timestamp;

use crate::{
    policy_document::PolicyDocument,
    policy_spec::{ExemptionSpec, KeySpec, ProofSpec, UserSpec},
};

/// A user in an exemption, or a pattern of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExemptUser {
    /// This one.
    Name(String),
    /// Whose whole name matches.
    Pattern(UserPattern),
}

impl ExemptUser {
    /// Whether `user` is meant.
    #[must_use]
    pub fn names(&self, user: &str) -> bool {
        match self {
            Self::Name(name) => name == user,
            Self::Pattern(pattern) => pattern.matches(user),
        }
    }
}

impl fmt::Display for ExemptUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pattern(pattern) => write!(f, "pattern:{}", pattern.as_str()),
        }
    }
}

/// An exemption, as the policy says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExemptionEnd {
    /// The application.
    pub app: String,
    /// Who may be named.
    pub users: Vec<ExemptUser>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Where it was decided.
    pub ticket: String,
    /// The first refused instant.
    pub expires: Timestamp,
    /// Where it stands, from 1.
    pub line: u64,
}

/// A key of an application; its hash is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEnd {
    /// The application.
    pub app: String,
    /// Its number among the application's keys, from 1.
    pub number: usize,
    /// The first refused instant; none where it holds for good.
    pub expires: Option<Timestamp>,
    /// Where it stands, from 1.
    pub line: u64,
}

/// A pattern that does not compile is a problem of the policy, and names nobody here.
fn exempt(user: &UserSpec) -> Option<ExemptUser> {
    match user {
        UserSpec::Name(name) => Some(ExemptUser::Name(name.clone())),
        UserSpec::Pattern(said) => {
            UserPattern::new(&said.pattern.value).ok().map(ExemptUser::Pattern)
        }
    }
}

impl PolicyDocument {
    /// The exemptions that have an end, in the order of applications. Only a policy that was checked has all of them.
    #[must_use]
    pub fn exemptions(&self) -> Vec<ExemptionEnd> {
        let apps = self.apps.iter().filter_map(|(code, app)| Some((code, app.spec.as_ref()?)));
        let all =
            apps.flat_map(|(code, app)| app.users.exemptions.iter().map(move |one| (code, one)));
        let ends = all.filter_map(|(code, one)| {
            let ExemptionSpec { users, owner, reason, ticket, expires } = &one.value;
            Some(ExemptionEnd {
                app: code.clone(),
                users: users.iter().filter_map(|user| exempt(&user.value)).collect(),
                owner: owner.value.clone(),
                reason: reason.value.clone(),
                ticket: ticket.value.clone(),
                expires: expires.as_ref()?.value.parse().ok()?,
                line: one.place.line,
            })
        });
        ends.collect()
    }

    /// The keys, in the order of applications. Only a policy that was checked has all of them.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyEnd> {
        let apps = self.apps.iter().filter_map(|(code, app)| Some((code, app.spec.as_ref()?)));
        let keys = apps.flat_map(|(code, app)| {
            let keys = app.proofs.iter().filter_map(|proof| match proof {
                ProofSpec::Key(key) => Some(key),
                ProofSpec::Jwt(_) | ProofSpec::Certificate(_) => None,
            });
            keys.enumerate().map(move |(index, key)| {
                let KeySpec { sha256, expires } = key;
                let expires = expires.as_ref().and_then(|text| text.value.parse().ok());
                KeyEnd { app: code.clone(), number: index + 1, expires, line: sha256.place.line }
            })
        });
        keys.collect()
    }
}
