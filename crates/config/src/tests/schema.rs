//! The JSON Schemas of the files are made of the types that read them, and refuse nothing that the reader takes.

use std::path::Path;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::{
    boot_spec::BootSpec,
    policy_spec::{PolicySpec, TestsFileSpec},
};

/// The schema of a type as it is declared: what the reference is made of.
pub(super) fn declared<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    everywhere(&mut schema, &mut need_what_may_not_be_empty);
    schema
}

/// The same as a validator needs it.
fn published<T: JsonSchema>(title: &str, about: &str) -> Value {
    let mut schema = declared::<T>();
    let whole = schema.clone();
    everywhere(&mut schema, &mut texts_without_quotes);
    everywhere(&mut schema, &mut |object| keys_without_a_value(object, &whole));
    everywhere(&mut schema, &mut |object| {
        object.remove("x-keys");
        if object.remove("format").is_some_and(|format| format == "uint32") {
            object.entry("maximum").or_insert_with(|| json!(u32::MAX));
        }
    });
    if schema["required"].is_null() {
        schema["type"] = json!(["object", "null"]);
    }
    schema["title"] = title.into();
    schema["description"] = about.into();
    schema
}

/// Does something to each object of a schema, the inner ones first.
fn everywhere(value: &mut Value, act: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(|value| everywhere(value, act));
            act(object);
        }
        Value::Array(list) => list.iter_mut().for_each(|value| everywhere(value, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A list that must have an element must be there.
fn need_what_may_not_be_empty(object: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = object.get("properties") else { return };
    let needed = |(name, schema): (&String, &Value)| {
        schema["minItems"].as_u64().is_some_and(|least| least > 0).then(|| json!(name))
    };
    let needed: Vec<Value> = properties.iter().filter_map(needed).collect();
    let required = object.entry("required").or_insert_with(|| json!([]));
    let required = required.as_array_mut().unwrap();
    required.extend(needed);
    required.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    required.dedup();
    if required.is_empty() {
        object.remove("required");
    }
}

/// What has no quotes may be a text all the same; the forms of texts say themselves what else they are taken for.
fn texts_without_quotes(object: &mut Map<String, Value>) {
    let formed = ["title", "const", "enum", "pattern"].iter().any(|key| object.contains_key(*key));
    let texts = match object.get("type") {
        Some(Value::String(one)) if one == "string" && !formed => {
            json!(["string", "number", "boolean"])
        }
        Some(Value::Array(list)) if list.contains(&json!("string")) && !formed => {
            json!(["string", "number", "boolean", "null"])
        }
        Some(_) | None => return,
    };
    object.insert("type".into(), texts);
}

/// A key without a value is an empty list, or all defaults.
fn keys_without_a_value(object: &mut Map<String, Value>, whole: &Value) {
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for schema in properties.values_mut() {
        let schema = schema.as_object_mut().unwrap();
        let may_be_absent = schema.get("type").is_some_and(|kinds| {
            kinds.as_array().is_some_and(|kinds| kinds.contains(&json!("null")))
        });
        if may_be_absent && let Some(only) = schema.remove("const") {
            schema.insert("enum".into(), json!([only, null]));
        }
        if let Some(Value::String(target)) = schema.get("$ref") {
            let target = whole.pointer(target.trim_start_matches('#')).unwrap();
            if target.get("properties").is_some() && target.get("required").is_none() {
                let target = schema.remove("$ref").unwrap();
                schema.insert("anyOf".into(), json!([{"$ref": target}, {"type": "null"}]));
            }
        } else if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            if choices.iter().any(|choice| choice["type"] == "array") {
                choices.push(json!({"type": "null"}));
            }
        } else if schema.get("minItems").is_none()
            && let Some(Value::String(kind)) = schema.get("type")
            && (kind == "array" || kind == "object")
        {
            let kinds = json!([kind, "null"]);
            schema.insert("type".into(), kinds);
        }
    }
}

pub(super) fn policy() -> Value {
    published::<PolicySpec>(
        "policy.yaml",
        "A policy of esbgate, or a file of one: who may do what.",
    )
}

pub(super) fn boot() -> Value {
    published::<BootSpec>("esbgate.yaml", "The start-up file of esbgate: how the gateway runs.")
}

pub(super) fn tests() -> Value {
    published::<TestsFileSpec>(
        "tests/*.yaml",
        "Tests of a policy of esbgate that stand beside it: calls, and what shall become of them.",
    )
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    for (name, schema) in [("policy", policy()), ("esbgate", boot()), ("tests", tests())] {
        let path = format!("../../config/{name}.schema.json");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "run the test with ESBGATE_WRITE_DOCS=1 to write {name} anew");
    }
}
