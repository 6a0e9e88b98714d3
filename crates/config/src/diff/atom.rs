//! What a call names once: business, account, script, callback. A rule is taken apart into these, so that several rules
//! may cover together what one covers.

use esbgate_core::{AccountGrant, Allow, BusinessGrant, Grant, ScriptGrant};
use esbgate_model::{CallbackPrefix, Component, Extent, ScriptLanguage};

/// A value, or all of those that no list names.
#[derive(Debug, Clone)]
pub(super) enum One<'g, T: ?Sized> {
    /// This one.
    Named(&'g T),
    /// Whatever `any` allows; only another `any` covers it.
    Rest,
}

impl<T: PartialEq> One<'_, T> {
    fn within(&self, allow: &Allow<T>) -> bool {
        match self {
            Self::Named(value) => allow.covers(|known| known == *value),
            Self::Rest => allow.is_any(),
        }
    }
}

/// One part of what a rule allows, of one kind.
#[derive(Debug, Clone)]
pub(super) enum Atom<'g> {
    Business(One<'g, i64>),
    Set(One<'g, i64>),
    TenantSet(One<'g, i64>),
    Alias(One<'g, Box<str>>),
    Account(One<'g, i64>),
    Content(ScriptLanguage),
    /// Content of this hash, in any language, that counts as reviewed.
    Pinned(&'g [u8; 32]),
    Script(One<'g, Box<str>>),
    Version(One<'g, i64>),
    Callback(&'g CallbackPrefix),
}

impl Atom<'_> {
    /// Whether a rule allows it. `review` is whether being reviewed lets a script pass that would not pass otherwise.
    pub(super) fn within(&self, rule: &Grant, review: bool) -> bool {
        let (business, accounts, scripts) = (&rule.business, &rule.accounts, &rule.scripts);
        match self {
            Self::Business(one) => one.within(&business.ids),
            Self::Set(one) => one.within(&business.sets),
            Self::TenantSet(one) => one.within(&business.tenant_sets),
            Self::Alias(one) => one.within(&accounts.aliases),
            Self::Account(one) => one.within(&accounts.ids),
            Self::Content(language) => scripts.content.covers(|known| known == language),
            Self::Pinned(hash) => {
                let every = ScriptLanguage::ALL.into_iter();
                scripts.sha256.contains(hash)
                    || !review && every.clone().all(|one| Self::Content(one).within(rule, review))
            }
            Self::Script(one) => one.within(&scripts.ids),
            Self::Version(one) => one.within(&scripts.versions),
            Self::Callback(prefix) => rule.callbacks.iter().any(|outer| outer.contains(prefix)),
        }
    }
}

fn parts<'g, T>(allow: &'g Allow<T>, atom: fn(One<'g, T>) -> Atom<'g>) -> Vec<Atom<'g>> {
    match allow {
        Allow::Any => vec![atom(One::Rest)],
        Allow::Only(list) => list.iter().map(|one| atom(One::Named(one))).collect(),
    }
}

/// What a rule allows of one component: a list for each thing that a call names once. A call without a rule's callback
/// asks for less than one with it.
pub(super) fn atoms(rule: &Grant, component: Component) -> Vec<Vec<Atom<'_>>> {
    let mut lists = Vec::new();
    if component.extent() == Extent::Business {
        let BusinessGrant { ids, sets, tenant_sets } = &rule.business;
        let sets = parts(sets, Atom::Set).into_iter();
        let sets = sets.chain(parts(tenant_sets, Atom::TenantSet));
        lists.push(parts(ids, Atom::Business).into_iter().chain(sets).collect());
    }
    if component == Component::fast_execute_script() {
        let AccountGrant { aliases, ids } = &rule.accounts;
        lists.push([parts(aliases, Atom::Alias), parts(ids, Atom::Account)].concat());
        lists.push(scripts(&rule.scripts));
    }
    if !rule.callbacks.is_empty() {
        lists.push(rule.callbacks.iter().map(Atom::Callback).collect());
    }
    lists
}

fn scripts(scripts: &ScriptGrant) -> Vec<Atom<'_>> {
    let ScriptGrant { content, sha256, ids, versions } = scripts;
    let spoken = ScriptLanguage::ALL.into_iter().filter(|one| content.covers(|known| known == one));
    spoken
        .map(Atom::Content)
        .chain(sha256.iter().map(Atom::Pinned))
        .chain(parts(ids, Atom::Script))
        .chain(parts(versions, Atom::Version))
        .collect()
}
