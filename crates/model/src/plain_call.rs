//! A call of a component without a model of its own: the names are closed by the catalog, the business is
//! read as everywhere, and the values are carried as they are, in one canonical form.

mod carried;
mod query;
mod read;

use serde::ser::SerializeMap;

use crate::{CallbackUrl, Care, Component, Field, Scope};

pub use self::carried::Carried;

/// A whole call.
pub struct PlainCall {
    component: Component,
    scope: Option<Scope>,
    scope_pair: bool,
    members: Vec<(&'static Field, Carried)>,
    callback: Option<CallbackUrl>,
    dropped: Vec<String>,
    size: usize,
}

impl std::fmt::Debug for PlainCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainCall")
            .field("component", &self.component)
            .field("scope", &self.scope)
            .field("members", &self.names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl PlainCall {
    /// The component.
    #[must_use]
    pub fn component(&self) -> Component {
        self.component
    }

    /// The business; none for a global component.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// Whether the caller named the business by the scope pair alone.
    #[must_use]
    pub fn scope_pair(&self) -> bool {
        self.scope_pair
    }

    /// `callback_url`.
    #[must_use]
    pub fn callback(&self) -> Option<&CallbackUrl> {
        self.callback.as_ref()
    }

    /// Paths of unknown names that were left out; at most 100.
    #[must_use]
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The names of the parameters that were sent, in the catalog's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.iter().map(|(field, _)| field.name)
    }

    /// The parameters that may stand in a record.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, &Carried)> {
        self.with(|care| care == Care::Shown)
    }

    /// The parameters of which a record holds a keyed hash alone.
    pub fn sealed(&self) -> impl Iterator<Item = (&'static str, &Carried)> {
        self.with(|care| matches!(care, Care::Sealed | Care::Secret))
    }

    /// `target_server`, of which a record names the hosts.
    #[must_use]
    pub fn target(&self) -> Option<&Carried> {
        let mut members = self.members.iter();
        members.find(|(field, _)| field.name == "target_server").map(|(_, value)| value)
    }

    /// Every text inside the secret parameters.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let mut texts = Vec::new();
        for (_, value) in self.with(|care| care == Care::Secret) {
            value.texts(&mut texts);
        }
        texts.into_iter()
    }

    fn with(&self, wanted: fn(Care) -> bool) -> impl Iterator<Item = (&'static str, &Carried)> {
        let members = self.members.iter().filter(move |(field, _)| wanted(field.care));
        members.map(|(field, value)| (field.name, value))
    }

    /// How many bytes of memory the values take, about.
    pub(crate) fn footprint(&self) -> usize {
        self.members.iter().map(|(_, value)| value.footprint()).sum()
    }

    /// How many bytes the canonical form takes, about.
    pub(crate) fn size_hint(&self) -> usize {
        self.size
    }

    /// Writes the members of the canonical form into an object.
    pub(crate) fn write_members<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if let Some(scope) = &self.scope {
            scope.write(self.scope_pair, map)?;
        }
        for (field, value) in &self.members {
            map.serialize_entry(field.name, value)?;
        }
        match &self.callback {
            Some(callback) => map.serialize_entry("callback_url", callback.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
