//! Checks of an application's switches.

use esbgate_model::{Switches, UnknownFields};

use crate::{
    policy_spec::{FieldsSpec, UnknownFieldsSpec},
    problem::Faults,
};

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
