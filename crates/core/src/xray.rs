//! Looks inside scripts: what a script would hand to an interpreter, to a fixed depth and within a fixed number of
//! bytes, so that a rule sees a payload and not only its wrapping.
//!
//! Everything is bytes, because what Base64 hides need not be UTF-8. One pass over each text, no recursion, and no
//! text that makes it fail: what is not understood is passed over, and the text around it is still matched.

mod commands;
mod encoded;
mod escapes;
mod lines;
mod payloads;
mod plain;
mod read;
mod started;

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
};

use esbgate_model::ScriptLanguage;

use self::{commands::Dialect, lines::Lines, plain::Plain};

/// How many wrappings are taken off.
pub(crate) const DEPTH: u8 = 4;

/// Most bytes of payloads that one text unfolds to, however long it is.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// What the payloads of a text may come to: four times its bytes, and so much more.
const SPARE_BYTES: usize = 64 << 10;

/// What a payload counts as besides its bytes: reading it costs what so many more bytes would, however small it is.
const EACH: usize = 256;

/// A set of script languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Languages(u8);

impl Languages {
    /// All of them: nobody knows what a text is handed to.
    pub(crate) const ALL: Self = Self(0b1_1111);

    pub(crate) fn one(language: ScriptLanguage) -> Self {
        Self(1 << index(language))
    }

    pub(crate) fn has(self, language: ScriptLanguage) -> bool {
        self.0 & Self::one(language).0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Its place in [`ScriptLanguage::ALL`].
pub(crate) fn index(language: ScriptLanguage) -> usize {
    match language {
        ScriptLanguage::Shell => 0,
        ScriptLanguage::Bat => 1,
        ScriptLanguage::Perl => 2,
        ScriptLanguage::Python => 3,
        ScriptLanguage::Powershell => 4,
    }
}

/// A text and where it was found.
struct Layer<'t> {
    text: Cow<'t, [u8]>,
    languages: Languages,
    depth: u8,
    /// The offset in the outermost text where the outermost wrapping has its payload; 0 for that text itself.
    at: usize,
}

/// A payload that a layer wraps.
struct Payload<'t> {
    text: Cow<'t, [u8]>,
    /// What may read it, besides what reads the layer.
    languages: Languages,
    /// Its offset in the layer's text.
    at: usize,
}

/// One way to read a layer: as it is written, over joined lines, or as the commands that a shell makes of it.
pub(crate) struct View<'v> {
    /// What may read it.
    pub(crate) languages: Languages,
    /// How many wrappings were taken off.
    pub(crate) depth: u8,
    /// What rules are matched against.
    pub(crate) text: &'v [u8],
    /// What of it stands in no earlier view of the same text.
    pub(crate) fresh: Fresh<'v>,
    at: usize,
    origin: &'v dyn Fn(usize) -> usize,
}

/// What of a text is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fresh<'f> {
    /// All of it.
    All,
    /// These whole lines, from where to where. The others are lines of an earlier way to read the same.
    Lines(&'f [(usize, usize)]),
}

impl View<'_> {
    /// Where in the outermost text something stands that begins at `offset` here.
    pub(crate) fn place(&self, offset: usize) -> usize {
        if self.depth == 0 { (self.origin)(offset) } else { self.at }
    }
}

