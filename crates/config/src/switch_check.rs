//! An application's switches.

use esbgate_model::{Switches, UnknownFields};

use crate::policy_spec::{FieldsSpec, UnknownFieldsSpec};

pub(crate) fn switches(fields: &FieldsSpec, unknown: UnknownFieldsSpec) -> Switches {
    let max = fields.timeout_max.as_ref();
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
