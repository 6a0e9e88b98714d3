//! From a document to the call, all faults at once. The rules are design §5; what JOB does with each
//! field is contract jobv3 §1.

use zeroize::Zeroizing;

use super::{
    Account, Content, FastExecuteScript, Param, RollingConfig, Script, ScriptLanguage, Switches,
    target,
};
use crate::{
    Base64Fault, Blanks, CallbackUrl, Faults, Rule, Text, decode_base64,
    fault::kind,
    fields::{Members, Place, Reading, faulty, is_blank, is_blank_to_job},
    json::{Document, Node},
    scope, sha256,
};

/// The fields of the call. `bk_supplier_account` is dropped silently; `start` and `length` are paging
/// fields that JOB inherits: checked for their type and dropped.
pub(super) const NAMES: [&str; 22] = [
    "bk_biz_id",
    "bk_scope_type",
    "bk_scope_id",
    "script_version_id",
    "script_id",
    "script_content",
    "script_param",
    "timeout",
    "account_id",
    "account_alias",
    "is_param_sensitive",
    "script_language",
    "target_server",
    "callback_url",
    "task_name",
    "rolling_config",
    "windows_interpreter",
    "start_task",
    "host_password_list",
    "bk_supplier_account",
    "start",
    "length",
];

const ROLLING: [&str; 7] = [
    "type",
    "mode",
    "expression",
    "execution_mode",
    "batch_start_wait_fixed_ms",
    "batch_start_wait_random_min_ms",
    "batch_start_wait_random_max_ms",
];

type Top<'d> = Members<'d, { NAMES.len() }>;

impl FastExecuteScript {
    /// Every field that is read, by the object that holds it; identity keys are no fields of the call.
    pub const FIELDS: &'static [(&'static str, &'static [&'static str])] = &[
        ("", &NAMES),
        ("target_server", &target::TARGET),
        ("target_server.ip_list[]", &target::ADDRESS),
        ("target_server.dynamic_group_list[]", &target::GROUP),
        ("target_server.topo_node_list[]", &target::TOPOLOGY),
        ("rolling_config", &ROLLING),
        ("host_password_list[]", &target::PASSWORD),
    ];

    /// Reads a call under the application's switches.
    pub fn read(document: &Document, switches: Switches) -> Result<Self, Faults> {
        let mut reading = Reading::new(document, switches);
        let r = &mut reading;
        let top = r.members(Place::object(""), document.members(), &NAMES);
        let scope = scope::read(r, &top);
        let script = script(r, &top);
        let sensitive = top.within(r, "is_param_sensitive", 0, 1).map(|value| value == 1);
        let param = param(r, &top, sensitive == Some(true));
        let timeout = top.within(r, "timeout", 1, i64::from(r.switches.timeout_max));
        let account = account(r, &top);
        let task_name = limited(r, &top, "task_name", 512);
        let target = target::read(r, &top);
        let callback = callback(r, &top);
        let rolling = rolling(r, &top);
        let windows_interpreter = windows_interpreter(r, &top);
        let start_task = start_task(r, &top);
        let host_passwords = target::host_passwords(r, &top);
        for paging in ["start", "length"] {
            top.integer(r, paging, true);
        }
        let Reading { faults, losers, dropped, .. } = reading;
        match (scope, script, account, target) {
            (Some((scope, scope_pair)), Some(script), Some(account), Some(target))
                if faults.is_empty() =>
            {
                Ok(Self {
                    scope,
                    scope_pair,
                    script,
                    param,
                    sensitive,
                    timeout: timeout.and_then(|seconds| u32::try_from(seconds).ok()),
                    account,
                    task_name,
                    target,
                    callback,
                    rolling,
                    windows_interpreter,
                    start_task,
                    host_passwords,
                    losers,
                    dropped,
                })
            }
            _ => Err(faults),
        }
    }
}

/// A fault for a field that the application's policy has not turned on; whether it may be read.
pub(super) fn switched<'d, const N: usize>(
    r: &mut Reading<'d>,
    members: &Members<'d, N>,
    name: &str,
    on: bool,
) -> bool {
    let present = members.node(name).is_some();
    if present && !on {
        r.faults.push(members.at(name), Rule::SwitchedOff);
    }
    present && on
}

/// A text of at most so many characters.
fn limited<'d>(r: &mut Reading<'d>, top: &Top<'d>, name: &str, max: usize) -> Option<Box<str>> {
    let text = top.text(r, name)?;
    // A text is never shorter in bytes than in characters.
    if text.len() > max && text.chars().count() > max {
        r.faults.push(name, Rule::Length { max, unit: "characters" });
        return None;
    }
    Some(text.into())
}

