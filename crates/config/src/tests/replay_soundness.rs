//! The promise of a replay, held against the judge itself: what is told of a call on record is what the judge says of the
//! call under the same policy.
//!
//! The record is written here from the call as docs/audit.md describes it, and shares nothing with the journal's writer.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use esbgate_core::{Metrics, RecordedVerdict, Untold};
use esbgate_model::{ScriptLanguage, sha256_hex};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::diff_soundness::{Tape, call, plan, policy};
use crate::{Call, Explanation, OfflinePlan, Proof};

fn explained(plan: &OfflinePlan, call: &Call, at: Timestamp, metrics: &Metrics) -> Explanation {
    let walk = std::pin::pin!(plan.explain(call, at, metrics));
    match walk.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(found) => found,
        std::task::Poll::Pending => panic!("a step waited"),
    }
}

/// The intent of a call that was allowed.
fn record(call: &Call, at: Timestamp, found: &Explanation) -> Value {
    let body: Map<String, Value> = serde_json::from_slice(&call.body).unwrap();
    let business = body["bk_biz_id"].as_i64().unwrap();
    let scope = if business >= 8_000_000 { "biz_set" } else { "biz" };
    let proof = if call.proof == Some(Proof::Token) { "bk_token" } else { "exemption" };
    let risk = found.risk.iter().map(|met| {
        json!({"rule": *met.rule, "action": met.action.as_str(), "field": met.field.as_str(), "line": met.line,
            "column": met.column, "nesting": met.nesting})
    });
    let dropped: Vec<&str> =
        body.keys().filter(|name| *name == "nobody_knows").map(|name| &**name).collect();
    let mut record = json!({
        "request_id": "r", "received_at": at.to_string(), "app": call.app, "user": call.user,
        "user_proof": proof, "component": call.component.name(), "scope_type": scope,
        "scope_id": business, "host_runs": found.host_runs, "grant": found.rule, "dropped": dropped,
        "risk": risk.collect::<Vec<_>>(),
        "callback": body.get("callback_url").map(|url| json!({"url": url, "query": null})),
    });
    let own = record.as_object_mut().unwrap();
    if call.component.name() == "fast_execute_script" {
        own.extend(run(&body));
    } else {
        let shown = body.iter().filter(|(name, _)| *name != "bk_biz_id");
        let shown: Map<String, Value> =
            shown.map(|(name, value)| (name.clone(), value.clone())).collect();
        own.insert("parameters".into(), body.keys().map(|name| &**name).collect());
        own.insert("shown".into(), shown.into());
    }
    record
}

fn run(body: &Map<String, Value>) -> Map<String, Value> {
    let account = body
        .get("account_id")
        .map_or_else(|| json!({"alias": body["account_alias"]}), |id| json!({"id": id}));
    let decoded =
        |name: &str| body.get(name).map(|text| STANDARD.decode(text.as_str().unwrap()).unwrap());
    let script = match (decoded("script_content"), body.get("script_id")) {
        (Some(text), _) => {
            let number = body["script_language"].as_i64().unwrap();
            let mut all = ScriptLanguage::ALL.into_iter();
            let language = all.find(|one| one.number() == number).unwrap().as_str();
            json!({"source": "content", "sha256": sha256_hex(&text), "bytes": text.len(), "language": language})
        }
        (None, Some(id)) => json!({"source": "id", "id": id}),
        (None, None) => json!({"source": "version", "id": body["script_version_id"]}),
    };
    let param = decoded("script_param");
    let param = param.map(|text| json!({"hmac": "00", "key_id": "k", "bytes": text.len()}));
    let server = &body["target_server"];
    let list = |name: &str| server[name].as_array().map_or(&[][..], Vec::as_slice);
    let host = |host: &Value| format!("{}:{}", host["bk_cloud_id"], host["ip"].as_str().unwrap());
    let hosts: Vec<String> = list("ip_list").iter().map(host).collect();
    // Named twice, a host is on record once.
    let mut seen = std::collections::HashSet::new();
    let hosts: Vec<String> = hosts.into_iter().filter(|host| seen.insert(host.clone())).collect();
    let target = json!({
        "host_ids": list("host_id_list").len(), "hosts": hosts.len(), "groups": list("dynamic_group_list").len(),
        "nodes": list("topo_node_list").len(), "host_id_list": list("host_id_list"), "ip_list": hosts,
    });
    let whole = json!({
        "account": account, "script": script, "script_param": param, "target": target, "timeout": body.get("timeout"),
        "start_task": body.get("start_task"), "rolling": false, "windows_interpreter": null, "host_passwords": null,
    });
    whole.as_object().unwrap().clone()
}

