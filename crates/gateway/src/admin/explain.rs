//! What would become of a call under the policy in force, and what an admin has frozen: judged, and not made.
//!
//! The walk has a policy of its own, made from that in force: no budget is charged, no slot taken, no series counted,
//! and nobody outside is asked.

use esbgate_config::{Call, OfflinePlan, Problem};
use esbgate_core::{Metrics, Policy};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use prometheus::Registry;

use crate::explained::{Explained, InForce};

/// What is told of a call, and what of it is put on record: names that the policy and the catalog have, and no more.
pub(super) struct Told {
    pub(super) app: Option<String>,
    pub(super) component: &'static str,
    pub(super) explained: Explained,
}

/// Why a call is not explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unexplained {
    /// The text describes no call.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NoCall(Vec<Problem>),
    /// The gateway's own fault.
    #[error("the walk did not come to an end: this is a fault of the gateway")]
    Internal,
}

/// Walks `text`, a call as the file of a `policy explain` has it. Takes as long as its script is large.
pub(super) fn explain(policy: &Policy, text: &str, at: Timestamp) -> Result<Told, Unexplained> {
    let call = Call::read("call", text).map_err(Unexplained::NoCall)?;
    let plan = OfflinePlan::in_force(policy, &call.app);
    let metrics = Metrics::register(&Registry::new(), env!("CARGO_PKG_VERSION"))
        .map_err(|_| Unexplained::Internal)?;
    // No port of a walk waits, so it is over the first time it is asked.
    let walk = plan.explain(&call, at, &metrics).now_or_never();
    let explanation = walk.ok_or(Unexplained::Internal)?;
    let admin_freezes = policy.freezes.admin.all();
    let in_force = InForce {
        generation: policy.generation,
        at,
        admin_freezes: admin_freezes.iter().filter(|freeze| freeze.holds(at)).count(),
    };
    Ok(Told {
        app: plan.knows(&call.app).then(|| call.app.clone()),
        component: call.component.name(),
        explained: Explained::new(&explanation, Some(in_force)),
    })
}
