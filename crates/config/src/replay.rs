//! Holds intents on record against another policy.

use std::{collections::HashMap, sync::Arc};

use esbgate_core::{
    AppProof, Binding, Hidden, Ledger, Metrics, Policy, RecordedCall, RecordedRefusal,
    RecordedVerdict, RiskAction, RiskRule, RiskRules, UNFOLDABLE, UserProof,
};
use esbgate_model::{Code, Component, ComponentCall, Name, json::Document, sha256_from_hex};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::plan::OfflinePlan;

/// A policy that recorded calls are held against.
#[derive(Debug)]
pub struct Replay {
    policy: Policy,
    /// What each risk rule does, by its name.
    actions: HashMap<Box<str>, RiskAction>,
    /// Risk rules of policies that judged, by their SHA-256.
    judged: HashMap<Box<str>, Arc<RiskRules>>,
}

/// An intent that was replayed.
#[derive(Debug)]
pub struct Replayed<'r> {
    /// The application.
    pub app: &'r str,
    /// The rule that allowed the call.
    pub rule: &'r str,
    /// The request.
    pub request_id: &'r str,
    /// When it came.
    pub at: Timestamp,
    /// What the policy says; the reason where the record cannot be held against any policy.
    pub verdict: Result<RecordedVerdict, &'static str>,
    /// Risk rules that the call matched and that do something else now.
    pub risk: Vec<RiskChange<'r>>,
}

/// What is done otherwise about a call that a risk rule matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RiskChange<'r> {
    /// The rule.
    pub rule: &'r str,
    /// What was done.
    pub was: &'r str,
    /// What is done now; none where the rule is gone.
    pub now: Option<RiskAction>,
}

/// A refused call that was replayed, or the sum of several.
#[derive(Debug)]
pub struct ReplayedRefusal<'r> {
    /// The application; none where it was not proved.
    pub app: Option<&'r str>,
    /// When it came, or the last of them.
    pub at: Timestamp,
    /// The code of the refusal.
    pub code: &'r str,
    /// How many the record stands for.
    pub count: u64,
    /// By which code the policy refuses it too; none where that cannot be told.
    pub refused: Option<Code>,
}

impl OfflinePlan {
    /// Makes it ready. `metrics` should be nobody else's.
    #[must_use]
    pub fn replay(self, metrics: &Metrics) -> Replay {
        let action = |rule: &RiskRule| (rule.id().into(), rule.action());
        let actions = self.0.risks.list().iter().map(action).collect();
        let binding = Binding { generation: 1, ledger: &mut Ledger::default(), metrics };
        Replay { policy: self.0.bind(binding), actions, judged: HashMap::new() }
    }
}

impl Replay {
    /// Makes a policy known by which calls were judged. What its risk rules matched is on record, so of those that
    /// stand in both policies it can be told without the text.
    pub fn judged_by(&mut self, sha256: &str, plan: &OfflinePlan) {
        self.judged.insert(sha256.into(), Arc::clone(&plan.0.risks));
    }

