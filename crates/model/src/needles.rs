//! Finds secrets in a text that somebody else wrote, in every spelling that an echo takes, and blanks them.
//!
//! The ESB's error texts echo what they were sent (contract esb §13 row 23), so an answer is searched for
//! what the call held in secret before anybody sees it.

mod beginnings;
mod view;

use std::{borrow::Cow, ops::Range};

use self::{beginnings::Beginnings, view::View};
use crate::Secret;

/// What is put in a secret's place.
const BLANK: &str = "***";

/// How many escapings around each other are looked through: a message that quotes the JSON of a request
/// has two.
const LAYERS: usize = 4;

/// Some secrets to look for.
pub struct Needles {
    secrets: Vec<Secret>,
    beginnings: Box<Beginnings>,
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Needles").field(&self.secrets.len()).finish()
    }
}

impl Needles {
    /// The shortest secret that is looked for, in bytes. Eight are the fewest that leave eight characters
    /// of their own in a Base64 text at each of its three alignments; what is shorter would be found in
    /// ordinary words.
    pub const SHORTEST: usize = 8;

    /// Keeps those that are long enough.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let long = secrets.into_iter().filter(|secret| secret.len() >= Self::SHORTEST);
        let secrets: Vec<_> = long.map(Secret::new).collect();
        let mut beginnings = Box::new(Beginnings::none());
        secrets.iter().for_each(|secret| beginnings.of(secret.expose()));
        Self { secrets, beginnings }
    }

    /// Whether one of them stands in `text`: plain, percent-encoded, behind `\` escapes, in hexadecimal or
    /// in Base64.
    #[must_use]
    pub fn found_in(&self, text: &str) -> bool {
        !self.spans(text).is_empty()
    }

    /// Whether `text` is one of them.
    #[must_use]
    pub fn hold(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| secret.expose() == text)
    }

    /// Blanks every place where one of them stands; of a Base64 text, all of it.
    #[must_use]
    pub fn blank<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let spans = self.spans(text);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut kept_to = 0;
        for span in spans {
            if span.start >= kept_to {
                clean.push_str(text.get(kept_to..span.start).unwrap_or_default());
                clean.push_str(BLANK);
            }
            kept_to = kept_to.max(span.end);
        }
        clean.push_str(text.get(kept_to..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// Where they stand, in the order of the text; the places may overlap.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut view = View::of(text);
        for _ in 0..LAYERS {
            if self.beginnings.are_in(view.bytes()) {
                for secret in &self.secrets {
                    view.find(secret.expose(), &mut spans);
                }
            }
            let Some(inner) = view.unescaped() else { break };
            view = inner;
        }
        spans.sort_unstable_by_key(|span| span.start);
        spans
    }
}

#[cfg(test)]
mod tests;
