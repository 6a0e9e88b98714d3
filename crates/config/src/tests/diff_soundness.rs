//! The promise of a diff, held against the judge itself: a call that the old policy refuses and the new one allows is never
//! without a widening, and one that is lost never without a narrowing.
//!
//! Policies and calls are made of few names, so that rules overlap, and the new policy is mostly the old one.

use std::{fmt::Write as _, net::Ipv4Addr};

use esbgate_core::{Allow, Grant, Metrics};
use esbgate_model::{ScriptLanguage, TopologyNode};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Fake;
use crate::{Call, Change, Effect, OfflinePlan, Proof, call::component};

/// Choices that can be made again, with a few of them made otherwise.
pub(super) struct Tape {
    choices: Vec<u8>,
    next: usize,
}

impl Tape {
    pub(super) fn of(rng: &mut Rng) -> Self {
        Self { choices: (0..600).map(|_| rng.u8(..)).collect(), next: 0 }
    }

    pub(super) fn edited(&self, rng: &mut Rng) -> Self {
        let mut choices = self.choices.clone();
        for _ in 0..rng.usize(1..3) {
            let at = rng.usize(..self.next.max(1));
            choices[at] = rng.u8(..);
        }
        Self { choices, next: 0 }
    }

    fn below(&mut self, end: usize) -> usize {
        self.next += 1;
        usize::from(self.choices[self.next - 1]) % end
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 1
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// A list of some of them, in one choice, so that editing it touches nothing else.
    fn some(&mut self, of: &[&str]) -> String {
        let bits = self.below(1 << of.len());
        let chosen = of.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
        let chosen: Vec<&str> = chosen.map(|(_, one)| *one).collect();
        format!("[{}]", chosen.join(", "))
    }

    /// The same, or `any`.
    fn some_or_any(&mut self, of: &[&str]) -> String {
        let list = self.some(of);
        if self.below(5) == 0 { "any".into() } else { list }
    }
}

const ENDS: [&str; 3] = ["2027-02-01T00:00Z", "2027-03-01T00:00Z", "2027-04-01T00:00Z"];
const COMPONENTS: [&str; 4] =
    ["fast_execute_script", "get_job_plan_list", "execute_job_plan", "get_cron_list"];

/// The SHA-256 of `echo danger`, the script that a rule may pin.
fn pinned() -> String {
    esbgate_model::sha256_hex(b"echo danger")
}

pub(super) fn policy(tape: &mut Tape) -> String {
    let mut text = String::from("version: 1\nrisks:\n");
    // Patterns take long to compile, so every other policy goes without.
    let read = tape.flip();
    for (id, word) in [("one", "danger"), ("two", "peril")] {
        let action = tape.one(&["observe", "warn", "reviewed_only", "deny", "absent"]);
        let languages = tape.one(&["[shell]", "[python]", "[shell, python]"]);
        let pattern = if tape.below(6) == 0 { "echo" } else { word };
        if action != "absent" && read {
            writeln!(text, "  - {{id: {id}, languages: {languages}, match: {pattern}, action: {action}, hint: no}}").unwrap();
        }
    }
    text += "apps:\n";
    for code in ["a", "b"] {
        let there = tape.below(5) > 0 || code == "a";
        let app = app(code, tape);
        if there {
            text += &app;
        }
    }
    text
}

fn app(code: &str, tape: &mut Tape) -> String {
    let digit = if code == "a" { "a" } else { "b" };
    let hash = |n: usize| format!("{digit}{n}").repeat(32);
    let mut proofs =
        vec![format!("{{key: {{sha256: \"{}\", expires: \"{}\"}}}}", hash(0), tape.one(&ENDS))];
    if tape.below(4) == 0 {
        proofs.push(format!("{{key: {{sha256: \"{}\"}}}}", hash(1)));
    }
    if tape.below(4) == 0 {
        proofs.push(format!("{{certificate: {{dns: {code}.example.com}}}}"));
    }
    let users = ["[u]", "[v]", "[u, v]"];
    let exemption = |tape: &mut Tape| {
        let (users, end) = (tape.one(&users), tape.one(&ENDS));
        format!("{{users: {users}, owner: o, reason: r, ticket: t, expires: \"{end}\"}}")
    };
    let (first, second, both) = (exemption(tape), exemption(tape), tape.flip());
    let exemptions = if both { format!("[{first}, {second}]") } else { format!("[{first}]") };
    let mut text = format!(
        "  {code}:\n    owner: o\n    proofs: [{}]\n    acts_as: x\n    users: {{token: {}, exemptions: {exemptions}}}\n    unknown_fields: {}\n    fields: {{timeout_max: {}, host_id_list: true, start_task: {}}}\n    calls: {{per_second: {}, burst: 9}}\n    hosts: {{per_call: {}, burst: 9}}\n    allow:\n",
        proofs.join(", "),
        tape.flip(),
        tape.one(&["refuse", "drop"]),
        tape.one(&["60", "600"]),
        tape.flip(),
        tape.one(&["1", "2"]),
        tape.one(&["2", "3"]),
    );
    for name in ["r1", "r2", "r3"] {
        let there = tape.below(4) > 0;
        let rule = rule(name, tape);
        if there {
            text += &rule;
        }
    }
    text
}

fn rule(name: &str, tape: &mut Tape) -> String {
    let everything = tape.below(8) == 0;
    let components = match tape.below(6) {
        0 => "[fast_execute_script, get_job_plan_list]",
        1 => "any",
        2 => "[get_job_plan_list]",
        3 if everything => "[fast_execute_script, execute_job_plan]",
        _ => "[fast_execute_script]",
    };
    let key = |tape: &mut Tape, of: &[&str]| {
        let said = tape.some_or_any(of);
        if everything { "any".to_owned() } else { said }
    };
    let business = key(tape, &["2", "3"]);
    let sets = tape.some(&["8000001"]);
    let aliases = key(tape, &["www", "root"]);
    let accounts = key(tape, &["1000"]);
    let content = key(tape, &["shell", "python"]);
    let ids = key(tape, &["s1"]);
    let versions = key(tape, &["7"]);
    let pin = if tape.below(3) == 0 { format!("\"{}\"", pinned()) } else { String::new() };
    let ips = key(tape, &["10.0.0.0/31", "10.0.0.2/31", "10.0.0.0/30", "10.0.0.1"]);
    let except = tape.some(&["10.0.0.1", "10.0.0.3"]);
    let except = if everything { "[]".to_owned() } else { except };
    let clouds = key(tape, &["0", "1"]);
    let groups = key(tape, &["g"]);
    let topology = key(tape, &["{id: 5, node_type: module}"]);
    let host_ids = key(tape, &["5", "6"]);
    let hosts = match tape.below(3) {
        0 if groups == "[]" && topology == "[]" => "",
        1 => "hosts: 1, ",
        _ => "hosts: 2, ",
    };
    let callbacks = tape.some(&["\"https://a.example/x/\"", "\"https://a.example/x/y/\""]);
    format!(
        "      - name: {name}\n        components: {components}\n        business: {{ids: {business}, sets: {sets}}}\n        accounts: {{aliases: {aliases}, ids: {accounts}}}\n        scripts: {{content: {content}, ids: {ids}, versions: {versions}, sha256: [{pin}]}}\n        targets: {{{hosts}ips: {ips}, except: {except}, clouds: {clouds}, groups: {groups}, topology: {topology}, host_ids: {host_ids}}}\n        callbacks: {callbacks}\n"
    )
}

const TIMES: [&str; 3] = ["2027-01-15T00:00Z", "2027-02-15T00:00Z", "2027-03-15T00:00Z"];

fn pick<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    rng.choice(of).unwrap().clone()
}

