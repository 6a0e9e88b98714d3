//! The shape of budgets: of applications, of all of them, and of rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::spec;
use crate::node::Spanned;

spec! {
    /// The budget of calls. In any time, admitted calls are at most `per_second` × seconds + `burst`.
    #[derive(Default, Clone)]
    CallsSpec {
        /// Sustained calls per second.
        #[cfg_attr(test, schemars(extend("default" = 10)))]
        #[garde(range(min = 1))]
        per_second: Option<Spanned<u32>>,
        /// Calls that may come at once.
        #[cfg_attr(test, schemars(extend("default" = 20)))]
        #[garde(range(min = 1))]
        burst: Option<Spanned<u32>>,
        /// Calls that are not answered yet.
        #[cfg_attr(test, schemars(extend("default" = 16)))]
        #[garde(range(min = 1))]
        in_flight: Option<Spanned<u32>>,
        /// Whether these limits are watched and not enforced.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        shadow: Option<Spanned<bool>>,
    }
}
spec! {
    /// The budget of host-runs. In any time, what is admitted is at most rate × time + burst, by the minute and
    /// by the day.
    #[derive(Default, Clone)]
    HostsSpec {
        /// Most hosts of one call, whatever they weigh. With the heaviest weight not over `burst` and
        /// `day_burst`.
        #[cfg_attr(test, schemars(extend("default" = 100)))]
        #[garde(range(min = 1))]
        per_call: Option<Spanned<u32>>,
        /// Sustained host-runs per minute.
        #[cfg_attr(test, schemars(extend("default" = 600)))]
        #[garde(range(min = 1))]
        per_minute: Option<Spanned<u32>>,
        /// Host-runs that may come at once.
        #[cfg_attr(test, schemars(extend("default" = 600)))]
        #[garde(range(min = 1))]
        burst: Option<Spanned<u32>>,
        /// Sustained host-runs per day of 24 hours; needs `day_burst`.
        #[garde(range(min = 1))]
        per_day: Option<Spanned<u32>>,
        /// Host-runs of the day's budget that may come at once; needs `per_day`.
        #[garde(range(min = 1))]
        day_burst: Option<Spanned<u32>>,
        /// What counts as more than one host-run a host.
        #[garde(dive)]
        weights: Option<Spanned<WeightsSpec>>,
        /// Whether these limits are watched and not enforced.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        shadow: Option<Spanned<bool>>,
    }
}
spec! {
    /// What counts as more than one host-run a host; the two multiply.
    #[derive(Default, Clone)]
    WeightsSpec {
        /// Script content that the rule does not pin by `sha256`.
        #[cfg_attr(test, schemars(extend("default" = 1)))]
        #[garde(dive)]
        content: Option<Spanned<WeightSpec>>,
        /// Accounts by alias or by the digits of their id, each from 1 to 1000.
        #[garde(dive)]
        #[serde(default)] accounts: BTreeMap<String, Spanned<WeightSpec>>,
    }
}
/// The heaviest single weight.
pub(crate) const HEAVIEST: u32 = 1000;

/// How many host-runs a host counts as.
#[derive(Debug, Clone, Copy, Deserialize, garde::Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[garde(transparent)]
#[serde(transparent)]
pub(crate) struct WeightSpec(#[garde(range(min = 1, max = HEAVIEST))] pub(crate) u32);
spec! {
    /// A rule's own budget of calls, beside the application's.
    #[derive(Default)]
    GrantCallsSpec {
        /// Sustained calls per second; needs `burst`.
        #[garde(range(min = 1))]
        per_second: Option<Spanned<u32>>,
        /// Calls that may come at once; needs `per_second`.
        #[garde(range(min = 1))]
        burst: Option<Spanned<u32>>,
        /// Whether this limit is watched and not enforced.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        shadow: Option<Spanned<bool>>,
    }
}
spec! {
    /// A rule's own budget of host-runs, beside the application's and with its weights.
    #[derive(Default)]
    GrantHostsSpec {
        /// Most hosts of one call; the smallest of this, the application's and `targets.hosts` wins.
        #[garde(range(min = 1))]
        per_call: Option<Spanned<u32>>,
        /// Sustained host-runs per minute; needs `burst`.
        #[garde(range(min = 1))]
        per_minute: Option<Spanned<u32>>,
        /// Host-runs that may come at once; needs `per_minute`.
        #[garde(range(min = 1))]
        burst: Option<Spanned<u32>>,
        /// Sustained host-runs per day of 24 hours; needs `day_burst`.
        #[garde(range(min = 1))]
        per_day: Option<Spanned<u32>>,
        /// Host-runs of the day's budget that may come at once; needs `per_day`.
        #[garde(range(min = 1))]
        day_burst: Option<Spanned<u32>>,
        /// Whether these limits are watched and not enforced.
        #[cfg_attr(test, schemars(extend("default" = false)))]
        shadow: Option<Spanned<bool>>,
    }
}