    /// Judges an intent as the journal has it; none where it is no intent. `by` is the SHA-256 of the policy that judged
    /// the call, in a gateway that reads scripts as this one does.
    #[must_use]
    pub fn intent<'r>(&self, record: &'r Value, by: Option<&str>) -> Option<Replayed<'r>> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let at = text("received_at")?.parse().ok()?;
        let app = text("app")?;
        let rule = text("grant").unwrap_or_default();
        let request_id = text("request_id").unwrap_or_default();
        let by = by.and_then(|sha256| self.judged.get(sha256));
        let verdict = self.verdict(record, at, by);
        Some(Replayed { app, rule, request_id, at, verdict, risk: self.risk_changes(record) })
    }

    /// Judges a refusal as the journal has it, as far as that goes without the call; none where it is no refusal.
    #[must_use]
    pub fn refusal<'r>(&self, record: &'r Value) -> Option<ReplayedRefusal<'r>> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let at = text("received_at").or_else(|| text("last_at"))?.parse().ok()?;
        let (app, code) = (text("app"), text("code_name")?);
        let count = record.get("count").and_then(Value::as_u64).unwrap_or(1);
        let refused = app.and_then(|app| Name::new(app).ok()).and_then(|app| {
            let component = text("component").and_then(Component::named);
            self.policy.refuses_anyhow(RecordedRefusal { app: &app, at, component })
        });
        Some(ReplayedRefusal { app, at, code, count, refused })
    }

    fn risk_changes<'r>(&self, record: &'r Value) -> Vec<RiskChange<'r>> {
        let change = |met: &'r Value| {
            let (rule, was) = (met.get("rule")?.as_str()?, met.get("action")?.as_str()?);
            // That name is no rule's: what is done about such a text follows from all of them.
            let now = self.actions.get(rule).copied();
            let other = now.is_none_or(|now| now.as_str() != was) && rule != UNFOLDABLE;
            other.then_some(RiskChange { rule, was, now })
        };
        let mut changes: Vec<_> = matched(record).filter_map(change).collect();
        // One rule may be met in both fields.
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    fn verdict(
        &self,
        record: &Value,
        at: Timestamp,
        by: Option<&Arc<RiskRules>>,
    ) -> Result<RecordedVerdict, &'static str> {
        const UNREAD: &str = "the record has fields that this version does not read";
        let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or(UNREAD);
        let name = |of: &str| Name::new(text(of)?).map_err(|_| UNREAD);
        let (app, user) = (name("app")?, name("user")?);
        let component = Component::named(text("component")?).ok_or(UNREAD)?;
        let proofs = record.get("app_proofs").and_then(Value::as_array).ok_or(UNREAD)?;
        let proofs: Option<Vec<AppProof>> = proofs.iter().map(app_proof).collect();
        let whole = if component == Component::fast_execute_script() { run } else { plain };
        let (body, hidden) = whole(record)?;
        let body = Value::Object(body).to_string().into_bytes();
        let call = RecordedCall {
            app: &app,
            app_proofs: &proofs.ok_or(UNREAD)?,
            user: &user,
            user_proof: user_proof(text("user_proof")?).ok_or(UNREAD)?,
            at,
            component,
            read: &|switches| {
                Document::read(body.clone())
                    .and_then(|document| ComponentCall::read(component, &document, switches))
            },
            hidden,
            matches: &|rule| {
                let same = |old: &RiskRule| {
                    let (old, new) = (old.parts(), rule.parts());
                    (old.id, old.languages, old.pattern) == (new.id, new.languages, new.pattern)
                };
                let judged = by?.list().iter().any(same);
                judged.then(|| matched(record).any(|met| met["rule"] == *rule.id()))
            },
            // A policy without rules reads no text.
            unfoldable: by
                .filter(|rules| !rules.list().is_empty())
                .map(|_| matched(record).any(|met| met["rule"] == UNFOLDABLE)),
        };
        Ok(self.policy.judge_recorded(&call))
    }
}

/// The risk rules that a call matched.
fn matched(record: &Value) -> impl Iterator<Item = &Value> {
    record.get("risk").and_then(Value::as_array).into_iter().flatten()
}

fn app_proof(word: &Value) -> Option<AppProof> {
    let all = [AppProof::Key, AppProof::Jwt, AppProof::Certificate];
    all.into_iter().find(|proof| word.as_str() == Some(proof.as_str()))
}

fn user_proof(word: &str) -> Option<UserProof> {
    let all = [UserProof::Token, UserProof::StaleToken, UserProof::Jwt, UserProof::Exemption];
    all.into_iter().find(|proof| word == proof.as_str())
}

type Body = Map<String, Value>;

const LONG: &str = "a text is on record as its hash alone";
const SHAPE: &str = "a field of the record has another shape";

/// Business, callback and what was dropped: the same for all components.
fn common(record: &Value) -> Result<Body, &'static str> {
    let mut body = Body::new();
    if let (Some(kind), Some(id)) = (record["scope_type"].as_str(), record["scope_id"].as_i64()) {
        body.insert("bk_scope_type".into(), kind.into());
        body.insert("bk_scope_id".into(), id.to_string().into());
    }
    if let Some(url) = record.get("callback").and_then(|callback| callback.get("url")) {
        body.insert("callback_url".into(), url.as_str().ok_or(LONG)?.into());
    }
    // Any name that no component has: whether such names are refused is the policy's to say.
    if record["dropped"].as_array().is_some_and(|names| !names.is_empty()) {
        body.insert("esbgate.dropped".into(), true.into());
    }
    Ok(body)
}

