//! The oracle can fail: in every dimension that a view speaks of, a difference that is planted in what
//! that view reads is found and named.

use std::collections::BTreeSet;

use esbgate_model::{
    Account, FastExecuteScript, Host, HostPassword, PasswordHost, Script, ScriptLanguage, Secret,
    Switches, TopologyNode, dialect::Dialect, json::Document,
};
use http::HeaderValue;

use crate::{
    chain::Chain,
    compare::{Dimension, View, compare},
    esb::Esb,
    generate::Request,
    python::loads,
    recorded, seen, sent,
};
use Dimension::*;

/// A call that says something in every dimension but host ids, which would beat its addresses.
const CALL: &str = r#"{"bk_biz_id":2,"script_content":"ZWNobyAkMQo=","script_language":1,"script_param":"YSBi","is_param_sensitive":1,"timeout":60,"account_alias":"root","task_name":"nightly","target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}],"dynamic_group_list":[{"id":"g"}],"topo_node_list":[{"id":7,"node_type":"set"}]},"callback_url":"https://ci.example.com/job/1?t=1","rolling_config":{"expression":"10"},"windows_interpreter":"a.exe","start_task":false,"host_password_list":[{"bk_cloud_id":0,"ip":"10.0.0.1","encrypted_password":"cipher"}],"unheard":1}"#;

const BY_ID: &str = r#"{"bk_scope_type":"biz","bk_scope_id":"2","script_id":"s","account_id":5,"account_alias":"root","target_server":{"host_id_list":[7]}}"#;

const HEADER: &str = r#"{"bk_app_code":"dropping_app","bk_app_secret":"dropping-app-key-canary","bk_token":"token-canary-alice"}"#;

/// Everything that the views of one call are read from, as text.
struct Evidence {
    header: String,
    body: String,
    line: String,
    seen: View,
}

impl Evidence {
    fn of(call: &str) -> Self {
        let chain = Chain::new();
        let records = chain.records();
        let header = ("x-bkapi-authorization", HeaderValue::from_static(HEADER));
        let request = Request { headers: vec![header], body: call.into() };
        let running = chain.run(("one", 1), &request, Dialect::Esb, &records);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let passed = runtime.block_on(running).unwrap_or_else(|rejection| panic!("{rejection}"));
        let header = passed.message.authorization.unwrap().to_str().unwrap().to_owned();
        let body = String::from_utf8(passed.message.body.to_vec()).unwrap();
        Self { header, body, line: records.lines().remove("one").unwrap(), seen: passed.seen }
    }

    fn sent(&self, header: &str, body: &str) -> View {
        sent::view(Esb::Current, Some(header.as_bytes()), body.as_bytes()).unwrap()
    }

    fn differs(&self, seen: &View, line: &str, sent: &View) -> Vec<Dimension> {
        let recorded = recorded::view(&loads(line.as_bytes()).unwrap());
        compare(&[("seen", seen), ("recorded", &recorded), ("sent", sent)])
    }
}

/// `text` with one thing changed.
fn plant(text: &str, (from, to): (&str, &str)) -> String {
    let planted = text.replacen(from, to, 1);
    assert_ne!(planted, text, "{from} does not stand in {text}");
    planted
}

/// Plants each change, and holds that its dimension is named.
fn named<C>(
    changes: impl IntoIterator<Item = (Dimension, C)>,
    mut differs: impl FnMut(C) -> Vec<Dimension>,
    planted: &mut BTreeSet<Dimension>,
) {
    for (dimension, change) in changes {
        let found = differs(change);
        assert!(found.contains(&dimension), "{dimension:?} was planted, found {found:?}");
        planted.insert(dimension);
    }
}

/// Every dimension in which the view speaks was planted.
fn complete(view: &View, planted: &BTreeSet<Dimension>) {
    let said = Dimension::ALL.iter().filter(|dimension| view.said(**dimension).is_some());
    let left: Vec<_> = said.filter(|dimension| !planted.contains(*dimension)).collect();
    assert!(left.is_empty(), "nothing is planted in {left:?}");
}

