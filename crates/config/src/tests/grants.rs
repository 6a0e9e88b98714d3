//! What a rule says besides what it covers, and how it may be spelled.

use esbgate_core::{Allow, Grant};

use super::{EXAMPLE, broken, check};

/// The one rule of the example after `from` was replaced by `to`.
pub(super) fn rule(from: &str, to: &str) -> Grant {
    assert!(EXAMPLE.contains(from), "{from}");
    let (plan, _) = check(&EXAMPLE.replacen(from, to, 1)).unwrap();
    plan.apps.into_iter().next().unwrap().allow.into_iter().next().unwrap()
}

/// The only problem after `from` was replaced by `to`, which has a place.
pub(super) fn problem(from: &str, to: &str) -> crate::Problem {
    let (_, mut problems) = broken(from, to);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let only = problems.remove(0);
    assert!(only.line > 0 && only.snippet.is_some(), "{only:?}");
    only
}

const BUSINESS: &str =
    "business: {ids: [2], sets: [], tenant_sets: [], scopes: [{type: biz_set, id: 9}]}";

#[test]
fn scopes_are_businesses_and_sets_in_the_spelling_of_the_esb() {
    let scopes = "business: {ids: [2], tenant_sets: any, scopes: [{type: biz, id: 2}, {type: biz, id: 3}, {type: biz_set, id: 9}, {type: tenant_set, id: 1}]}";
    let grant = rule(BUSINESS, scopes).business;
    assert_eq!(grant.ids, Allow::Only(vec![2, 3]));
    assert_eq!(grant.sets, Allow::Only(vec![9]));
    assert_eq!(grant.tenant_sets, Allow::Any);
    for (scope, message, hint) in [
        ("{type: bizset, id: 9}", "unknown type of scope", Some("did you mean `biz_set`?")),
        (
            "{type: department, id: 9}",
            "unknown type of scope",
            Some("write biz, biz_set or tenant_set"),
        ),
        ("{type: biz, id: 0}", "the id of a scope is a number from 1", None),
        ("{type: biz}", "missing key `id`", None),
    ] {
        let told = problem(BUSINESS, &format!("business: {{ids: [2], scopes: [{scope}]}}"));
        assert_eq!((&*told.message, told.hint.as_deref()), (message, hint));
    }
}