/// How the judge's walk proves the application: by a key where it has nothing else.
fn shown(plan: &OfflinePlan, call: &Call) -> &'static str {
    let app = plan.0.apps.iter().find(|app| app.code.as_str() == call.app);
    let other = app.is_some_and(|app| !app.certificates.is_empty());
    if other { "certificate" } else { "key" }
}

/// What is said of a call, as the judge says it.
fn judged(found: &Explanation) -> RecordedVerdict {
    match (&found.refused, &found.rule) {
        (None, Some(rule)) => RecordedVerdict::Allowed(rule.clone()),
        (Some(rejection), _) => RecordedVerdict::Refused(rejection.code()),
        (None, None) => panic!("neither"),
    }
}

/// How often what was told, so that a test of nothing is seen.
type Told = BTreeMap<&'static str, u32>;

fn hold(seeds: std::ops::Range<u64>) -> Told {
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let mut told = Told::new();
    for seed in seeds {
        let mut rng = Rng::with_seed(seed);
        let mut tape = Tape::of(&mut rng);
        let before = policy(&mut tape);
        let Some(old) = plan(&before) else { continue };
        for edits in 0..6 {
            let after = match edits {
                0 => before.clone(),
                // As rules are brought in: watched first, then enforced.
                1 => before
                    .replace("action: observe", "action: deny")
                    .replace("action: warn", "action: reviewed_only"),
                _ => policy(&mut tape.edited(&mut rng)),
            };
            let (Some(new), Some(bound)) = (plan(&after), plan(&after)) else { continue };
            let mut replay = bound.replay(&metrics);
            let knows = rng.bool();
            if knows {
                replay.judged_by("old", &old);
            }
            for _ in 0..24 {
                let Some((call, at)) = call(&mut rng, &old) else { continue };
                let then = explained(&old, &call, at, &metrics);
                if then.refused.is_some() {
                    continue;
                }
                let mut record = record(&call, at, &then);
                record["app_proofs"] = json!([shown(&new, &call)]);
                let said = replay.intent(&record, Some("old")).unwrap().verdict;
                let now = judged(&explained(&new, &call, at, &metrics));
                let what = match said {
                    Ok(RecordedVerdict::Untold(Untold::Text)) if knows && before == after => {
                        "text although all of its rules are known"
                    }
                    Ok(RecordedVerdict::Untold(Untold::Text)) => "text",
                    Ok(RecordedVerdict::Untold(Untold::Targets)) => "targets",
                    Ok(verdict) => {
                        let body = String::from_utf8_lossy(&call.body);
                        assert_eq!(
                            verdict, now,
                            "seed {seed} {call:?} {body} {at} {record}\n{before}\n{after}"
                        );
                        match verdict {
                            RecordedVerdict::Allowed(_) => "allowed",
                            RecordedVerdict::Refused(esbgate_model::Code::ScriptAtRisk) => {
                                "at risk"
                            }
                            RecordedVerdict::Refused(_) | RecordedVerdict::Untold(_) => "refused",
                        }
                    }
                    Err(why) => panic!("seed {seed}: {why} {record}"),
                };
                *told.entry(what).or_default() += 1;
            }
        }
    }
    told
}

#[test]
fn what_a_replay_tells_of_a_call_is_what_the_judge_says_of_it() {
    let told = hold(0..80);
    let of = |what| told.get(what).copied().unwrap_or_default();
    assert_eq!(of("text although all of its rules are known"), 0, "{told:?}");
    assert!(of("allowed") > 1000 && of("refused") > 20 && of("at risk") > 3, "{told:?}");
    assert!(of("text") > 20 && of("targets") > 20, "{told:?}");
}
