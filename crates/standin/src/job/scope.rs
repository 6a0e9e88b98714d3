//! Which business a call is about, read from the raw JSON before anything else of it.

use serde_json::{Map, Value};

use super::Call;
use super::coerce::parse_long;
use super::refusal::JobRefusal;
use crate::world::{Business, World};

/// The business of a call, if it names one: that it exists and that the user may enter it.
pub(crate) fn enter<'a>(call: &Call<'a>) -> Result<Option<&'a Business>, JobRefusal> {
    let Some(business) = find(call.body, call.world)? else { return Ok(None) };
    let user = &call.identity.user;
    if business.members.as_ref().is_some_and(|members| !members.contains(user)) {
        let kind = if business.is_set { "business_set" } else { "biz" };
        return Err(JobRefusal::forbidden(
            user,
            "access_business",
            &[(kind, business.id.to_string())],
        ));
    }
    Ok(Some(business))
}

fn find<'a>(
    body: &Map<String, Value>,
    world: &'a World,
) -> Result<Option<&'a Business>, JobRefusal> {
    let kind = node_text(body.get("bk_scope_type"));
    let id = node_text(body.get("bk_scope_id"));
    if !kind.is_empty() && !id.is_empty() {
        let is_set = match kind.as_str() {
            "biz" => false,
            "biz_set" => true,
            "tenant_set" => return Err(JobRefusal::no_business()),
            _ => return Err(JobRefusal::illegal("bk_scope_type")),
        };
        return look_up(world, parse_long(&id), is_set).map(Some);
    }
    if !id.is_empty() {
        return Err(JobRefusal::internal());
    }
    let text = node_text(body.get("bk_biz_id"));
    if !kind.is_empty() || text.is_empty() {
        return Ok(None);
    }
    let id = parse_long(&text).ok_or_else(JobRefusal::internal)?;
    look_up(world, Some(id), (8_000_000..=9_999_999).contains(&id)).map(Some)
}

fn look_up(world: &World, id: Option<i64>, is_set: bool) -> Result<&Business, JobRefusal> {
    let same = |each: &&Business| Some(each.id) == id && each.is_set == is_set;
    world.businesses.iter().find(same).ok_or_else(JobRefusal::no_business)
}

/// Jackson's `asText`: scalars as they are written, everything else empty.
fn node_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => String::new(),
    }
}