#[test]
fn a_difference_in_what_is_sent_is_named() {
    let call = Evidence::of(CALL);
    let untouched = call.sent(&call.header, &call.body);
    assert_eq!(call.differs(&call.seen, &call.line, &untouched), []);
    let mut planted = BTreeSet::new();
    let body = |change| {
        let sent = call.sent(&call.header, &plant(&call.body, change));
        call.differs(&call.seen, &call.line, &sent)
    };
    let in_body = [
        (Business, (r#""bk_biz_id":2"#, r#""bk_biz_id":3"#)),
        (Business, ("{", r#"{"bk_scope_type":"biz_set","bk_scope_id":"2","#)),
        (Script, ("ZWNobyAkMQo=", "ZWNobyAkMgo=")),
        (Script, ("{", r#"{"script_id":"s","#)),
        (Language, (r#""script_language":1"#, r#""script_language":4"#)),
        (Param, ("YSBi", "YSBj")),
        (Sensitive, (r#""is_param_sensitive":1"#, r#""is_param_sensitive":0"#)),
        (Timeout, (r#""timeout":60"#, r#""timeout":61"#)),
        (Account, (r#""account_alias":"root""#, r#""account_alias":"www""#)),
        (Account, ("{", r#"{"account_id":1,"#)),
        (Hosts, ("10.0.0.1", "10.0.0.2")),
        (Hosts, (r#""bk_cloud_id":0"#, r#""bk_cloud_id":1"#)),
        (HostIds, (r#""ip_list""#, r#""host_id_list":[1],"ip_list""#)),
        (Counts, (r#"[{"id":"g"}]"#, r#"[{"id":"g"},{"id":"h"}]"#)),
        (Groups, (r#""id":"g""#, r#""id":"h""#)),
        (Nodes, (r#""node_type":"set""#, r#""node_type":"module""#)),
        (TaskName, ("nightly", "daily")),
        (Callback, ("job/1", "job/2")),
        (CallbackQuery, ("?t=1", "?t=2")),
        (Rolling, (r#""expression":"10""#, r#""expression":"11""#)),
        (HasRolling, (r#""rolling_config":{"expression":"10"},"#, "")),
        (WindowsInterpreter, ("a.exe", "b.exe")),
        (StartTask, (r#""start_task":false,"#, "")),
        (PasswordHosts, (r#""10.0.0.1","encrypted"#, r#""10.0.0.3","encrypted"#)),
        (Passwords, ("cipher", "Cipher")),
        (Extra, ("{", r#"{"operator":"root","#)),
        // Python keeps the last of two names.
        (Timeout, (r#""timeout":60"#, r#""timeout":60,"tim\u0065out":61"#)),
        (User, ("{", r#"{"bk_access_token":"t","#)),
    ];
    named(in_body, body, &mut planted);
    let header = |change| {
        let sent = call.sent(&plant(&call.header, change), &call.body);
        call.differs(&call.seen, &call.line, &sent)
    };
    let in_header = [
        (ActsAs, ("other_gateway", "ops_gateway")),
        (Secret, ("esb", "ESB")),
        (User, ("token-canary-alice", "bkcrypt%24bob%3D")),
        (UserKey, (r#""bk_token":"token-canary-alice""#, r#""bk_username":"alice""#)),
    ];
    named(in_header, header, &mut planted);
    let by_id = Evidence::of(BY_ID);
    let body = |change| {
        let sent = by_id.sent(&by_id.header, &plant(&by_id.body, change));
        by_id.differs(&by_id.seen, &by_id.line, &sent)
    };
    let in_body = [
        (Business, (r#""bk_scope_id":"2""#, r#""bk_scope_id":"3""#)),
        (Script, (r#""script_id":"s""#, r#""script_id":"t""#)),
        (Account, (r#""account_id":5"#, r#""account_id":6"#)),
        (HostIds, ("[7]", "[8]")),
        (HostRuns, ("[7]", "[7,8]")),
    ];
    named(in_body, body, &mut planted);
    complete(&untouched, &planted);
}

#[test]
fn a_difference_in_what_is_recorded_is_named() {
    let mut planted = BTreeSet::new();
    let call = Evidence::of(CALL);
    let sent = call.sent(&call.header, &call.body);
    let lines = |change| call.differs(&call.seen, &plant(&call.line, change), &sent);
    let changes = [
        (App, (r#""app":"dropping_app""#, r#""app":"open_app""#)),
        (ActsAs, (r#""acts_as":"other"#, r#""acts_as":"ops"#)),
        (User, (r#""user":"alice""#, r#""user":"bob""#)),
        (UserKey, (r#""token":{"hmac":""#, r#""token":{"hmac":"0"#)),
        (Business, (r#""scope_id":2"#, r#""scope_id":3"#)),
        (Business, (r#""scope_type":"biz""#, r#""scope_type":"biz_set""#)),
        (Account, (r#""alias":"root""#, r#""alias":"www""#)),
        (Script, (r#""sha256":""#, r#""sha256":"0"#)),
        (Script, (r#""bytes":8"#, r#""bytes":9"#)),
        (Language, (r#""language":"shell""#, r#""language":"python""#)),
        (Param, (r#""script_param":{"hmac":""#, r#""script_param":{"hmac":"0"#)),
        (Param, (r#""script_param":"#, r#""script_param":null,"other":"#)),
        (Sensitive, (r#""sensitive":true"#, r#""sensitive":false"#)),
        (Timeout, (r#""timeout":60"#, r#""timeout":null"#)),
        (TaskName, ("nightly", "daily")),
        (Counts, (r#""groups":1"#, r#""groups":2"#)),
        (HostIds, (r#""host_id_list":["#, r#""host_id_list":["7""#)),
        (Hosts, ("0:10.0.0.1", "0:10.0.0.2")),
        (HostRuns, (r#""host_runs":2000"#, r#""host_runs":1"#)),
        (Callback, ("job/1", "job/2")),
        (CallbackQuery, (r#""query":{"hmac":""#, r#""query":{"hmac":"0"#)),
        (HasRolling, (r#""rolling":true"#, r#""rolling":false"#)),
        (WindowsInterpreter, ("a.exe", "b.exe")),
        (StartTask, (r#""start_task":false"#, r#""start_task":null"#)),
        (Passwords, (r#""count":1"#, r#""count":2"#)),
        (Losers, (r#""losers":["#, r#""losers":["script_id""#)),
        (Dropped, ("unheard", "unseen")),
    ];
    named(changes, lines, &mut planted);
    let by_id = Evidence::of(BY_ID);
    let sent = by_id.sent(&by_id.header, &by_id.body);
    let lines = |change| by_id.differs(&by_id.seen, &plant(&by_id.line, change), &sent);
    let changes = [
        (Account, (r#""account":{"id":5}"#, r#""account":{"id":6}"#)),
        (Script, (r#""id":"s""#, r#""id":"t""#)),
        (HostIds, (r#"["7"]"#, r#"["8"]"#)),
        (Losers, (r#""losers":["account_alias"]"#, r#""losers":[]"#)),
    ];
    named(changes, lines, &mut planted);
    complete(&recorded::view(&loads(by_id.line.as_bytes()).unwrap()), &planted);
}

type Change = fn(&mut FastExecuteScript);

#[test]
fn a_difference_in_what_policy_saw_is_named() {
    let mut planted = BTreeSet::new();
    let call = Evidence::of(CALL);
    let sent = call.sent(&call.header, &call.body);
    let switches = Switches {
        rolling_config: true,
        windows_interpreter: true,
        start_task: true,
        host_password_list: true,
        unknown_fields: esbgate_model::UnknownFields::Drop,
        ..Switches::default()
    };
    let changes: [(Dimension, Change); 25] = [
        (Business, |c| c.scope = esbgate_model::Scope::BusinessSet(2)),
        (Script, |c| c.script = Script::Version(2)),
        (Script, |c| content(c).sha256[0] ^= 1),
        (Script, |c| content(c).text.push(' ')),
        (Language, |c| content(c).language = ScriptLanguage::Bat),
        (Param, |c| c.param.as_mut().unwrap().text.push('x')),
        (Param, |c| c.param = None),
        (Sensitive, |c| c.sensitive = None),
        (Timeout, |c| c.timeout = None),
        (Account, |c| c.account = Account::Id(1)),
        (Account, |c| c.account = Account::Alias("www".into())),
        (HostIds, |c| c.target.host_ids.push(1)),
        (Hosts, |c| c.target.hosts[0].cloud = 1),
        (Groups, |c| c.target.groups[0] = "h".into()),
        (Nodes, |c| c.target.nodes[0] = TopologyNode { id: 8, node_type: "set".into() }),
        (Counts, |c| c.target.hosts.push(Host { cloud: 0, ip: [10, 0, 0, 9].into() })),
        (TaskName, |c| c.task_name = None),
        (Callback, |c| c.callback = None),
        (CallbackQuery, |c| {
            c.callback = esbgate_model::CallbackUrl::read("https://ci.example.com/job/1").ok();
        }),
        (Rolling, |c| c.rolling.as_mut().unwrap().mode = Some(2)),
        (HasRolling, |c| c.rolling = None),
        (WindowsInterpreter, |c| c.windows_interpreter = None),
        (StartTask, |c| c.start_task = None),
        (Passwords, |c| password(c).encrypted = Secret::new("other")),
        (PasswordHosts, |c| password(c).host = PasswordHost::Id(1)),
    ];
    let saw = |change: Change| {
        let document = Document::read(CALL.into()).unwrap();
        let mut script = FastExecuteScript::read(&document, switches).unwrap();
        change(&mut script);
        call.differs(&seen::of_script(&script), &call.line, &sent)
    };
    assert_eq!(saw(|_| {}), []);
    named(changes, saw, &mut planted);
    let lists: [(Dimension, Change); 2] =
        [(Losers, |c| c.losers.push("script_id")), (Dropped, |c| c.dropped.clear())];
    named(lists, saw, &mut planted);
    // Who calls has no public maker, so these are planted in the view.
    for dimension in [App, ActsAs, Secret, User, HostRuns, Extra] {
        let mut other = call.seen.clone();
        other.say(dimension, "somebody else");
        let found = call.differs(&other, &call.line, &sent);
        assert_eq!(found, [dimension]);
        planted.insert(dimension);
    }
    complete(&call.seen, &planted);
}

fn content(call: &mut FastExecuteScript) -> &mut esbgate_model::Content {
    match &mut call.script {
        Script::Content(content) => content,
        Script::Version(_) | Script::Id(_) => panic!("the script is content"),
    }
}

fn password(call: &mut FastExecuteScript) -> &mut HostPassword {
    &mut call.host_passwords[0]
}