fn script<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<Script> {
    let version = top.within(r, "script_version_id", 1, i64::MAX);
    let id = top.text(r, "script_id");
    let content = top.string(r, "script_content");
    let language = language(r, top);
    let sources = ["script_version_id", "script_id", "script_content"];
    if sources.iter().any(|source| faulty(&r.faults, source)) {
        return None;
    }
    if version.is_some() && id.is_some() {
        r.losers.push("script_id");
    }
    if (version.is_some() || id.is_some()) && content.is_some() {
        r.losers.push("script_content");
    }
    if (version.is_some() || id.is_some()) && language.is_some() {
        r.losers.push("script_language");
    }
    match (version, id, content) {
        (Some(version), _, _) => Some(Script::Version(version)),
        (None, Some(id), _) if id.chars().any(char::is_control) => {
            r.faults.push("script_id", Rule::ControlCharacter);
            None
        }
        (None, Some(id), _) => Some(Script::Id(id.into())),
        (None, None, Some(text)) => self::content(r, text, language).map(Script::Content),
        (None, None, None) => {
            r.faults.push("script_content", Rule::Required);
            None
        }
    }
}

fn language<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<ScriptLanguage> {
    let number = top.integer(r, "script_language", true)?;
    let known = ScriptLanguage::ALL.into_iter().find(|known| known.number() == number);
    if known.is_none() {
        r.faults.push("script_language", Rule::Range { min: 1, max: 5 });
    }
    known
}

fn content<'d>(
    r: &mut Reading<'d>,
    text: &str,
    language: Option<ScriptLanguage>,
) -> Option<Content> {
    if language.is_none() && !faulty(&r.faults, "script_language") {
        r.faults.push("script_language", Rule::Required);
    }
    let (bytes, base64) = decode_base64(text, Blanks::All)
        .map_err(|fault| r.faults.push("script_content", Rule::Base64(fault)))
        .ok()?;
    let base64 = Box::from(&*base64);
    let text = String::from_utf8(bytes)
        .map_err(|_| r.faults.push("script_content", Rule::DecodedUtf8))
        .ok()?;
    let language = language?;
    Some(Content { sha256: sha256(text.as_bytes()), text, base64, language })
}

fn param<'d>(r: &mut Reading<'d>, top: &Top<'d>, sensitive: bool) -> Option<Param> {
    const NAME: &str = "script_param";
    let max = if sensitive { 48_128 } else { 65_535 };
    let sent = top.string(r, NAME)?;
    let (bytes, base64) = decode_base64(sent, Blanks::LineEnds)
        .map_err(|fault| r.faults.push(NAME, Rule::Base64(fault)))
        .ok()?;
    let mut base64 = Zeroizing::new(base64.into_owned());
    let mut text = Zeroizing::new(
        String::from_utf8(bytes).map_err(|_| r.faults.push(NAME, Rule::DecodedUtf8)).ok()?,
    );
    let stripped = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).map(str::len);
    if let Some(len) = stripped {
        text.truncate(len);
        *base64 = crate::base64_text::encode(text.as_bytes());
    }
    // JOB drops parameters that are blank.
    let rule = if is_blank_to_job(&text) {
        Rule::Base64(Base64Fault::Empty)
    } else if text.len() > max {
        Rule::Length { max, unit: "bytes" }
    } else if text.contains(['\n', '\r']) {
        Rule::InnerLineEnd
    } else {
        return Some(Param { text, base64, line_end_stripped: stripped.is_some() });
    };
    r.faults.push(NAME, rule);
    None
}

fn account<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<Account> {
    let id = top.integer(r, "account_id", true).filter(|id| *id >= 1);
    let alias = top.text(r, "account_alias");
    if faulty(&r.faults, "account_id") || faulty(&r.faults, "account_alias") {
        return None;
    }
    match (id, alias) {
        (Some(id), alias) => {
            if alias.is_some() {
                r.losers.push("account_alias");
            }
            Some(Account::Id(id))
        }
        (None, Some(alias)) if alias.chars().any(char::is_control) => {
            r.faults.push("account_alias", Rule::ControlCharacter);
            None
        }
        (None, Some(alias)) => Some(Account::Alias(alias.into())),
        (None, None) => {
            // Named by the field that the caller used, if any.
            let used = if top.node("account_id").is_some() && top.node("account_alias").is_none() {
                "account_id"
            } else {
                "account_alias"
            };
            r.faults.push(used, Rule::Required);
            None
        }
    }
}

