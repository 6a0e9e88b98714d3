//! What one value or one list of a spec must be. It is declared at the field, as an attribute of garde, which the
//! schemas are made of as well; this is the one module that knows garde's reports.
//!
//! What takes two values, a name that stands elsewhere, or a parser to find out is checked where it is compiled.

use std::{borrow::Cow, cmp::Ordering, fmt::Display};

use garde::{
    Error, Path, Validate,
    i18n::{
        DefaultI18n, I18n, InvalidCreditCard, InvalidEmail, InvalidPhoneNumber, InvalidUrl, IpKind,
    },
    rules::{
        length::simple::HasSimpleLength,
        range::{Bounds, OutOfBounds},
    },
};
use serde::Deserialize;

use crate::{
    node::{Node, Place, Spanned, Value},
    problem::named,
};

/// A value that its spec does not allow.
pub(crate) struct Unfit {
    /// Of the value, or of what it is missing in.
    pub(crate) place: Place,
    /// The keys that lead to it, with dots.
    pub(crate) path: String,
    pub(crate) message: String,
}

/// All values of a spec that its fields do not allow; `node` is what the spec was made of, `path` where that stands.
pub(crate) fn unfit<T: Validate<Context = ()>>(spec: &T, node: &Node, path: &str) -> Vec<Unfit> {
    let told = garde::i18n::with_i18n(Words, || spec.validate());
    let faults = told.err().map_or_else(Vec::new, garde::Report::into_inner);
    let unfit = faults.into_iter().map(|(steps, fault)| {
        let (place, path) = walk(node, path, &steps);
        Unfit { place, path, message: fault.message().to_owned() }
    });
    unfit.collect()
}

/// A step of a report's path, in the form in which garde serializes it.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    None,
    Key,
    Index,
}

/// Follows a report's path through the document; it ends early where a key is absent.
fn walk(node: &Node, path: &str, steps: &Path) -> (Place, String) {
    let steps = serde_json::to_value(steps).and_then(serde_json::from_value);
    let steps: Vec<(Step, String)> = steps.unwrap_or_default();
    let (mut place, mut path, mut at) = (node.place, path.to_owned(), Some(node));
    for (step, name) in steps {
        // A field may be called as a word of Rust is.
        let name = name.strip_prefix("r#").unwrap_or(&name);
        let (key, next) = match (step, at.map(|node| &node.value)) {
            (Step::None, _) => continue,
            (Step::Key, _) => (Some(name), at.and_then(|node| node.get(name))),
            (Step::Index, Some(Value::List(list))) => {
                (None, name.parse::<usize>().ok().and_then(|index| list.get(index)))
            }
            // What a choice holds has no name of its own in a spec, and that of the choice in the document.
            (Step::Index, Some(Value::Map(map))) => {
                map.first().map_or((None, None), |(key, node)| (Some(&*key.name), Some(node)))
            }
            (
                Step::Index,
                None
                | Some(
                    Value::Null
                    | Value::Bool(..)
                    | Value::Whole(..)
                    | Value::Number(_)
                    | Value::Text(_),
                ),
            ) => (None, None),
        };
        if let Some(key) = key {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(named(key));
        }
        place = next.map_or(place, |node| node.place);
        at = next;
    }
    (place, path)
}

/// What is asked for, in words for those who write the file; never what stands there.
struct Words;

macro_rules! unasked {
    ($($rule:ident($($name:ident: $type:ty),*),)*) => {
        $(fn $rule(&self, $($name: $type),*) -> Cow<'static, str> {
            DefaultI18n.$rule($($name),*)
        })*
    };
}

impl I18n for Words {
    fn length_lower_than(&self, min: usize) -> Cow<'static, str> {
        match min {
            1 => "name at least one".into(),
            _ => format!("name at least {min}").into(),
        }
    }
    fn length_greater_than(&self, max: usize) -> Cow<'static, str> {
        format!("name at most {max}").into()
    }
    fn range_lower_than(&self, min: &dyn Display) -> Cow<'static, str> {
        format!("the number must be at least {min}").into()
    }
    fn range_greater_than(&self, max: &dyn Display) -> Cow<'static, str> {
        format!("the number must be at most {max}").into()
    }
    // No field has these.
    unasked! {
        credit_card_invalid(reason: InvalidCreditCard),
        pattern_no_match(pattern: &dyn Display),
        contains_missing(pattern: &dyn Display),
        url_invalid(reason: InvalidUrl),
        prefix_missing(pattern: &dyn Display),
        suffix_missing(pattern: &dyn Display),
        phone_number_invalid(reason: InvalidPhoneNumber),
        ip_invalid(kind: IpKind),
        matches_field_mismatch(field: &dyn Display),
        email_invalid(reason: InvalidEmail),
        ascii_invalid(),
        alphanumeric_invalid(),
        required_not_set(),
    }
}

/// A field that has a value, or may have one.
pub(crate) trait Given<T> {
    fn given(&self) -> Option<&T>;
}

impl<T> Given<T> for Spanned<T> {
    fn given(&self) -> Option<&T> {
        Some(&self.value)
    }
}

impl<T> Given<T> for Option<Spanned<T>> {
    fn given(&self) -> Option<&T> {
        self.as_ref().map(|said| &said.value)
    }
}

/// A text that is more than blanks.
pub(crate) fn says(text: &impl Given<String>, (): &()) -> garde::Result {
    let blank = text.given().is_some_and(|text| text.trim().is_empty());
    if blank { Err(Error::new("it must say something")) } else { Ok(()) }
}

/// The one version of a file's form that there is.
pub(crate) fn known_version(version: &impl Given<u32>, (): &()) -> garde::Result {
    let known = version.given().is_none_or(|version| *version == 1);
    if known { Ok(()) } else { Err(Error::new("only version 1 is known")) }
}

/// The id of a risk rule.
pub(crate) fn rule_id(id: &Spanned<String>, (): &()) -> garde::Result {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=64).contains(&id.value.len()) && id.value.bytes().all(byte);
    if fits { Ok(()) } else { Err(Error::new("an id is 1 to 64 of a-z 0-9 -")) }
}

/// A value is held to the same with its place.
impl<T: Validate> Validate for Spanned<T> {
    type Context = T::Context;

    fn validate_into(
        &self,
        context: &T::Context,
        path: &mut dyn FnMut() -> Path,
        report: &mut garde::Report,
    ) {
        self.value.validate_into(context, path, report);
    }
}

impl<T: HasSimpleLength> HasSimpleLength for Spanned<T> {
    fn length(&self) -> usize {
        self.value.length()
    }
}

/// By the value, wherever it stands.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// By the value, wherever it stands.
impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Bounds> Bounds for Spanned<T> {
    type Size = T::Size;

    const MIN: T::Size = T::MIN;
    const MAX: T::Size = T::MAX;

    fn validate_bounds(&self, lower: T::Size, upper: T::Size) -> Result<(), OutOfBounds> {
        self.value.validate_bounds(lower, upper)
    }
}
