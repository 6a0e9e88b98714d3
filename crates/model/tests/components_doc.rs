//! `docs/components.md` lists every component as the catalog has it.

use std::{fmt::Write as _, path::Path};

use esbgate_model::{Care, Component, Extent, Field, Hidden, Kind, Reach};

const START: &str = "<!-- components -->\n";

fn parameter(field: &Field) -> String {
    let care = match field.care {
        Care::Shown => " · shown",
        Care::Unshown => "",
        Care::Sealed => " · sealed",
        Care::Secret => " · secret",
    };
    let switched = if field.switch.is_some() { " · off" } else { "" };
    format!("`{}` {}{care}{switched}", field.name, field.form.expected().en)
}

fn hidden(hidden: &Hidden) -> &'static str {
    match hidden {
        Hidden::ScriptParam => "`script_param`",
        Hidden::VariableValue => "`value` of variables",
    }
}

fn row(component: Component) -> String {
    let methods = match component.kind() {
        Kind::Read => "POST, GET",
        Kind::Execute | Kind::Write => "POST",
    };
    let business = match component.extent() {
        Extent::Business => "yes",
        Extent::Global => "no",
    };
    let reach = match component.reach() {
        Reach::Nothing => "–",
        Reach::Scripts => "any script",
        Reach::Hosts => "any host",
    };
    let parameters = if component == Component::fast_execute_script() {
        "a model of its own".into()
    } else {
        component.fields().iter().map(parameter).collect::<Vec<_>>().join("<br>")
    };
    let masked = component.hidden().iter().map(hidden).collect::<Vec<_>>().join(", ");
    let (name, kind) = (component.name(), component.kind().as_str());
    format!("| `{name}` | {kind} | {methods} | {business} | {reach} | {parameters} | {masked} |")
}

#[test]
fn the_documentation_lists_every_component_as_the_catalog_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/components.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, _) = document.split_once(START).unwrap();
    let mut expected = format!(
        "{before}{START}| component | kind | methods | business | rule must say | parameters | masked in answers |\n|---|---|---|---|---|---|---|\n"
    );
    for component in Component::all() {
        writeln!(expected, "{}", row(component)).unwrap();
    }
    if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(document == expected, "run the test with ESBGATE_WRITE_DOCS=1 to write the table anew");
}
