//! JOB's own checks, after the beans, each in its place: what is missing, what is not there, what is forbidden.

use super::codec;
use super::refusal::JobRefusal;
use super::request::{FastExecute, RawTargets};
use super::{Call, ScriptSource, Targets};
use crate::world::{Account, Business, ScriptStatus, ScriptVersion, World};

const MOST_TARGETS: usize = 50_000;

/// What is to run.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) source: ScriptSource,
    /// None where JOB's decoder threw: only the database notices.
    pub(crate) script: Option<String>,
    pub(crate) language: i64,
}

/// What a request must have, before anything is looked up.
pub(crate) fn required(request: &FastExecute) -> Result<(), JobRefusal> {
    let empty = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
    if request.version_id.is_none() && empty(&request.script_id) && empty(&request.content) {
        return Err(JobRefusal::missing("script_version_id|script_id|script_content"));
    }
    if request.version_id.is_some_and(|id| id < 1) {
        return Err(JobRefusal::illegal("script_version_id"));
    }
    if !empty(&request.content) && !request.language.is_some_and(|each| (1..=6).contains(&each)) {
        return Err(JobRefusal::illegal("script_language"));
    }
    match &request.targets {
        None => return Err(JobRefusal::missing("target_server")),
        Some(targets) if targets.is_empty() => {
            return Err(JobRefusal::new(1_244_001, "主机为空", "Host is empty"));
        }
        Some(_) => {}
    }
    let no_alias = request.account_alias.as_ref().is_none_or(|alias| alias.trim().is_empty());
    if request.account_id.is_none_or(|id| id < 1) && no_alias {
        return Err(JobRefusal::missing("account_id|account_alias"));
    }
    request.rolling.as_ref().map_or(Ok(()), |rolling| rolling.check())
}

/// Version beats id beats content.
pub(crate) fn choose(
    request: &FastExecute,
    business: &Business,
    world: &World,
) -> Result<Chosen, JobRefusal> {
    let missing = || JobRefusal::new(1_243_001, "脚本不存在", "Script not exist");
    let mine = world
        .scripts
        .iter()
        .filter(|script| script.business.is_none_or(|owner| owner == business.id));
    if let Some(id) = request.version_id {
        let version = mine.flat_map(|script| &script.versions).find(|version| version.id == id);
        return stored(version.ok_or_else(missing)?, ScriptSource::Version(id));
    }
    if let Some(id) = request.script_id.as_ref().filter(|id| !id.trim().is_empty()) {
        let versions = mine.filter(|script| script.id == *id).flat_map(|script| &script.versions);
        let online = versions.into_iter().find(|version| version.status == ScriptStatus::Online);
        return stored(online.ok_or_else(missing)?, ScriptSource::Script(id.clone()));
    }
    // A blank text passes for "given" and then yields no script: a null pointer.
    let content = request.content.as_ref().filter(|text| !text.trim().is_empty());
    let content = content.ok_or_else(JobRefusal::internal)?;
    Ok(Chosen {
        source: ScriptSource::Content,
        script: codec::decode_text(content),
        language: request.language.unwrap_or_default(),
    })
}

fn stored(version: &ScriptVersion, source: ScriptSource) -> Result<Chosen, JobRefusal> {
    let (zh, en) = match version.status {
        ScriptStatus::Online | ScriptStatus::Retired => {
            let script = String::from_utf8_lossy(&version.content).into_owned();
            return Ok(Chosen { source, script: Some(script), language: version.language });
        }
        ScriptStatus::Draft => ("未上线", "Not online"),
        ScriptStatus::Banned => ("禁用", "Disabled"),
    };
    Err(JobRefusal::new(
        1_244_018,
        format!("脚本状态[{zh}]，不支持执行"),
        format!("Script status [{en}], cannot be executed"),
    ))
}

