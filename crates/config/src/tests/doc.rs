//! The tables of docs/configuration.md are made of the types that read the files, and of what is said there of each key.

use std::{fmt::Write as _, path::Path};

use serde_json::Value;

use super::schema::declared;
use crate::{boot_spec::BootSpec, policy_spec::PolicySpec};

const HEAD: &str = "| key | type | default | meaning |\n|---|---|---|---|\n";

/// A table and where it stands.
struct Section {
    path: String,
    table: String,
}

/// The tables of one file, in the order in which its keys are declared.
struct Reference {
    schema: Value,
    sections: Vec<Section>,
    /// Definitions that have a table, and its path.
    placed: Vec<(String, String)>,
}

impl Reference {
    fn of(file: &str, schema: Value) -> Vec<Section> {
        let mut reference = Self { sections: Vec::new(), placed: Vec::new(), schema };
        let root = reference.schema.clone();
        reference.section(file, "", &root);
        reference.sections
    }

    /// Writes the table of a type, and those of the types in it behind it.
    fn section(&mut self, heading: &str, prefix: &str, spec: &Value) {
        let mut table = HEAD.to_owned();
        let mut within = Vec::new();
        for key in spec["x-keys"].as_array().unwrap() {
            let key = key.as_str().unwrap().trim_start_matches("r#").trim_start_matches('_');
            let property = &spec["properties"][key];
            let path = if prefix.is_empty() { key.into() } else { format!("{prefix}.{key}") };
            let form = self.form(property, &path, &mut within);
            let required =
                spec["required"].as_array().is_some_and(|list| list.contains(&key.into()));
            let default = self.default(property, required, &form);
            let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
            assert!(!meaning.is_empty(), "{path} has no doc comment");
            let meaning = meaning.trim_end_matches('.');
            writeln!(table, "| `{key}` | {form} | {default} | {meaning} |").unwrap();
        }
        self.sections.push(Section { path: heading.into(), table });
        for (path, spec) in within {
            self.section(&path, &path, &spec);
        }
    }

    fn default(&self, property: &Value, required: bool, form: &str) -> String {
        match &property["default"] {
            _ if required => "**!**".into(),
            Value::String(text) if form.starts_with('`') => format!("`{text}`"),
            Value::String(text) => text.clone(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Null if self.has_defaults(property) => "all defaults".into(),
            Value::Null => "none".into(),
            value @ (Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.to_string(),
        }
    }

    fn has_defaults(&self, property: &Value) -> bool {
        let Some((_, spec)) = self.target(property) else { return false };
        let Some(properties) = spec["properties"].as_object() else { return false };
        spec["required"].is_null()
            && properties.values().any(|one| !one["default"].is_null() || self.has_defaults(one))
    }

    /// The definition that a schema refers to.
    fn target(&self, schema: &Value) -> Option<(String, Value)> {
        let name = schema["$ref"].as_str()?.trim_start_matches("#/$defs/");
        Some((name.into(), self.schema["$defs"][name].clone()))
    }

    /// What a value looks like; tables that this needs are added to `within`.
    fn form(&mut self, schema: &Value, path: &str, within: &mut Vec<(String, Value)>) -> String {
        if let Some((name, spec)) = self.target(schema) {
            return self.definition(&name, &spec, path, within);
        }
        if let Some(title) = schema["title"].as_str() {
            return title.into();
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let form =
                |choice: &Value, this: &mut Self, within: &mut _| this.form(choice, path, within);
            return match choices.iter().find(|choice| choice["type"] == "array") {
                Some(list) => format!("{}, or `any`", form(list, self, within)),
                None => form(&choices[0], self, within),
            };
        }
        if let Some(choices) = schema["enum"].as_array() {
            return ticked(choices.iter());
        }
        if !schema["const"].is_null() {
            return schema["const"].to_string();
        }
        self.plain(schema, path, within)
    }

    fn plain(&mut self, schema: &Value, path: &str, within: &mut Vec<(String, Value)>) -> String {
        let kind =
            schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
        let most = |key: &str| schema[key].as_u64();
        match kind {
            "integer" => {
                let least = schema["minimum"].as_u64().filter(|least| *least > 0);
                let from = least.map(|least| format!(" from {least}")).unwrap_or_default();
                let to = most("maximum").map(|most| format!(" to {most}")).unwrap_or_default();
                format!("number{from}{to}")
            }
            "boolean" => "`true`, `false`".into(),
            "string" => most("maxLength")
                .map_or("text".into(), |most| format!("text of at most {most} characters")),
            "array" => {
                let form = self.form(&schema["items"], &format!("{path}[]"), within);
                let most = most("maxItems").map(|most| format!(", at most {most}"));
                format!("list of {}{}", plural(&form), most.unwrap_or_default())
            }
            "object" => {
                let name = if schema["propertyNames"].is_null() { "NAME" } else { "CODE" };
                let form =
                    self.form(&schema["additionalProperties"], &format!("{path}.{name}"), within);
                format!("map of {}", plural(&form))
            }
            other => panic!("{path}: {other}"),
        }
    }

    fn definition(
        &mut self,
        name: &str,
        spec: &Value,
        path: &str,
        within: &mut Vec<(String, Value)>,
    ) -> String {
        if let Some(title) = spec["title"].as_str() {
            return title.into();
        }
        if let Some(choices) = spec["oneOf"].as_array() {
            if choices.iter().all(|choice| !choice["const"].is_null()) {
                return ticked(choices.iter().map(|choice| &choice["const"]));
            }
            let forms = self.variants(choices, path, within);
            let forms: Vec<String> = forms.iter().map(|form| format!("`{form}`")).collect();
            return forms.join(", ");
        }
        if spec["properties"].is_null() {
            return self.form(spec, path, within);
        }
        let known = self.placed.iter().find(|(known, _)| known == name);
        let place = known.map(|(_, place)| place.clone()).unwrap_or_else(|| {
            self.placed.push((name.into(), path.into()));
            within.push((path.into(), spec.clone()));
            path.into()
        });
        format!("[keys](#{})", slug(&place))
    }

    /// The forms of a value that is one of several maps of one key.
    fn variants(
        &mut self,
        choices: &[Value],
        path: &str,
        within: &mut Vec<(String, Value)>,
    ) -> Vec<String> {
        let mut forms = Vec::new();
        for choice in choices {
            let Some((key, value)) = choice["properties"].as_object().unwrap().iter().next() else {
                continue;
            };
            let form = self.form(value, &format!("{path}.{key}"), within);
            let inner: Vec<String> = match form.as_str() {
                keys if keys.starts_with("[keys]") => vec!["…".into()],
                several if several.starts_with('`') => {
                    several.split(", ").map(|one| one.trim_matches('`').into()).collect()
                }
                plain => vec![plain.to_uppercase()],
            };
            forms.extend(inner.iter().map(|inner| format!("{{{key}: {inner}}}")));
        }
        forms
    }
}

fn ticked<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    let ticked: Vec<String> =
        values.map(|value| format!("`{}`", value.as_str().unwrap_or_default())).collect();
    ticked.join(", ")
}

fn plural(form: &str) -> String {
    match form {
        form if form.starts_with("number ") => form.replacen("number", "numbers", 1),
        form if form.ends_with(['`', ')', 's']) => form.into(),
        form if form.ends_with('x') => format!("{form}es"),
        form => format!("{form}s"),
    }
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || "_-".contains(*c);
    heading.to_lowercase().chars().filter(kept).collect()
}

/// The path that a heading is about.
fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("### `").or_else(|| line.strip_prefix("## `"))?;
    rest.trim_end().strip_suffix('`')
}

