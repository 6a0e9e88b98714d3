//! Faults of shape, told in words that the spec knows. What the file says is never repeated, because a secret may
//! stand where it does not belong.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::{node::Place, picture::Hide, problem::nearest, reserved::reserved};

/// Why a node is not what its spec asks for.
#[derive(Debug)]
pub(crate) struct ShapeFault {
    /// None until the innermost node that knows its own sets it.
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What its line must not show.
    pub(crate) hide: Hide,
}

impl ShapeFault {
    fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), hint: None, hide: Hide::Values }
    }

    /// A value of another kind where one of `choices` is due.
    pub(crate) fn one_of(choices: &[&str]) -> Self {
        Self::new(format!("expected one of {}", choices.join(", ")))
    }

    /// The same fault, at `place` unless something inside knew better.
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place: self.place.or(Some(place)), ..self }
    }

    fn unknown(kind: &str, said: &str, known: &[&str], shown: bool) -> Self {
        let hide = if shown { Hide::Value } else { Hide::Values };
        if let Some((message, hint)) = reserved(said, known) {
            return Self { hint: Some(hint.into()), hide, ..Self::new(message) };
        }
        let name = if shown { format!(" `{said}`") } else { String::new() };
        let hint = nearest(said, known.iter().copied())
            .or_else(|| (!known.is_empty()).then(|| format!("known here: {}", known.join(", "))));
        Self { hint, hide, ..Self::new(format!("unknown {kind}{name}")) }
    }
}

/// What is due, in words for those who write the file.
fn due(expected: &dyn Expected) -> String {
    let said = expected.to_string();
    match said.as_str() {
        "u32" => "expected a whole number from 0 to 4294967295".into(),
        "u64" => "expected a whole number from 0".into(),
        "i64" => "expected a whole number".into(),
        "a boolean" => "expected true or false".into(),
        "a string" => "expected a text".into(),
        "a sequence" => "expected a list".into(),
        _ if said.starts_with("struct ") || said == "a map" => "expected keys with values".into(),
        _ => format!("expected {said}"),
    }
}

impl fmt::Display for ShapeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ShapeFault {}

impl de::Error for ShapeFault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(due(expected))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(due(expected))
    }

    fn unknown_variant(said: &str, known: &'static [&'static str]) -> Self {
        // A misplaced secret can stand where a choice is due.
        Self::unknown("choice", said, known, false)
    }

    fn unknown_field(said: &str, known: &'static [&'static str]) -> Self {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        Self::unknown("key", said, known, said.len() <= 40 && said.bytes().all(word))
    }

    fn missing_field(name: &'static str) -> Self {
        Self { hide: Hide::Value, ..Self::new(format!("missing key `{name}`")) }
    }
}
