//! A call of any component: one type for the whole way, so that no component has a way of its own.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    CallbackUrl, Component, FastExecuteScript, Faults, PlainCall, Scope, Switches, json::Document,
};

/// A call, read: what policy judges, what the journal records and what is written to the ESB.
#[derive(Debug)]
pub enum ComponentCall {
    /// `fast_execute_script`, modelled in full.
    FastExecuteScript(Box<FastExecuteScript>),
    /// Any other component: closed in its names, carried in its values.
    Plain(PlainCall),
}

impl ComponentCall {
    /// Reads a call of `component` under the application's switches.
    pub fn read(
        component: Component,
        document: &Document,
        switches: Switches,
    ) -> Result<Self, Faults> {
        if component == Component::fast_execute_script() {
            let call = FastExecuteScript::read(document, switches)?;
            return Ok(Self::FastExecuteScript(Box::new(call)));
        }
        PlainCall::read(component, document, switches).map(Self::Plain)
    }

    /// The business; none for a component that is about all of them.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::FastExecuteScript(call) => Some(&call.scope),
            Self::Plain(call) => call.scope(),
        }
    }

    /// Whether the caller named the business by the scope pair alone.
    #[must_use]
    pub fn scope_pair(&self) -> bool {
        match self {
            Self::FastExecuteScript(call) => call.scope_pair,
            Self::Plain(call) => call.scope_pair(),
        }
    }

    /// `callback_url`.
    #[must_use]
    pub fn callback(&self) -> Option<&CallbackUrl> {
        match self {
            Self::FastExecuteScript(call) => call.callback.as_ref(),
            Self::Plain(call) => call.callback(),
        }
    }

    /// Fields that were sent and lost against a stronger one.
    #[must_use]
    pub fn losers(&self) -> &[&'static str] {
        match self {
            Self::FastExecuteScript(call) => &call.losers,
            Self::Plain(_) => &[],
        }
    }

    /// Paths of unknown names that were left out.
    #[must_use]
    pub fn dropped(&self) -> &[String] {
        match self {
            Self::FastExecuteScript(call) => &call.dropped,
            Self::Plain(call) => call.dropped(),
        }
    }

    /// Texts that no answer may echo, besides credentials.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let (script, plain) = match self {
            Self::FastExecuteScript(call) => (Some(call.secrets()), None),
            Self::Plain(call) => (None, Some(call.secrets())),
        };
        script.into_iter().flatten().chain(plain.into_iter().flatten())
    }

    /// How many bytes of memory the call takes, about, while it is kept.
    #[must_use]
    pub fn footprint(&self) -> u64 {
        let bytes = match self {
            // Its lists are of small values, so the model is about as large as what is sent.
            Self::FastExecuteScript(call) => call.size_hint(),
            Self::Plain(call) => call.footprint(),
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// How many bytes the canonical form takes, about.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        match self {
            Self::FastExecuteScript(call) => call.size_hint(),
            Self::Plain(call) => call.size_hint(),
        }
    }

    /// Writes the members of the canonical form into an object.
    pub fn write_members<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::FastExecuteScript(call) => call.write_members(map),
            Self::Plain(call) => call.write_members(map),
        }
    }
}

impl Serialize for ComponentCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_members(&mut map)?;
        map.end()
    }
}
