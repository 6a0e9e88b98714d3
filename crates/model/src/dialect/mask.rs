//! Masks what the catalog says an answer must not show, and leaves every other character as it came: no
//! number is read, no member moves.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Hidden;

/// What stands in the place of a masked value.
const MASK: &str = "\"***\"";

/// An answer nests about ten deep; one that goes deeper than this is not passed on.
const DEEPEST: usize = 32;

/// What is hidden, in one answer.
#[derive(Clone, Copy)]
pub(super) struct Mask(&'static [Hidden]);

impl Mask {
    pub(super) fn new(hidden: &'static [Hidden]) -> Self {
        Self(hidden)
    }

    /// The value without what is hidden; none if it cannot be told.
    pub(super) fn apply<'v>(self, value: &'v str) -> Option<Cow<'v, str>> {
        if !self.concerns(value) {
            return Some(Cow::Borrowed(value));
        }
        let mut masked = String::with_capacity(value.len());
        self.write(value, 0, &mut masked)?;
        Some(Cow::Owned(masked))
    }

    /// Whether a hidden name may stand in a text. Behind an escape any name may.
    fn concerns(self, text: &str) -> bool {
        let named = |hidden: &Hidden| text.contains(name(*hidden));
        !self.0.is_empty() && (self.0.iter().any(named) || text.contains("\\u"))
    }

    fn write(self, value: &str, depth: usize, out: &mut String) -> Option<()> {
        let opening = value.as_bytes().first();
        if !self.concerns(value) || !matches!(opening, Some(b'{' | b'[')) {
            out.push_str(value);
            return Some(());
        }
        if depth == DEEPEST {
            return None;
        }
        if opening == Some(&b'[') {
            let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            for (index, element) in elements.into_iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                self.write(element.get(), depth + 1, out)?;
            }
            out.push(']');
            return Some(());
        }
        let Members(members) = serde_json::from_str(value).ok()?;
        for (index, (name, value)) in members.iter().enumerate() {
            out.push(if index == 0 { '{' } else { ',' });
            out.push_str(&serde_json::Value::from(&**name).to_string());
            out.push(':');
            if value.get() != "null" && self.hides(name, &members) {
                out.push_str(MASK);
            } else {
                self.write(value.get(), depth + 1, out)?;
            }
        }
        out.push('}');
        Some(())
    }

    /// Whether the member of an object is hidden: unless its neighbour says, once and plainly, that it is
    /// open.
    fn hides(self, member: &str, members: &[(Cow<'_, str>, &RawValue)]) -> bool {
        let says = |neighbour: &str, open: &[&str]| {
            let mut said = members.iter().filter(|(name, _)| *name == neighbour);
            let first = said.next();
            said.next().is_none() && first.is_some_and(|(_, value)| open.contains(&value.get()))
        };
        self.0.iter().filter(|hidden| name(**hidden) == member).any(|hidden| match hidden {
            Hidden::ScriptParam => !says("is_param_sensitive", &["0", "false"]),
            // String, namespace, hosts, associative and indexed array; 4 is cipher.
            Hidden::VariableValue => !says("type", &["1", "2", "3", "5", "6"]),
        })
    }
}

fn name(hidden: Hidden) -> &'static str {
    match hidden {
        Hidden::ScriptParam => "script_param",
        Hidden::VariableValue => "value",
    }
}

/// The members of an object in their order, doubles included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A name, borrowed unless it was escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Hidden] = &[Hidden::ScriptParam, Hidden::VariableValue];

    fn masked(value: &str) -> Option<String> {
        Mask::new(BOTH).apply(value).map(Cow::into_owned)
    }

    #[test]
    fn a_parameter_is_masked_unless_it_is_plainly_not_sensitive() {
        for open in [r#""is_param_sensitive":0"#, r#""is_param_sensitive": false"#] {
            let step = format!(r#"{{"script_param":"cA==",{open}}}"#);
            assert!(masked(&step).unwrap().contains("cA=="), "{step}");
        }
        for closed in [
            r#"{"script_param":"cA==","is_param_sensitive":1}"#,
            r#"{"is_param_sensitive":"0","script_param":"cA=="}"#,
            r#"{"is_param_sensitive":0,"script_param":"cA==","is_param_sensitive":1}"#,
            r#"{"script_param":"cA=="}"#,
            r#"{"script\u005fparam":"cA==","is_param_sensitive":null}"#,
            r#"{"script_param":["cA=="],"is_param_sensitive":2}"#,
        ] {
            let masked = masked(closed).unwrap();
            assert!(!masked.contains("cA==") && masked.contains(r#":"***""#), "{masked}");
        }
    }

    #[test]
    fn a_variable_is_masked_unless_its_type_is_open() {
        for kind in [1, 2, 3, 5, 6] {
            let variable = format!(r#"{{"value":"v","type":{kind}}}"#);
            assert_eq!(masked(&variable).unwrap(), variable);
        }
        for rest in [r#","type":4"#, r#","type":7"#, r#","type":"1""#, ""] {
            let masked = masked(&format!(r#"[{{"value":"v"{rest}}}]"#)).unwrap();
            assert!(masked.starts_with(r#"[{"value":"***""#), "{masked}");
        }
        assert_eq!(masked(r#"{"value":null}"#).unwrap(), r#"{"value":null}"#);
    }

    #[test]
    fn numbers_order_and_other_texts_stay_as_they_came() {
        let text = r#"{"z":1.0,"a":[12345678901234567890123,{"script_param":"x","k":1e400}],"t":"script_param"}"#;
        assert_eq!(masked(text).unwrap(), text.replace(r#""x""#, MASK));
        let plain = r#"{ "b" : 1.10 , "a":"é" }"#;
        assert!(matches!(Mask::new(BOTH).apply(plain), Some(Cow::Borrowed(_))));
        assert!(matches!(Mask::new(&[]).apply(r#"{"script_param":1}"#), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn what_cannot_be_told_is_not_passed_on() {
        let deep = format!("{}{{\"value\":1}}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(masked(&deep), None);
        assert_eq!(masked(r#"{"value":1"#), None);
    }
}
