//! What the journal recorded: the line of the intent, read from the file. What a record does not hold, it
//! does not speak of; what is missing from it is said to be missing, so that it cannot pass unnoticed.

use crate::{
    compare::{Dimension, View},
    python::Value,
    render::{self, ABSENT},
};

const MISSING: &str = "missing from the record";

pub fn view(line: &Value) -> View {
    let mut view = View::default();
    let text = |name: &str| line.text(name).unwrap_or(MISSING).to_owned();
    view.say(Dimension::App, text("app"));
    view.say(Dimension::User, text("user"));
    view.say(Dimension::ActsAs, text("acts_as"));
    let token = match line.get("token") {
        Some(Value::Null) => "name".into(),
        token => format!("token {}", keyed(token)),
    };
    view.say(Dimension::UserKey, token);
    view.say(Dimension::Business, format!("{} {}", text("scope_type"), number(line, "scope_id")));
    script(line.get("script"), &mut view);
    view.say(Dimension::Param, keyed(line.get("script_param")));
    view.say(Dimension::Sensitive, flag(line, "sensitive", false));
    let timeout = match line.get("timeout") {
        Some(Value::Null) => "7200".into(),
        _ => number(line, "timeout"),
    };
    view.say(Dimension::Timeout, timeout);
    let account = line.get("account");
    let account = match account.map(|account| (account.get("id"), account.get("alias"))) {
        Some((Some(Value::Int(id)), None)) => format!("id {id}"),
        Some((None, alias @ Some(_))) => format!("alias {}", free(alias)),
        _ => MISSING.into(),
    };
    view.say(Dimension::Account, account);
    target(line.get("target"), &mut view);
    view.say(Dimension::HostRuns, number(line, "host_runs"));
    view.say(Dimension::TaskName, free(line.get("task_name")));
    let (plain, query) = match line.get("callback") {
        Some(Value::Null) => (ABSENT.into(), ABSENT.into()),
        callback => {
            let member = |name: &str| callback.and_then(|callback| callback.get(name));
            (free(member("url")), keyed(member("query")))
        }
    };
    view.say(Dimension::Callback, plain);
    view.say(Dimension::CallbackQuery, query);
    view.say(Dimension::HasRolling, flag(line, "rolling", false));
    view.say(Dimension::WindowsInterpreter, free(line.get("windows_interpreter")));
    view.say(Dimension::StartTask, flag(line, "start_task", true));
    let passwords = match line.get("host_passwords") {
        Some(Value::Null) => format!("0 of {ABSENT}"),
        Some(list) => format!("{} of {}", number(list, "count"), keyed(list.get("value"))),
        None => MISSING.into(),
    };
    view.say(Dimension::Passwords, passwords);
    view.say(Dimension::Losers, texts(line.get("losers")));
    view.say(Dimension::Dropped, texts(line.get("dropped")));
    view
}

fn number(object: &Value, name: &str) -> String {
    match object.get(name) {
        Some(Value::Int(number)) => number.clone(),
        _ => MISSING.into(),
    }
}

fn flag(object: &Value, name: &str, default: bool) -> String {
    match object.get(name) {
        Some(Value::Null) => default.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        _ => MISSING.into(),
    }
}

fn free(value: Option<&Value>) -> String {
    match value {
        Some(Value::Null) => ABSENT.into(),
        Some(Value::Text(text)) => format!("{text:?}"),
        Some(long) => match (long.get("chars"), long.text("sha256")) {
            (Some(Value::Int(chars)), Some(sha256)) => {
                render::long(chars.parse().unwrap_or(0), sha256)
            }
            _ => MISSING.into(),
        },
        None => MISSING.into(),
    }
}

fn keyed(value: Option<&Value>) -> String {
    match value {
        Some(Value::Null) => ABSENT.into(),
        Some(keyed) => match (keyed.text("hmac"), keyed.get("bytes")) {
            (Some(hmac), Some(Value::Int(bytes))) => {
                render::keyed_text(hmac, bytes.parse().unwrap_or(0))
            }
            _ => MISSING.into(),
        },
        None => MISSING.into(),
    }
}

fn script(script: Option<&Value>, view: &mut View) {
    let Some(script) = script else {
        view.say(Dimension::Script, MISSING);
        return;
    };
    let language = match script.text("language") {
        None => ABSENT,
        Some("shell") => "1",
        Some("bat") => "2",
        Some("perl") => "3",
        Some("python") => "4",
        Some("powershell") => "5",
        Some(_) => MISSING,
    };
    let source = match script.text("source") {
        Some("version") => format!("version {}", number(script, "id")),
        Some("id") => format!("id {}", free(script.get("id"))),
        Some("content") => {
            let bytes = number(script, "bytes").parse().unwrap_or(0);
            render::content(script.text("sha256").unwrap_or(MISSING), bytes)
        }
        _ => MISSING.into(),
    };
    view.say(Dimension::Script, source);
    view.say(Dimension::Language, language);
}

fn target(target: Option<&Value>, view: &mut View) {
    let Some(target) = target else {
        view.say(Dimension::Counts, MISSING);
        return;
    };
    let count = |name: &str| number(target, name).parse().unwrap_or(usize::MAX);
    let counts = render::counts(count("host_ids"), count("hosts"), count("groups"), count("nodes"));
    view.say(Dimension::Counts, counts);
    view.say(Dimension::HostIds, list(target.get("host_id_list")));
    view.say(Dimension::Hosts, list(target.get("ip_list")));
}

fn list(list: Option<&Value>) -> String {
    match list {
        Some(whole @ Value::List(_)) => texts(Some(whole)),
        Some(long) => format!("sha256 {}", long.text("sha256").unwrap_or(MISSING)),
        None => MISSING.into(),
    }
}

/// Some records shorten long names; those are told as they are everywhere else.
fn texts(list: Option<&Value>) -> String {
    let Some(list) = list else { return MISSING.into() };
    let items = list
        .list()
        .iter()
        .map(|item| if let Value::Text(text) = item { text.clone() } else { free(Some(item)) });
    items.collect::<Vec<_>>().join(",")
}
