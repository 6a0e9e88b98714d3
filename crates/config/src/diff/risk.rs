//! Risk rules: one that is gone or milder lets scripts pass.

use esbgate_core::{RiskAction, RiskParts, RiskRule, RiskRules};
use esbgate_model::ScriptLanguage;

use super::{Changes, Effect};

pub(super) fn risks(old: &RiskRules, new: &RiskRules, changes: &mut Changes) {
    for after in new.list() {
        let key = format!("risks.{}", after.id());
        match old.list().iter().find(|before| before.id() == after.id()) {
            Some(before) => changed(&key, before.parts(), after.parts(), changes),
            None if strictness(after.action()) == 0 => {
                changes.add(Effect::Changes, &key, format!("is new: {}", after.action().as_str()));
            }
            None => {
                changes.add(Effect::Narrows, &key, format!("is new: {}", after.action().as_str()));
            }
        }
    }
    for before in old.list() {
        if new.list().iter().any(|after| after.id() == before.id()) {
            continue;
        }
        let key = format!("risks.{}", before.id());
        if strictness(before.action()) == 0 {
            changes.add(Effect::Changes, &key, "is gone; it refused nothing");
        } else if let Some(same) = new.list().iter().find(|after| holds(before, after)) {
            changes.add(Effect::Changes, &key, format!("is gone; {} does the same", same.id()));
        } else {
            changes.add(Effect::Widens, &key, format!("is gone: {}", before.action().as_str()));
        }
    }
}

/// How much an action refuses: nothing, what nobody reviewed, everything.
fn strictness(action: RiskAction) -> u8 {
    match action {
        RiskAction::Observe | RiskAction::Warn => 0,
        RiskAction::ReviewedOnly => 1,
        RiskAction::Deny => 2,
    }
}

/// Whether `after` refuses all that `before` does.
fn holds(before: &RiskRule, after: &RiskRule) -> bool {
    let RiskParts { id: _, languages, pattern, action, hint: _ } = before.parts();
    let after = after.parts();
    pattern == after.pattern
        && languages.iter().all(|language| after.languages.contains(language))
        && strictness(action) <= strictness(after.action)
}

fn changed(key: &str, old: RiskParts<'_>, new: RiskParts<'_>, changes: &mut Changes) {
    let RiskParts { id: _, languages, pattern, action, hint } = new;
    let strict = strictness(old.action) > 0;
    let effect = match strictness(old.action).cmp(&strictness(action)) {
        std::cmp::Ordering::Greater => Effect::Widens,
        std::cmp::Ordering::Equal => Effect::Changes,
        std::cmp::Ordering::Less => Effect::Narrows,
    };
    changes.differ(effect, &format!("{key}.action"), old.action.as_str(), action.as_str());
    let apart = if strict { Effect::MayWiden } else { Effect::Changes };
    changes.differ(apart, &format!("{key}.match"), old.pattern, pattern);
    let missing = |one: &[ScriptLanguage], other: &[ScriptLanguage]| -> Vec<String> {
        let of = one.iter().filter(|language| !other.contains(language));
        of.map(|language| language.as_str().to_owned()).collect()
    };
    let (less, more) = (missing(old.languages, languages), missing(languages, old.languages));
    let key = format!("{key}.languages");
    if !less.is_empty() {
        let effect = if strict { Effect::Widens } else { Effect::Changes };
        changes.add(effect, &key, format!("does not read {} any more", less.join(", ")));
    }
    if !more.is_empty() {
        let effect = if strictness(action) > 0 { Effect::Narrows } else { Effect::Changes };
        changes.add(effect, &key, format!("reads {} too", more.join(", ")));
    }
    changes.differ(Effect::Changes, &key.replace(".languages", ".hint"), old.hint, hint);
}
