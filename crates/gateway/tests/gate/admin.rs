//! The admin socket: what an order does to calls, what is on record of it, and what hostile neighbours get.

use std::sync::Arc;

use esbgate_gateway::{SystemClock, command::settings, start};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use crate::{served::Served, support::*};

const LONGEST: usize = esbgate_gateway::admin::protocol::LONGEST_LINE;

pub fn files() -> Files {
    Files { boot_extra: "admin: {socket: FOLDER/admin.sock}\n".into(), ..Files::default() }
}

async fn connect(folder: &std::path::Path) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(folder.join("admin.sock")).await.unwrap())
}

async fn say(stream: &mut BufReader<UnixStream>, line: &str) -> Value {
    stream.get_mut().write_all(line.as_bytes()).await.unwrap();
    stream.get_mut().write_all(b"\n").await.unwrap();
    answer(stream).await
}

async fn answer(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await.unwrap().unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
}

pub async fn order(folder: &std::path::Path, operation: Value) -> Value {
    let mut stream = connect(folder).await;
    say(&mut stream, &json!({"v": 1, "operation": operation}).to_string()).await
}

pub fn freeze(subject: Value) -> Value {
    json!({"freeze": {"subject": subject, "reason": "INC-77", "until": "2999-01-01T00:00:00Z"}})
}

/// The same files again, as after a restart.
pub async fn again(gate: Gate) -> Gate {
    let (ended, standin, folder) = gate.stop().await;
    assert!(ended);
    let settings = settings(&folder.path().join("esbgate.yaml")).unwrap();
    let running = start(settings, Arc::new(SystemClock::start())).await.unwrap();
    Gate { running, standin, folder }
}

#[tokio::test]
async fn a_freeze_of_an_admin_stops_calls_at_once_and_over_a_restart_until_it_is_taken_out() {
    let mut gate = Gate::with(files()).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let said = order(gate.folder.path(), freeze(json!({"business": {"id": 2}}))).await;
    let id = said["done"]["frozen"]["id"].as_str().unwrap().to_owned();
    assert_eq!(said["done"]["frozen"], json!({"id": id, "kept": true, "recorded": true}));
    for _ in 0..2 {
        let answer = gate.call(&call()).await;
        answer.is(403, "FROZEN", "no");
        let hint = "frozen until 2999-01-01T00:00:00Z: INC-77";
        assert_eq!(answer.body["faults"][0]["hint"], hint);
        let elsewhere = gate.call(&call_with(json!({"bk_biz_id": 1}))).await;
        assert_eq!(elsewhere.body["executed"], "yes");
        gate = again(gate).await;
    }
    let folder = gate.folder.path();
    let listed = order(folder, json!("freezes")).await;
    assert_eq!(listed["done"]["freezes"][0]["id"], json!(id));
    let taken = order(folder, json!({"unfreeze": {"id": id}})).await;
    assert_eq!(taken["done"]["unfrozen"]["id"], json!(id));
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let again = order(folder, json!({"unfreeze": {"id": id}})).await;
    assert_eq!(again["refused"]["code"], "unknown_id");
}

#[tokio::test]
async fn every_order_is_on_record_with_who_gave_it() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    order(folder, freeze(json!({"app": "team_app"}))).await;
    let unknown = order(folder, freeze(json!({"app": "team_ap"}))).await;
    assert_eq!(unknown["refused"]["code"], "unknown_app");
    let invalid = order(folder, freeze(json!({"business": {"id": 8_000_001}}))).await;
    assert_eq!(invalid["refused"]["code"], "invalid");
    let status = order(folder, json!("status")).await;
    let said = &status["done"]["status"];
    assert_eq!((&said["generation"], &said["apps"]), (&1.into(), &1.into()));
    assert_eq!((&said["admin_freezes"], &said["journal_writable"]), (&1.into(), &true.into()));
    let records = gate.records("admin");
    let said: Vec<_> = records.iter().map(|one| (&one["operation"], &one["result"])).collect();
    let all = [("freeze", "done"), ("freeze", "unknown_app"), ("freeze", "invalid")];
    let all = all.into_iter().chain([("status", "done")]);
    let all: Vec<_> = all.map(|(one, other)| (json!(one), json!(other))).collect();
    assert_eq!(said, all.iter().map(|(one, other)| (one, other)).collect::<Vec<_>>());
    assert_eq!(records[0]["arguments"]["subject"], "app team_app");
    assert_eq!(records[0]["pid"], std::process::id());
    assert!(records[0]["uid"].is_u64() && records[0]["arguments"]["id"].is_string());
}

