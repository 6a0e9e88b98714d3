//! Values with units, and lists that may be `any`: spelled one way, so that a bare number is never a guess.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

/// A size such as `1MiB`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

/// A time such as `500ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration);

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        split(&text)
            .and_then(|(number, unit)| {
                let factor: u64 = match unit {
                    "B" => 1,
                    "KiB" => 1 << 10,
                    "MiB" => 1 << 20,
                    "GiB" => 1 << 30,
                    _ => return None,
                };
                number.checked_mul(factor).filter(|bytes| *bytes > 0)
            })
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a size such as 64KiB, 1MiB or 2GiB"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        split(&text)
            .and_then(|(number, unit)| {
                let factor: u64 = match unit {
                    "ms" => 1,
                    "s" => 1_000,
                    "m" => 60_000,
                    "h" => 3_600_000,
                    _ => return None,
                };
                number.checked_mul(factor)
            })
            .filter(|millis| *millis <= 86_400_000)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| D::Error::custom("expected a time up to 24h such as 500ms, 5s or 2m"))
    }
}

/// A list, or the word `any`.
#[derive(Debug)]
pub(crate) enum ListOrAny<T> {
    Any,
    List(Vec<T>),
}

impl<T> Default for ListOrAny<T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<T> ListOrAny<T> {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::List(list) if list.is_empty())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListOrAny<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = ListOrAny<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or the word any")
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(ListOrAny::default())
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == "any" {
                    Ok(ListOrAny::Any)
                } else {
                    Err(E::custom("expected a list or the word any"))
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ListOrAny::List)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}
