//! What the gateway refuses: status, code, `executed`, what ran, what is on record.

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn what_no_grant_covers_is_refused_where_it_stands() {
    let gate = Gate::start().await;
    for (change, code, path) in [
        (json!({"bk_biz_id": 3}), "BUSINESS_NOT_ALLOWED", "bk_biz_id"),
        (json!({"account_alias": "Administrator"}), "ACCOUNT_NOT_ALLOWED", "account_alias"),
        (json!({"script_language": 3}), "SCRIPT_NOT_ALLOWED", "script_content"),
        (
            json!({"target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}, {"bk_cloud_id": 0, "ip": "192.168.0.1"}]}}),
            "TARGET_NOT_ALLOWED",
            "target_server.ip_list[1].ip",
        ),
        (
            json!({"target_server": {"ip_list": [{"bk_cloud_id": 7, "ip": "10.0.0.1"}]}}),
            "TARGET_NOT_ALLOWED",
            "target_server.ip_list[0].bk_cloud_id",
        ),
        (
            json!({"target_server": {"dynamic_group_list": [{"id": "g"}]}}),
            "TARGET_NOT_ALLOWED",
            "target_server.dynamic_group_list[0].id",
        ),
        (
            json!({"callback_url": "https://evil.example.com/"}),
            "CALLBACK_NOT_ALLOWED",
            "callback_url",
        ),
    ] {
        let answer = gate.call(&call_with(change)).await;
        answer.is(403, code, "no");
        assert_eq!(answer.body["faults"][0]["path"], path);
    }
    assert_eq!(gate.counts(), (0, 0, 0));
    assert_eq!(gate.refusals_after_stop().await, 7);
}

#[tokio::test]
async fn all_faults_of_a_call_come_in_one_answer_in_the_callers_language() {
    let gate = Gate::start().await;
    let body =
        call_with(json!({"timeout": 0, "script_content": "!!", "acount_alias": "x"})).to_string();
    let header = authorization("bk_username", "svc_deploy");
    let headers = [("X-Bkapi-Authorization", header.as_str()), ("Blueking-Language", "zh-hans")];
    let answer = gate.send(&headers, &body).await;
    answer.is(400, "INVALID_ARGS", "no");
    let paths: Vec<&str> = answer.body["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["path"].as_str().unwrap())
        .collect();
    assert!(
        ["timeout", "script_content", "acount_alias"].iter().all(|p| paths.contains(p)),
        "{paths:?}"
    );
    assert!(!answer.body["message"].as_str().unwrap().is_ascii());
    assert!(answer.body["faults"].to_string().contains("account_alias"));
}

#[tokio::test]
async fn a_head_that_may_not_be_judged_is_refused_before_anything_is_believed() {
    let gate = Gate::start().await;
    let header = authorization("bk_username", "svc_deploy");
    let body = call().to_string();
    for (name, value, status, code) in [
        ("Content-Encoding", "gzip", 400, "BAD_HEADER"),
        ("X-Use-Test-Env", "true", 400, "BAD_HEADER"),
        ("Upgrade", "websocket", 400, "BAD_HEADER"),
        ("Content-Type", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("X-Bkapi-Authorization", "{}", 400, "BAD_HEADER"),
        ("Idempotency-Key", "k", 503, "IDEMPOTENCY_UNAVAILABLE"),
    ] {
        let answer = gate.send(&[("X-Bkapi-Authorization", &header), (name, value)], &body).await;
        answer.is(status, code, "no");
    }
    for (line, status, code) in [
        (format!("GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"), 405, "METHOD_NOT_ALLOWED"),
        (format!("POST {PATH}?a=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"), 400, "QUERY_NOT_ALLOWED"),
        (format!("POST {PATH} HTTP/1.1\r\nHost: other.example\r\n"), 400, "HOST_NOT_ALLOWED"),
        (format!("POST {PATH} HTTP/1.1\r\n"), 400, "HOST_NOT_ALLOWED"),
        (
            "POST /api/c/compapi/v2/jobv3/other/ HTTP/1.1\r\nHost: 127.0.0.1\r\n".into(),
            404,
            "API_NOT_FOUND",
        ),
        (format!("POST {PATH}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"), 404, "API_NOT_FOUND"),
    ] {
        let text = gate.raw(format!("{line}Content-Length: 0\r\n\r\n").as_bytes()).await;
        Answer::read(&text).is(status, code, "no");
    }
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn a_spent_budget_of_calls_is_told_with_when_the_next_one_fits() {
    let small = "    calls: {per_second: 1, burst: 2, in_flight: 5}\n";
    let gate = Gate::with(Files { policy: policy(small, ALLOW), ..Files::default() }).await;
    for _ in 0..2 {
        assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    }
    let answer = gate.call(&call()).await;
    answer.is(429, "RATE_LIMIT_RESTRICTION", "no");
    assert!(answer.head.contains("retry-after: 1"));
    assert_eq!(gate.counts(), (2, 2, 2));
}

#[tokio::test]
async fn host_runs_are_paid_and_a_call_over_its_ceiling_is_refused() {
    let small = "    hosts: {per_call: 2, per_minute: 1, burst: 3}\n";
    let gate = Gate::with(Files { policy: policy(small, ALLOW), ..Files::default() }).await;
    let hosts = |n: u8| {
        let list: Vec<_> =
            (1..=n).map(|i| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{i}")})).collect();
        call_with(json!({"target_server": {"ip_list": list}}))
    };
    gate.call(&hosts(3)).await.is(429, "HOSTS_PER_CALL_EXCEEDED", "no");
    assert_eq!(gate.call(&hosts(2)).await.body["executed"], "yes");
    gate.call(&hosts(2)).await.is(429, "HOST_BUDGET_SPENT", "no");
    assert_eq!(gate.call(&hosts(1)).await.body["executed"], "yes");
    assert_eq!(gate.counts(), (2, 2, 2));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let gate =
        Gate::with(Files { boot_extra: "limits: {body: 1KiB}\n".into(), ..Files::default() }).await;
    let answer = gate.call(&call_with(json!({"task_name": "x".repeat(2000)}))).await;
    answer.is(413, "BODY_SIZE_LIMIT_EXCEED", "no");
}

#[tokio::test]
async fn an_application_may_ask_for_the_esbs_statuses() {
    let files = Files { policy: policy("    http_status: esb\n", ALLOW), ..Files::default() };
    let gate = Gate::with(files).await;
    gate.call(&call_with(json!({"bk_biz_id": 3}))).await.is(200, "BUSINESS_NOT_ALLOWED", "no");
}

#[tokio::test]
async fn a_refusal_of_a_known_application_keeps_the_connection() {
    let gate = Gate::start().await;
    let header = authorization("bk_username", "svc_deploy");
    let request = |body: String, extra: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Bkapi-Authorization: {header}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let refused = request(call_with(json!({"bk_biz_id": 3})).to_string(), "");
    let good = request(call().to_string(), "Connection: close\r\n");
    let text = gate.raw(format!("{refused}{good}").as_bytes()).await;
    let statuses: Vec<&str> = text.matches("HTTP/1.1 ").collect();
    assert_eq!(statuses.len(), 2, "{text}");
    assert!(text.starts_with("HTTP/1.1 403") && text.contains("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn what_follows_an_unknown_caller_on_its_connection_is_not_read() {
    let gate = Gate::start().await;
    let good = authorization("bk_username", "svc_deploy");
    let request = |header: &str| {
        let body = call().to_string();
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Bkapi-Authorization: {header}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let text = gate.raw(format!("{}{}", request("{}"), request(&good)).as_bytes()).await;
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn a_pattern_vouches_for_whole_names_alone() {
    let pattern = "{pattern: \"svc_[a-z]+\"}";
    let policy = policy("", ALLOW).replace("[svc_deploy]", &format!("[svc_deploy, {pattern}]"));
    let gate = Gate::with(Files { policy, ..Files::default() }).await;
    for (user, allowed) in [
        ("svc_deploy", true),
        ("svc_nightly", true),
        // The exemption that names it has ended; the pattern's has not.
        ("svc_old", true),
        ("svc_", false),
        ("svc_nightly2", false),
        ("xsvc_nightly", false),
        ("mallory", false),
    ] {
        let header = authorization("bk_username", user);
        let headers = [("X-Bkapi-Authorization", header.as_str())];
        let answer = gate.send(&headers, &call().to_string()).await;
        if allowed {
            assert_eq!(answer.body["executed"], "yes", "{user}: {}", answer.body);
        } else {
            answer.is(401, "USER_NOT_EXEMPT", "no");
        }
    }
    let users = gate.records("intent").into_iter().map(|intent| intent["user"].clone());
    assert_eq!(users.collect::<Vec<_>>(), ["svc_deploy", "svc_nightly", "svc_old"]);
}
