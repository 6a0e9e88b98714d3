//! job-crontab: plans that run by the clock.

use super::{
    Hidden, Reach, Row, SdkMethod, Service,
    field::{Field, flag, int, text, tree},
    row,
};

const SERVICE: Service = Service::Crontab;
const GET: Option<SdkMethod> = Some(SdkMethod::Get);
const POST: Option<SdkMethod> = Some(SdkMethod::Post);

const ID: Field = int("id");
const STATUS: Field = int("status");

/// Answers repeat the variables of the plan.
const VARIABLES: &[Hidden] = &[Hidden::VariableValue];

pub(super) const COMPONENTS: &[Row] = &[
    row!(
        "get_cron_list", Read, Business, GET,
        &[
            ID,
            text("name"),
            STATUS,
            text("creator"),
            int("create_time_start"),
            int("create_time_end"),
            text("last_modify_user"),
            int("last_modify_time_start"),
            int("last_modify_time_end"),
            int("start"),
            int("length"),
        ],
        hidden: VARIABLES,
    ),
    row!("get_cron_detail", Read, Business, GET, &[ID], hidden: VARIABLES),
    // What it schedules runs later, on hosts that the call does not show.
    row!(
        "save_cron", Write, Business, POST,
        &[
            ID,
            int("job_plan_id"),
            text("name"),
            text("expression"),
            int("execute_time"),
            tree("global_var_list").sealed(),
        ],
        reach: Reach::Hosts,
        hidden: VARIABLES,
    ),
    row!(
        "update_cron_status", Write, Business, POST,
        &[ID, STATUS, flag("return_cron_detail")],
        reach: Reach::Hosts,
        hidden: VARIABLES,
    ),
    row!("delete_cron", Write, Business, None, &[ID]),
];
