//! The catalog is what the ESB registers: no component more, none less, and each with the same facts.
#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::collections::BTreeMap;

use esbgate_model::{Care, Component, Extent, SdkMethod};

const FACTS: &str = include_str!("data/jobv3-components.tsv");

/// The facts of each component: service, method, kind, scope, and request fields that are never shown.
fn facts() -> BTreeMap<&'static str, [&'static str; 5]> {
    let lines = FACTS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = line.split_once('\t').unwrap();
            (name, rest.split('\t').collect::<Vec<_>>().try_into().unwrap())
        })
        .collect()
}

fn said(component: Component) -> [&'static str; 4] {
    let sdk = match component.sdk() {
        Some(SdkMethod::Get) => "GET",
        Some(SdkMethod::Post) => "POST",
        None => "-",
    };
    let extent = match component.extent() {
        Extent::Business => "b",
        Extent::Global => "g",
    };
    [component.service().as_str(), sdk, component.kind().as_str(), extent]
}

#[test]
fn the_catalog_is_what_the_esb_registers_both_ways() {
    let facts = facts();
    assert_eq!(facts.len(), 58);
    let known: BTreeMap<_, _> = Component::all().map(|c| (c.name(), said(c))).collect();
    let registered: BTreeMap<_, _> = facts
        .into_iter()
        .map(|(name, [service, sdk, kind, extent, _])| (name, [service, sdk, kind, extent]))
        .collect();
    assert_eq!(known, registered);
}

#[test]
fn every_field_that_must_not_be_shown_is_sealed() {
    let mut seen = 0;
    for (name, [.., masked]) in facts() {
        for masked in masked.split(',').filter(|masked| *masked != "-") {
            let component = Component::named(name).unwrap();
            let field = component.fields().iter().find(|field| field.name == masked).unwrap();
            assert!(matches!(field.care, Care::Sealed | Care::Secret), "{name}.{masked}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
