//! Checks of an application's numbers and switches.

use std::{num::NonZeroU32, time::Duration};

use esbgate_core::{Limits, Quota};
use esbgate_model::{Switches, UnknownFields};

use crate::{
    node::Spanned,
    policy_spec::{DefaultsSpec, FieldsSpec, UnknownFieldsSpec},
    problem::Faults,
};

/// The numbers of `own`, else of `defaults`, else our own.
pub(crate) fn limits(
    defaults: &DefaultsSpec,
    own: &DefaultsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<Limits> {
    let mut number = |own: &Option<Spanned<u32>>, default: &Option<Spanned<u32>>, ours: u32| {
        if let Some(said) = own.as_ref().filter(|said| said.value == 0) {
            faults.add(said, path, "the number must be at least 1");
        }
        NonZeroU32::new(own.as_ref().or(default.as_ref()).map_or(ours, |said| said.value))
    };
    let (calls, hosts) = (&own.calls, &own.hosts);
    let per_second = number(&calls.per_second, &defaults.calls.per_second, 10);
    let calls_burst = number(&calls.burst, &defaults.calls.burst, 20);
    let in_flight = number(&calls.in_flight, &defaults.calls.in_flight, 16);
    let per_call = number(&hosts.per_call, &defaults.hosts.per_call, 100);
    let per_minute = number(&hosts.per_minute, &defaults.hosts.per_minute, 600);
    let hosts_burst = number(&hosts.burst, &defaults.hosts.burst, 600);
    let (per_call, hosts_burst) = (per_call?, hosts_burst?);
    if per_call > hosts_burst
        && let Some(at) = hosts.per_call.as_ref().or(hosts.burst.as_ref())
    {
        faults.add(
            at,
            path,
            format!("hosts.per_call {per_call} is over hosts.burst {hosts_burst}"),
        );
    }
    Some(Limits {
        calls: Quota::new(per_second?, Duration::from_secs(1), calls_burst?),
        in_flight: in_flight?.get().into(),
        host_runs: Quota::new(per_minute?, Duration::from_secs(60), hosts_burst),
        hosts_per_call: per_call.get().into(),
    })
}

pub(crate) fn switches(
    fields: &FieldsSpec,
    unknown: UnknownFieldsSpec,
    path: &str,
    faults: &mut Faults<'_>,
) -> Switches {
    let max = fields.timeout_max.as_ref();
    if let Some(max) = max.filter(|max| !(1..=259_200).contains(&max.value)) {
        faults.add(max, path, "timeout_max is 1 to 259200 seconds");
    }
    Switches {
        unknown_fields: match unknown {
            UnknownFieldsSpec::Refuse => UnknownFields::Refuse,
            UnknownFieldsSpec::Drop => UnknownFields::Drop,
        },
        timeout_max: max.map_or(Switches::default().timeout_max, |max| max.value),
        rolling_config: fields.rolling_config,
        windows_interpreter: fields.windows_interpreter,
        host_id_list: fields.host_id_list,
        start_task: fields.start_task,
        host_password_list: fields.host_password_list,
    }
}
