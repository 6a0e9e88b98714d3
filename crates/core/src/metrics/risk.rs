//! What risk rules count.

use prometheus::IntCounter;

use super::Metrics;
use crate::{RiskAction, RiskMatch, RiskRules, UNFOLDABLE};

/// The series of a policy's risk rules.
#[derive(Debug, Default)]
pub struct RiskMetrics {
    /// In the order of the rules; after them those of what cannot be unfolded.
    matches: Vec<IntCounter>,
    unfoldable: Vec<(RiskAction, IntCounter)>,
}

impl RiskMetrics {
    /// Counts a match.
    pub(crate) fn matched(&self, found: &RiskMatch) {
        let own = self.matches.get(found.series);
        let unfoldable = || self.unfoldable.iter().find(|(action, _)| *action == found.action);
        if let Some(counter) = own.or_else(|| unfoldable().map(|(_, counter)| counter)) {
            counter.inc();
        }
    }
}

impl Metrics {
    /// Resolves the series of a policy's risk rules.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub fn risks(&self, rules: &RiskRules) -> RiskMetrics {
        let series = |rule: &str, action: RiskAction| {
            self.risk_matches.with_label_values(&[rule, action.as_str()])
        };
        let rules = rules.list();
        let strict = [RiskAction::ReviewedOnly, RiskAction::Deny].into_iter();
        let mut unfoldable: Vec<_> =
            strict.filter(|action| rules.iter().any(|rule| rule.action() == *action)).collect();
        if unfoldable.is_empty() && !rules.is_empty() {
            unfoldable.push(RiskAction::Observe);
        }
        let unfoldable = unfoldable.into_iter();
        RiskMetrics {
            matches: rules.iter().map(|rule| series(rule.id(), rule.action())).collect(),
            unfoldable: unfoldable.map(|action| (action, series(UNFOLDABLE, action))).collect(),
        }
    }
}
