//! The fields of a fast_execute_script call, after Jackson and before any check.

use serde_json::Value;

use super::coerce::{Fields, long, object};
use super::refusal::JobRefusal;
use super::rolling::Rolling;

/// What Jackson makes of the body.
#[derive(Debug)]
pub(crate) struct FastExecute {
    pub(crate) scope_type: Option<String>,
    pub(crate) scope_id: Option<String>,
    pub(crate) biz_id: Option<i64>,
    pub(crate) version_id: Option<i64>,
    pub(crate) script_id: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) language: Option<i64>,
    pub(crate) task_name: Option<String>,
    pub(crate) param: Option<String>,
    pub(crate) timeout: Option<i64>,
    pub(crate) account_id: Option<i64>,
    pub(crate) account_alias: Option<String>,
    pub(crate) is_param_sensitive: bool,
    pub(crate) targets: Option<RawTargets>,
    pub(crate) callback_url: Option<String>,
    pub(crate) rolling: Option<Rolling>,
    pub(crate) interpreter: Option<String>,
    pub(crate) start: Start,
    /// Lengths of the encrypted passwords; none where one is absent.
    pub(crate) passwords: Vec<Option<usize>>,
}

/// What `start_task` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Now,
    Later,
    /// Null or empty: JOB fails over it, but only once the job is saved.
    Unset,
}

/// `target_server` before its elements are checked.
#[derive(Debug, Default)]
pub(crate) struct RawTargets {
    pub(crate) ips: Vec<(Option<i64>, Option<String>)>,
    pub(crate) host_ids: Vec<i64>,
    pub(crate) groups: Vec<Option<String>>,
    pub(crate) nodes: Vec<(Option<i64>, Option<String>)>,
}

impl RawTargets {
    pub(crate) fn is_empty(&self) -> bool {
        self.ips.is_empty()
            && self.host_ids.is_empty()
            && self.groups.is_empty()
            && self.nodes.is_empty()
    }
}

impl FastExecute {
    pub(crate) fn read(fields: Fields<'_>) -> Result<Self, JobRefusal> {
        // Inherited paging fields: without effect, but with a type.
        fields.int("start")?;
        fields.int("length")?;
        Ok(Self {
            scope_type: fields.text("bk_scope_type")?,
            scope_id: fields.text("bk_scope_id")?,
            biz_id: fields.long("bk_biz_id")?,
            version_id: fields.long("script_version_id")?,
            script_id: fields.text("script_id")?,
            content: fields.text("script_content")?,
            language: fields.int("script_language")?,
            task_name: fields.text("task_name")?,
            param: fields.text("script_param")?,
            timeout: fields.int("timeout")?,
            account_id: fields.long("account_id")?,
            account_alias: fields.text("account_alias")?,
            is_param_sensitive: fields.int("is_param_sensitive")? == Some(1),
            targets: fields.object("target_server")?.map(read_targets).transpose()?,
            callback_url: fields.text("callback_url")?,
            rolling: fields.object("rolling_config")?.map(Rolling::read).transpose()?,
            interpreter: fields.text("windows_interpreter")?,
            start: read_start(fields)?,
            passwords: read_passwords(fields)?,
        })
    }
}

fn read_start(fields: Fields<'_>) -> Result<Start, JobRefusal> {
    let flag = fields.flag("start_task")?;
    Ok(match flag {
        Some(false) => Start::Later,
        Some(true) => Start::Now,
        None if fields.0.contains_key("start_task") => Start::Unset,
        None => Start::Now,
    })
}

fn read_targets(server: Fields<'_>) -> Result<RawTargets, JobRefusal> {
    server.text("variable")?;
    let host = |value| {
        let Some(host) = object(value)? else { return Ok(None) };
        Ok(Some((host.long("bk_cloud_id")?, host.text("ip")?)))
    };
    let group = |value| {
        let Some(group) = object(value)? else { return Ok(None) };
        Ok(Some(group.text("id")?))
    };
    let node = |value| {
        let Some(node) = object(value)? else { return Ok(None) };
        Ok(Some((node.long("id")?, node.text("node_type")?)))
    };
    Ok(RawTargets {
        ips: no_null(server.list("ip_list", host)?)?,
        host_ids: no_null(server.list("host_id_list", long)?)?,
        groups: no_null(server.list("dynamic_group_list", group)?)?,
        nodes: no_null(server.list("topo_node_list", node)?)?,
    })
}

/// JOB walks its lists without looking: a null in one of them is a null pointer.
fn no_null<T>(list: Option<Vec<Option<T>>>) -> Result<Vec<T>, JobRefusal> {
    let items = list.unwrap_or_default().into_iter();
    items.collect::<Option<Vec<T>>>().ok_or_else(JobRefusal::internal)
}

fn read_passwords(fields: Fields<'_>) -> Result<Vec<Option<usize>>, JobRefusal> {
    let password = |value: &Value| {
        let Some(host) = object(value)? else { return Ok(None) };
        host.long("bk_cloud_id")?;
        host.long("host_id")?;
        host.text("ip")?;
        Ok(Some(host.text("encrypted_password")?.map(|text| text.chars().count())))
    };
    no_null(fields.list("host_password_list", password)?)
}
