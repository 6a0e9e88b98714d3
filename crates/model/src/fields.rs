//! Typed reading of one object's members: every fault is noted where it stands, and reading goes on.

use std::borrow::Cow;

use crate::{
    Switches, UnknownFields,
    credential::is_identity,
    fault::{Fault, Faults, MOST, Rule, Step, kind, write_step},
    json::{Document, Node, Text},
    language,
};

/// What has been found so far.
pub(crate) struct Reading<'d> {
    pub(crate) document: &'d Document,
    pub(crate) switches: Switches,
    pub(crate) faults: Faults,
    pub(crate) losers: Vec<&'static str>,
    pub(crate) dropped: Vec<String>,
}

/// Where an object stands. Its path is written out only for a fault: a list has many elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) path: &'static str,
    /// Of the element of the array at `path`, if the object is one.
    pub(crate) index: Option<usize>,
}

impl Place {
    /// The object at `path` itself.
    pub(crate) fn object(path: &'static str) -> Self {
        Self { path, index: None }
    }

    /// The object's own path.
    pub(crate) fn written(self) -> String {
        let mut path = self.path.to_owned();
        if let Some(index) = self.index {
            write_step(&mut path, Step::Index(index));
        }
        path
    }

    fn member(self, name: &str) -> String {
        let mut path = self.written();
        write_step(&mut path, Step::Name(name));
        path
    }
}

/// The known members of one object.
pub(crate) struct Members<'d, const N: usize> {
    place: Place,
    names: &'static [&'static str; N],
    nodes: [Option<&'d Node>; N],
}

impl<'d> Reading<'d> {
    /// Nothing found yet.
    pub(crate) fn new(document: &'d Document, switches: Switches) -> Self {
        Self {
            document,
            switches,
            faults: Faults::default(),
            losers: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Picks known members out of an object; the others are somebody else's to look at.
    pub(crate) fn pick<const N: usize>(
        &self,
        members: &'d [(Text, Node)],
        names: &'static [&'static str; N],
    ) -> Members<'d, N> {
        let mut picked = Members { place: Place::object(""), names, nodes: [None; N] };
        for (name, node) in members {
            picked.keep(self.document.str(name), node);
        }
        picked
    }

    /// Sorts the members of an object into the known ones; deals with the others as policy says.
    pub(crate) fn members<const N: usize>(
        &mut self,
        place: Place,
        members: &'d [(Text, Node)],
        names: &'static [&'static str; N],
    ) -> Members<'d, N> {
        let mut sorted = Members { place, names, nodes: [None; N] };
        for (name, node) in members {
            let name = self.document.str(name);
            if !(sorted.keep(name, node) || place.path.is_empty() && is_identity(name)) {
                self.unknown(place, name, names.iter().copied());
            }
        }
        sorted
    }

    /// Deals with a name that the object does not have, as policy says.
    pub(crate) fn unknown(
        &mut self,
        place: Place,
        name: &str,
        names: impl Iterator<Item = &'static str>,
    ) {
        let full = |list_len: usize| list_len >= MOST;
        match self.switches.unknown_fields {
            UnknownFields::Refuse if full(self.faults.list().len()) => {
                self.faults.push(String::new(), Rule::Unknown { suggestion: None });
            }
            UnknownFields::Refuse => {
                let suggestion = suggest(name, names);
                self.faults.push(place.member(name), Rule::Unknown { suggestion });
            }
            UnknownFields::Drop if full(self.dropped.len()) => {}
            UnknownFields::Drop => self.dropped.push(place.member(name)),
        }
    }
}

fn suggest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.len() > 64 {
        return None;
    }
    let folded = name.trim().to_ascii_lowercase().replace('-', "_");
    let distance = |known: &str| {
        let plain = |text: &str| text.replace('_', "");
        strsim::damerau_levenshtein(&plain(&folded), &plain(known))
    };
    names
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| *distance <= known.len().min(8) / 3)
        .min()
        .map(|(_, known)| known)
}

/// Whether a text counts as absent: empty or JSON's white space alone.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether JOB takes a text for absent although it is not blank here: Java's white space alone, which has
/// more characters than JSON's.
pub(crate) fn is_blank_to_job(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => c.is_whitespace(),
    })
}

impl<'d, const N: usize> Members<'d, N> {
    /// Keeps a member that is known; says whether it is.
    fn keep(&mut self, name: &str, node: &'d Node) -> bool {
        let known = self.names.iter().position(|known| *known == name);
        let slot = known.and_then(|index| self.nodes.get_mut(index));
        let is_known = slot.is_some();
        if let Some(slot) = slot {
            *slot = Some(node);
        }
        is_known
    }

    /// The path of a member.
    pub(crate) fn at(&self, name: &str) -> String {
        self.place.member(name)
    }