/// One of what a rule allows, or of what there is where it allows anything.
fn one<T: Clone>(rng: &mut Rng, allow: &Allow<T>, all: &[T]) -> Option<T> {
    match allow {
        Allow::Any => rng.choice(all).cloned(),
        Allow::Only(list) => rng.choice(list).cloned(),
    }
}

/// A call that some rule of the policy was made for, and that may still be refused by what is around the rule.
pub(super) fn call(rng: &mut Rng, plan: &OfflinePlan) -> Option<(Call, Timestamp)> {
    let app = rng.choice(&plan.0.apps)?;
    let rule = rng.choice(&app.allow)?;
    let component =
        one(rng, &rule.components, &COMPONENTS.map(|name| component(Some(name)).unwrap()))?;
    let body = match component.name() {
        "fast_execute_script" => run(rule, rng)?,
        "execute_job_plan" => json!({"bk_biz_id": business(rule, rng)?, "job_plan_id": 1}),
        _ => json!({"bk_biz_id": business(rule, rng)?}),
    };
    let proof = if app.users.token && rng.bool() { Proof::Token } else { Proof::Exemption };
    let user = pick(rng, &["u", "v"]).to_owned();
    let code = app.code.as_str().to_owned();
    let body = body.to_string().into();
    let call = Call { app: code, user, proof: Some(proof), peer: None, component, body };
    Some((call, pick(rng, &TIMES).parse().unwrap()))
}

