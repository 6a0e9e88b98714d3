//! A call goes all the way in and back: what the ESB sees, what the journal says, what the caller gets.

use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_call_is_proved_journaled_sent_once_and_answered() {
    let gate = Gate::start().await;
    let answer = gate.call(&call()).await;
    assert_eq!((answer.status, &answer.body["result"]), (200, &json!(true)), "{}", answer.body);
    assert_eq!(answer.body["executed"], "yes");
    assert!(answer.body["data"]["job_instance_id"].is_i64());
    assert!(answer.head.contains("x-bkapi-ratelimit-limit: 1000"));
    assert!(!answer.head.contains("x-bkapi-error-code"));
    assert_eq!(gate.counts(), (1, 1, 1));
    let (intent, outcome) = (&gate.records("intent")[0], &gate.records("outcome")[0]);
    assert_eq!((&intent["app"], &intent["user"]), (&json!("team_app"), &json!("svc_deploy")));
    assert_eq!(outcome["job_instance_id"], answer.body["data"]["job_instance_id"]);
}

#[tokio::test]
async fn the_esb_sees_our_credential_one_user_key_and_nothing_else_of_the_caller() {
    let gate = Gate::start().await;
    let hostile = [
        ("X-Bkapi-Authorization", authorization("bk_username", "svc_deploy")),
        ("X-Bkapi-JWT", "a.b.c".into()),
        ("X_Bkapi_Jwt", "a.b.c".into()),
        ("X_Bkapi_Authorization", "{}".into()),
        ("Bk-Username", "root".into()),
        ("X-Request-Uri", "/evil".into()),
        ("X-Forwarded-For", "6.6.6.6".into()),
        ("Cookie", "bk_token=cookie-canary".into()),
        ("Blueking-Language", "zh-hans".into()),
        ("X-Team", "hostile-header-canary".into()),
    ];
    let headers: Vec<(&str, &str)> = hostile.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(gate.send(&headers, &call().to_string()).await.body["executed"], "yes");
    let requests = gate.standin.history().requests();
    assert_eq!(requests.len(), 1);
    let head = String::from_utf8(requests[0].head().to_vec()).unwrap().to_ascii_lowercase();
    let line = format!("post {PATH} http/1.1\r\n");
    assert!(head.starts_with(&line), "{head}");
    for absent in [
        "jwt",
        "x_bkapi",
        "bk-username",
        "x-request-uri",
        "6.6.6.6",
        "cookie",
        "hostile",
        "transfer-encoding",
    ] {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
    assert!(head.contains("blueking-language: zh-hans") && head.contains("content-length: "));
    assert!(!head.contains(KEY));
    let identity = requests[0].resolved().unwrap().identity.clone().unwrap();
    assert_eq!((identity.app.as_str(), identity.user.as_str()), ("ops_gateway", "svc_deploy"));
    let body: Value = serde_json::from_slice(requests[0].body()).unwrap();
    assert_eq!(body, call());
}

#[tokio::test]
async fn a_verified_token_is_passed_on_so_that_job_sees_a_verified_user() {
    let gate = Gate::start().await;
    for _ in 0..2 {
        let header = authorization("bk_token", TOKEN);
        let answer = gate.send(&[("X-Bkapi-Authorization", &header)], &call().to_string()).await;
        assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
    }
    let requests = gate.standin.history().requests();
    let head = String::from_utf8(requests[0].head().to_vec()).unwrap();
    assert!(head.contains(TOKEN) && !head.contains("bk_username"));
    assert_eq!(gate.standin.history().login_count(), 1, "the second call is served from the cache");
    assert_eq!(gate.records("intent")[0]["user"], "alice");
}

#[tokio::test]
async fn the_generated_sdks_request_without_content_type_and_with_identity_in_the_body_works() {
    let gate = Gate::start().await;
    let mut body = call();
    for (name, value) in [("bk_app_code", "team_app"), ("bk_app_secret", KEY), ("bk_token", TOKEN)]
    {
        body[name] = json!(value);
    }
    let answer = gate.send(&[("x-use-test-env", "0")], &body.to_string()).await;
    assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
    body["bk_token"] = json!("nobody");
    let answer = gate.send(&[], &body.to_string()).await;
    answer.is(401, "USER_VERIFY_FAILED", "no");
    assert!(answer.body["message"].is_string() && answer.body["data"].is_null());
}

#[tokio::test]
async fn the_legacy_dialect_puts_the_identity_into_the_body() {
    let gate = Gate::with(Files { kind: "esb-legacy", ..Files::default() }).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let request = &gate.standin.history().requests()[0];
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["bk_app_code"], "ops_gateway");
    let head = String::from_utf8(request.head().to_vec()).unwrap();
    assert!(!head.to_ascii_lowercase().contains("x-bkapi-authorization"));
}

#[tokio::test]
async fn a_client_that_offers_h2c_is_answered_in_http_1() {
    let gate = Gate::start().await;
    let header = authorization("bk_username", "svc_deploy");
    let offer = [
        ("X-Bkapi-Authorization", header.as_str()),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ];
    let answer = gate.send(&offer, &call().to_string()).await;
    assert_eq!((answer.status, &answer.body["executed"]), (200, &json!("yes")));
}

#[tokio::test]
async fn only_what_wins_reaches_the_esb() {
    let gate = Gate::start().await;
    let call = call_with(json!({"script_version_id": 7, "account_id": 1000}));
    assert_eq!(gate.call(&call).await.body["executed"], "yes");
    let body: Value = serde_json::from_slice(gate.standin.history().requests()[0].body()).unwrap();
    assert!(body.get("script_content").is_none() && body.get("account_alias").is_none());
    let losers = &gate.records("intent")[0]["losers"];
    assert_eq!(losers, &json!(["script_content", "script_language", "account_alias"]));
}

#[tokio::test]
async fn a_stop_writes_the_last_record_and_lets_nothing_run_on() {
    let gate = Gate::start().await;
    gate.call(&call()).await;
    let path = gate.running.journal_path();
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended);
    let text = std::fs::read_to_string(path.join("00000001.jsonl")).unwrap();
    let kinds: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    let all = ["start", "checkpoint", "reload", "intent", "outcome", "checkpoint", "stop"];
    assert_eq!(kinds, all);
}
