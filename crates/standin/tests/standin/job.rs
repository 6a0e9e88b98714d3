//! JOB: coercions, precedence, the order of checks, and what becomes of a job.

use esbgate_standin::{
    Account, App, Business, Options, Script, ScriptSource, ScriptStatus, Standin, World,
};
use serde_json::{Value, json};

use super::raw::{OPERATE, RUN, Reply, call, request, run, sample, sample_with, send, standin};

const STATUS: &str = "/api/c/compapi/v2/jobv3/get_job_instance_status/";
const LIST: &str = "/api/c/compapi/v2/jobv3/get_job_instance_list/";

/// Code and English message for the sample with some members changed.
async fn verdict(standin: &Standin, changes: Value) -> (i64, String) {
    let reply = run(standin, &sample_with(changes)).await;
    (reply.code().unwrap(), reply.message())
}

/// The sample with its script given by content alone.
fn by_content(content: &str) -> Value {
    let mut body = sample_with(json!({"script_version_id": null}));
    body["script_content"] = json!(content);
    body
}

fn identified(more: Value) -> Value {
    let mut body = json!({"bk_app_code": "esb_test", "bk_app_secret": "xxx", "bk_token": "xxx", "bk_biz_id": 1});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn texts_and_fractions_are_read_as_jackson_reads_them() {
    let standin = standin().await;
    for (changes, code) in [
        (json!({"script_version_id": " +1 ", "timeout": "600", "is_param_sensitive": "1"}), 0),
        (json!({"script_version_id": 1.9, "bk_biz_id": "1"}), 0),
        (json!({"task_name": 5, "account_id": "１０００"}), 0),
        (json!({"script_version_id": "1.0"}), 1_240_003),
        (json!({"timeout": 2_147_483_648_i64}), 1_240_003),
        (json!({"is_param_sensitive": true}), 1_240_003),
        (json!({"task_name": ["a"]}), 1_240_003),
        (json!({"target_server": "{}"}), 1_240_003),
        (json!({"target_server": []}), 1_240_003),
        (json!({"target_server": {"ip_list": {}}}), 1_240_003),
        (json!({"target_server": {"dynamic_group_list": ["blo8"]}}), 1_240_003),
        (json!({"start_task": "yes"}), 1_240_003),
        (json!({"length": "x"}), 1_240_003),
        (json!({"bk_biz_id": 1.0}), 1_240_002),
        (json!({"bk_biz_id": " 1 "}), 1_240_002),
        (json!({"bk_biz_id": true}), 1_240_002),
        (json!({"target_server": {"ip_list": [null]}}), 1_240_002),
        (json!({"target_server": {"host_id_list": [null]}}), 1_240_002),
    ] {
        assert_eq!(verdict(&standin, changes.clone()).await.0, code, "{changes}");
    }
    let first = &standin.history().runs()[0];
    assert_eq!((first.timeout, first.is_param_sensitive), (600, true));
    assert_eq!(standin.history().runs()[2].name, "5");
}

#[tokio::test]
async fn version_beats_id_beats_content() {
    let world = World::default().script(
        Script::new("twice", 1).version_in(7, "old", ScriptStatus::Retired).version(8, "new"),
    );
    let standin = Standin::start(world).await.unwrap();
    let all = json!({"script_version_id": 7, "script_id": "twice"});
    for (changes, source, script) in [
        (all, ScriptSource::Version(7), "old"),
        (
            json!({"script_version_id": "", "script_id": "twice"}),
            ScriptSource::Script("twice".into()),
            "new",
        ),
        (json!({"script_version_id": "null", "script_id": " "}), ScriptSource::Content, "echo $1"),
    ] {
        assert_eq!(verdict(&standin, changes.clone()).await.0, 0, "{changes}");
        let runs = standin.history().runs();
        let job = runs.last().unwrap();
        assert_eq!((&job.source, job.script.as_str()), (&source, script));
    }
}

#[tokio::test]
async fn account_id_beats_alias_and_host_ids_beat_addresses() {
    let standin = standin().await;
    let mut body = sample();
    body["account_alias"] = json!("nobody");
    body["target_server"]["host_id_list"] = json!([5, "6"]);
    assert_eq!(run(&standin, &body).await.code(), Some(0));
    let job = &standin.history().runs()[0];
    assert_eq!((job.account_id, job.account_alias.as_str()), (1000, "root"));
    assert_eq!((&job.targets.host_ids, job.targets.ips.len()), (&vec![5, 6], 0));
    assert_eq!(job.targets.groups.len(), 2);
    assert_eq!(job.targets.nodes, [(1000, "module".to_owned())]);
    let by_alias = json!({"account_id": 0, "account_alias": "root"});
    assert_eq!(verdict(&standin, by_alias).await.0, 0);
    let foreign_id = json!({"account_id": 1001});
    assert_eq!(verdict(&standin, foreign_id).await.0, 0);
    let foreign_alias = json!({"account_id": null, "account_alias": "www"});
    assert_eq!(
        verdict(&standin, foreign_alias).await,
        (1_244_003, "Account [www] does not exist".into())
    );
}

#[tokio::test]
async fn the_scope_pair_beats_the_business_id() {
    let world = World::default().business(Business::new(8_000_001));
    let standin = Standin::start(world).await.unwrap();
    for (changes, code) in [
        (json!({"bk_scope_type": "biz", "bk_scope_id": "1", "bk_biz_id": 99}), 0),
        (json!({"bk_scope_type": "biz", "bk_scope_id": 99}), 1_243_049),
        (json!({"bk_scope_type": "biz", "bk_scope_id": "x"}), 1_243_049),
        (json!({"bk_scope_type": "biz_set", "bk_scope_id": "1"}), 1_243_049),
        (json!({"bk_scope_type": "moon", "bk_scope_id": "1"}), 1_241_005),
        (json!({"bk_scope_id": "1"}), 1_240_002),
        (json!({"bk_scope_type": "biz"}), 1_240_003),
        (json!({"bk_biz_id": 99}), 1_243_049),
        (json!({"bk_biz_id": 0}), 1_243_049),
        (json!({"bk_biz_id": null}), 1_240_002),
        (json!({"bk_biz_id": null, "timeout": null}), 1_240_003),
        (json!({"bk_biz_id": 8_000_001, "script_version_id": null}), 0),
        (
            json!({"bk_scope_type": "biz_set", "bk_scope_id": "8000001", "script_version_id": null}),
            0,
        ),
    ] {
        assert_eq!(verdict(&standin, changes.clone()).await.0, code, "{changes}");
    }
    let runs = standin.history().runs();
    assert_eq!((runs[1].business, runs[1].business_is_set), (8_000_001, true));
}

#[tokio::test]
async fn scripts_are_decoded_as_job_decodes_them() {
    let standin = standin().await;
    for (content, script) in [
        ("ZWNobyAkMQ", "echo $1"),
        ("ZWNo\r\n byAkMQ==", "echo $1"),
        ("ZWNobyAkMQ==cm0=", "echo $1"),
        ("!!!!", ""),
        ("gICA", "\u{fffd}\u{fffd}\u{fffd}"),
    ] {
        assert_eq!(run(&standin, &by_content(content)).await.code(), Some(0), "{content}");
        assert_eq!(standin.history().runs().last().unwrap().script, script, "{content}");
    }
    for content in ["YR==", "rm -rf /", "  "] {
        assert_eq!(run(&standin, &by_content(content)).await.code(), Some(1_240_002), "{content}");
    }
    assert_eq!(run(&standin, &by_content("")).await.code(), Some(1_241_004));
}

#[tokio::test]
async fn line_feeds_in_parameters_become_blanks_and_blank_is_none() {
    let standin = standin().await;
    for (param, expected) in
        [("YQpiDQo=", Some("a b\r ")), ("ICAK", None), ("", None), ("ZW", None)]
    {
        assert_eq!(verdict(&standin, json!({"script_param": param})).await.0, 0);
        let runs = standin.history().runs();
        assert_eq!(runs.last().unwrap().params.as_deref(), expected, "{param}");
    }
}

#[tokio::test]
async fn beans_refuse_with_their_own_texts() {
    let standin = standin().await;
    let ip = |cloud: Value, ip: Value| json!({"target_server": {"ip_list": [{"bk_cloud_id": cloud, "ip": ip}]}});
    for (changes, message) in [
        (json!({"timeout": 0}), "Job timeout must be greater or equal than 1"),
        (json!({"timeout": 259_201}), "Job timeout must be between 1 and 259200"),
        (json!({"script_param": "A".repeat(87_384)}), "script_param Field content too long"),
        (
            json!({"script_param": "A".repeat(64_176), "is_param_sensitive": 1}),
            "script_param encryption exceeds the storage limit",
        ),
        (ip(json!(-1), json!("10.0.0.1")), "Invalid BK-Net"),
        (ip(json!(null), json!("10.0.0.1")), "Invalid BK-Net"),
        (ip(json!(0), json!(" 10.0.0.1")), "Invalid IP"),
        (ip(json!(0), json!("::1")), "Invalid IP"),
        (json!({"target_server": {"dynamic_group_list": [{}]}}), "DynamicGroup ID cannot be empty"),
        (json!({"target_server": {"topo_node_list": [{"id": 1}]}}), "Topo node type can not"),
        (json!({"callback_url": "ftp://x"}), "Callback url is invalid"),
        (json!({"windows_interpreter": "cmd.EXE"}), "must end with suffix"),
        (json!({"rolling_config": {"mode": 4, "expression": "1"}}), "Invalid rolling mode"),
        (json!({"rolling_config": {}}), "Rolling expression cannot be empty"),
        (json!({"host_password_list": [{"ip": "10.0.0.1"}]}), "Account password cannot be empty"),
    ] {
        let (code, text) = verdict(&standin, changes.clone()).await;
        assert_eq!(code, 1_240_003, "{changes}");
        assert!(text.starts_with(message), "{changes}: {text}");
    }
    assert_eq!(standin.history().jobs().len(), 0);
}

#[tokio::test]
async fn later_checks_refuse_with_codes_of_their_own() {
    let world = World {
        missing_groups: vec!["gone".into()],
        missing_ips: vec!["10.9.9.9".into()],
        dangerous: vec!["rm -rf".into()],
        ..World::default()
            .script(Script::new("draft", 1).version_in(20, "x", ScriptStatus::Draft))
            .script(Script::new("banned", 1).version_in(21, "x", ScriptStatus::Banned))
            .script(Script::new("foreign", 2).version(22, "x"))
            .script(Script::public("public").version(23, "x"))
    };
    let standin = Standin::start(world).await.unwrap();
    for (changes, code) in [
        (json!({"script_version_id": null, "script_content": null}), 1_241_004),
        (json!({"script_version_id": 0}), 1_241_005),
        (json!({"script_language": null}), 1_241_005),
        (json!({"script_language": 7}), 1_241_005),
        (json!({"target_server": null}), 1_241_004),
        (json!({"target_server": {}}), 1_244_001),
        (json!({"account_id": -1, "account_alias": " "}), 1_241_004),
        (
            json!({"rolling_config": {"type": 2, "execution_mode": 2, "batch_start_wait_fixed_ms": 0,
            "batch_start_wait_random_min_ms": 0, "batch_start_wait_random_max_ms": 0}}),
            1_241_012,
        ),
        (json!({"script_version_id": 404}), 1_243_001),
        (json!({"script_version_id": 22}), 1_243_001),
        (json!({"script_version_id": 20}), 1_244_018),
        (json!({"script_version_id": 21}), 1_244_018),
        (json!({"script_version_id": 23}), 0),
        (json!({"script_version_id": null, "script_content": "cm0gLXJmIC8K"}), 1_244_019),
        (json!({"script_version_id": null, "script_content": "ICNybSAtcmYgLwo="}), 0),
        (json!({"account_id": 404}), 1_244_003),
        (json!({"target_server": {"dynamic_group_list": [{"id": "gone"}]}}), 1_211_003),
        (json!({"target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.9.9.9"}]}}), 1_244_030),
        (json!({"target_server": {"host_id_list": vec![1; 50_001]}}), 1_244_022),
        (json!({"task_name": "x".repeat(513)}), 1_240_002),
    ] {
        let short: String = changes.to_string().chars().take(120).collect();
        assert_eq!(verdict(&standin, changes).await.0, code, "{short}");
    }
}

