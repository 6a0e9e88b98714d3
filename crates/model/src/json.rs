//! The one reader of JSON from callers: RFC 8259, strict UTF-8, each name once at every depth, at most
//! 32 deep, numbers never through a float.
//!
//! The ESB keeps the last of two equal names, other readers the first; so a second one is a fault here
//! (contract esb §13 row 7). Strings are spans of the text until somebody needs them.

use std::{fmt, ops::Range};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::fault::{Faults, Rule, Step, write_step};

/// Objects and arrays nest at most this deep; the outermost object is the first level.
pub const MAX_DEPTH: usize = 32;

/// Objects with more members than this are checked for doubles by sorting.
const SCAN: usize = 16;

/// A string of the document.
#[derive(Debug)]
pub struct Text(Repr);

#[derive(Debug)]
enum Repr {
    /// Stands in the text as it is.
    Span(Range<usize>),
    /// Was unescaped.
    Owned(Box<str>),
}

/// A value.
#[derive(Debug)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer literal within int64; `-0` is none.
    Integer(i64),
    /// An integer literal from 2^63 to 2^64-1.
    Unsigned(u64),
    /// Any other number: a fraction, an exponent or `-0`.
    Fraction,
    /// A string.
    String(Text),
    /// An array.
    Array(Vec<Node>),
    /// An object, members in the order of the text.
    Object(Vec<(Text, Node)>),
}

impl Node {
    /// The JSON type, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) | Self::Unsigned(_) => "integer",
            Self::Fraction => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

/// A whole JSON object with a single meaning.
pub struct Document {
    // The text may hold a caller's key, so it is wiped.
    text: Zeroizing<String>,
    members: Vec<(Text, Node)>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Document {
    /// Reads one object.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Faults> {
        let text =
            Zeroizing::new(String::from_utf8(bytes).map_err(|_| Faults::one("", Rule::Utf8))?);
        if text.starts_with('\u{feff}') {
            return Err(Faults::one("", Rule::Utf8));
        }
        let mut reader = Reader { base: &text, path: Vec::new(), rule: None, depth: 0 };
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let outcome = NodeSeed(&mut reader)
            .deserialize(&mut deserializer)
            .and_then(|node| deserializer.end().map(|()| node));
        match outcome {
            Ok(Node::Object(members)) => Ok(Self { text, members }),
            Ok(_) => Err(Faults::one("", Rule::ObjectBody)),
            Err(error) => Err(reader.faults(&error)),
        }
    }

    /// The members of the object.
    #[must_use]
    pub fn members(&self) -> &[(Text, Node)] {
        &self.members
    }

    /// The member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members.iter().find(|(key, _)| self.str(key) == name).map(|(_, node)| node)
    }

    /// The characters of a string of this document.
    #[must_use]
    pub fn str<'d>(&'d self, text: &'d Text) -> &'d str {
        text.in_text(&self.text)
    }
}

impl Text {
    fn in_text<'d>(&'d self, text: &'d str) -> &'d str {
        match &self.0 {
            // Spans are made by the reader from slices of this text, so they are always inside it.
            Repr::Span(span) => text.get(span.clone()).unwrap_or_default(),
            Repr::Owned(owned) => owned,
        }
    }
}

/// What the visitors share: where they are, and the rule that was broken if one was.
struct Reader<'t> {
    base: &'t str,
    path: Vec<PathStep>,
    rule: Option<Rule>,
    depth: usize,
}

enum PathStep {
    Name(Box<str>),
    Span(Range<usize>),
    Index(usize),
}

impl Reader<'_> {
    fn span(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr().addr().wrapping_sub(self.base.as_ptr().addr());
        start..start + part.len()
    }

    fn faults(&self, error: &serde_json::Error) -> Faults {
        let mut path = String::new();
        for step in &self.path {
            let step = match step {
                PathStep::Name(name) => Step::Name(name),
                PathStep::Span(span) => Step::Name(self.base.get(span.clone()).unwrap_or_default()),
                PathStep::Index(index) => Step::Index(*index),
            };
            write_step(&mut path, step);
        }
        let rule = self.rule.clone().unwrap_or_else(|| {
            // serde_json says so of a literal such as 1e400.
            if error.to_string().starts_with("number out of range") {
                Rule::NumberRange
            } else {
                Rule::Syntax { line: error.line(), column: error.column() }
            }
        });
        Faults::one(path, rule)
    }

    fn refuse<E: serde::de::Error>(&mut self, rule: Rule) -> E {
        self.rule = Some(rule);
        E::custom("refused")
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.refuse(Rule::Depth)) } else { Ok(()) }
    }
}

struct TextSeed<'r, 't>(&'r Reader<'t>);

impl<'de> DeserializeSeed<'de> for TextSeed<'_, 'de> {
    type Value = Text;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed<'_, 'de> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, part: &'de str) -> Result<Text, E> {
        Ok(Text(Repr::Span(self.0.span(part))))
    }

    fn visit_str<E: serde::de::Error>(self, part: &str) -> Result<Text, E> {
        Ok(Text(Repr::Owned(part.into())))
    }
}

struct NodeSeed<'r, 't>(&'r mut Reader<'t>);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_, 'de> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_, 'de> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Unsigned(value), Node::Integer))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        /// 2^64: from here on an integer literal arrives as a float and would change.
        const LIMIT: f64 = 18_446_744_073_709_551_616.0;
        if value.abs() < LIMIT { Ok(Node::Fraction) } else { Err(self.0.refuse(Rule::NumberRange)) }
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, part: &'de str) -> Result<Node, E> {
        TextSeed(self.0).visit_borrowed_str(part).map(Node::String)
    }

    fn visit_str<E: serde::de::Error>(self, part: &str) -> Result<Node, E> {
        TextSeed(self.0).visit_str(part).map(Node::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let reader = self.0;
        reader.enter()?;
        let mut elements = Vec::new();
        loop {
            reader.path.push(PathStep::Index(elements.len()));
            let Some(node) = seq.next_element_seed(NodeSeed(reader))? else { break };
            elements.push(node);
            reader.path.pop();
        }
        reader.path.pop();
        reader.depth -= 1;
        Ok(Node::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let reader = self.0;
        reader.enter()?;
        let mut members: Vec<(Text, Node)> = Vec::new();
        while let Some(name) = map.next_key_seed(TextSeed(reader))? {
            reader.path.push(match &name.0 {
                Repr::Span(span) => PathStep::Span(span.clone()),
                Repr::Owned(owned) => PathStep::Name(owned.clone()),
            });
            let text = name.in_text(reader.base);
            if members.len() <= SCAN
                && members.iter().any(|(known, _)| known.in_text(reader.base) == text)
            {
                return Err(reader.refuse(Rule::Duplicate));
            }
            let node = map.next_value_seed(NodeSeed(reader))?;
            members.push((name, node));
            reader.path.pop();
        }
        if members.len() > SCAN
            && let Some(double) = double(reader.base, &members)
        {
            reader.path.push(PathStep::Name(double.into()));
            return Err(reader.refuse(Rule::Duplicate));
        }
        reader.depth -= 1;
        Ok(Node::Object(members))
    }
}

/// A name that stands twice among many.
fn double<'m>(base: &'m str, members: &'m [(Text, Node)]) -> Option<&'m str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.in_text(base)).collect();
    names.sort_unstable();
    names.array_windows().find(|[one, next]| one == next).map(|[one, _]| *one)
}

#[cfg(test)]
mod tests;
