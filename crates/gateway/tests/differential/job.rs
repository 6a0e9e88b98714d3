//! JOB, re-stated from contract jobv3 §1: defaults (§1.1), checks (§1.5) and the precedence between fields.

use crate::{
    compare::{Dimension, View},
    jackson::{
        Refusal, as_long, decode, elements, int, is_blank, long, object, parse_long, text, trim,
    },
    python::Value,
    render::{self, ABSENT},
};

/// What JOB would run.
pub fn read(params: &Value) -> Result<View, Refusal> {
    let mut view = View::default();
    view.say(Dimension::Business, business(params)?);
    script(params, &mut view)?;
    let sensitive = int(params, "is_param_sensitive")?;
    view.say(Dimension::Sensitive, (sensitive == Some(1)).to_string());
    let timeout = int(params, "timeout")?;
    view.say(Dimension::Timeout, timeout.unwrap_or(7200).to_string());
    view.say(Dimension::Account, account(params)?);
    target(params, &mut view)?;
    let name = text(params, "task_name")?.filter(|name| !is_blank(name));
    view.say(Dimension::TaskName, name.map_or(ABSENT.into(), |name| render::free(&name)));
    let url = text(params, "callback_url")?.filter(|url| !is_blank(url));
    let (plain, query) = render::callback(url.as_deref());
    view.say(Dimension::Callback, plain);
    view.say(Dimension::CallbackQuery, query);
    rolling(params, &mut view)?;
    let interpreter = text(params, "windows_interpreter")?.filter(|path| !is_blank(path));
    if interpreter.as_ref().is_some_and(|path| !trim(path).ends_with(".exe")) {
        return Err("1240003 windows_interpreter".into());
    }
    let interpreter = interpreter.map_or(ABSENT.into(), |path| render::free(&path));
    view.say(Dimension::WindowsInterpreter, interpreter);
    view.say(Dimension::StartTask, start_task(params)?.to_string());
    passwords(params, &mut view)?;
    for paging in ["start", "length"] {
        int(params, paging)?;
    }
    Ok(view)
}

/// The scope pair wins over `bk_biz_id` as soon as one of its fields says something.
fn business(params: &Value) -> Result<String, Refusal> {
    let filled = |name: &str| text(params, name).map(|text| text.filter(|text| !is_blank(text)));
    match (filled("bk_scope_type")?, filled("bk_scope_id")?) {
        (Some(kind), Some(id)) if ["biz", "biz_set", "tenant_set"].contains(&kind.as_str()) => {
            return Ok(format!("{kind} {id}"));
        }
        (None, None) => {}
        (Some(_) | None, _) => return Err("1241005 bk_scope_type".into()),
    }
    // An interceptor parses the bare text before Jackson does.
    let id = match params.get("bk_biz_id") {
        Some(Value::Int(text) | Value::Text(text)) => parse_long(text),
        _ => None,
    };
    match id.ok_or("1240002 bk_biz_id")? {
        ..1 => Err("1243049 bk_biz_id".into()),
        id @ 8_000_000..=9_999_999 => Ok(format!("biz_set {id}")),
        id => Ok(format!("biz {id}")),
    }
}

fn script(params: &Value, view: &mut View) -> Result<(), Refusal> {
    let version = long(params, "script_version_id")?;
    let id = text(params, "script_id")?.filter(|id| !is_blank(id));
    let content = text(params, "script_content")?.filter(|content| !content.is_empty());
    let language = int(params, "script_language")?;
    if version.is_some_and(|version| version < 1) {
        return Err("1241005 script_version_id".into());
    }
    if content.is_some() && !language.is_some_and(|number| (1..=6).contains(&number)) {
        return Err("1241005 script_language".into());
    }
    let mut spoken = ABSENT.to_owned();
    let source = match (version, id, content) {
        (Some(version), _, _) => format!("version {version}"),
        (None, Some(id), _) => format!("id {}", render::free(&id)),
        (None, None, Some(content)) => {
            let bytes = decode(&content).ok_or("1240002 script_content")?;
            // Java reads bytes that are no UTF-8 as U+FFFD.
            let text = String::from_utf8_lossy(&bytes);
            spoken = language.unwrap_or(0).to_string();
            render::content(&render::sha256(text.as_bytes()), text.len())
        }
        (None, None, None) => return Err("1241004 script".into()),
    };
    view.say(Dimension::Script, source);
    view.say(Dimension::Language, spoken);
    let param = match text(params, "script_param")?.filter(|param| !is_blank(param)) {
        Some(param) => {
            let bytes = decode(&param).ok_or("1240002 script_param")?;
            let text = String::from_utf8_lossy(&bytes).replace('\n', " ");
            Some(text).filter(|text| !is_blank(text))
        }
        None => None,
    };
    let param = param.map_or(ABSENT.into(), |text| render::keyed("script_param", [&*text]));
    view.say(Dimension::Param, param);
    Ok(())
}

