//! What of a call without a model of its own is written: the catalog decides which values are shown.

use std::{collections::BTreeMap, net::Ipv4Addr};

use esbgate_model::{Carried, ComponentCall, PlainCall};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{TargetLine, Text, list};
use crate::keyed::{HashKey, Keyed};

/// What is not shown is hashed: all of it together, and each sealed parameter by itself.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PlainLine<'a> {
    parameters: Vec<&'static str>,
    shown: BTreeMap<&'static str, ValueLine<'a>>,
    sealed: BTreeMap<&'static str, Keyed<'a>>,
    target: Option<TargetLine>,
    body: Keyed<'a>,
}

/// A value that may be shown: a number, a switch or a name.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum ValueLine<'a> {
    Number(i64),
    Flag(bool),
    Text(Text<'a>),
}

pub(super) fn plain<'a>(
    call: &'a PlainCall,
    whole: &ComponentCall,
    key: &'a HashKey,
) -> serde_json::Result<PlainLine<'a>> {
    let shown = call.shown().filter_map(|(name, value)| {
        let value = match value {
            Carried::Integer(number) => ValueLine::Number(*number),
            Carried::Flag(flag) => ValueLine::Flag(*flag),
            Carried::Text(text) => ValueLine::Text(Text::from(&***text)),
            Carried::Null | Carried::Array(_) | Carried::Object(_) => return None,
        };
        Some((name, value))
    });
    Ok(PlainLine {
        parameters: call.names().collect(),
        shown: shown.collect(),
        sealed: call
            .sealed()
            .map(|(name, value)| Ok((name, hashed(key, name, value)?)))
            .collect::<serde_json::Result<_>>()?,
        target: call.target().map(target),
        body: hashed(key, "body", whole)?,
    })
}

/// The keyed hash of a value's canonical text, which is wiped.
fn hashed<'k>(
    key: &'k HashKey,
    field: &str,
    value: &impl Serialize,
) -> serde_json::Result<Keyed<'k>> {
    let text = Zeroizing::new(serde_json::to_string(value)?);
    Ok(key.hash(field, [text.as_str()]))
}

/// What stands for an element that names no host.
const NO_HOST: &str = "?";

/// The hosts that `target_server` names. Nothing else of it is read, so nothing else can be written.
fn target(server: &Carried) -> TargetLine {
    let (host_ids, hosts) = (elements(server, "host_id_list"), elements(server, "ip_list"));
    TargetLine {
        host_ids: host_ids.len(),
        hosts: hosts.len(),
        groups: elements(server, "dynamic_group_list").len(),
        nodes: elements(server, "topo_node_list").len(),
        host_id_list: list(host_ids, |id| {
            number(id).map_or_else(|| NO_HOST.into(), |id| id.to_string())
        }),
        ip_list: list(hosts, |host| address(host).unwrap_or_else(|| NO_HOST.into())),
    }
}

fn member<'v>(value: &'v Carried, name: &str) -> Option<&'v Carried> {
    match value {
        Carried::Object(members) => {
            members.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
        }
        Carried::Null
        | Carried::Flag(_)
        | Carried::Integer(_)
        | Carried::Text(_)
        | Carried::Array(_) => None,
    }
}

fn elements<'v>(value: &'v Carried, name: &str) -> &'v [Carried] {
    match member(value, name) {
        Some(Carried::Array(elements)) => elements,
        Some(_) | None => &[],
    }
}

/// An integer, or its text, as JOB reads it.
fn number(value: &Carried) -> Option<i64> {
    match value {
        Carried::Integer(number) => Some(*number),
        Carried::Text(text) => text.trim().parse().ok(),
        Carried::Null | Carried::Flag(_) | Carried::Array(_) | Carried::Object(_) => None,
    }
}

fn address(host: &Carried) -> Option<String> {
    let cloud = number(member(host, "bk_cloud_id")?)?;
    let Carried::Text(ip) = member(host, "ip")? else { return None };
    let ip: Ipv4Addr = ip.parse().ok()?;
    Some(format!("{cloud}:{ip}"))
}
