//! job-execute: what runs on hosts, and what became of it.

use super::{
    Hidden, Reach, Row, SdkMethod, Service,
    field::{CALLBACK, Field, ROLLING, START_TASK, TIMEOUT, flag, id, int, text, tree},
    row,
};

const SERVICE: Service = Service::Execute;
const GET: Option<SdkMethod> = Some(SdkMethod::Get);
const POST: Option<SdkMethod> = Some(SdkMethod::Post);

/// Has a model of its own, so no list of fields.
pub(super) const FAST_EXECUTE_SCRIPT: Row =
    row!("fast_execute_script", Execute, Business, POST, &[]);

const INSTANCE: Field = int("job_instance_id");
const STEP: Field = int("step_instance_id");
const OPERATION: Field = int("operation_code");

pub(super) const COMPONENTS: &[Row] = &[
    FAST_EXECUTE_SCRIPT,
    row!(
        "fast_execute_sql", Execute, Business, POST,
        &[
            text("task_name"),
            text("script_content").sealed(),
            id("script_id"),
            int("script_version_id"),
            int("db_account_id"),
            TIMEOUT,
            tree("target_server"),
            CALLBACK,
            START_TASK,
        ],
        reach: Reach::Hosts,
    ),
    row!(
        "fast_transfer_file", Execute, Business, POST,
        &[
            text("task_name"),
            tree("file_source_list").sealed(),
            text("file_target_path"),
            text("file_target_name"),
            id("account_alias"),
            int("account_id"),
            TIMEOUT,
            int("download_speed_limit"),
            int("upload_speed_limit"),
            int("transfer_mode"),
            tree("target_server"),
            CALLBACK,
            ROLLING,
            START_TASK,
        ],
        reach: Reach::Hosts,
    ),
    row!(
        "push_config_file", Execute, Business, None,
        &[
            text("task_name"),
            tree("file_list").sealed(),
            text("file_target_path"),
            id("account_alias"),
            int("account_id"),
            TIMEOUT,
            tree("target_server"),
            CALLBACK,
        ],
        reach: Reach::Hosts,
    ),
    row!(
        "execute_job_plan", Execute, Business, POST,
        &[
            int("job_plan_id"),
            tree("global_var_list").sealed(),
            CALLBACK,
            START_TASK,
        ],
        reach: Reach::Hosts,
    ),
    row!(
        "operate_job_instance", Execute, Business, POST,
        &[INSTANCE, OPERATION],
        reach: Reach::Hosts,
    ),
    row!(
        "operate_step_instance", Execute, Business, POST,
        &[INSTANCE, STEP, OPERATION],
        reach: Reach::Hosts,
    ),
    row!("get_job_instance_status", Read, Business, GET, &[INSTANCE, flag("return_ip_result")],),
    row!(
        "get_job_instance_ip_log",
        Read,
        Business,
        GET,
        &[INSTANCE, STEP, int("bk_cloud_id"), id("ip"), int("bk_host_id")],
    ),
    row!(
        "batch_get_job_instance_ip_log",
        Read,
        Business,
        POST,
        &[INSTANCE, STEP, tree("ip_list"), tree("host_id_list")],
    ),
    row!(
        "get_job_instance_list",
        Read,
        Business,
        GET,
        &[
            INSTANCE,
            int("create_time_start"),
            int("create_time_end"),
            int("job_cron_id"),
            text("operator"),
            text("name"),
            int("launch_mode"),
            int("type"),
            int("status"),
            id("ip"),
            int("start"),
            int("length"),
        ],
    ),
    row!(
        "get_job_instance_global_var_value", Read, Business, GET,
        &[INSTANCE],
        hidden: &[Hidden::VariableValue],
    ),
];