fn callback<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<CallbackUrl> {
    let text = top.string(r, "callback_url")?;
    CallbackUrl::read(text)
        .map_err(|fault| r.faults.push("callback_url", Rule::Callback(fault)))
        .ok()
}

fn windows_interpreter<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<Box<str>> {
    const NAME: &str = "windows_interpreter";
    if !switched(r, top, NAME, r.switches.windows_interpreter) {
        return None;
    }
    let path = limited(r, top, NAME, 260)?;
    // Java trims fewer characters than Rust does.
    if path.trim_matches([' ', '\t', '\r', '\n']).ends_with(".exe") {
        return Some(path);
    }
    let expected = Text { en: "a path that ends with .exe", zh: "以 .exe 结尾的路径" };
    r.faults.push(NAME, Rule::Form { expected });
    None
}

fn start_task<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<bool> {
    const NAME: &str = "start_task";
    let node = top.raw(NAME)?;
    if !r.switches.start_task {
        r.faults.push(NAME, Rule::SwitchedOff);
        return None;
    }
    let rule = match node {
        Node::Bool(value) => return Some(*value),
        Node::String(text) => match r.document.str(text) {
            "true" => return Some(true),
            "false" => return Some(false),
            blank if is_blank(blank) => Rule::NotNull,
            _ => Rule::Type { expected: kind::BOOLEAN },
        },
        // JOB saves the job first and fails on the null afterwards (contract jobv3 §1.1).
        Node::Null => Rule::NotNull,
        Node::Integer(_)
        | Node::Unsigned(_)
        | Node::Fraction
        | Node::Array(_)
        | Node::Object(_) => Rule::Type { expected: kind::BOOLEAN },
    };
    r.faults.push(NAME, rule);
    None
}

fn rolling<'d>(r: &mut Reading<'d>, top: &Top<'d>) -> Option<RollingConfig> {
    const MOST_MS: i64 = 3_600_000;
    if !switched(r, top, "rolling_config", r.switches.rolling_config) {
        return None;
    }
    let members = top.object(r, "rolling_config")?;
    let members = r.members(Place::object("rolling_config"), members, &ROLLING);
    let m = &members;
    let config = RollingConfig {
        kind: m.within(r, "type", 1, 2),
        mode: m.within(r, "mode", 1, 3),
        expression: m.text(r, "expression").map(Into::into),
        execution_mode: m.within(r, "execution_mode", 1, 2),
        wait_fixed_ms: m.within(r, "batch_start_wait_fixed_ms", 0, MOST_MS),
        wait_random_min_ms: m.within(r, "batch_start_wait_random_min_ms", 0, MOST_MS),
        wait_random_max_ms: m.within(r, "batch_start_wait_random_max_ms", 0, MOST_MS),
    };
    let at = |name: &str| m.at(name);
    match &config.expression {
        Some(expression) if !is_expression(expression) => r.faults.push(
            at("expression"),
            Rule::Form {
                expected: Text {
                    en: "steps such as 10, 25%, +5 or *2, divided by blanks",
                    zh: "以空格分隔的批次，如 10、25%、+5 或 *2",
                },
            },
        ),
        None if config.kind != Some(2) && !faulty(&r.faults, &at("expression")) => {
            r.faults.push(at("expression"), Rule::Required);
        }
        Some(_) | None => {}
    }
    if config.execution_mode == Some(2) && config.kind == Some(2) {
        r.faults.push(at("execution_mode"), Rule::Conflict { with: "type" });
    }
    if let (Some(min), Some(max)) = (config.wait_random_min_ms, config.wait_random_max_ms)
        && max < min
    {
        let with = "batch_start_wait_random_min_ms";
        r.faults.push(at("batch_start_wait_random_max_ms"), Rule::Conflict { with });
    }
    Some(config)
}

/// `N`, `N%` of 1 to 100, `+N` and `*N`, divided by blanks; at most 500 batches.
fn is_expression(expression: &str) -> bool {
    let steps: Vec<&str> = expression.split(' ').filter(|step| !step.is_empty()).collect();
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if plain { digits.parse::<u32>().unwrap_or(0) } else { 0 }
    };
    (1..=500).contains(&steps.len())
        && steps.iter().all(|step| match step.strip_suffix('%') {
            Some(percent) => (1..=100).contains(&number(percent)),
            None => number(step.strip_prefix(['+', '*']).unwrap_or(step)) >= 1,
        })
}
