//! `target_server` and `host_password_list`: which hosts, by four selectors of which one beats another.

use std::net::Ipv4Addr;

use super::{
    Host, HostPassword, PasswordHost, Target, TopologyNode,
    read::{NAMES, switched},
};
use crate::{
    Rule, Secret,
    fault::kind,
    fields::{Members, Place, Reading, faulty, integer},
    json::Node,
};

pub(super) const TARGET: [&str; 4] =
    ["ip_list", "host_id_list", "dynamic_group_list", "topo_node_list"];
pub(super) const ADDRESS: [&str; 2] = ["bk_cloud_id", "ip"];
pub(super) const GROUP: [&str; 1] = ["id"];
pub(super) const TOPOLOGY: [&str; 2] = ["id", "node_type"];
pub(super) const PASSWORD: [&str; 4] = ["bk_cloud_id", "ip", "host_id", "encrypted_password"];

type Top<'d> = Members<'d, { NAMES.len() }>;
type Lists<'d> = Members<'d, { TARGET.len() }>;

pub(super) fn read<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<Target> {
    const NAME: &str = "target_server";
    let Some(members) = top.object(r, NAME) else {
        if !faulty(&r.faults, NAME) {
            r.faults.push(NAME, Rule::Required);
        }
        return None;
    };
    let lists = r.members(Place::object(NAME), members, &TARGET);
    let hosts = elements(r, &lists, "target_server.ip_list", &ADDRESS, address);
    let host_ids = if switched(r, &lists, "host_id_list", r.switches.host_id_list) {
        host_ids(r, &lists)
    } else {
        Vec::new()
    };
    let groups = elements(r, &lists, "target_server.dynamic_group_list", &GROUP, |r, m| {
        required(r, m, "id")
    });
    let nodes = elements(r, &lists, "target_server.topo_node_list", &TOPOLOGY, |r, m| {
        let (id, node_type) = (positive(r, m, "id"), required(r, m, "node_type"));
        Some(TopologyNode { id: id?, node_type: node_type? })
    });
    let mut target = Target { host_ids, hosts, groups, nodes };
    if !target.host_ids.is_empty() && !target.hosts.is_empty() {
        r.losers.push("target_server.ip_list");
        target.hosts.clear();
    }
    let empty = target.host_ids.is_empty() && target.hosts.is_empty() && !target.is_dynamic();
    if empty && !faulty(&r.faults, NAME) {
        r.faults.push(NAME, Rule::Required);
    }
    (!empty).then_some(target)
}

pub(super) fn host_passwords<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Vec<HostPassword> {
    const NAME: &str = "host_password_list";
    const LONGEST: usize = 172;
    if !switched(r, top, NAME, r.switches.host_password_list) {
        return Vec::new();
    }
    elements(r, top, NAME, &PASSWORD, |r, m| {
        let encrypted = m.string(r, "encrypted_password");
        match encrypted {
            Some(text) if text.len() > LONGEST => {
                let rule = Rule::Length { max: LONGEST, unit: "characters" };
                r.faults.push(m.at("encrypted_password"), rule);
            }
            Some(_) => {}
            None => m.require(r, "encrypted_password"),
        }
        let host = if m.node("host_id").is_some() {
            PasswordHost::Id(positive(r, m, "host_id")?)
        } else {
            PasswordHost::Address(address(r, m)?)
        };
        Some(HostPassword { host, encrypted: Secret::new(encrypted?) })
    })
}

/// JOB takes at most this many targets (contract jobv3 §1.5 row 23).
const MOST_ELEMENTS: usize = 50_000;

/// The elements of an array that is not too long.
fn bounded<'d, const M: usize>(
    r: &mut Reading<'d>,
    members: &Members<'d, M>,
    name: &str,
) -> &'d [Node] {
    let nodes = members.array(r, name);
    if nodes.len() <= MOST_ELEMENTS {
        return nodes;
    }
    r.faults.push(members.at(name), Rule::Length { max: MOST_ELEMENTS, unit: "elements" });
    &[]
}

/// Reads the array of objects at `path`, which ends with its name in `members`.
fn elements<'d, const N: usize, const M: usize, T>(
    r: &mut Reading<'d>,
    members: &Members<'d, M>,
    path: &'static str,
    names: &'static [&'static str; N],
    read: impl Fn(&mut Reading<'d>, &Members<'d, N>) -> Option<T>,
) -> Vec<T> {
    let nodes = bounded(r, members, path.rsplit_once('.').map_or(path, |(_, name)| name));
    let mut list = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let place = Place { path, index: Some(index) };
        let Node::Object(element) = node else {
            r.faults.push(place.written(), Rule::Type { expected: kind::OBJECT });
            continue;
        };
        let element = r.members(place, element, names);
        list.extend(read(r, &element));
    }
    list
}

fn host_ids<'d>(r: &mut Reading<'d>, lists: &Lists<'d>) -> Vec<i64> {
    let nodes = bounded(r, lists, "host_id_list");
    let mut ids = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let rule = match integer(r.document, node, true) {
            Ok(Some(id)) if id >= 1 => {
                ids.push(id);
                continue;
            }
            Ok(Some(_)) => Rule::Range { min: 1, max: i64::MAX },
            Ok(None) => Rule::Required,
            Err(rule) => rule,
        };
        let place = Place { path: "target_server.host_id_list", index: Some(index) };
        r.faults.push(place.written(), rule);
    }
    ids
}

fn address<'d, const N: usize>(r: &mut Reading<'d>, m: &Members<'d, N>) -> Option<Host> {
    let cloud = m.within(r, "bk_cloud_id", 0, i64::MAX);
    if cloud.is_none() {
        m.require(r, "bk_cloud_id");
    }
    let ip = match m.string(r, "ip") {
        // The standard reader refuses zero-padded octets, blanks and short forms.
        Some(text) => {
            let ip = text.parse::<Ipv4Addr>();
            ip.map_err(|_| r.faults.push(m.at("ip"), Rule::Ipv4)).ok()
        }
        None => {
            m.require(r, "ip");
            None
        }
    };
    Some(Host { cloud: cloud?, ip: ip? })
}

fn positive<'d, const N: usize>(
    r: &mut Reading<'d>,
    m: &Members<'d, N>,
    name: &str,
) -> Option<i64> {
    let value = m.within(r, name, 1, i64::MAX);
    if value.is_none() {
        m.require(r, name);
    }
    value
}

fn required<'d, const N: usize>(
    r: &mut Reading<'d>,
    m: &Members<'d, N>,
    name: &str,
) -> Option<Box<str>> {
    match m.text(r, name) {
        Some(text) if text.chars().any(char::is_control) => {
            r.faults.push(m.at(name), Rule::ControlCharacter);
            None
        }
        Some(text) => Some(text.into()),
        None => {
            m.require(r, name);
            None
        }
    }
}
