//! job-manage: templates, plans, accounts, scripts, credentials and rules against dangerous statements.

use super::{
    Extent, Hidden, Kind, Reach, Row, SdkMethod, Service,
    field::{Field, flag, id, int, text, tree},
    row,
};

const SERVICE: Service = Service::Manage;
const GET: Option<SdkMethod> = Some(SdkMethod::Get);
const POST: Option<SdkMethod> = Some(SdkMethod::Post);

const START: Field = int("start");
const LENGTH: Field = int("length");
const NAME: Field = text("name");
const DESCRIPTION: Field = text("description");
const SCRIPT: Field = id("script_id");
const VERSION_ID: Field = int("script_version_id");
const VERSION: Field = id("version");
const VERSION_DESC: Field = text("version_desc");
const CONTENT: Field = text("content").sealed();
const LANGUAGE: Field = int("script_language");

const SCRIPT_LIST: &[Field] = &[NAME, LANGUAGE, START, LENGTH];
const VERSION_LIST: &[Field] = &[SCRIPT, flag("return_script_content"), START, LENGTH];
const VERSION_DETAIL: &[Field] = &[int("id"), SCRIPT, VERSION];
/// The language is called `type` in JOB's older documents.
const NEW_SCRIPT: &[Field] =
    &[NAME, DESCRIPTION, int("type"), LANGUAGE, CONTENT, VERSION, VERSION_DESC];
const NEW_VERSION: &[Field] = &[SCRIPT, CONTENT, VERSION, VERSION_DESC];
const SCRIPT_BASIC: &[Field] = &[SCRIPT, NAME, DESCRIPTION];
const EDITED_VERSION: &[Field] = &[SCRIPT, VERSION_ID, CONTENT, VERSION_DESC];
const ONE_VERSION: &[Field] = &[SCRIPT, VERSION_ID];

const RULE: Field = int("id");
const EXPRESSION: Field = text("expression");
const LANGUAGES: Field = tree("script_language_list");
const ACTION: Field = int("action");
const RULE_TEXT: &[Field] = &[EXPRESSION, LANGUAGES, DESCRIPTION, ACTION];

const CREDENTIAL: &[Field] = &[
    id("id"),
    NAME,
    id("type"),
    DESCRIPTION,
    text("credential_access_key").secret(),
    text("credential_secret_key").secret(),
    text("credential_username").secret(),
    text("credential_password").secret(),
];

pub(super) const COMPONENTS: &[Row] = &[
    row!(
        "get_job_template_list",
        Read,
        Business,
        GET,
        &[
            NAME,
            text("creator"),
            int("create_time_start"),
            int("create_time_end"),
            text("last_modify_user"),
            int("last_modify_time_start"),
            int("last_modify_time_end"),
            START,
            LENGTH,
        ],
    ),
    row!(
        "get_job_plan_list",
        Read,
        Business,
        GET,
        &[
            int("job_template_id"),
            NAME,
            text("creator"),
            int("create_time_start"),
            int("create_time_end"),
            text("last_modify_user"),
            int("last_modify_time_start"),
            int("last_modify_time_end"),
            START,
            LENGTH,
        ],
    ),
    row!(
        "get_job_plan_detail", Read, Business, GET,
        &[int("job_plan_id")],
        hidden: &[Hidden::ScriptParam, Hidden::VariableValue],
    ),
    row!(
        "get_account_list",
        Read,
        Business,
        GET,
        &[int("category"), id("account"), id("alias"), START, LENGTH],
    ),
    row!(
        "create_account",
        Write,
        Business,
        POST,
        &[
            id("account"),
            int("type"),
            int("category"),
            text("password").secret(),
            id("alias"),
            DESCRIPTION,
        ],
    ),
    row!("delete_account", Write, Business, POST, &[int("id")]),
    row!("get_script_list", Read, Business, GET, SCRIPT_LIST),
    row!("get_script_version_list", Read, Business, GET, VERSION_LIST),
    row!("get_script_version_detail", Read, Business, GET, VERSION_DETAIL),
    row!("create_script", Write, Business, POST, NEW_SCRIPT, reach: Reach::Scripts),
    row!("create_script_version", Write, Business, POST, NEW_VERSION, reach: Reach::Scripts),
    row!("update_script_basic", Write, Business, POST, SCRIPT_BASIC),
    row!("update_script_version", Write, Business, POST, EDITED_VERSION, reach: Reach::Scripts),
    row!("publish_script_version", Write, Business, POST, ONE_VERSION, reach: Reach::Scripts),
    row!("disable_script_version", Write, Business, POST, ONE_VERSION),
    row!("delete_script_version", Write, Business, POST, ONE_VERSION),
    row!("delete_script", Write, Business, POST, &[SCRIPT]),
    row!("get_public_script_list", Read, Global, GET, SCRIPT_LIST),
    row!("get_public_script_version_list", Read, Global, GET, VERSION_LIST),
    row!("get_public_script_version_detail", Read, Global, GET, VERSION_DETAIL),
    row!("create_public_script", Write, Global, POST, NEW_SCRIPT, reach: Reach::Scripts),
    row!("create_public_script_version", Write, Global, POST, NEW_VERSION, reach: Reach::Scripts),
    row!("update_public_script_basic", Write, Global, POST, SCRIPT_BASIC),
    row!(
        "update_public_script_version", Write, Global, POST, EDITED_VERSION,
        reach: Reach::Scripts,
    ),
    row!(
        "publish_public_script_version", Write, Global, POST, ONE_VERSION,
        reach: Reach::Scripts,
    ),
    row!("disable_public_script_version", Write, Global, POST, ONE_VERSION),
    row!("delete_public_script_version", Write, Global, POST, ONE_VERSION),
    row!("delete_public_script", Write, Global, POST, &[SCRIPT]),
    row!("create_credential", Write, Business, None, CREDENTIAL),
    row!("update_credential", Write, Business, None, CREDENTIAL),
    row!("generate_local_file_upload_url", Write, Business, None, &[tree("file_name_list")]),
    row!("check_script", Read, Global, POST, &[LANGUAGE, CONTENT]),
    row!("get_dangerous_rule_list", Read, Global, POST, RULE_TEXT),
    row!("create_dangerous_rule", Write, Global, POST, RULE_TEXT),
    row!(
        "update_dangerous_rule",
        Write,
        Global,
        POST,
        &[RULE, EXPRESSION, LANGUAGES, DESCRIPTION, ACTION],
    ),
    row!("delete_dangerous_rule", Write, Global, POST, &[RULE]),
    row!("enable_dangerous_rule", Write, Global, POST, &[RULE]),
    row!("disable_dangerous_rule", Write, Global, POST, &[RULE]),
    Row {
        name: "get_latest_service_version",
        // The one that the ESB's catalog registers elsewhere.
        path: "/api/c/compapi/esb/api/v3/get_latest_service_version/",
        service: SERVICE,
        kind: Kind::Read,
        extent: Extent::Global,
        sdk: None,
        reach: Reach::Nothing,
        fields: &[],
        hidden: &[],
    },
];
