//! A document as nodes that know their places, and specs made from them.
//!
//! A spec stops at its first fault of shape. Because the document is read once and whole, each piece of it (an
//! application, a rule) becomes a spec of its own, and a fault in one hides none in another.

use std::{fmt, iter, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, SeqAccess, Unexpected, Visitor,
        value::{
            MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer,
            U64Deserializer,
        },
    },
    forward_to_deserialize_any,
};

use crate::shape::ShapeFault;

/// Where something stands; line and column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Which of the files, counted from 0.
    pub(crate) file: usize,
    /// 0 when the whole file is meant.
    pub(crate) line: u64,
    /// In characters.
    pub(crate) column: u64,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is. What was not quoted keeps its spelling, for it may be meant as a text.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool, String),
    Whole(i64, String),
    /// Any other number, as it is spelled; a spec takes it for a text.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

impl Node {
    /// The entry of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The entry of this name, with its key.
    pub(crate) fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.entries().iter().find(|(key, _)| key.name == name)
    }

    /// The entries of a map.
    pub(crate) fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(map) => map,
            Value::Null
            | Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_) => &[],
        }
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::List(list) => list,
            Value::Null
            | Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Map(_) => &[],
        }
    }

    /// How many values it has, itself and its keys included.
    pub(crate) fn count(&self) -> usize {
        match &self.value {
            Value::List(list) => 1 + list.iter().map(Node::count).sum::<usize>(),
            Value::Map(map) => 1 + map.iter().map(|(_, node)| 1 + node.count()).sum::<usize>(),
            Value::Null
            | Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_) => 1,
        }
    }

    /// The entry of this name.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        let Value::Map(map) = &mut self.value else { return None };
        map.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The elements of a list.
    pub(crate) fn elements_mut(&mut self) -> &mut [Node] {
        if let Value::List(list) = &mut self.value { list } else { &mut [] }
    }

    /// Takes the value out, and leaves nothing at its place.
    pub(crate) fn take(&mut self) -> Node {
        Node { place: self.place, value: std::mem::replace(&mut self.value, Value::Null) }
    }

    /// Makes a spec.
    pub(crate) fn spec<T: DeserializeOwned>(&self) -> Result<T, ShapeFault> {
        T::deserialize(self)
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Bool(_, text)
            | Value::Whole(_, text)
            | Value::Number(text)
            | Value::Text(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = ShapeFault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        let read = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value, _) => visitor.visit_bool(*value),
            Value::Whole(value, _) => visitor.visit_i64(*value),
            Value::Number(text) | Value::Text(text) => visitor.visit_str(text),
            Value::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter())),
            Value::Map(map) => {
                visitor.visit_map(MapDeserializer::new(map.iter().map(|(key, node)| (key, node))))
            }
        };
        read.map_err(|fault| fault.at(self.place))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        match self.text() {
            Some(text) => visitor.visit_str(text).map_err(|fault: ShapeFault| fault.at(self.place)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        match &self.value {
            Value::Null => visitor.visit_none(),
            Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        if name == SPANNED {
            return visitor.visit_seq(Placed { node: self, given: 0 });
        }
        visitor.visit_newtype_struct(self)
    }

    /// A key without a value is an empty list, or all defaults.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        match &self.value {
            Value::Null => visitor.visit_seq(SeqDeserializer::new(iter::empty::<&Node>())),
            Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        match &self.value {
            Value::Null => {
                let entries = MapDeserializer::new(iter::empty::<(&Key, &Node)>());
                visitor.visit_map(entries).map_err(|fault| fault.at(self.place))
            }
            Value::Bool(..)
            | Value::Whole(..)
            | Value::Number(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        if let Value::List(_) = &self.value {
            // A derived reader would take the elements for the values of the keys in their order.
            let fault: ShapeFault = Error::invalid_type(Unexpected::Seq, &visitor);
            return Err(fault.at(self.place));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        let read = match (&self.value, self.text()) {
            (_, Some(text)) => visitor.visit_enum(StrDeserializer::new(text)),
            (Value::Map(map), None) if map.len() == 1 => {
                let entries = MapDeserializer::new(map.iter().map(|(key, node)| (key, node)));
                visitor.visit_enum(MapAccessDeserializer::new(entries))
            }
            (_, None) => Err(ShapeFault::one_of(choices)),
        };
        read.map_err(|fault| fault.at(self.place))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct identifier
    }
}

impl IntoDeserializer<'_, ShapeFault> for &Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &Key {
    type Error = ShapeFault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_str(&self.name).map_err(|fault: ShapeFault| fault.at(self.place))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, ShapeFault> for &Key {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// What a [`Spanned`] asks a node for by this name of a newtype.
const SPANNED: &str = "esbgate::Spanned";

/// A value that knows where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Spanned<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let missing = || serde::de::Error::custom("a value with its place");
        let file = parts.next_element()?.ok_or_else(missing)?;
        let line = parts.next_element()?.ok_or_else(missing)?;
        let column = parts.next_element()?.ok_or_else(missing)?;
        let value = parts.next_element()?.ok_or_else(missing)?;
        Ok(Spanned { place: Place { file, line, column }, value })
    }
}

/// The parts of a [`Spanned`]: file, line, column and the value.
struct Placed<'n> {
    node: &'n Node,
    given: u8,
}

impl<'de> SeqAccess<'de> for Placed<'_> {
    type Error = ShapeFault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeFault> {
        self.given += 1;
        let number = |number: u64| -> U64Deserializer<ShapeFault> { number.into_deserializer() };
        match self.given {
            1 => seed.deserialize(number(self.node.place.file as u64)).map(Some),
            2 => seed.deserialize(number(self.node.place.line)).map(Some),
            3 => seed.deserialize(number(self.node.place.column)).map(Some),
            4 => seed.deserialize(self.node).map(Some),
            _ => Ok(None),
        }
    }
}
