//! Budgets and switches.

use std::time::Duration;

use esbgate_core::{Limits, Quota, Shadow};
use esbgate_model::{Switches, UnknownFields};

use super::{Changes, Effect};

pub(super) fn limits(old: Limits, new: Limits, changes: &mut Changes) {
    let Limits { calls, in_flight, host_runs, hosts_per_day, hosts_per_call, shadow } = new;
    quota(("calls", "per_second", "burst"), Duration::from_secs(1), old.calls, calls, changes);
    changes.number("calls.in_flight", old.in_flight, in_flight);
    let minute = Duration::from_secs(60);
    quota(("hosts", "per_minute", "burst"), minute, old.host_runs, host_runs, changes);
    changes.number("hosts.per_call", old.hosts_per_call, hosts_per_call);
    match (old.hosts_per_day, hosts_per_day) {
        (Some(old), Some(new)) => {
            let day = Duration::from_secs(24 * 60 * 60);
            quota(("hosts", "per_day", "day_burst"), day, old, new, changes);
        }
        (None, Some(_)) => changes.add(Effect::Narrows, "hosts.per_day", "a day gets a budget"),
        (Some(_), None) => changes.add(Effect::Widens, "hosts.per_day", "a day has no budget"),
        (None, None) => {}
    }
    let Shadow { calls, hosts } = shadow;
    changes.switch("calls.shadow", old.shadow.calls, calls, Effect::Narrows);
    changes.switch("hosts.shadow", old.shadow.hosts, hosts, Effect::Narrows);
}

fn quota(
    (key, unit, at_once): (&str, &str, &str),
    window: Duration,
    old: Quota,
    new: Quota,
    changes: &mut Changes,
) {
    let Quota { period, burst } = new;
    let rate = |period: Duration| format!("{:.3}", window.as_secs_f64() / period.as_secs_f64());
    let rate =
        |period: Duration| rate(period).trim_end_matches('0').trim_end_matches('.').to_owned();
    let effect = if period < old.period { Effect::Widens } else { Effect::Narrows };
    if period != old.period {
        let text = format!("{} becomes {}", rate(old.period), rate(period));
        changes.add(effect, &format!("{key}.{unit}"), text);
    }
    changes.number(&format!("{key}.{at_once}"), old.burst.get().into(), burst.get().into());
}

pub(super) fn switches(old: Switches, new: Switches, changes: &mut Changes) {
    let Switches {
        unknown_fields,
        timeout_max,
        rolling_config,
        windows_interpreter,
        host_id_list,
        start_task,
        host_password_list,
    } = new;
    let drops = |one: UnknownFields| match one {
        UnknownFields::Drop => true,
        UnknownFields::Refuse => false,
    };
    changes.switch(
        "unknown_fields: drop",
        drops(old.unknown_fields),
        drops(unknown_fields),
        Effect::Narrows,
    );
    changes.number("fields.timeout_max", old.timeout_max.into(), timeout_max.into());
    // Where what is off is left out instead of refused, a call can pass without it that could not pass with it.
    let off = if drops(unknown_fields) { Effect::MayWiden } else { Effect::Narrows };
    for (key, before, after) in [
        ("fields.rolling_config", old.rolling_config, rolling_config),
        ("fields.windows_interpreter", old.windows_interpreter, windows_interpreter),
        ("fields.host_id_list", old.host_id_list, host_id_list),
        ("fields.start_task", old.start_task, start_task),
        ("fields.host_password_list", old.host_password_list, host_password_list),
    ] {
        changes.switch(key, before, after, off);
    }
}
