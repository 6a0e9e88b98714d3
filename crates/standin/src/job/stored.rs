//! Components of which only a plausible answer is kept up: what they would read or change is not modelled. The
//! business is entered as everywhere, and what came stands in the history.

use serde_json::{Value, json};

use super::refusal::JobRefusal;
use super::{Call, scope};

/// In clear although the step says that its parameters are sensitive, as JOB does.
const SENSITIVE_PARAM: &str = "c2Vuc2l0aXZlLXBhcmFtLWNhbmFyeQ==";

/// In clear although the variable is of type 4, as JOB does.
const CIPHER_VALUE: &str = "cipher-value-canary";

/// Answers as JOB would if all was there.
pub(crate) fn answer(call: &Call<'_>) -> Result<Vec<u8>, JobRefusal> {
    if !call.readable {
        return Err(JobRefusal::bad_request());
    }
    scope::enter(call)?;
    Ok(serde_json::to_vec(&data(call)).unwrap_or_default())
}

fn data(call: &Call<'_>) -> Value {
    match call.component {
        "fast_execute_sql" | "fast_transfer_file" | "push_config_file" => {
            json!({"job_instance_id": 1, "job_instance_name": "x", "step_instance_id": 1})
        }
        "execute_job_plan" => json!({"job_instance_id": 1, "job_instance_name": "x"}),
        "operate_step_instance" => json!({"job_instance_id": 1, "step_instance_id": 1}),
        "get_job_plan_detail" => plan(),
        "get_job_instance_global_var_value" => json!({
            "job_instance_id": 1,
            "step_instance_var_list": [{"step_instance_id": 1, "global_var_list": variables()}],
        }),
        "get_cron_detail" | "save_cron" => cron(),
        "update_cron_status" => update_cron_status(call),
        "get_job_instance_ip_log" => {
            json!({"ip": "10.0.0.1", "bk_cloud_id": 0, "log_type": 1, "log_content": "done"})
        }
        "batch_get_job_instance_ip_log" => {
            json!({"job_instance_id": 1, "step_instance_id": 1, "log_type": 1, "script_task_logs": []})
        }
        "get_script_version_detail" | "get_public_script_version_detail" => {
            json!({"id": 1, "script_id": "s", "version": "1", "status": 1, "script_language": 1, "content": "ZWNobwo="})
        }
        "generate_local_file_upload_url" => {
            json!({"url_map": {"a.txt": {"upload_url": "https://repo.example.com/a.txt?token=t", "path": "x/a.txt"}}})
        }
        "check_script" | "get_dangerous_rule_list" => json!([]),
        "get_latest_service_version" => json!("3.11.3"),
        name if name.starts_with("get_") && name.ends_with("_list") => {
            json!({"data": [], "start": 0, "total": 0, "length": 20})
        }
        _ => json!({"id": 1}),
    }
}

fn variables() -> Value {
    json!([
        {"id": 11, "name": "open", "type": 1, "value": "open value"},
        {"id": 12, "name": "password", "type": 4, "value": CIPHER_VALUE},
    ])
}

fn cron() -> Value {
    json!({"id": 1, "name": "nightly", "status": 2, "job_plan_id": 100, "global_var_list": variables()})
}

fn update_cron_status(call: &Call<'_>) -> Value {
    let detail = call.body.get("return_cron_detail");
    if detail.and_then(Value::as_bool) == Some(true) { cron() } else { json!(1) }
}

fn plan() -> Value {
    let step = |param: &str, sensitive: i64| {
        json!({"id": 1059, "type": 1, "name": "run", "script_info": {
            "script_type": 1, "script_timeout": 1000, "script_param": param, "is_param_sensitive": sensitive,
        }})
    };
    json!({
        "id": 100,
        "name": "plan",
        "last_modify_time": 1_577_807_999_999_i64,
        "global_var_list": variables(),
        "step_list": [step("b3Blbg==", 0), step(SENSITIVE_PARAM, 1)],
    })
}
