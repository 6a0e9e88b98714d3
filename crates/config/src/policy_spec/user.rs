//! The shape of a user in an exemption.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::spec;
#[cfg(test)]
use crate::form;
use crate::node::Spanned;

/// A user, or a pattern of users.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(untagged))]
pub(crate) enum UserSpec {
    Name(#[cfg_attr(test, schemars(with = "form::AppName"))] String),
    Pattern(UserPatternSpec),
}

spec! {
    /// Users whose whole name matches.
    UserPatternSpec {
        /// A pattern of the Rust crate `regex` over the whole name, ASCII, at most 256 bytes. One that matches the
        /// empty text, or a name in which one character is all there is, is refused.
        #[cfg_attr(test, schemars(with = "form::Pattern"))]
        pattern: Spanned<String>,
    }
}

impl<'de> Deserialize<'de> for UserSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = UserSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or {pattern: TEXT}")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<UserSpec, E> {
                Ok(UserSpec::Name(text.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UserSpec, A::Error> {
                UserPatternSpec::deserialize(MapAccessDeserializer::new(map)).map(UserSpec::Pattern)
            }
        }
        // What is not quoted may be a name all the same.
        deserializer.deserialize_string(Reader)
    }
}
