//! The published schemas and the reader are of one mind: what a schema refuses the reader refuses, and where the shape
//! decides, the other way round.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{BOOT, EXAMPLE, Fake, check, check_with_tests, read, schema};
use crate::{
    BootDocument,
    node::{Node, Value as Read},
    test_document::TestDocument,
    texts::Texts,
    yaml,
};

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap()
}

/// A text as an editor hands it to a validator.
fn document(text: &str) -> Value {
    fn json(node: &Node) -> Value {
        match &node.value {
            Read::Null => Value::Null,
            Read::Bool(value, _) => json!(value),
            Read::Whole(value, _) => json!(value),
            Read::Number(spelled) => {
                serde_json::from_str(spelled).unwrap_or_else(|_| json!(spelled))
            }
            Read::Text(text) => json!(text),
            Read::List(list) => list.iter().map(json).collect(),
            Read::Map(map) => {
                map.iter().map(|(key, node)| (key.name.clone(), json(node))).collect()
            }
        }
    }
    json(&yaml::read(&Texts::one("example.yaml", text)).unwrap()[0])
}

/// What a schema says against a text.
pub(super) fn shape_faults(schema: &Value, text: &str) -> Vec<String> {
    let (validator, document) = (validator(schema), document(text));
    let faults = validator.iter_errors(&document).map(|fault| {
        let at = fault.instance_path();
        format!("{at}: {fault}")
    });
    faults.collect()
}

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.into());
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The document with another value in each place, without each, and with a key more in each map.
fn mutations(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let mut found = Vec::new();
    for at in &all {
        let others = [
            json!(null),
            json!(true),
            json!(-1),
            json!(0),
            json!(7),
            json!(5_000_000_000_i64),
            json!("x"),
            json!("any"),
            json!(""),
            json!(" "),
            json!("5 s"),
            json!([]),
            json!(["x"]),
            json!([7]),
            json!([null]),
            json!({}),
            json!({"x": 1}),
        ];
        for other in others {
            let mut changed = document.clone();
            *changed.pointer_mut(at).unwrap() = other.clone();
            found.push((format!("{at} is {other}"), changed));
        }
        let mut more = document.clone();
        if let Some(object) = more.pointer_mut(at).unwrap().as_object_mut() {
            object.insert("strange_key".into(), json!(1));
            found.push((format!("{at} has a key more"), more));
        }
        let (parent, key) = at.rsplit_once('/').unwrap_or_default();
        let mut less = document.clone();
        if let Some(object) = less.pointer_mut(parent).unwrap().as_object_mut()
            && object.remove(&key.replace("~1", "/").replace("~0", "~")).is_some()
        {
            found.push((format!("{at} is absent"), less));
        }
    }
    found
}

/// Holds a schema against what the reader says of the shape, and where they differ of the meaning.
fn agree(
    schema: &Value,
    text: &str,
    misshapen: impl Fn(&str) -> bool,
    refused: impl Fn(&str) -> bool,
) {
    let validator = validator(schema);
    let mut invalid = 0;
    let mut differing = Vec::new();
    for (what, changed) in mutations(&document(text)) {
        let changed_text = changed.to_string();
        match (validator.is_valid(&changed), misshapen(&changed_text)) {
            (true, true) => differing.push(format!("the reader alone refuses: {what}")),
            (false, false) if !refused(&changed_text) => {
                differing.push(format!("the schema alone refuses: {what}"));
            }
            (true, false) => {}
            (false, _) => invalid += 1,
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(invalid > 100, "{invalid} changes were refused");
}

#[test]
fn schema_and_reader_agree_on_every_change_of_one_value_of_the_policy() {
    // One rule of risks says what there is to say of their shape.
    let (head, rest) = EXAMPLE.split_once("  - id: format-disk").unwrap();
    let (_, tail) = rest.split_once("\napps:").unwrap();
    agree(
        &schema::policy(),
        &format!("{head}\napps:{tail}"),
        |text| read("policy.yaml", text).is_ok_and(|policy| !policy.problems.is_empty()),
        |text| check(text).is_err(),
    );
}

#[test]
fn schema_and_reader_agree_on_every_change_of_one_value_of_a_file_of_tests() {
    let (head, rest) = EXAMPLE.split_once("\ntests:").unwrap();
    let (tests, apps) = rest.split_once("\napps:").unwrap();
    let policy = format!("{head}\napps:{apps}");
    agree(
        &schema::tests(),
        &format!("version: 1\ntests:{tests}"),
        |text| TestDocument::read("t.yaml", text).is_ok_and(|read| !read.problems.is_empty()),
        |text| check_with_tests(&policy, text).is_err(),
    );
}

#[test]
fn schema_and_reader_agree_on_every_change_of_one_value_of_the_start_up_file() {
    let read = |text: &str| BootDocument::read("esbgate.yaml", text);
    agree(
        &schema::boot(),
        BOOT,
        |text| read(text).map_or(true, |boot| !boot.unfit.is_empty()),
        |text| read(text).is_ok_and(|boot| boot.check(&Fake).is_err()),
    );
}