/// Blocks of a document, each from a heading to the next.
fn blocks(document: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in document.split_inclusive('\n') {
        if line.starts_with("## ") || line.starts_with("### ") {
            blocks.push(String::new());
        }
        blocks.last_mut().unwrap().push_str(line);
    }
    blocks
}

/// A block with another table in it, in the place of its own.
fn with(block: &str, table: &str) -> String {
    let lines: Vec<&str> = block.split_inclusive('\n').collect();
    let start = lines.iter().position(|line| line.starts_with("| key |")).unwrap_or(lines.len());
    let length = lines[start..].iter().take_while(|line| line.starts_with('|')).count();
    [&lines[..start], &[table], &lines[start + length..]].concat().concat()
}

/// The document with these tables; a section that has none yet gets a heading behind the one before it.
fn written(document: &str, sections: &[Section]) -> String {
    let mut blocks = blocks(document);
    let mut at = 0;
    for Section { path, table } in sections {
        let found = blocks
            .iter()
            .position(|block| heading(block.lines().next().unwrap_or("")) == Some(path));
        if let Some(found) = found {
            at = found;
            blocks[at] = with(&blocks[at], table);
        } else {
            at += 1;
            blocks.insert(at, format!("### `{path}`\n\n{table}\n"));
        }
    }
    for block in &blocks {
        let Some(path) = heading(block.lines().next().unwrap_or("")) else { continue };
        assert!(sections.iter().any(|one| one.path == path), "no key has the section {path}");
    }
    blocks.concat()
}

#[test]
fn the_document_has_the_keys_of_every_type_with_what_they_mean() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let mut sections = Reference::of("esbgate.yaml", declared::<BootSpec>());
    sections.extend(Reference::of("policy.yaml", declared::<PolicySpec>()));
    let expected = written(&document, &sections);
    if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        document == expected,
        "run the test with ESBGATE_WRITE_DOCS=1 to write the tables anew"
    );
}

#[test]
fn the_examples_show_every_key() {
    let examples = concat!(
        include_str!("../../../../config/esbgate.yaml"),
        include_str!("../../../../config/policy.yaml")
    );
    for schema in [declared::<BootSpec>(), declared::<PolicySpec>()] {
        for spec in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
            for key in spec["properties"].as_object().into_iter().flat_map(|keys| keys.keys()) {
                assert!(examples.contains(&format!("{key}:")), "{key}");
            }
        }
    }
}
