//! The businesses of a rule, whichever way they are spelled.

use esbgate_core::{Allow, BusinessGrant};

use crate::{
    grant_check::copied,
    policy_spec::{BusinessSpec, ScopeSpec},
    problem::{Faults, nearest},
};

/// What `bk_scope_type` may say.
const KINDS: [&str; 3] = ["biz", "biz_set", "tenant_set"];

/// Compiles the businesses; each scope is added to the list of its kind.
pub(crate) fn business(spec: &BusinessSpec, path: &str, faults: &mut Faults<'_>) -> BusinessGrant {
    let mut grant = BusinessGrant {
        ids: copied(&spec.ids),
        sets: copied(&spec.sets),
        tenant_sets: copied(&spec.tenant_sets),
    };
    for scope in &spec.scopes {
        scoped(scope, &mut grant, path, faults);
    }
    grant
}

fn scoped(scope: &ScopeSpec, grant: &mut BusinessGrant, path: &str, faults: &mut Faults<'_>) {
    let id = &scope.id;
    let kind = &scope.r#type;
    let list = match kind.value.as_str() {
        "biz" => &mut grant.ids,
        "biz_set" => &mut grant.sets,
        "tenant_set" => &mut grant.tenant_sets,
        other => {
            let hint = nearest(other, KINDS.into_iter());
            let hint = hint.or_else(|| Some("write biz, biz_set or tenant_set".into()));
            faults.hinted(kind, path, "unknown type of scope", hint);
            return;
        }
    };
    match list {
        Allow::Only(ids) if !ids.contains(&id.value) => ids.push(id.value),
        Allow::Only(_) | Allow::Any => {}
    }
}