fn account(params: &Value) -> Result<String, Refusal> {
    let id = long(params, "account_id")?.filter(|id| *id >= 1);
    let alias = text(params, "account_alias")?.filter(|alias| !is_blank(alias));
    match (id, alias) {
        (Some(id), _) => Ok(format!("id {id}")),
        (None, Some(alias)) => Ok(format!("alias {}", render::free(&alias))),
        (None, None) => Err("1241004 account".into()),
    }
}

fn address(host: &Value) -> Result<String, Refusal> {
    let cloud = long(host, "bk_cloud_id")?.filter(|cloud| *cloud >= 0);
    let cloud = cloud.ok_or("1240003 bk_cloud_id")?;
    let ip = text(host, "ip")?.unwrap_or_default();
    let octets: Vec<&str> = ip.split('.').collect();
    let octet = |text: &&str| {
        let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits && text.parse::<u16>().is_ok_and(|value| value < 256)
    };
    if octets.len() != 4 || !octets.iter().all(octet) {
        return Err("1240003 ip".into());
    }
    Ok(format!("{cloud}:{ip}"))
}

fn target(params: &Value, view: &mut View) -> Result<(), Refusal> {
    let server = object(params, "target_server")?.ok_or("1241004 target_server")?;
    let ids = elements(server, "host_id_list")?.iter();
    let ids = ids.map(|id| as_long(id, "host_id")?.ok_or("null host id".into()));
    let ids = ids.map(|id: Result<i64, Refusal>| Ok(id?.to_string()));
    let ids = ids.collect::<Result<Vec<_>, Refusal>>()?;
    let hosts = elements(server, "ip_list")?.iter().map(address);
    let mut hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    if !ids.is_empty() {
        hosts.clear();
    }
    let groups = elements(server, "dynamic_group_list")?.iter();
    let groups = groups.map(|group| Ok(format!("{:?}", text(group, "id")?.ok_or("group id")?)));
    let groups = groups.collect::<Result<Vec<_>, Refusal>>()?;
    let nodes = elements(server, "topo_node_list")?.iter().map(|node| {
        let id = long(node, "id")?.ok_or("1240003 node id")?;
        Ok(format!("{id} {:?}", text(node, "node_type")?.ok_or("1240003 node type")?))
    });
    let nodes = nodes.collect::<Result<Vec<_>, Refusal>>()?;
    if ids.is_empty() && hosts.is_empty() && groups.is_empty() && nodes.is_empty() {
        return Err("1244001 target_server".into());
    }
    let counts = render::counts(ids.len(), hosts.len(), groups.len(), nodes.len());
    view.say(Dimension::Counts, counts);
    view.say(Dimension::HostIds, render::list(&ids));
    view.say(Dimension::Hosts, render::list(&hosts));
    view.say(Dimension::Groups, groups.join(","));
    view.say(Dimension::Nodes, nodes.join(","));
    view.say(Dimension::HostRuns, host_runs(ids, hosts, groups.len() + nodes.len()).to_string());
    Ok(())
}

/// Distinct hosts; the grant's ceiling where CMDB resolves some of them later.
fn host_runs(ids: Vec<String>, hosts: Vec<String>, dynamic: usize) -> usize {
    let distinct: std::collections::BTreeSet<String> = ids.into_iter().chain(hosts).collect();
    if dynamic > 0 { crate::policy::CEILING.max(distinct.len()) } else { distinct.len() }
}

