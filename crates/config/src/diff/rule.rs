//! The rules of one application, held against one another as what they cover.

use esbgate_core::Grant;

use super::{
    Changes, Effect,
    cover::{Cover, Side, cover, is_budgeted},
    dimension::dimensions,
};

/// The rules of an application in one policy, and what one of its calls may name.
pub(super) struct Rules<'a> {
    pub(super) side: Side<'a>,
    pub(super) most: u64,
}

/// Tells what is gained and lost, each under the rule that says it.
pub(super) fn rules(old: &Rules<'_>, new: &Rules<'_>, changes: &mut Changes) {
    for rule in new.side.rules {
        let gain = match cover(rule, new.most, &old.side) {
            Cover::Whole => Effect::Changes,
            Cover::Part => Effect::Widens,
            Cover::Unproved => Effect::MayWiden,
        };
        changes.rule = Some(rule.name.clone());
        match named(old.side.rules, &rule.name) {
            Some(before) => {
                let whole = cover(before, old.most, &new.side) == Cover::Whole;
                let loss = if whole { Effect::Changes } else { Effect::Narrows };
                pair(before, rule, gain, loss, changes);
            }
            None => changes.add(gain, "allow", added(rule, gain)),
        }
    }
    shields(old, new, changes);
    for rule in old.side.rules {
        if named(new.side.rules, &rule.name).is_some() {
            continue;
        }
        changes.rule = Some(rule.name.clone());
        if cover(rule, old.most, &new.side) == Cover::Whole {
            changes.add(Effect::Changes, "allow", "is gone; other rules allow what it did");
        } else {
            changes.add(Effect::Narrows, "allow", format!("is gone: {}", says(rule)));
        }
    }
    changes.rule = None;
}

/// The first rule that covers a call pays for it, and refuses it where its own budget is spent. So a rule with a budget
/// that covers less than it did, or comes later, gives calls away to rules that may let them pass.
fn shields(old: &Rules<'_>, new: &Rules<'_>, changes: &mut Changes) {
    let heirs: Vec<Option<usize>> =
        new.side.rules.iter().map(|one| heir(one, old, new.most)).collect();
    for (place, rule) in old.side.rules.iter().enumerate().filter(|(_, rule)| is_budgeted(rule)) {
        let now = new.side.rules.iter().position(|one| one.name == rule.name);
        let first = new.side.rules.iter().zip(&heirs).take(now.unwrap_or_default());
        // Whatever comes first now must have come first before, under whatever name: what was behind never saw the calls
        // that the budget refused.
        let rules = old.side.rules.get(..place).unwrap_or_default();
        let ahead = Side { rules, review: old.side.review };
        let overtaken = first
            .filter(|(_, heir)| heir.is_none_or(|heir| heir >= place))
            .any(|(one, _)| cover(one, new.most, &ahead) != Cover::Whole);
        let alike = named(new.side.rules, &rule.name).is_some_and(|found| {
            let unlimited = Grant { limits: found.limits, ..rule.clone() };
            let alone = std::slice::from_ref(found);
            let side = Side { rules: alone, review: new.side.review };
            cover(&unlimited, old.most, &side) == Cover::Whole
        });
        if overtaken || !alike {
            changes.rule = Some(rule.name.clone());
            let text = "a rule with a budget of its own takes fewer calls than it did: others may let them pass";
            changes.add(Effect::MayWiden, "allow", text);
        }
    }
    changes.rule = None;
}

/// The place of the old rule of this name, if it alone covers all that the new one does.
fn heir(one: &Grant, old: &Rules<'_>, most: u64) -> Option<usize> {
    let place = old.side.rules.iter().position(|before| before.name == one.name)?;
    let rules = old.side.rules.get(place..=place)?;
    let alone = Side { rules, review: old.side.review };
    (cover(one, most, &alone) == Cover::Whole).then_some(place)
}

fn named<'a>(rules: &'a [Grant], name: &str) -> Option<&'a Grant> {
    rules.iter().find(|rule| *rule.name == *name)
}

fn says(rule: &Grant) -> String {
    let said: Vec<String> = dimensions(rule).iter().filter_map(|one| one.said()).collect();
    said.join("; ")
}

fn added(rule: &Grant, gain: Effect) -> String {
    match gain {
        Effect::Changes | Effect::Narrows => "is new; it allows what other rules did".into(),
        Effect::Widens => format!("is new: {}", says(rule)),
        Effect::MayWiden => {
            format!("is new, and allows in one call what several rules did: {}", says(rule))
        }
    }
}

/// Two rules of one name. What decides is what all rules cover; what is told is what this one says.
fn pair(old: &Grant, new: &Grant, gain: Effect, loss: Effect, changes: &mut Changes) {
    let (mut gains, mut losses) = (false, false);
    for (before, after) in dimensions(old).iter().zip(&dimensions(new)) {
        if let Some(more) = after.beyond(before) {
            changes.add(gain, after.key, format!("gains {more}"));
            gains = true;
        }
        if let Some(less) = before.beyond(after) {
            changes.add(loss, after.key, format!("loses {less}"));
            losses = true;
        }
    }
    // What it says did not grow, so another rule shrank, or two keys changed together.
    if gain.is_widening() && !gains {
        changes.add(gain, "allow", format!("allows more than the rules did: {}", says(new)));
    }
    if loss == Effect::Narrows && !losses {
        changes.add(loss, "allow", "allowed more than the rules do");
    }
}
