//! What policy saw: the interpreted call as it was authorised.

use esbgate_core::{FreshCall, GrantedCall};
use esbgate_model::{
    Account, ComponentCall, FastExecuteScript, Host, PasswordHost, RollingConfig, Script,
    TopologyNode,
};

use crate::{
    compare::{Dimension, View},
    render::{self, ABSENT},
};

/// The script of a call; the one place that knows where a call keeps it.
pub fn script(fresh: &FreshCall) -> &FastExecuteScript {
    match fresh.authenticated().call().asked() {
        ComponentCall::FastExecuteScript(script) => script,
        ComponentCall::Plain(_) => panic!("every case calls fast_execute_script"),
    }
}

pub fn view(granted: &GrantedCall) -> View {
    let authenticated = granted.fresh().authenticated();
    let app = authenticated.call().admitted().app_call().app();
    let mut view = of_script(script(granted.fresh()));
    view.say(Dimension::App, authenticated.principal().app().as_str());
    view.say(Dimension::User, authenticated.principal().user().as_str());
    view.say(Dimension::ActsAs, app.acts_as.app_code.as_str());
    view.say(Dimension::Secret, render::sha256(app.acts_as.secrets().current.expose().as_bytes()));
    view.say(Dimension::HostRuns, granted.host_runs().to_string());
    view
}

/// What a call says apart from who makes it.
pub fn of_script(call: &FastExecuteScript) -> View {
    let mut view = View::default();
    view.say(Dimension::Business, format!("{} {}", call.scope.kind(), call.scope.id()));
    let (source, language) = match &call.script {
        Script::Version(id) => (format!("version {id}"), ABSENT.into()),
        Script::Id(id) => (format!("id {}", render::free(id)), ABSENT.into()),
        Script::Content(content) => (
            render::content(&render::hex(&content.sha256), content.text.len()),
            content.language.number().to_string(),
        ),
    };
    view.say(Dimension::Script, source);
    view.say(Dimension::Language, language);
    let param = call.param.as_ref();
    let param = param.map(|param| render::keyed("script_param", [param.text.as_str()]));
    view.say(Dimension::Param, param.unwrap_or(ABSENT.into()));
    view.say(Dimension::Sensitive, call.sensitive.unwrap_or(false).to_string());
    view.say(Dimension::Timeout, call.timeout.unwrap_or(7200).to_string());
    let account = match &call.account {
        Account::Id(id) => format!("id {id}"),
        Account::Alias(alias) => format!("alias {}", render::free(alias)),
    };
    view.say(Dimension::Account, account);
    target(call, &mut view);
    let optional = |text: &Option<Box<str>>| text.as_deref().map_or(ABSENT.into(), render::free);
    view.say(Dimension::TaskName, optional(&call.task_name));
    let callback = call.callback.as_ref().map(esbgate_model::CallbackUrl::as_str);
    let (plain, query) = render::callback(callback);
    view.say(Dimension::Callback, plain);
    view.say(Dimension::CallbackQuery, query);
    view.say(Dimension::HasRolling, call.rolling.is_some().to_string());
    view.say(Dimension::Rolling, call.rolling.as_ref().map_or(ABSENT.into(), rolling));
    view.say(Dimension::WindowsInterpreter, optional(&call.windows_interpreter));
    view.say(Dimension::StartTask, call.start_task.unwrap_or(true).to_string());
    passwords(call, &mut view);
    view.say(Dimension::Losers, call.losers.join(","));
    view.say(Dimension::Dropped, call.dropped.join(","));
    view.say(Dimension::Extra, "");
    view
}

fn address(host: &Host) -> String {
    format!("{}:{}", host.cloud, host.ip)
}

fn target(call: &FastExecuteScript, view: &mut View) {
    let target = &call.target;
    let (ids, hosts) = (target.host_ids.len(), target.hosts.len());
    let counts = render::counts(ids, hosts, target.groups.len(), target.nodes.len());
    view.say(Dimension::Counts, counts);
    let ids: Vec<_> = target.host_ids.iter().map(i64::to_string).collect();
    view.say(Dimension::HostIds, render::list(&ids));
    let hosts: Vec<_> = target.hosts.iter().map(address).collect();
    view.say(Dimension::Hosts, render::list(&hosts));
    let groups: Vec<_> = target.groups.iter().map(|id| format!("{id:?}")).collect();
    view.say(Dimension::Groups, groups.join(","));
    let node = |TopologyNode { id, node_type }: &TopologyNode| format!("{id} {node_type:?}");
    let nodes: Vec<_> = target.nodes.iter().map(node).collect();
    view.say(Dimension::Nodes, nodes.join(","));
}

fn rolling(config: &RollingConfig) -> String {
    format!(
        "type {} mode {} execution {} expression {:?} waits {} {} {}",
        config.kind.unwrap_or(1),
        config.mode.unwrap_or(1),
        config.execution_mode.unwrap_or(1),
        config.expression,
        config.wait_fixed_ms.unwrap_or(-1),
        config.wait_random_min_ms.unwrap_or(-1),
        config.wait_random_max_ms.unwrap_or(-1),
    )
}

fn passwords(call: &FastExecuteScript, view: &mut View) {
    let list = &call.host_passwords;
    let hosts = list.iter().map(|one| match &one.host {
        PasswordHost::Id(id) => format!("id {id}"),
        PasswordHost::Address(host) => address(host),
    });
    view.say(Dimension::PasswordHosts, hosts.collect::<Vec<_>>().join(","));
    let values = list.iter().map(|one| one.encrypted.expose());
    let keyed = match list.len() {
        0 => ABSENT.into(),
        _ => render::keyed("host_password_list", values),
    };
    view.say(Dimension::Passwords, format!("{} of {keyed}", list.len()));
}