#[tokio::test]
async fn without_a_journal_a_freeze_holds_and_nothing_is_unfrozen() {
    let mut gate = Served::with(files()).await;
    let first = order(gate.folder.path(), freeze(json!({"business": {"id": 1}}))).await;
    let id = first["done"]["frozen"]["id"].clone();
    gate.limit_files("0").await;
    let folder = gate.folder.path();
    let said = order(folder, freeze(json!({"business": {"id": 2}}))).await;
    assert_eq!(said["done"]["frozen"]["recorded"], false, "{said}");
    assert_eq!(said["done"]["frozen"]["kept"], false, "{said}");
    gate.call(&call()).await.is(403, "FROZEN", "no");
    let kept = order(folder, json!({"unfreeze": {"id": id}})).await;
    assert_eq!(kept["refused"]["code"], "unrecorded");
    gate.call(&call_with(json!({"bk_biz_id": 1}))).await.is(403, "FROZEN", "no");
    gate.limit_files("unlimited").await;
    let taken = order(gate.folder.path(), json!({"unfreeze": {"id": id}})).await;
    // The journal looks once a second whether it can write again; a write that succeeds is a look too.
    assert!(taken["done"]["unfrozen"].is_object(), "{taken}");
    assert_eq!(gate.call(&call_with(json!({"bk_biz_id": 1}))).await.body["executed"], "yes");
    gate.stop().await;
}

#[tokio::test]
async fn a_purged_token_is_asked_for_again_and_is_shown_and_recorded_nowhere() {
    let gate = Gate::with(files()).await;
    let header = authorization("bk_token", TOKEN);
    let headers = [("X-Bkapi-Authorization", header.as_str())];
    let send = || gate.send(&headers, TOKEN_CALL);
    send().await;
    send().await;
    assert_eq!(gate.standin.history().login_count(), 1);
    let mut said = Vec::new();
    for (operation, asked) in [
        (json!({"purge": {"token": "another-token"}}), 1),
        (json!({"purge": {"token": TOKEN}}), 2),
        (json!({"purge": {}}), 3),
    ] {
        let purged = order(gate.folder.path(), operation).await;
        assert_eq!(purged["done"]["purged"]["recorded"], true, "{purged}");
        said.push(purged);
        send().await;
        assert_eq!(gate.standin.history().login_count(), asked);
    }
    let mut stream = connect(gate.folder.path()).await;
    let broken = json!({"v": 1, "operation": {"purge": {"token": TOKEN, "x": 1}}}).to_string();
    said.push(say(&mut stream, &broken).await);
    assert_eq!(said[3]["refused"]["code"], "unreadable");
    let all = json!([said, gate.records("admin")]).to_string();
    assert!(!all.contains(TOKEN) && !all.contains("another-token"), "{all}");
}

const TOKEN_CALL: &str = r#"{"bk_biz_id":2,"script_content":"ZWNobyAkMQo=","script_language":1,
    "account_alias":"root","target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}}"#;