#[tokio::test]
async fn the_earlier_of_two_faults_is_the_one_that_is_said() {
    let standin = standin().await;
    let both = json!({"bk_biz_id": 99, "timeout": true, "script_version_id": 0});
    assert_eq!(verdict(&standin, both).await.0, 1_243_049);
    let both = json!({"timeout": true, "script_version_id": 0});
    assert_eq!(verdict(&standin, both).await, (1_240_003, "Bad Request".into()));
    let both = json!({"timeout": 0, "script_version_id": 0});
    assert!(verdict(&standin, both).await.1.starts_with("Job timeout"));
    let both = json!({"script_version_id": 404, "account_id": 404});
    assert_eq!(verdict(&standin, both).await.0, 1_243_001);
}

#[tokio::test]
async fn what_iam_forbids_comes_with_a_permission_block() {
    let guarded = Account { id: 3000, alias: "dba".into(), users: Some(vec!["carol".into()]) };
    let mut business = Business::new(3).members(["carol"]);
    business.accounts.push(guarded.clone());
    let mut open = Business::new(4);
    open.accounts.push(guarded);
    let standin = Standin::start(World::default().business(business).business(open)).await.unwrap();
    for (changes, action, kind) in [
        (json!({"bk_biz_id": 3}), "access_business", "biz"),
        (
            json!({"bk_biz_id": 4, "account_id": 3000, "script_version_id": null}),
            "use_account",
            "account",
        ),
    ] {
        let answer = run(&standin, &sample_with(changes)).await.json();
        assert_eq!((&answer["code"], &answer["result"]), (&json!(9_900_403), &json!(false)));
        let permission = &answer["permission"];
        assert_eq!(permission["system_id"], "bk_job");
        assert_eq!(permission["actions"][0]["id"], action);
        let resources = &permission["actions"][0]["related_resource_types"][0];
        assert_eq!(resources["type"], kind);
        assert_eq!(resources["instances"][0].as_array().unwrap().last().unwrap()["type"], kind);
        assert!(answer["message"].as_str().unwrap().starts_with("User (admin)"));
    }
}

