//! Which business a call is about, in either of the two spellings that JOB reads.

use std::ops::RangeInclusive;

use serde::ser::SerializeMap;

use crate::{
    Rule,
    fields::{Members, Reading, faulty, is_blank},
    json::Node,
};

/// The names that say it.
pub(crate) const NAMES: [&str; 3] = ["bk_biz_id", "bk_scope_type", "bk_scope_id"];

/// Whose hosts and scripts the call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One business.
    Business(i64),
    /// A set of businesses.
    BusinessSet(i64),
    /// All businesses of a tenant set.
    TenantSet(i64),
}

impl Scope {
    /// A `bk_biz_id` of this range is read by JOB as a business set.
    pub const BUSINESS_SETS: RangeInclusive<i64> = 8_000_000..=9_999_999;

    /// The value of `bk_scope_type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Business(_) => "biz",
            Self::BusinessSet(_) => "biz_set",
            Self::TenantSet(_) => "tenant_set",
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> i64 {
        match self {
            Self::Business(id) | Self::BusinessSet(id) | Self::TenantSet(id) => *id,
        }
    }

    /// Writes it in the spelling that the caller used.
    pub(crate) fn write<M: SerializeMap>(&self, pair: bool, map: &mut M) -> Result<(), M::Error> {
        if pair {
            map.serialize_entry("bk_scope_type", self.kind())?;
            map.serialize_entry("bk_scope_id", &self.id().to_string())
        } else {
            map.serialize_entry("bk_biz_id", &self.id())
        }
    }
}

/// Reads the business of a call, and whether it is named by the scope pair alone.
pub(crate) fn read<'d, const N: usize>(
    r: &mut Reading<'d>,
    top: &Members<'d, N>,
) -> Option<(Scope, bool)> {
    let business = business(r, top);
    let pair = scope_pair(r, top);
    if faulty(&r.faults, "bk_biz_id")
        || faulty(&r.faults, "bk_scope_type")
        || faulty(&r.faults, "bk_scope_id")
    {
        return None;
    }
    match (business, pair) {
        (Some(business), Some(pair)) if business != pair => {
            r.faults.push("bk_biz_id", Rule::Conflict { with: "bk_scope_id" });
            None
        }
        (Some(business), _) => Some((business, false)),
        (None, Some(pair)) => Some((pair, true)),
        (None, None) => {
            r.faults.push("bk_biz_id", Rule::Required);
            None
        }
    }
}

fn business<'d, const N: usize>(r: &mut Reading<'d>, top: &Members<'d, N>) -> Option<Scope> {
    let id = top.integer(r, "bk_biz_id", false)?;
    if id < 1 {
        r.faults.push("bk_biz_id", Rule::Range { min: 1, max: i64::MAX });
        return None;
    }
    Some(if Scope::BUSINESS_SETS.contains(&id) {
        Scope::BusinessSet(id)
    } else {
        Scope::Business(id)
    })
}

fn scope_pair<'d, const N: usize>(r: &mut Reading<'d>, top: &Members<'d, N>) -> Option<Scope> {
    let kind = top.text(r, "bk_scope_type");
    let has_id = top.raw("bk_scope_id").is_some_and(|node| match node {
        Node::String(text) => !is_blank(r.document.str(text)),
        Node::Null => false,
        Node::Bool(_)
        | Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::Array(_)
        | Node::Object(_) => true,
    });
    let id = top.integer(r, "bk_scope_id", false);
    match (&kind, has_id) {
        (None, false) => return None,
        (Some(_), false) => r.faults.push("bk_scope_id", Rule::Required),
        (None, true) if !faulty(&r.faults, "bk_scope_type") => {
            r.faults.push("bk_scope_type", Rule::Required);
        }
        (None | Some(_), true) => {}
    }
    let (kind, id) = (kind?, id?);
    if id < 1 {
        r.faults.push("bk_scope_id", Rule::Range { min: 1, max: i64::MAX });
        return None;
    }
    match &*kind {
        "biz" => Some(Scope::Business(id)),
        "biz_set" => Some(Scope::BusinessSet(id)),
        "tenant_set" => Some(Scope::TenantSet(id)),
        _ => {
            r.faults.push("bk_scope_type", Rule::OneOf { values: "biz, biz_set, tenant_set" });
            None
        }
    }
}