fn business(rule: &Grant, rng: &mut Rng) -> Option<i64> {
    let ids = one(rng, &rule.business.ids, &[2, 3]);
    let sets = one(rng, &rule.business.sets, &[8_000_001]);
    if rng.bool() { ids.or(sets) } else { sets.or(ids) }
}

fn run(rule: &Grant, rng: &mut Rng) -> Option<Value> {
    let mut body = json!({"bk_biz_id": business(rule, rng)?, "target_server": {}});
    let alias = one(rng, &rule.accounts.aliases, &["www".into(), "root".into()]);
    match one(rng, &rule.accounts.ids, &[1000]).filter(|_| alias.is_none() || rng.bool()) {
        Some(id) => body["account_id"] = id.into(),
        None => body["account_alias"] = alias?.into_string().into(),
    }
    script(rule, rng, &mut body)?;
    targets(rule, rng, &mut body["target_server"])?;
    if let Some(prefix) = rng.choice(&rule.callbacks).filter(|_| rng.bool()) {
        body["callback_url"] =
            format!("{}{}", prefix.as_str(), pick(rng, &["", "z", "y/z"])).into();
    }
    match rng.u8(..12) {
        0 => body["timeout"] = 300.into(),
        1 => body["nobody_knows"] = 1.into(),
        2 => body["start_task"] = true.into(),
        _ => {}
    }
    Some(body)
}

fn script(rule: &Grant, rng: &mut Rng, body: &mut Value) -> Option<()> {
    let id = one(rng, &rule.scripts.ids, &["s1".into()]);
    let version = one(rng, &rule.scripts.versions, &[7, 8]);
    let pinned = rng.choice(&rule.scripts.sha256);
    let mut language = one(rng, &rule.scripts.content, &ScriptLanguage::ALL);
    let mut text = pick(rng, &["echo danger", "echo peril", "true"]);
    if pinned.is_some() && (language.is_none() || rng.bool()) {
        text = "echo danger";
        language = Some(pick(rng, &ScriptLanguage::ALL));
    }
    match (language, rng.u8(..4)) {
        (_, 0) if id.is_some() => body["script_id"] = id?.into_string().into(),
        (_, 1) if version.is_some() => body["script_version_id"] = version?.into(),
        (Some(language), _) => {
            let text = match text {
                "echo danger" => "ZWNobyBkYW5nZXI=",
                "echo peril" => "ZWNobyBwZXJpbA==",
                _ => "dHJ1ZQ==",
            };
            body["script_content"] = text.into();
            body["script_language"] = language.number().into();
        }
        (None, _) => match id {
            Some(id) => body["script_id"] = id.into_string().into(),
            None => body["script_version_id"] = version?.into(),
        },
    }
    if rng.u8(..6) == 0 {
        body["script_param"] = "ZWNobyBkYW5nZXI=".into();
    }
    Some(())
}