#[tokio::test]
async fn messages_follow_the_language() {
    let standin = standin().await;
    let body = sample_with(json!({"bk_biz_id": 99})).to_string();
    for (line, text) in [
        ("Blueking-Language: en", "Business/Business Set not exist or archived"),
        ("Blueking-Language: zh-hans", "业务/业务集不存在或已被归档"),
        ("X-None: 1", "Business/Business Set not exist or archived"),
    ] {
        let bytes = request("POST", RUN, &[line], body.as_bytes());
        assert_eq!(send(standin.esb_addr(), &bytes).await.message(), text);
    }
}

#[tokio::test]
async fn a_pending_job_starts_once() {
    let standin = standin().await;
    assert_eq!(verdict(&standin, json!({"start_task": false})).await.0, 0);
    assert_eq!((standin.history().jobs().len(), standin.history().run_count()), (1, 0));
    let ask = identified(json!({"job_instance_id": 10000}));
    let pending = call(&standin, STATUS, &ask).await.json();
    assert_eq!(pending["data"]["job_instance"]["status"], 1);
    assert_eq!(pending["data"]["finished"], false);
    let start = identified(json!({"job_instance_id": 10000, "operation_code": 2}));
    let reply = call(&standin, OPERATE, &start).await.json();
    assert_eq!(reply["data"], json!({"job_instance_id": 10000}));
    assert_eq!((standin.history().run_count(), standin.history().runs().len()), (1, 1));
    assert_eq!(call(&standin, OPERATE, &start).await.code(), Some(1_241_015));
    assert_eq!(standin.history().run_count(), 1);
    let done = call(&standin, STATUS, &ask).await.json();
    assert_eq!(
        (&done["data"]["finished"], &done["data"]["job_instance"]["status"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(done["data"]["step_instance_list"][0]["step_instance_id"], 1_010_000);
}

#[tokio::test]
async fn operating_needs_a_job_of_the_business_and_a_known_code() {
    let world = World { status_after_start: 2, ..World::default() };
    let standin = Standin::start(world).await.unwrap();
    run(&standin, &sample()).await;
    for (more, code) in [
        (json!({"job_instance_id": 10001, "operation_code": 2}), 1_244_006),
        (json!({"job_instance_id": 9999, "operation_code": 2}), 1_244_006),
        (json!({"job_instance_id": 10000, "operation_code": 2, "bk_biz_id": 2}), 1_244_006),
        (json!({"job_instance_id": 10000, "operation_code": 3}), 1_241_002),
        (json!({"operation_code": 2}), 1_241_002),
        (json!({"job_instance_id": 10000}), 1_241_002),
        (json!({"job_instance_id": 10000, "operation_code": 1}), 0),
        (json!({"job_instance_id": 10000, "operation_code": 1}), 1_241_003),
    ] {
        assert_eq!(
            call(&standin, OPERATE, &identified(more.clone())).await.code(),
            Some(code),
            "{more}"
        );
    }
    let ask = identified(json!({"job_instance_id": 10000, "return_ip_result": true}));
    let ended = call(&standin, STATUS, &ask).await.json();
    assert_eq!(ended["data"]["job_instance"]["status"], 11);
    assert_eq!(ended["data"]["step_instance_list"][0]["step_ip_result_list"][1]["ip"], "10.0.0.2");
}

#[tokio::test]
async fn a_null_start_saves_the_job_and_fails() {
    let standin = standin().await;
    for value in [json!(null), json!("")] {
        let mut body = sample();
        body["start_task"] = value;
        assert_eq!(run(&standin, &body).await.code(), Some(1_240_002));
    }
    assert_eq!((standin.history().jobs().len(), standin.history().run_count()), (2, 0));
    let rolling = json!({"rolling_config": {"expression": "0"}});
    assert_eq!(verdict(&standin, rolling).await.0, 1_244_026);
    assert_eq!((standin.history().jobs().len(), standin.history().run_count()), (3, 0));
}

#[tokio::test]
async fn an_older_job_ignores_start_task_and_runs() {
    let world = World { knows_start_task: false, ..World::default() };
    let standin = Standin::start(world).await.unwrap();
    assert_eq!(verdict(&standin, json!({"start_task": false})).await.0, 0);
    assert_eq!(standin.history().run_count(), 1);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_user_and_name() {
    let standin = Standin::start(World::default().token("yyy", "bob")).await.unwrap();
    for (token, name) in [("xxx", "one"), ("xxx", "two"), ("yyy", "two")] {
        verdict(&standin, json!({"bk_token": token, "task_name": name})).await;
    }
    let made = standin.history().jobs()[0].create_time;
    let window = json!({"create_time_start": made - 1000, "create_time_end": made + 60_000});
    let list = async |more: Value| -> Reply {
        let mut body = identified(window.clone());
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&standin, LIST, &body).await
    };
    let all = list(json!({})).await.json();
    assert_eq!((&all["data"]["total"], &all["data"]["length"]), (&json!(3), &json!(20)));
    assert_eq!(all["data"]["data"][0]["job_instance_id"], 10002);
    let found =
        list(json!({"operator": "admin", "name": "two", "type": 1, "launch_mode": 2})).await.json();
    assert_eq!(found["data"]["total"], 1);
    let row = &found["data"]["data"][0];
    assert_eq!(
        (&row["job_instance_id"], &row["operator"], &row["bk_scope_id"]),
        (&json!(10001), &json!("admin"), &json!("1"))
    );
    let page = list(json!({"start": 1, "length": 1})).await.json();
    assert_eq!(page["data"]["data"][0]["job_instance_id"], 10001);
    assert_eq!(list(json!({"bk_biz_id": 2})).await.json()["data"]["total"], 0);
    assert_eq!(list(json!({"create_time_start": 0})).await.code(), Some(1_241_002));
    assert_eq!(list(json!({"create_time_end": null})).await.code(), Some(1_241_002));
}

#[tokio::test]
async fn ids_may_be_too_long_for_a_float() {
    let options = Options { first_job_id: 9_007_199_254_740_993, ..Options::default() };
    let standin = Standin::start(options).await.unwrap();
    let text = String::from_utf8(run(&standin, &sample()).await.body).unwrap();
    assert!(text.contains("\"job_instance_id\": 9007199254740993"), "{text}");
}

#[tokio::test]
async fn an_app_of_ones_own_world_runs_too() {
    let world = World::empty()
        .app(App::new("team", "old").secret("new"))
        .token("t", "dora")
        .business(Business::new(7).account(70, "app").members(["dora"]))
        .script(Script::public("s").version(700, "date"));
    let standin = Standin::start(world).await.unwrap();
    for secret in ["old", "new"] {
        let changes = json!({"bk_app_code": "team", "bk_app_secret": secret, "bk_token": "t",
            "bk_biz_id": 7, "account_id": 70, "script_version_id": 700});
        assert_eq!(verdict(&standin, changes).await.0, 0);
    }
}
