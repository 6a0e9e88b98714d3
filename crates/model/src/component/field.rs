//! The parameters of a component: their JSON form, and how their values are looked after.

use crate::{Switches, fault::kind, language::Text};

/// The JSON form of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An integer.
    Integer,
    /// A string.
    Text,
    /// A boolean.
    Flag,
    /// An array or an object.
    Structure,
    /// A string: a URL that JOB calls, held to the rules and prefixes of `callback_url`.
    Callback,
    /// An integer: seconds, up to what the application's policy allows.
    Timeout,
}

impl Form {
    /// The words for it.
    #[must_use]
    pub fn expected(self) -> Text {
        match self {
            Self::Integer | Self::Timeout => kind::INTEGER,
            Self::Text | Self::Callback => kind::STRING,
            Self::Flag => kind::BOOLEAN,
            Self::Structure => kind::STRUCTURE,
        }
    }
}

/// How the value of a parameter is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// It says what the call is about and stands in the journal in clear.
    Shown,
    /// It stands nowhere; the keyed hash of the whole call covers it.
    Unshown,
    /// It stands nowhere and has a keyed hash of its own: script text, variables, files.
    Sealed,
    /// The same, and it is blanked where an answer echoes it: passwords and keys.
    Secret,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name at the top level of the call.
    pub name: &'static str,
    /// Its form.
    pub form: Form,
    /// How its value is looked after.
    pub care: Care,
    /// The switch of the application's policy that it needs, if it needs one.
    pub switch: Option<fn(&Switches) -> bool>,
}

impl Field {
    const fn new(name: &'static str, form: Form, care: Care) -> Self {
        Self { name, form, care, switch: None }
    }

    /// The same, off until policy turns it on.
    pub(super) const fn under(self, switch: fn(&Switches) -> bool) -> Self {
        Self { switch: Some(switch), ..self }
    }

    /// The same, sealed.
    pub(super) const fn sealed(self) -> Self {
        Self { care: Care::Sealed, ..self }
    }

    /// The same, secret.
    pub(super) const fn secret(self) -> Self {
        Self { care: Care::Secret, ..self }
    }
}

/// A number or a numeric code: it identifies, chooses or counts.
pub(super) const fn int(name: &'static str) -> Field {
    Field::new(name, Form::Integer, Care::Shown)
}

/// A text that identifies.
pub(super) const fn id(name: &'static str) -> Field {
    Field::new(name, Form::Text, Care::Shown)
}

/// A free text.
pub(super) const fn text(name: &'static str) -> Field {
    Field::new(name, Form::Text, Care::Unshown)
}

/// A switch.
pub(super) const fn flag(name: &'static str) -> Field {
    Field::new(name, Form::Flag, Care::Shown)
}

/// An array or an object.
pub(super) const fn tree(name: &'static str) -> Field {
    Field::new(name, Form::Structure, Care::Unshown)
}

/// Where the end of a job is told.
pub(super) const CALLBACK: Field = Field::new("callback_url", Form::Callback, Care::Unshown);

/// How long a job may take.
pub(super) const TIMEOUT: Field = Field::new("timeout", Form::Timeout, Care::Shown);

/// Whether a job starts at once.
pub(super) const START_TASK: Field = flag("start_task").under(|switches| switches.start_task);

/// Hosts in batches.
pub(super) const ROLLING: Field = tree("rolling_config").under(|switches| switches.rolling_config);