fn targets(rule: &Grant, rng: &mut Rng, target: &mut Value) -> Option<()> {
    let of = &rule.targets;
    let allows = |host: &Ipv4Addr| {
        of.ips.covers(|net| net.contains(host)) && !of.except.iter().any(|net| net.contains(host))
    };
    let hosts: Vec<Ipv4Addr> =
        (0..5).map(|last| Ipv4Addr::new(10, 0, 0, last)).filter(allows).collect();
    let mut list = Vec::new();
    for _ in 0..rng.usize(0..4) {
        if let (Some(host), Some(cloud)) = (rng.choice(&hosts), one(rng, &of.clouds, &[0, 1])) {
            list.push(json!({"bk_cloud_id": cloud, "ip": host.to_string()}));
        }
    }
    let bare = list.is_empty();
    if !bare {
        target["ip_list"] = list.into();
    }
    if bare || rng.u8(..4) == 0 {
        let id = one(rng, &of.host_ids, &[5, 6]).map(|id| target["host_id_list"] = json!([id]));
        let group = one(rng, &of.groups, &["g".into()]).filter(|_| id.is_none() || rng.bool());
        let group = group.map(|id| target["dynamic_group_list"] = json!([{"id": id}]));
        let node = TopologyNode { id: 5, node_type: "module".into() };
        let node = one(rng, &of.topology, &[node]).filter(|_| group.is_none() || rng.bool());
        let node = node.map(|one| {
            target["topo_node_list"] = json!([{"id": one.id, "node_type": one.node_type}]);
        });
        if bare {
            id.or(group).or(node)?;
        }
    }
    Some(())
}

pub(super) fn plan(text: &str) -> Option<OfflinePlan> {
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let document = super::read("p.yaml", text).unwrap();
    document.check_alone(&Fake, now).ok().map(|(plan, _)| plan)
}

fn allowed(plan: &OfflinePlan, call: &Call, at: Timestamp, metrics: &Metrics) -> bool {
    let walk = std::pin::pin!(plan.explain(call, at, metrics));
    match walk.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(found) => found.refused.is_none(),
        std::task::Poll::Pending => panic!("a step waited"),
    }
}

/// What the pairs showed, so that a test of nothing is seen.
#[derive(Debug, Default)]
struct Shown {
    pairs: u32,
    gained: u32,
    lost: u32,
    /// Pairs of which it was proved that nothing is gained, although they differ.
    proved: u32,
}

/// Holds a policy against some that differ from it in one place or two, so that no change hides behind another.
fn hold(seeds: std::ops::Range<u64>) -> Shown {
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let mut shown = Shown::default();
    for seed in seeds {
        let mut rng = Rng::with_seed(seed);
        let mut tape = Tape::of(&mut rng);
        let before = policy(&mut tape);
        let Some(old) = plan(&before) else { continue };
        for _ in 0..12 {
            let after = policy(&mut tape.edited(&mut rng));
            let new = if after == before { None } else { plan(&after) };
            let Some(new) = new else { continue };
            let texts = format!("seed {seed}\n{before}\n{after}");
            pair(&old, &new, &texts, &mut rng, &metrics, &mut shown);
        }
    }
    shown
}

fn pair(
    old: &OfflinePlan,
    new: &OfflinePlan,
    texts: &str,
    rng: &mut Rng,
    metrics: &Metrics,
    shown: &mut Shown,
) {
    let (there, back) = (old.diff(new), new.diff(old));
    let widens = |changes: &[Change]| changes.iter().any(|change| change.effect.is_widening());
    let narrows = there.iter().any(|change| change.effect == Effect::Narrows);
    shown.pairs += 1;
    shown.proved += u32::from(!there.is_empty() && !widens(&there));
    for (from, to, changes, reverse) in [(old, new, &there, false), (new, old, &back, true)] {
        for _ in 0..24 {
            let Some((call, at)) = call(rng, to) else { continue };
            if !allowed(to, &call, at, metrics) || allowed(from, &call, at, metrics) {
                continue;
            }
            let body = String::from_utf8_lossy(&call.body);
            assert!(
                widens(changes),
                "in silence: {reverse} {call:?} {body} {at} {texts} {there:#?}"
            );
            assert!(
                !reverse || narrows || widens(&there),
                "lost: {call:?} {body} {texts} {there:#?}"
            );
            *(if reverse { &mut shown.lost } else { &mut shown.gained }) += 1;
        }
    }
}

#[test]
fn no_call_is_gained_or_lost_in_silence() {
    let shown = hold(0..50);
    eprintln!("{shown:?}");
    assert!(shown.pairs > 100 && shown.gained > 40 && shown.lost > 40, "{shown:?}");
    assert!(shown.proved > 20, "{shown:?}");
}
