//! JOB's refusals: code, Chinese and English text.

use serde_json::{Value, json};

use super::Said;

/// Why JOB does not do what it is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobRefusal {
    pub(crate) code: i64,
    zh: String,
    en: String,
    permission: Option<Value>,
}

impl JobRefusal {
    pub(crate) fn new(code: i64, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, zh: zh.into(), en: en.into(), permission: None }
    }

    pub(crate) fn say(self, english: bool) -> Said {
        let message = if english { self.en } else { self.zh };
        Said { code: self.code, message, permission: self.permission }
    }

    pub(crate) fn internal() -> Self {
        Self::new(1_240_002, "内部服务器异常", "Internal Server Error")
    }

    pub(crate) fn bad_request() -> Self {
        Self::new(1_240_003, "错误的请求", "Bad Request")
    }

    /// A bean validation failure: the code of a bad request with a text of its own.
    pub(crate) fn invalid(zh: &str, en: &str) -> Self {
        Self::new(1_240_003, zh, en)
    }

    pub(crate) fn missing(names: &str) -> Self {
        let zh = format!("请求参数[{names}]缺失");
        Self::new(1_241_004, zh, format!("Missing request parameter [{names}]"))
    }

    pub(crate) fn illegal(names: &str) -> Self {
        let zh = format!("请求参数[{names}]不合法");
        Self::new(1_241_005, zh, format!("Invalid request parameter [{names}]"))
    }

    pub(crate) fn illegal_param() -> Self {
        Self::new(1_241_002, "请求参数不合法", "Invalid request parameter")
    }

    pub(crate) fn illegal_because(reason: &str) -> Self {
        let zh = format!("请求参数不合法，原因：{reason}");
        Self::new(1_241_012, zh, format!("Invalid request parameter, reason: {reason}"))
    }

    pub(crate) fn unsupported() -> Self {
        Self::new(1_241_003, "不支持的操作", "Unsupported operation")
    }

    pub(crate) fn not_pending() -> Self {
        Self::new(
            1_241_015,
            "作业不是等待执行状态，不能启动",
            "The job instance is not pending and cannot be started",
        )
    }

    pub(crate) fn no_business() -> Self {
        Self::new(
            1_243_049,
            "业务/业务集不存在或已被归档",
            "Business/Business Set not exist or archived",
        )
    }

    pub(crate) fn no_job() -> Self {
        Self::new(1_244_006, "作业实例不存在", "Job instance does not exist")
    }

    pub(crate) fn no_account(name: &str) -> Self {
        let zh = format!("账号[{name}]不存在");
        Self::new(1_244_003, zh, format!("Account [{name}] does not exist"))
    }

    /// What IAM forbids, with the block from which a caller builds an application for the right.
    pub(crate) fn forbidden(user: &str, action: &str, path: &[(&str, String)]) -> Self {
        let resource = |(kind, id): &(&str, String)| json!({"type": kind, "type_name": kind, "id": id, "name": id});
        let kind = path.last().map_or("biz", |(kind, _)| *kind);
        let system = if kind == "biz" { "bk_cmdb" } else { "bk_job" };
        let permission = json!({
            "system_id": "bk_job",
            "system_name": "作业平台",
            "actions": [{
                "id": action,
                "name": action,
                "related_resource_types": [{
                    "system_id": system,
                    "system_name": system,
                    "type": kind,
                    "type_name": kind,
                    "instances": [path.iter().map(resource).collect::<Vec<_>>()],
                }],
            }],
        });
        let zh = format!("用户({user})权限不足，请前往权限中心确认并申请补充后重试");
        let en = format!(
            "User ({user}) permission not allowed, please apply for permission in IAM and try again"
        );
        Self { permission: Some(permission), ..Self::new(9_900_403, zh, en) }
    }
}