fn rolling(params: &Value, view: &mut View) -> Result<(), Refusal> {
    let config = object(params, "rolling_config")?;
    view.say(Dimension::HasRolling, config.is_some().to_string());
    let Some(config) = config else {
        view.say(Dimension::Rolling, ABSENT);
        return Ok(());
    };
    let number = |name: &str, default: i32| Ok::<_, Refusal>(int(config, name)?.unwrap_or(default));
    let expression = text(config, "expression")?.filter(|text| !is_blank(text));
    let said = format!(
        "type {} mode {} execution {} expression {expression:?} waits {} {} {}",
        number("type", 1)?,
        number("mode", 1)?,
        number("execution_mode", 1)?,
        number("batch_start_wait_fixed_ms", -1)?,
        number("batch_start_wait_random_min_ms", -1)?,
        number("batch_start_wait_random_max_ms", -1)?,
    );
    view.say(Dimension::Rolling, said);
    Ok(())
}

fn start_task(params: &Value) -> Result<bool, Refusal> {
    let refused = "1240002 start_task".to_owned();
    match params.get("start_task") {
        None => Ok(true),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::Int(number)) => Ok(number != "0"),
        Some(Value::Text(text)) => match trim(text) {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err(refused),
        },
        Some(_) => Err(refused),
    }
}

fn passwords(params: &Value, view: &mut View) -> Result<(), Refusal> {
    let mut hosts = Vec::new();
    let mut values = Vec::new();
    for entry in elements(params, "host_password_list")? {
        let id = long(entry, "host_id")?;
        hosts.push(match id {
            Some(id) => format!("id {id}"),
            None => address(entry)?,
        });
        let password = text(entry, "encrypted_password")?.filter(|text| !text.is_empty());
        values.push(password.ok_or("1240003 encrypted_password")?);
    }
    let keyed = if values.is_empty() {
        ABSENT.into()
    } else {
        render::keyed("host_password_list", values.iter().map(String::as_str))
    };
    view.say(Dimension::PasswordHosts, hosts.join(","));
    view.say(Dimension::Passwords, format!("{} of {keyed}", values.len()));
    Ok(())
}

#[test]
fn job_coerces_and_prefers_as_the_contract_says() {
    let read = |change: &str| {
        let call = format!(
            r#"{{"bk_biz_id":8000000,"script_id":"s","script_version_id":"+7","account_id":0,
            "account_alias":"www","target_server":{{"ip_list":[{{"bk_cloud_id":"0","ip":"10.0.0.1"}}],
            "host_id_list":[1.9]}}{change}}}"#
        );
        super::job::read(&crate::python::loads(call.as_bytes()).unwrap())
    };
    let plain = read("").unwrap();
    for (dimension, said) in [
        (Dimension::Business, "biz_set 8000000"),
        (Dimension::Script, "version 7"),
        (Dimension::Account, "alias \"www\""),
        (Dimension::HostIds, "1"),
        (Dimension::Hosts, ""),
        (Dimension::Timeout, "7200"),
        (Dimension::Sensitive, "false"),
        (Dimension::StartTask, "true"),
        (Dimension::HostRuns, "1"),
    ] {
        assert_eq!(plain.said(dimension), Some(said), "{dimension:?}");
    }
    let pair = read(r#","bk_scope_type":"biz","bk_scope_id":9,"is_param_sensitive":2"#).unwrap();
    assert_eq!(pair.said(Dimension::Business), Some("biz 9"));
    let spaced = read(r#","script_param":"YQpi""#).unwrap();
    let expected = render::keyed("script_param", ["a b"]);
    assert_eq!(spaced.said(Dimension::Param), Some(&*expected));
    for refused in [
        r#","timeout":true"#,
        r#","timeout":3000000000"#,
        r#","start_task":null"#,
        r#","script_content":"YQ==""#,
        r#","target_server":null"#,
        r#","bk_biz_id":"1.0""#,
        r#","script_version_id":0"#,
    ] {
        assert!(read(refused).is_err(), "{refused}");
    }
}