/// The values that are shown. What is not shown can only be refused by a switch, which these fields tell.
fn plain(record: &Value) -> Result<(Body, Hidden), &'static str> {
    let mut body = common(record)?;
    for (name, value) in record["shown"].as_object().ok_or(SHAPE)? {
        if value.is_object() {
            return Err(LONG);
        }
        body.insert(name.clone(), value.clone());
    }
    let component = record["component"].as_str().and_then(Component::named).ok_or(SHAPE)?;
    let sent = record["parameters"].as_array().ok_or(SHAPE)?;
    let hidden = |name: &str| {
        let sent = sent.iter().any(|one| one.as_str() == Some(name));
        sent && !body.contains_key(name)
    };
    if component.fields().iter().any(|field| field.switch.is_some() && hidden(field.name)) {
        return Err("a parameter that the policy may switch off is not shown");
    }
    Ok((body, Hidden::default()))
}

fn run(record: &Value) -> Result<(Body, Hidden), &'static str> {
    let mut body = common(record)?;
    let mut hidden =
        Hidden { host_runs: record["host_runs"].as_u64().ok_or(SHAPE)?, ..Hidden::default() };
    let account = record["account"].as_object().ok_or(SHAPE)?;
    match (account.get("id"), account.get("alias")) {
        (Some(id), _) => body.insert("account_id".into(), id.clone()),
        (None, Some(Value::String(alias))) => {
            body.insert("account_alias".into(), alias.clone().into())
        }
        (None, Some(_)) => return Err(LONG),
        (None, None) => return Err(SHAPE),
    };
    let script = &record["script"];
    match script["source"].as_str() {
        Some("version") => body.insert("script_version_id".into(), script["id"].clone()),
        Some("id") => {
            let id = script["id"].as_str().ok_or(LONG)?;
            body.insert("script_id".into(), id.into())
        }
        Some("content") => {
            let hash = script["sha256"].as_str().and_then(sha256_from_hex);
            (hidden.script, hidden.text) = (Some(hash.ok_or(SHAPE)?), true);
            let language = esbgate_model::ScriptLanguage::ALL.into_iter();
            let mut language = language.filter(|one| script["language"] == one.as_str());
            let language = language.next().ok_or(SHAPE)?;
            body.insert("script_language".into(), language.number().into());
            body.insert("script_content".into(), "YQ==".into())
        }
        Some(_) | None => return Err(SHAPE),
    };
    if !record["script_param"].is_null() {
        hidden.text = true;
        body.insert("script_param".into(), "YQ==".into());
    }
    for name in ["timeout", "start_task"] {
        if !record[name].is_null() {
            body.insert(name.into(), record[name].clone());
        }
    }
    // Only whether these were sent can matter to a policy.
    if record["rolling"] == true {
        body.insert("rolling_config".into(), json!({"expression": "1"}));
    }
    if !record["windows_interpreter"].is_null() {
        body.insert("windows_interpreter".into(), "a.exe".into());
    }
    if !record["host_passwords"].is_null() {
        let one = json!([{"host_id": 1, "encrypted_password": "a"}]);
        body.insert("host_password_list".into(), one);
    }
    body.insert("target_server".into(), Value::Object(target(&record["target"], &mut hidden)?));
    Ok((body, hidden))
}

fn target(target: &Value, hidden: &mut Hidden) -> Result<Body, &'static str> {
    let mut server = Body::new();
    let count = |name: &str| target[name].as_u64().ok_or(SHAPE);
    if count("host_ids")? > 0 {
        let ids = target["host_id_list"].as_array();
        hidden.host_ids = ids.is_none();
        let ids = ids.map_or_else(|| json!([1]), |ids| ids.clone().into());
        server.insert("host_id_list".into(), ids);
    }
    if count("hosts")? > 0 {
        let hosts = target["ip_list"].as_array();
        hidden.hosts = hosts.is_none();
        let one = json!([{"bk_cloud_id": 0, "ip": "192.0.2.1"}]);
        let hosts = hosts.map(|hosts| hosts.iter().map(host).collect::<Option<Vec<_>>>());
        let hosts = hosts.map_or(Ok(one), |hosts| hosts.map(Value::Array).ok_or(SHAPE))?;
        server.insert("ip_list".into(), hosts);
    }
    if count("groups")? > 0 {
        hidden.groups = true;
        server.insert("dynamic_group_list".into(), json!([{"id": "a"}]));
    }
    if count("nodes")? > 0 {
        hidden.nodes = true;
        server.insert("topo_node_list".into(), json!([{"id": 1, "node_type": "set"}]));
    }
    Ok(server)
}

fn host(text: &Value) -> Option<Value> {
    let (cloud, ip) = text.as_str()?.split_once(':')?;
    Some(json!({"bk_cloud_id": cloud.parse::<i64>().ok()?, "ip": ip}))
}
