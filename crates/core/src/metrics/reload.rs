//! What changes of policy count.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::register;
use crate::ReloadResult;

/// The series of changes of policy.
#[derive(Debug, Clone)]
pub struct ReloadMetrics {
    success: IntGauge,
    results: [IntCounter; 3],
    held: IntGauge,
    kept_errors: IntCounter,
}

impl ReloadMetrics {
    #[expect(clippy::disallowed_methods, reason = "this is where series are resolved")]
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts = Opts::new(
            "esbgate_policy_reloads_total",
            "Policies that were taken at a start or a reload, or refused, by result.",
        );
        let results = register(registry, IntCounterVec::new(opts, &["result"]))?;
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help));
        Ok(Self {
            success: gauge(
                "esbgate_policy_reload_success",
                "1 while the policy's files are in force or a rollback is held over them, 0 while they are refused.",
            )?,
            results: ReloadResult::ALL.map(|result| results.with_label_values(&[result.as_str()])),
            held: gauge(
                "esbgate_policy_rollback_held",
                "1 while a rollback is held over the policy's files.",
            )?,
            kept_errors: register(
                registry,
                IntCounter::new(
                    "esbgate_policy_keep_errors_total",
                    "Generations in force that could not be kept in the state folder.",
                ),
            )?,
        })
    }

    /// Counts what became of a policy.
    pub fn finished(&self, result: ReloadResult) {
        let [taken, refused, unrecorded] = &self.results;
        match result {
            ReloadResult::Taken => taken.inc(),
            ReloadResult::Refused => refused.inc(),
            ReloadResult::Unrecorded => unrecorded.inc(),
        }
    }

    /// Notes whether the files on the disk are what is in force.
    pub fn in_step(&self, in_step: bool) {
        self.success.set(i64::from(in_step));
    }

    /// Notes whether a rollback is held.
    pub fn held(&self, held: bool) {
        self.held.set(i64::from(held));
    }

    /// Counts a generation that could not be kept.
    pub fn not_kept(&self) {
        self.kept_errors.inc();
    }
}