/// Line by line; comments and parameters are not looked at.
pub(crate) fn danger(chosen: &Chosen, world: &World) -> Result<(), JobRefusal> {
    let script = chosen.script.as_deref().unwrap_or_default();
    let comment = if chosen.language == 2 { "REM" } else { "#" };
    let counts = |line: &&str| chosen.language == 6 || !line.trim_start().starts_with(comment);
    let hits = |line: &str| world.dangerous.iter().any(|text| line.contains(text.as_str()));
    if script.split('\n').filter(counts).any(hits) {
        return Err(JobRefusal::new(
            1_244_019,
            "高危脚本，禁止执行",
            "Dangerous script, cannot be executed",
        ));
    }
    Ok(())
}

/// The id beats the alias, and is not bound to the business.
pub(crate) fn account<'a>(
    request: &FastExecute,
    business: &'a Business,
    world: &'a World,
) -> Result<&'a Account, JobRefusal> {
    if let Some(id) = request.account_id.filter(|id| *id >= 1) {
        let mut all = world.businesses.iter().flat_map(|business| &business.accounts);
        return all
            .find(|account| account.id == id)
            .ok_or_else(|| JobRefusal::no_account(&id.to_string()));
    }
    let alias = request.account_alias.as_deref().unwrap_or_default();
    let found = business.accounts.iter().find(|account| account.alias == alias);
    found.ok_or_else(|| JobRefusal::no_account(alias))
}

/// What CMDB knows of the targets; host ids beat addresses.
pub(crate) fn targets(raw: &RawTargets, world: &World) -> Result<Targets, JobRefusal> {
    let groups: Vec<String> = raw.groups.iter().flatten().cloned().collect();
    if let Some(id) = groups.iter().find(|id| id.is_empty() || world.missing_groups.contains(id)) {
        return Err(JobRefusal::new(
            1_211_003,
            format!("根据动态分组 ID 查找主机失败，动态分组ID：{id}"),
            format!("Fail to find host by dynamic group, dynamic group ID: {id}"),
        ));
    }
    let ips = if raw.host_ids.is_empty() { pairs(&raw.ips) } else { Vec::new() };
    if let Some((_, ip)) = ips.iter().find(|(_, ip)| world.missing_ips.contains(ip)) {
        return Err(JobRefusal::new(
            1_244_030,
            format!("作业引用的执行对象不存在：{ip}"),
            format!("Execute object referenced by the job does not exist: {ip}"),
        ));
    }
    if ips.len() + raw.host_ids.len() > MOST_TARGETS {
        return Err(JobRefusal::new(
            1_244_022,
            format!("脚本任务目标服务器数量超过限制：{MOST_TARGETS}"),
            format!("The number of script task target servers exceeds the limit: {MOST_TARGETS}"),
        ));
    }
    Ok(Targets { ips, host_ids: raw.host_ids.clone(), groups, nodes: pairs(&raw.nodes) })
}

fn pairs(raw: &[(Option<i64>, Option<String>)]) -> Vec<(i64, String)> {
    raw.iter().filter_map(|(id, text)| Some(((*id)?, text.clone()?))).collect()
}

/// IAM comes last of all that can forbid.
pub(crate) fn permitted(
    call: &Call<'_>,
    business: &Business,
    account: &Account,
) -> Result<(), JobRefusal> {
    let user = &call.identity.user;
    if account.users.as_ref().is_none_or(|users| users.contains(user)) {
        return Ok(());
    }
    let path = [("biz", business.id.to_string()), ("account", account.id.to_string())];
    Err(JobRefusal::forbidden(user, "use_account", &path))
}

/// What only the database refuses.
pub(crate) fn storable(
    request: &FastExecute,
    chosen: Chosen,
) -> Result<(Chosen, String), JobRefusal> {
    let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.chars().count());
    if length(&request.task_name) > 512 || length(&request.callback_url) > 1024 {
        return Err(JobRefusal::internal());
    }
    let script = chosen.script.clone().ok_or_else(JobRefusal::internal)?;
    Ok((chosen, script))
}
