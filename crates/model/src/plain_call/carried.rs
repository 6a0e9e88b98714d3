//! A value that is carried: JSON without fractions, so that every number is exact.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use zeroize::Zeroizing;

use crate::{
    Rule,
    fault::{Step, write_step},
    fields::Reading,
    json::{Document, Node},
};

/// JOB takes at most this many targets (contract jobv3 §1.5 row 23), and no other list is longer.
const MOST_ELEMENTS: usize = 50_000;

/// A value.
pub enum Carried {
    /// `null`, inside an array or an object.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// An integer within int64.
    Integer(i64),
    /// A string; wiped when it is dropped, because it may be a password.
    Text(Zeroizing<Box<str>>),
    /// An array.
    Array(Box<[Carried]>),
    /// An object, members in the order of the caller.
    Object(Box<[(Box<str>, Carried)]>),
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Carried(..)")
    }
}

impl Carried {
    /// A text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// The value that a text of JSON says; none where a call could not carry it.
    #[must_use]
    pub fn read(json: &str) -> Option<Self> {
        let document = Document::read(format!("{{\"value\":{json}}}").into_bytes()).ok()?;
        match document.members() {
            [(_, node)] => copy(&document, node),
            _ => None,
        }
    }

    /// Takes a value as it is; faults where a number is not exact or a list too long.
    pub(super) fn take(r: &mut Reading<'_>, path: &str, node: &Node) -> Option<Self> {
        let taken = copy(r.document, node);
        if taken.is_none() {
            complain(r, path, node);
        }
        taken
    }

    /// Adds every text inside.
    pub(super) fn texts<'v>(&'v self, found: &mut Vec<&'v str>) {
        match self {
            Self::Null | Self::Flag(_) | Self::Integer(_) => {}
            Self::Text(text) => found.push(text),
            Self::Array(elements) => elements.iter().for_each(|element| element.texts(found)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.texts(found)),
        }
    }

    /// How many bytes of memory it takes, about: small values take a multiple of their text.
    pub(super) fn footprint(&self) -> usize {
        /// What the allocator adds to each piece.
        const PIECE: usize = 16;
        let apart = match self {
            Self::Null | Self::Flag(_) | Self::Integer(_) => 0,
            Self::Text(text) => PIECE + text.len(),
            Self::Array(elements) => PIECE + elements.iter().map(Self::footprint).sum::<usize>(),
            Self::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    size_of_val(name) + PIECE + name.len() + value.footprint()
                });
                PIECE + members.sum::<usize>()
            }
        };
        size_of::<Self>() + apart
    }

    /// How many bytes its canonical form takes, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Flag(_) => 5,
            Self::Integer(_) => 12,
            Self::Text(text) => text.len() + 2,
            Self::Array(elements) => elements.iter().map(|element| element.size() + 1).sum(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| name.len() + 4 + value.size()).sum()
            }
        }
    }
}

/// What keeps a value from being carried, its elements apart.
fn flaw(node: &Node) -> Option<Rule> {
    match node {
        Node::Fraction | Node::Unsigned(_) => Some(Rule::Integer),
        Node::Array(elements) if elements.len() > MOST_ELEMENTS => {
            Some(Rule::Length { max: MOST_ELEMENTS, unit: "elements" })
        }
        Node::Null
        | Node::Bool(_)
        | Node::Integer(_)
        | Node::String(_)
        | Node::Array(_)
        | Node::Object(_) => None,
    }
}

fn copy(document: &Document, node: &Node) -> Option<Carried> {
    if flaw(node).is_some() {
        return None;
    }
    match node {
        Node::Null => Some(Carried::Null),
        Node::Bool(flag) => Some(Carried::Flag(*flag)),
        Node::Integer(number) => Some(Carried::Integer(*number)),
        Node::Fraction | Node::Unsigned(_) => None,
        Node::String(text) => Some(Carried::text(document.str(text))),
        Node::Array(elements) => {
            // Exact: a list that grows takes room for four where it holds one.
            let mut taken = Vec::with_capacity(elements.len());
            for element in elements {
                taken.push(copy(document, element)?);
            }
            Some(Carried::Array(taken.into()))
        }
        Node::Object(members) => {
            let mut taken = Vec::with_capacity(members.len());
            for (name, value) in members {
                taken.push((document.str(name).into(), copy(document, value)?));
            }
            Some(Carried::Object(taken.into()))
        }
    }
}

/// Notes every flaw at its place. Only a call that is refused pays for the paths.
fn complain(r: &mut Reading<'_>, path: &str, node: &Node) {
    if let Some(rule) = flaw(node) {
        r.faults.push(path, rule);
        return;
    }
    let below = |step: Step<'_>| {
        let mut path = path.to_owned();
        write_step(&mut path, step);
        path
    };
    match node {
        Node::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                complain(r, &below(Step::Index(index)), element);
            }
        }
        Node::Object(members) => {
            for (name, value) in members {
                let path = below(Step::Name(r.document.str(name)));
                complain(r, &path, value);
            }
        }
        Node::Null
        | Node::Bool(_)
        | Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::String(_) => {}
    }
}

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(elements) => {
                let mut seq = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    seq.serialize_element(element)?;
                }
                seq.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(&**name, value)?;
                }
                map.end()
            }
        }
    }
}