#[tokio::test]
async fn lines_that_are_no_orders_are_refused_and_change_nothing() {
    let gate = Gate::with(files()).await;
    let mut stream = connect(gate.folder.path()).await;
    for (line, code) in [
        ("", "unreadable"),
        ("GET /metrics HTTP/1.1", "unreadable"),
        ("{\"v\":1}", "unreadable"),
        ("{\"v\":1,\"operation\":\"reboot\"}", "unreadable"),
        ("{\"v\":1,\"operation\":\"status\",\"more\":1}", "unreadable"),
        ("{\"v\":1,\"operation\":{\"freeze\":{\"subject\":\"everything\"}}}", "unreadable"),
        ("{\"v\":1,\"operation\":{\"unfreeze\":{\"id\":\"x\",\"all\":true}}}", "unreadable"),
        ("{\"v\":2,\"operation\":\"from the future\"}", "unknown_version"),
        ("{\"v\":1,\"operation\":\"status\"} {}", "unreadable"),
    ] {
        let said = say(&mut stream, line).await;
        assert_eq!(said["refused"]["code"], code, "{line}: {said}");
    }
    let long = "x".repeat(LONGEST + 1);
    assert_eq!(say(&mut stream, &long).await["refused"]["code"], "too_long");
    let mut rest = Vec::new();
    // Closed while bytes were under way, which the system may tell as a reset.
    stream.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty());
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    assert!(gate.records("admin").is_empty());
}

#[tokio::test]
async fn hundreds_of_connections_are_turned_away_and_leave_room_when_they_go() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    let mut inside = Vec::new();
    for _ in 0..16 {
        let mut stream = connect(folder).await;
        let said = say(&mut stream, "{\"v\":1,\"operation\":\"status\"}").await;
        assert!(said["done"].is_object());
        inside.push(stream);
    }
    for _ in 0..300 {
        let mut stream = connect(folder).await;
        assert_eq!(answer(&mut stream).await["refused"]["code"], "busy");
    }
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    for mut stream in inside {
        stream.get_mut().shutdown().await.unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }
    assert!(order(folder, json!("status")).await["done"].is_object());
}

#[tokio::test]
async fn freezes_that_are_set_at_once_are_all_kept() {
    let gate = Gate::with(files()).await;
    let folder = gate.folder.path();
    join_all((100..112).map(|id| order(folder, freeze(json!({"business": {"id": id}}))))).await;
    let gate = again(gate).await;
    let listed = order(gate.folder.path(), json!("freezes")).await;
    let listed = listed["done"]["freezes"].as_array().unwrap();
    let ids: std::collections::HashSet<_> = listed.iter().map(|one| one["id"].as_str()).collect();
    assert_eq!((listed.len(), ids.len()), (12, 12));
}

#[tokio::test]
async fn a_damaged_file_of_freezes_refuses_a_start_and_says_what_to_do() {
    let (_standin, folder) = files().lay_out(world()).await;
    std::fs::create_dir(folder.path().join("state")).unwrap();
    std::fs::write(folder.path().join("state/freezes.json"), "{\"v\":1,\"freezes\":[").unwrap();
    let settings = settings(&folder.path().join("esbgate.yaml")).unwrap();
    let error = start(settings, Arc::new(SystemClock::start())).await.unwrap_err().to_string();
    assert!(error.contains("state/freezes.json") && error.contains("or remove it"), "{error}");
}

#[tokio::test]
async fn a_drain_is_answered_and_asks_for_the_stop_that_a_signal_asks_for() {
    let gate = Gate::with(files()).await;
    let mut stream = connect(gate.folder.path()).await;
    let said = say(&mut stream, "{\"v\":1,\"operation\":\"drain\"}").await;
    assert_eq!(said["done"]["draining"]["recorded"], true);
    tokio::time::timeout(PATIENCE, gate.running.asked_to_stop()).await.unwrap();
    let socket = gate.folder.path().join("admin.sock");
    drop(stream);
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended && !socket.exists());
}

#[tokio::test]
async fn a_next_policy_is_under_the_freezes_of_an_admin_too() {
    let gate = Gate::with(files()).await;
    let next = crate::shadow::plan(&gate, &policy("", ALLOW));
    gate.running.shadow().set(next, "hash", "2027-01-01T00:00Z".parse().unwrap()).unwrap();
    order(gate.folder.path(), freeze(json!({"business": {"id": 2}}))).await;
    gate.call(&call()).await.is(403, "FROZEN", "no");
    let shadow = gate.running.shadow().clone();
    assert!(gate.stop().await.0);
    assert!(shadow.report().unwrap().differences.is_empty());
}