/// Shows `look` every view of `text` and of what it wraps, the outermost first. False if not all of it could be
/// unfolded.
pub(crate) fn unfold(text: &[u8], languages: Languages, look: impl FnMut(&View<'_>)) -> bool {
    unfold_all(text, languages, Vec::new(), look)
}

/// The same of parameters, each of which may be a text of its own.
pub(crate) fn unfold_param(text: &[u8], languages: Languages, look: impl FnMut(&View<'_>)) -> bool {
    let mut arguments = Vec::new();
    payloads::arguments(text, &mut arguments);
    unfold_all(text, languages, arguments, look)
}

/// The hash of what is a keyed hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

fn unfold_all<'t>(
    text: &'t [u8],
    languages: Languages,
    mut arguments: Vec<Payload<'t>>,
    mut look: impl FnMut(&View<'_>),
) -> bool {
    let left = text.len().saturating_mul(4).saturating_add(SPARE_BYTES);
    let (mut left, mut whole) = (left.min(MOST_BYTES), true);
    let (state, mut seen) =
        (RandomState::new(), HashSet::<u64, BuildHasherDefault<Same>>::default());
    let mut queue = vec![Layer { text: Cow::Borrowed(text), languages, depth: 0, at: 0 }];
    while let Some(layer) = queue.pop() {
        let mut found = std::mem::take(&mut arguments);
        views(&layer, &mut look, &mut found);
        for payload in found {
            let languages = layer.languages.and(payload.languages);
            // What is found in two views, or stands twice, is one payload.
            if payload.text.is_empty() || !seen.insert(state.hash_one((languages, &payload.text))) {
                continue;
            }
            let Some(rest) = left.checked_sub(payload.text.len() + EACH) else {
                return false;
            };
            if layer.depth == DEPTH {
                whole = false;
                continue;
            }
            left = rest;
            queue.push(Layer {
                at: if layer.depth == 0 { payload.at } else { layer.at },
                text: Cow::Owned(payload.text.into_owned()),
                languages,
                depth: layer.depth + 1,
            });
        }
    }
    whole
}

/// Shows the views of one layer and collects what it wraps.
fn views<'l>(layer: &'l Layer<'_>, look: &mut impl FnMut(&View<'_>), found: &mut Vec<Payload<'l>>) {
    let mut show = |text: &[u8], fresh: Fresh<'_>, origin: &dyn Fn(usize) -> usize| {
        let Layer { languages, depth, at, .. } = *layer;
        look(&View { languages, depth, text, fresh, at, origin });
    };
    let written = Lines::written(&layer.text);
    show(written.text(), Fresh::All, &|offset| written.origin(offset));
    if let Some(joined) = Lines::joined(&layer.text, layer.languages) {
        show(joined.text(), Fresh::Lines(&joined.fresh), &|offset| joined.origin(offset));
        encoded::payloads(joined.text(), |at, text| {
            found.push(Payload {
                text: Cow::Owned(text),
                languages: Languages::ALL,
                at: joined.origin(at),
            });
        });
    }
    encoded::payloads(&layer.text, |at, text| {
        found.push(Payload { text: Cow::Owned(text), languages: Languages::ALL, at });
    });
    if let Some(plain) = Plain::of(&layer.text, layer.languages) {
        // Here lines end as they do in the text.
        let as_written = written.text().len() == layer.text.len();
        let fresh = if as_written { Fresh::Lines(&plain.fresh) } else { Fresh::All };
        show(&plain.text, fresh, &|offset| plain.origin(offset));
        let take = |at, text| {
            found.push(Payload {
                text: Cow::Owned(text),
                languages: Languages::ALL,
                at: plain.origin(at),
            })
        };
        encoded::payloads(&plain.text, take);
        let mut wrapped = Vec::new();
        payloads::payloads(&plain.text, Dialect::Other, &mut wrapped);
        found.extend(wrapped.into_iter().map(|Payload { text, languages, at }| Payload {
            text: Cow::Owned(text.into_owned()),
            languages,
            at: plain.origin(at),
        }));
    }
    if layer.languages.has(ScriptLanguage::Shell) {
        let read = payloads::payloads(&layer.text, Dialect::Shell, found);
        // Of plain commands nothing is taken away.
        if read.text != written.text() {
            show(&read.text, Fresh::Lines(&read.fresh), &|offset| read.origin(offset));
        }
    }
    if layer.languages.has(ScriptLanguage::Perl) {
        payloads::ticks(&layer.text, found);
    }
    if layer.languages != Languages::one(ScriptLanguage::Shell) {
        payloads::payloads(&layer.text, Dialect::Other, found);
    }
}

#[cfg(test)]
mod tests;
