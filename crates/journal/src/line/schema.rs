//! `config/journal.schema.json` is made of the types that are written and of what docs/audit.md says of their fields.

use std::collections::BTreeMap;

use esbgate_core::{OutcomeClass, RecordKind, Tampered};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{plain::PlainLine, run::RunLine, *};
use crate::{chain::VERSION, tests::document::Tables};

/// The kinds of records, in the order of the document: the kind, what it is called beside others of its kind, and the
/// types whose members it has.
const RECORDS: [(RecordKind, &str, &[Part]); 15] = [
    (RecordKind::Start, "start", &[part::<StartLine<'_>>]),
    (RecordKind::Stop, "stop", &[part::<StopLine>]),
    (
        RecordKind::Intent,
        "intent_fast_execute_script",
        &[part::<IntentLine<'_>>, part::<RunLine<'_>>],
    ),
    (RecordKind::Intent, "intent", &[part::<IntentLine<'_>>, part::<PlainLine<'_>>]),
    (RecordKind::Outcome, "outcome", &[part::<OutcomeLine<'_>>]),
    (RecordKind::Refusal, "refusal", &[part::<RefusalLine<'_>>]),
    (RecordKind::Refusal, "refusal_sum", &[part::<RefusalSumLine>]),
    (RecordKind::Reload, "reload", &[part::<reload::ReloadLine<'_>>]),
    (RecordKind::Admin, "admin", &[part::<admin::AdminLine<'_>>]),
    (RecordKind::Shadow, "shadow", &[part::<shadow::ShadowLine<'_>>]),
    (RecordKind::Lookup, "lookup", &[part::<LookupLine<'_>>]),
    (RecordKind::Loss, "loss", &[part::<LossLine<'_>>]),
    (RecordKind::Repair, "repair", &[part::<RepairLine>]),
    (RecordKind::Retention, "retention", &[part::<RetentionLine<'_>>]),
    (RecordKind::Checkpoint, "checkpoint", &[part::<CheckpointLine<'_>>]),
];

type Part = fn(&mut SchemaGenerator) -> Value;

fn part<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    T::json_schema(generator).to_value()
}

/// The words of a field that has no others.
fn words(kind: RecordKind, field: &str) -> Option<Vec<&'static str>> {
    let outcomes = OutcomeClass::ALL.iter().filter(|class| **class != OutcomeClass::Rejected);
    match (kind, field) {
        (RecordKind::Outcome, "executed") => Some(vec!["no", "yes", "unknown"]),
        (RecordKind::Outcome, "outcome") => Some(outcomes.map(|class| class.as_str()).collect()),
        (RecordKind::Loss, "what") => {
            Some(Tampered::ALL.iter().map(|what| what.as_str()).collect())
        }
        (RecordKind::Start, "durability") => Some(vec!["written", "synced"]),
        (RecordKind::Start, "mode") => Some(vec!["strict", "best_effort"]),
        (RecordKind::Retention, "cause") => Some(vec!["age", "size"]),
        _ => None,
    }
}

const HASH: &str = "^[0-9a-f]{64}$";

/// What every record has.
fn common(kind: RecordKind) -> Map<String, Value> {
    let members = json!({
        "v": {"const": VERSION},
        "seq": {"type": "integer", "minimum": 1},
        "time": {"type": "string", "format": "date-time"},
        "node": {"type": "string"},
        "boot": {"type": "string"},
        "kind": {"const": kind.as_str()},
        "prev": {"type": "string", "pattern": HASH},
        "hash": {"type": "string", "pattern": HASH},
    });
    members.as_object().unwrap().clone()
}

/// Without the addresses of links.
fn plain_text(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](") {
        text += &before.replacen('[', "", 1);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    text + rest
}

/// One kind of record. Its fields are those that the document has, and no other.
fn record(
    generator: &mut SchemaGenerator,
    (kind, _, parts): &(RecordKind, &str, &[Part]),
    meanings: &BTreeMap<String, String>,
) -> Value {
    let mut properties = common(*kind);
    for part in *parts {
        let part = part(generator);
        let own = part["properties"].as_object().unwrap().clone();
        // What has nothing to say is written as null.
        let required = part["required"].as_array().unwrap();
        assert_eq!(required.len(), own.len(), "{kind:?}: {required:?}");
        properties.extend(own);
    }
    let named: Vec<_> = properties.keys().cloned().collect();
    let documented: Vec<_> = meanings.keys().cloned().collect();
    assert_eq!(named, documented, "{kind:?}: what is written, and what docs/audit.md has");
    for (name, schema) in &mut properties {
        let schema = schema.as_object_mut().unwrap();
        if let Some(words) = words(*kind, name) {
            let null = schema["type"].is_array();
            let mut words = json!(words);
            words.as_array_mut().unwrap().extend(null.then_some(Value::Null));
            schema.insert("enum".into(), words);
        }
        schema.insert("description".into(), plain_text(&meanings[name]).into());
    }
    json!({
        "type": "object", "properties": properties, "required": named, "additionalProperties": false,
    })
}

/// Objects of known members have no others, at any depth.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(closed);
            if object.get("properties").is_some_and(Value::is_object) {
                object.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(all) => all.iter_mut().for_each(closed),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of a record of any kind.
pub(crate) fn schema(tables: &Tables) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let (every, kinds) = tables.split_first().unwrap();
    assert_eq!(kinds.len(), RECORDS.len(), "a table for each kind");
    let mut records = Map::new();
    for (one, own) in RECORDS.iter().zip(kinds) {
        let mut meanings: BTreeMap<String, String> = every.iter().chain(own).cloned().collect();
        if one.2.len() == 2 {
            // Both kinds of intents stand in two tables, of which the first is whole.
            let all = kinds[2].iter().cloned().collect::<BTreeMap<_, _>>();
            let members: Vec<_> = one.2.iter().map(|part| part(&mut generator)).collect();
            let has =
                |name: &String| members.iter().any(|part| part["properties"].get(name).is_some());
            meanings.extend(
                all.into_iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name)),
            );
            meanings.retain(|name, _| has(name) || every.iter().any(|(known, _)| known == name));
        }
        records.insert(one.1.into(), record(&mut generator, one, &meanings));
    }
    let any: Vec<_> =
        records.keys().map(|name| json!({"$ref": format!("#/$defs/{name}")})).collect();
    let mut definitions = generator.take_definitions(true);
    definitions.append(&mut records);
    definitions.values_mut().for_each(closed);
    // Their members stand in the records themselves.
    for flattened in ["RunLine", "PlainLine"] {
        definitions.remove(flattened).unwrap();
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("A record of esbgate's journal, version {VERSION}"),
        "description": "One line of a segment. Fields are added, never given another meaning, without another version.",
        "oneOf": any,
        "$defs": definitions,
    })
}