    /// The node of a member that is not `null`.
    pub(crate) fn node(&self, name: &str) -> Option<&'d Node> {
        self.raw(name).filter(|node| !matches!(node, Node::Null))
    }

    /// The node of a member, `null` too.
    pub(crate) fn raw(&self, name: &str) -> Option<&'d Node> {
        debug_assert!(self.names.contains(&name), "{name} is not read from this object");
        let index = self.names.iter().position(|known| *known == name)?;
        self.nodes.get(index).copied().flatten()
    }

    /// A fault if nothing stands there; what stands there wrongly has its own.
    pub(super) fn require(&self, r: &mut Reading<'d>, name: &str) {
        let absent = self.node(name).is_none_or(
            |node| matches!(node, Node::String(text) if is_blank(r.document.str(text))),
        );
        if absent {
            r.faults.push(self.at(name), Rule::Required);
        }
    }

    /// An integer, or its decimal text. Blanks around the text are taken where `padded`.
    pub(crate) fn integer(&self, r: &mut Reading<'d>, name: &str, padded: bool) -> Option<i64> {
        integer(r.document, self.node(name)?, padded)
            .map_err(|rule| r.faults.push(self.at(name), rule))
            .ok()
            .flatten()
    }

    /// An integer of a range.
    pub(crate) fn within(
        &self,
        r: &mut Reading<'d>,
        name: &str,
        min: i64,
        max: i64,
    ) -> Option<i64> {
        let value = self.integer(r, name, true)?;
        if (min..=max).contains(&value) {
            return Some(value);
        }
        r.faults.push(self.at(name), Rule::Range { min, max });
        None
    }

    /// A plain text; an integer counts as its text, as JOB reads it. Blank is absent; what only JOB takes
    /// for blank is a fault, because it would run another call than the one that is judged.
    pub(crate) fn text(&self, r: &mut Reading<'d>, name: &str) -> Option<Cow<'d, str>> {
        let text = match self.node(name)? {
            Node::String(text) => Cow::Borrowed(r.document.str(text)),
            Node::Integer(number) => Cow::Owned(number.to_string()),
            Node::Unsigned(number) => Cow::Owned(number.to_string()),
            Node::Bool(_) | Node::Fraction | Node::Array(_) | Node::Object(_) | Node::Null => {
                r.faults.push(self.at(name), Rule::Type { expected: kind::STRING });
                return None;
            }
        };
        if is_blank(&text) {
            return None;
        }
        if is_blank_to_job(&text) {
            r.faults.push(self.at(name), Rule::Type { expected: kind::MORE_THAN_BLANK });
            return None;
        }
        Some(text)
    }

    /// A text that must be a JSON string: numbers are not taken.
    pub(crate) fn string(&self, r: &mut Reading<'d>, name: &str) -> Option<&'d str> {
        match self.node(name)? {
            Node::String(text) => Some(r.document.str(text)).filter(|text| !is_blank(text)),
            Node::Bool(_)
            | Node::Integer(_)
            | Node::Unsigned(_)
            | Node::Fraction
            | Node::Array(_)
            | Node::Object(_)
            | Node::Null => {
                r.faults.push(self.at(name), Rule::Type { expected: kind::STRING });
                None
            }
        }
    }

    /// The elements of an array; absent is empty.
    pub(crate) fn array(&self, r: &mut Reading<'d>, name: &str) -> &'d [Node] {
        match self.node(name) {
            None => &[],
            Some(Node::Array(elements)) => elements,
            Some(other) => {
                self.mistyped(r, name, other, kind::ARRAY);
                &[]
            }
        }
    }

    /// The members of an object.
    pub(crate) fn object(&self, r: &mut Reading<'d>, name: &str) -> Option<&'d [(Text, Node)]> {
        let node = self.node(name)?;
        if let Node::Object(members) = node {
            return Some(members);
        }
        self.mistyped(r, name, node, kind::OBJECT);
        None
    }

    fn mistyped(&self, r: &mut Reading<'d>, name: &str, found: &Node, expected: language::Text) {
        debug_assert_ne!(found.kind(), expected.en);
        r.faults.push(self.at(name), Rule::Type { expected });
    }
}

/// Reads an integer literal within int64 or its decimal text.
pub(crate) fn integer(document: &Document, node: &Node, padded: bool) -> Result<Option<i64>, Rule> {
    match node {
        Node::Null => Ok(None),
        Node::Integer(value) => Ok(Some(*value)),
        Node::Unsigned(_) | Node::Fraction => Err(Rule::Integer),
        Node::String(text) => {
            let text = document.str(text);
            if is_blank(text) {
                return Ok(None);
            }
            let digits = if padded { text.trim_matches([' ', '\t', '\r', '\n']) } else { text };
            let value = digits.parse::<i64>().map_err(|_| Rule::Integer)?;
            // The standard reader also takes `+1`, `007` and `-0`; a decimal text has one spelling.
            if value.to_string() == digits { Ok(Some(value)) } else { Err(Rule::Integer) }
        }
        Node::Bool(_) | Node::Array(_) | Node::Object(_) => {
            Err(Rule::Type { expected: kind::INTEGER })
        }
    }
}

/// Whether any fault stands at `path` or below.
pub(crate) fn faulty(faults: &Faults, path: &str) -> bool {
    let below = |fault: &Fault| {
        fault
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    faults.list().iter().any(below)
}
