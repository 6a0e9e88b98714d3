//! The shape of `tests` of a policy, and of files that hold nothing else.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, Visitor},
};

use super::spec;
#[cfg(test)]
use crate::form;
use crate::{
    call::Proof,
    constraint::{known_version, says},
    node::Spanned,
};

spec! {
    /// A file of a `tests` folder.
    TestsFileSpec {
        /// The version of the file's form.
        #[cfg_attr(test, schemars(extend("const" = 1, "default" = 1)))]
        #[garde(custom(known_version))]
        version: Option<Spanned<u32>>,
        /// What shall become of calls.
        #[cfg_attr(test, schemars(with = "Vec<TestSpec>"))]
        #[serde(default, rename = "tests")] _tests: Vec<IgnoredAny>,
    }
}
spec! {
    /// A call, and what shall become of it.
    TestSpec {
        /// Its name, once in a policy.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        name: Spanned<String>,
        /// When the call comes, so that the verdict does not change with the calendar.
        #[cfg_attr(test, schemars(with = "form::Instant"))]
        at: Spanned<String>,
        /// The call.
        call: TestCallSpec,
        /// What shall become of it.
        expect: Spanned<ExpectSpec>,
    }
}
spec! {
    /// A call that is asked about.
    TestCallSpec {
        /// The application's code; one that the policy has, unless `APP_VERIFY_FAILED` is expected.
        app: Spanned<String>,
        /// The user's name.
        user: Spanned<String>,
        /// How the user is known; without it as `policy explain` does.
        proof: Option<Proof>,
        /// The caller's address.
        peer: Option<Spanned<String>>,
        /// The component.
        #[cfg_attr(test, schemars(with = "Option<form::ComponentName>", extend("default" = "fast_execute_script")))]
        component: Option<Spanned<String>>,
        /// A script in clear: it becomes `script_content` of the body, with `script_language` 1 unless the body names one.
        script: Option<Spanned<String>>,
        /// The parameters: keys with values, which become JSON with whole numbers digit by digit, or a JSON object as a
        /// text, which is taken byte by byte. Other components than `fast_execute_script` have no default.
        #[cfg_attr(test, schemars(with = "form::Body", extend("default" = "a call without a fault")))]
        #[serde(default, rename = "body")] _body: IgnoredAny,
    }
}
spec! {
    /// What shall become of a call: `allowed` or `refused`, and what else must be so.
    ExpectSpec {
        /// The rule that allows the call, or `true`.
        #[cfg_attr(test, schemars(with = "Option<form::Allowed>"))]
        allowed: Option<Spanned<AllowedSpec>>,
        /// The name of the code of the refusal ([errors.md](errors.md)).
        refused: Option<Spanned<String>>,
        /// The paths of all faults of the refusal, in any order.
        faults: Option<Spanned<Vec<String>>>,
        /// How many hosts the allowed call counts as.
        host_runs: Option<Spanned<u64>>,
        /// The ids of all risk rules that the call matches, in any order.
        risk: Option<Vec<Spanned<String>>>,
    }
}
/// What allows a call.
#[derive(Debug)]
pub(crate) enum AllowedSpec {
    /// Any rule.
    Any,
    /// The rule of this name.
    Rule(String),
}

impl<'de> Deserialize<'de> for AllowedSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AllowedVisitor)
    }
}

struct AllowedVisitor;

impl Visitor<'_> for AllowedVisitor {
    type Value = AllowedSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or the name of a rule")
    }
    fn visit_bool<E: Error>(self, allowed: bool) -> Result<AllowedSpec, E> {
        if allowed {
            return Ok(AllowedSpec::Any);
        }
        Err(E::custom("write refused: with the code, instead of allowed: false"))
    }
    /// A name that looks like a number needs no quotes.
    fn visit_i64<E: Error>(self, rule: i64) -> Result<AllowedSpec, E> {
        Ok(AllowedSpec::Rule(rule.to_string()))
    }
    fn visit_str<E: Error>(self, rule: &str) -> Result<AllowedSpec, E> {
        Ok(AllowedSpec::Rule(rule.into()))
    }
}
