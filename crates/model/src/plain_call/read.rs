//! From a document to a plain call, all faults at once.

use super::{Carried, PlainCall};
use crate::{
    CallbackUrl, Care, Component, Extent, Faults, Field, Form, Rule, Switches,
    credential::is_identity,
    fields::{Place, Reading, integer, is_blank},
    json::{Document, Node},
    scope,
};

impl PlainCall {
    /// Reads a call under the application's switches.
    pub fn read(
        component: Component,
        document: &Document,
        switches: Switches,
    ) -> Result<Self, Faults> {
        let mut reading = Reading::new(document, switches);
        let r = &mut reading;
        let scope = match component.extent() {
            Extent::Business => {
                let names = r.pick(document.members(), &scope::NAMES);
                scope::read(r, &names)
            }
            Extent::Global => None,
        };
        let (members, callback) = members(r, component);
        let Reading { faults, dropped, .. } = reading;
        if !faults.is_empty() {
            return Err(faults);
        }
        let (scope, scope_pair) = scope.map_or((None, false), |(scope, pair)| (Some(scope), pair));
        let sizes = members.iter().map(|(field, value)| field.name.len() + 4 + value.size());
        let size = sizes.sum::<usize>() + 128;
        Ok(Self { component, scope, scope_pair, members, callback, dropped, size })
    }
}

type Members = Vec<(&'static Field, Carried)>;

/// The parameters in the catalog's order, and the callback apart.
fn members(r: &mut Reading<'_>, component: Component) -> (Members, Option<CallbackUrl>) {
    let business: &[&str] = match component.extent() {
        Extent::Business => &scope::NAMES,
        Extent::Global => &[],
    };
    let fields = component.fields();
    let mut sent: Vec<Option<&Node>> = vec![None; fields.len()];
    let document = r.document;
    for (name, node) in document.members() {
        let name = document.str(name);
        // The ESB takes the supplier account away itself.
        if is_identity(name) || name == "bk_supplier_account" || business.contains(&name) {
            continue;
        }
        match fields.iter().position(|field| field.name == name) {
            Some(index) => {
                if let Some(slot) = sent.get_mut(index) {
                    *slot = Some(node);
                }
            }
            None => {
                let names = fields.iter().map(|field| field.name).chain(business.iter().copied());
                r.unknown(Place::object(""), name, names);
            }
        }
    }
    let mut callback = None;
    let mut members = Vec::with_capacity(fields.len());
    for (field, node) in fields.iter().zip(sent) {
        let Some(node) = node.filter(|node| !matches!(node, Node::Null)) else { continue };
        if field.switch.is_some_and(|on| !on(&r.switches)) {
            r.faults.push(field.name, Rule::SwitchedOff);
        } else if field.form == Form::Callback {
            callback = self::callback(r, field, node);
        } else if let Some(value) = value(r, field, node)
            && (field.care != Care::Secret || is_findable(r, field, &value))
        {
            members.push((field, value));
        }
    }
    (members, callback)
}

/// The value of a parameter in its catalogued form; none if it is absent or faulty.
fn value(r: &mut Reading<'_>, field: &Field, node: &Node) -> Option<Carried> {
    match field.form {
        Form::Integer => whole(r, field, node).map(Carried::Integer),
        Form::Timeout => {
            let (seconds, max) = (whole(r, field, node)?, i64::from(r.switches.timeout_max));
            if (1..=max).contains(&seconds) {
                return Some(Carried::Integer(seconds));
            }
            r.faults.push(field.name, Rule::Range { min: 1, max });
            None
        }
        Form::Text | Form::Callback => text(r, field, node),
        Form::Flag => flag(r, field, node).map(Carried::Flag),
        Form::Structure => match node {
            Node::Array(_) | Node::Object(_) => Carried::take(r, field.name, node),
            Node::Null
            | Node::Bool(_)
            | Node::Integer(_)
            | Node::Unsigned(_)
            | Node::Fraction
            | Node::String(_) => mistyped(r, field),
        },
    }
}

/// Every answer is searched for each secret text, so their number and their size are bounded.
fn is_findable(r: &mut Reading<'_>, field: &Field, value: &Carried) -> bool {
    const MOST: usize = 32;
    const LONGEST: usize = 4096;
    let mut texts = Vec::new();
    value.texts(&mut texts);
    let rule = if texts.len() > MOST {
        Rule::Length { max: MOST, unit: "elements" }
    } else if texts.iter().any(|text| text.len() > LONGEST) {
        Rule::Length { max: LONGEST, unit: "bytes" }
    } else {
        return true;
    };
    r.faults.push(field.name, rule);
    false
}

fn mistyped<T>(r: &mut Reading<'_>, field: &Field) -> Option<T> {
    r.faults.push(field.name, Rule::Type { expected: field.form.expected() });
    None
}

/// An integer or its decimal text. Blank is absent.
fn whole(r: &mut Reading<'_>, field: &Field, node: &Node) -> Option<i64> {
    integer(r.document, node, true).map_err(|rule| r.faults.push(field.name, rule)).ok().flatten()
}

/// A string; an integer counts as its text, as JOB reads it. Empty is kept: it may clear what is stored.
fn text(r: &mut Reading<'_>, field: &Field, node: &Node) -> Option<Carried> {
    let value = match node {
        Node::String(text) => {
            let text = r.document.str(text);
            // What identifies stands in records, so it keeps to one line.
            if field.care == Care::Shown && text.chars().any(char::is_control) {
                r.faults.push(field.name, Rule::ControlCharacter);
                return None;
            }
            Carried::text(text)
        }
        Node::Integer(number) => Carried::text(&number.to_string()),
        Node::Unsigned(number) => Carried::text(&number.to_string()),
        Node::Bool(_) | Node::Fraction | Node::Array(_) | Node::Object(_) | Node::Null => {
            return mistyped(r, field);
        }
    };
    Some(value)
}

/// A boolean or its text. Blank is absent.
fn flag(r: &mut Reading<'_>, field: &Field, node: &Node) -> Option<bool> {
    match node {
        Node::Bool(value) => Some(*value),
        Node::String(text) => match r.document.str(text) {
            "true" => Some(true),
            "false" => Some(false),
            blank if is_blank(blank) => None,
            _ => mistyped(r, field),
        },
        Node::Null
        | Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::Array(_)
        | Node::Object(_) => mistyped(r, field),
    }
}

/// A URL that JOB will call, under the same rules as that of `fast_execute_script`.
fn callback(r: &mut Reading<'_>, field: &Field, node: &Node) -> Option<CallbackUrl> {
    let Node::String(text) = node else { return mistyped(r, field) };
    let text = r.document.str(text);
    if is_blank(text) {
        return None;
    }
    CallbackUrl::read(text).map_err(|fault| r.faults.push(field.name, Rule::Callback(fault))).ok()
}
