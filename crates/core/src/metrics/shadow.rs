//! What limits in shadow mode count.

use prometheus::IntCounter;

use super::{AppMetrics, Metrics};
use crate::{Limit, LimitSet};

/// The series of an application's limits that are in shadow mode.
#[derive(Debug, Clone, Default)]
pub struct ShadowMetrics(Vec<(Limit, IntCounter)>);

impl AppMetrics {
    /// The same, with the series of limits in shadow mode.
    #[must_use]
    pub fn with_shadow(self, shadowed: ShadowMetrics) -> Self {
        Self { shadowed, ..self }
    }

    /// Counts a call that a limit would have refused.
    pub(crate) fn shadowed(&self, limit: Limit) {
        if let Some((_, counter)) = self.shadowed.0.iter().find(|(known, _)| *known == limit) {
            counter.inc();
        }
    }
}

impl Metrics {
    /// Resolves the series of an application's limits that are in shadow mode.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub fn shadow(&self, app: &str, limits: LimitSet) -> ShadowMetrics {
        let series = |limit: Limit| self.limit_shadowed.with_label_values(&[app, limit.as_str()]);
        ShadowMetrics(limits.iter().map(|limit| (limit, series(limit))).collect())
    }
}
