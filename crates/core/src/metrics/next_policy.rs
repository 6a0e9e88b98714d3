//! What is counted where a next policy is evaluated beside the one in force.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::register;

/// How the next policy would decide a call, seen from the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShadowResult {
    /// In the same way.
    Same,
    /// It would refuse a call that is allowed.
    WouldRefuse,
    /// It would allow a call that is refused.
    WouldAllow,
    /// It would refuse it for another reason.
    OtherReason,
    /// The call did not get as far as a decision, or too many were being looked at.
    Unjudged,
}

impl ShadowResult {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::Same, Self::WouldRefuse, Self::WouldAllow, Self::OtherReason, Self::Unjudged];

    /// The word in metrics, records and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::WouldRefuse => "would_refuse",
            Self::WouldAllow => "would_allow",
            Self::OtherReason => "other_reason",
            Self::Unjudged => "unjudged",
        }
    }
}

/// The series of a next policy.
#[derive(Debug, Clone)]
pub struct NextPolicyMetrics {
    decisions: [IntCounter; 5],
    loaded: IntGauge,
}

impl NextPolicyMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new(
            "esbgate_shadow_decisions_total",
            "Calls that a next policy was asked about, by how it would decide.",
        );
        let decisions = register(registry, IntCounterVec::new(opts, &["result"]))?;
        let loaded = IntGauge::new(
            "esbgate_shadow_policy_loaded",
            "1 while a next policy is evaluated beside the one in force.",
        );
        Ok(Self {
            decisions: ShadowResult::ALL
                .map(|result| decisions.with_label_values(&[result.as_str()])),
            loaded: register(registry, loaded)?,
        })
    }

    /// Counts a call.
    pub fn decided(&self, result: ShadowResult) {
        let series = ShadowResult::ALL.iter().zip(&self.decisions);
        for (_, counter) in series.filter(|(known, _)| **known == result) {
            counter.inc();
        }
    }

    /// Notes whether there is a next policy.
    pub fn loaded(&self, loaded: bool) {
        self.loaded.set(loaded.into());
    }
}
