//! What the values of a file look like, as JSON Schema has it: for the schemas that editors read, and for the reference.
//!
//! A text is written with or without quotes, so where a text is due, what looks like a number is one, too.

use std::{borrow::Cow, collections::BTreeMap};

use esbgate_model::{Component, ScriptLanguage};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{
    node::Spanned,
    units::{ListOrAny, Size, Span},
};

/// What a text may be taken for while it has no quotes.
fn text() -> Value {
    json!(["string", "number", "boolean"])
}

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident = $schema:tt,)*) => {$(
        $(#[$doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name;

        form!($name = $schema);
    )*};
}

macro_rules! form {
    ($name:ident = $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

forms! {
    /// The code of an application, or the name of a user.
    AppName = {"title": "name", "type": text(), "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$"},
    /// A text that is more than blanks.
    Said = {"title": "text", "type": text(), "pattern": r"\S"},
    /// The same that is a path.
    NamedPath = {"title": "path", "type": text(), "pattern": r"\S"},
    /// The path of a file or a folder.
    Path = {"title": "path", "type": text()},
    /// An address and a port.
    Address = {"title": "IP:port", "type": "string"},
    /// A URL.
    Url = {"title": "URL", "type": "string"},
    /// What a callback begins with.
    Prefix = {"title": "URL prefix", "type": "string"},
    /// A network.
    Network = {"title": "network", "type": "string"},
    /// A network, or one address.
    Ipv4Network = {
        "title": "IPv4 network", "type": "string",
        "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$"
    },
    /// An instant with its zone.
    Instant = {"title": "instant", "type": "string"},
    /// A SHA-256.
    Hash = {"title": "64 hex digits", "type": ["string", "number"], "pattern": "^[0-9A-Fa-f]{64}$"},
    /// The id of a risk rule.
    RuleId = {"title": "1 to 64 of `a-z 0-9 -`", "type": text(), "pattern": "^[a-z0-9-]{1,64}$"},
    /// A pattern of a risk rule.
    Pattern = {"title": "pattern of the Rust crate `regex`", "type": text()},
    /// A component of the ESB.
    ComponentName = {"title": "component", "enum": components()},
    /// A kind of business.
    ScopeType = {"enum": ["biz", "biz_set", "tenant_set"]},
    /// A day of the week.
    Weekday = {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
    /// A time of the day.
    Clock = {"title": "`HH:MM`", "type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"},
    /// A time zone.
    Zone = {"title": "IANA time zone", "type": "string"},
    /// A day.
    Day = {"title": "`YYYY-MM-DD`", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    /// The parameters of a call.
    Body = {"title": "keys with values, or a JSON object as a text", "type": ["object", "string", "null"]},
    /// What allows a call.
    Allowed = {"title": "a rule's name, or `true`", "type": ["string", "boolean", "number"]},
    /// A language of scripts.
    Language = {"enum": ScriptLanguage::ALL.map(ScriptLanguage::as_str)},
}
form!(Size = {"title": "size", "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$"});
form!(Span = {"title": "time", "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"});

fn components() -> Vec<&'static str> {
    Component::all().map(Component::name).collect()
}

/// A value is written the same with its place.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for ListOrAny<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOrAny{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let element = generator.subschema_for::<T>();
        json_schema!({"anyOf": [{"const": "any"}, {"type": "array", "items": element}]})
    }
}

/// A map whose names have a form.
pub(crate) struct Map<K, T>(std::marker::PhantomData<BTreeMap<K, T>>);

impl<K: JsonSchema, T: JsonSchema> JsonSchema for Map<K, T> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (name, value) = (K::json_schema(generator), generator.subschema_for::<T>());
        json_schema!({"type": "object", "propertyNames": name, "additionalProperties": value})
    }
}
