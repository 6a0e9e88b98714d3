//! What of a call of `fast_execute_script` is written.

use esbgate_model::{Account, Content, FastExecuteScript, Host, Script, Target, hex};
use serde::Serialize;

use super::{TargetLine, Text, list};
use crate::keyed::{HashKey, Keyed};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RunLine<'a> {
    account: AccountLine<'a>,
    script: ScriptLine<'a>,
    script_param: Option<Keyed<'a>>,
    sensitive: Option<bool>,
    timeout: Option<u32>,
    task_name: Option<Text<'a>>,
    target: TargetLine,
    rolling: bool,
    windows_interpreter: Option<Text<'a>>,
    start_task: Option<bool>,
    host_passwords: Option<PasswordsLine<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "source", rename_all = "snake_case")]
enum ScriptLine<'a> {
    Version { id: i64 },
    Id { id: Text<'a> },
    Content { sha256: String, bytes: usize, language: &'static str },
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum AccountLine<'a> {
    Id(i64),
    Alias(Text<'a>),
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PasswordsLine<'a> {
    count: usize,
    value: Keyed<'a>,
}

pub(super) fn run<'a>(call: &'a FastExecuteScript, key: &'a HashKey) -> RunLine<'a> {
    RunLine {
        account: match &call.account {
            Account::Id(id) => AccountLine::Id(*id),
            Account::Alias(alias) => AccountLine::Alias(Text::from(&**alias)),
        },
        script: script(&call.script),
        script_param: call.param.as_ref().map(|p| key.hash("script_param", [p.text.as_str()])),
        sensitive: call.sensitive,
        timeout: call.timeout,
        task_name: call.task_name.as_deref().map(Text::from),
        target: target(&call.target),
        rolling: call.rolling.is_some(),
        windows_interpreter: call.windows_interpreter.as_deref().map(Text::from),
        start_task: call.start_task,
        host_passwords: passwords(call, key),
    }
}

fn script(script: &Script) -> ScriptLine<'_> {
    match script {
        Script::Version(id) => ScriptLine::Version { id: *id },
        Script::Id(id) => ScriptLine::Id { id: Text::from(&**id) },
        Script::Content(Content { text, sha256, language, .. }) => ScriptLine::Content {
            sha256: hex(sha256),
            bytes: text.len(),
            language: language.as_str(),
        },
    }
}

fn target(target: &Target) -> TargetLine {
    TargetLine {
        host_ids: target.host_ids.len(),
        hosts: target.hosts.len(),
        groups: target.groups.len(),
        nodes: target.nodes.len(),
        host_id_list: list(&target.host_ids, i64::to_string),
        ip_list: list(&target.hosts, |Host { cloud, ip }| format!("{cloud}:{ip}")),
    }
}

fn passwords<'a>(call: &FastExecuteScript, key: &'a HashKey) -> Option<PasswordsLine<'a>> {
    let list = &call.host_passwords;
    (!list.is_empty()).then(|| PasswordsLine {
        count: list.len(),
        value: key.hash("host_password_list", list.iter().map(|one| one.encrypted.expose())),
    })
}
