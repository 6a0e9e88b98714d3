//! From YAML to nodes, within bounds: the one module that knows the YAML library.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Options, Spanned};

use crate::{
    node::{Key, Node, Place, Value},
    picture::Hide,
    problem::Problem,
    texts::Texts,
};

/// Longer documents are refused unread.
const LONGEST: usize = 64 << 20;

/// Most files of a document.
const FILES: usize = 1_000;

/// Most values for each MiB that a document begins, those that aliases repeat included: in proportion, so that a short
/// one cannot ask for much. 10,000 applications with five rules each are 23 MiB, and have half of that.
const NODES: usize = 200_000;

/// Reads the files of a document; bounds hold over their sum.
pub(crate) fn read(texts: &Texts) -> Result<Vec<Node>, Vec<Problem>> {
    let whole: usize = texts.files().map(|file| file.text.len()).sum();
    let (mut bytes, mut left) = (0, NODES.saturating_mul((whole >> 20) + 1));
    let (mut roots, mut problems) = (Vec::new(), Vec::new());
    for (index, file) in texts.files().enumerate() {
        bytes += file.text.len();
        let over = if index >= FILES {
            Some(format!("the policy has more than {FILES} files"))
        } else if bytes > LONGEST {
            Some(format!("the file, with all before it, has more than {LONGEST} bytes"))
        } else {
            None
        };
        if let Some(message) = over {
            problems.push(Problem::of_file(&file.name, message));
            break;
        }
        match document(index, texts, &file.text, left) {
            Ok(root) => {
                left = left.saturating_sub(root.count());
                roots.push(root);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(roots) } else { Err(problems) }
}

fn document(file: usize, texts: &Texts, text: &str, nodes: usize) -> Result<Node, Problem> {
    let read: Result<Spanned<Raw>, serde_saphyr::Error> =
        serde_saphyr::from_str_with_options(text, options(nodes));
    read.map(|root| Reader { file, text }.node(root)).map_err(|error| {
        let at = place(file, error.location().unwrap_or(Location::UNKNOWN));
        let (message, hint, hide) = retell(&error.without_snippet().to_string());
        Problem {
            hint: hint.map(Into::into),
            snippet: texts.picture(at, hide),
            ..Problem::at(texts.name(at), at, "", message)
        }
    })
}

fn options(nodes: usize) -> Options {
    let budget = serde_saphyr::budget! {
        max_events: nodes.saturating_mul(2),
        max_nodes: nodes,
        max_aliases: 64,
        max_anchors: 64,
        max_depth: 32,
        max_documents: 1,
        max_merge_keys: 64,
        max_total_scalar_bytes: LONGEST,
    };
    let aliases = serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: aliases,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// The library's words without the values that it quotes, what to do, and what the line must not show.
fn retell(said: &str) -> (String, Option<&'static str>, Hide) {
    let said = said.split(" at line ").next().unwrap_or(said);
    if said.contains("duplicate") {
        return ("duplicate key".into(), Some("a key may stand once"), Hide::Value);
    }
    if said.contains("budget") {
        let hint = "docs/configuration.md has the bounds";
        return (
            "more values, anchors, aliases or levels than a file may have".into(),
            Some(hint),
            Hide::Values,
        );
    }
    if said.contains(['"', '\'', '`']) {
        let hint = "look at indentation, quotes and colons, here and above";
        return ("this is no valid YAML".into(), Some(hint), Hide::Values);
    }
    (said.into(), None, Hide::Values)
}

fn place(file: usize, at: Location) -> Place {
    Place { file, line: at.line(), column: at.column() }
}

/// A value as the library gives it; what is neither text nor collection keeps its spelling in the text alone.
enum Raw {
    Null,
    Bool(bool),
    Whole(i64),
    Spelled,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

/// Makes nodes of what the library read of a file.
#[derive(Clone, Copy)]
struct Reader<'t> {
    file: usize,
    text: &'t str,
}

impl Reader<'_> {
    fn node(self, raw: Spanned<Raw>) -> Node {
        let span = raw.defined.span();
        let spelled = || {
            let start = usize::try_from(span.byte_offset()?).ok()?;
            let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
            self.text.get(start..end).map(str::to_owned)
        };
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value, spelled().unwrap_or_else(|| value.to_string())),
            Raw::Whole(value) => {
                Value::Whole(value, spelled().unwrap_or_else(|| value.to_string()))
            }
            Raw::Spelled => Value::Number(spelled().unwrap_or_default()),
            Raw::Text(text) => Value::Text(text),
            Raw::List(list) => Value::List(list.into_iter().map(|raw| self.node(raw)).collect()),
            Raw::Map(map) => Value::Map(map.into_iter().map(|entry| self.entry(entry)).collect()),
        };
        Node { place: place(self.file, raw.referenced), value }
    }

    fn entry(self, (key, raw): (Spanned<String>, Spanned<Raw>)) -> (Key, Node) {
        let place = place(self.file, key.referenced);
        (Key { place, name: key.value }, self.node(raw))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Spelled, Raw::Whole))
    }
    fn visit_i128<E: Error>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }
    fn visit_u128<E: Error>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Raw::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
