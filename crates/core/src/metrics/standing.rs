//! What of the policy depends on the time: it is read when it is scraped.

use jiff::Timestamp;
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use super::{register, whole};

/// The series of what holds now and what ends next.
#[derive(Debug, Clone)]
pub struct StandingMetrics {
    exemption_end: Gauge,
    policy_freezes: IntGauge,
    admin_freezes: IntGauge,
}

/// What holds now and what ends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The earliest end of an exemption that has not ended.
    pub exemption_end: Option<Timestamp>,
    /// Freezes of the policy that hold.
    pub policy_freezes: u64,
    /// Freezes of an admin that hold.
    pub admin_freezes: u64,
}

impl StandingMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new("esbgate_freezes", "Freezes that hold, by who has set them.");
        let freezes = register(registry, IntGaugeVec::new(opts, &["source"]))?;
        Ok(Self {
            exemption_end: register(
                registry,
                Gauge::new(
                    "esbgate_policy_exemption_end_timestamp_seconds",
                    "The earliest end of an exemption that has not ended; 0 if there is none.",
                ),
            )?,
            policy_freezes: freezes.with_label_values(&["policy"]),
            admin_freezes: freezes.with_label_values(&["admin"]),
        })
    }

    /// Notes what holds now.
    pub fn stands(&self, standing: Standing) {
        let end = standing.exemption_end.map_or(0.0, |end| end.as_duration().as_secs_f64());
        self.exemption_end.set(end);
        self.policy_freezes.set(whole(standing.policy_freezes));
        self.admin_freezes.set(whole(standing.admin_freezes));
    }
}
