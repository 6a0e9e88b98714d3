//! Risks of what a call is taken to say, and of what comes back.

use esbgate_standin::{EsbError, Fault};
use serde_json::{Value, json};

use super::door::*;
use crate::support::*;

#[tokio::test]
async fn risk_07_a_name_that_stands_twice_has_no_second_meaning() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("svc_deploy").to_string(), mine().to_string());
    for twin in ["bk_biz_id", r"\u0062k_biz_id"] {
        let text = call().to_string();
        let text = format!("{},\"{twin}\":1}}", text.strip_suffix('}').unwrap());
        assert_eq!(door.esb(post(&[(AUTHORIZATION, &boss)], &text).as_bytes()).await, [MINE]);
        let runs = door.gate.standin.history().runs();
        assert_eq!(runs.last().unwrap().business, 1, "the last one wins at the ESB");
        let twice = post(&[(AUTHORIZATION, &mine)], &text);
        door.refused(twice.as_bytes(), 400, "MALFORMED_BODY").await;
    }
    let double = |identity: &str| format!("{{\"bk_username\":\"x\",{}", identity.get(1..).unwrap());
    assert_eq!(door.esb(&bytes(&[(AUTHORIZATION, &double(&boss))], &call())).await, [MINE]);
    let twice = bytes(&[(AUTHORIZATION, &double(&mine))], &call());
    door.refused(&twice, 400, "INVALID_ARGS").await;
}

#[tokio::test]
async fn risk_08_json_in_utf_16_or_32_is_seen_and_refused() {
    let mut door = Door::open().await;
    let line = format!("POST {PATH}");
    let wide = |text: &Value, utf32: bool| -> Vec<u8> {
        let text = text.to_string();
        if utf32 {
            text.chars().flat_map(|each| u32::from(each).to_le_bytes()).collect()
        } else {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
    };
    for utf32 in [false, true] {
        let naked = request(&line, &[], &wide(&with_identity(boss("mallory")), utf32));
        assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"]);
        let body = wide(&with_identity(mine()), utf32);
        door.refused(&request(&line, &[], &body), 400, "MALFORMED_BODY").await;
    }
}

#[tokio::test]
async fn risk_09_what_names_no_json_is_refused_and_what_leaves_names_it() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("mallory").to_string(), mine().to_string());
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let naked = bytes(&[(AUTHORIZATION, &boss), ("Content-Type", kind)], &call());
        assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"]);
        let named = bytes(&[(AUTHORIZATION, &mine), ("Content-Type", kind)], &call());
        door.refused(&named, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
    assert_eq!(door.gate(&bytes(&[(AUTHORIZATION, &mine)], &call())).await.1, [MINE]);
    assert!(door.last().0.contains("content-type: application/json\r\n"));
}

#[tokio::test]
async fn risk_10_no_form_and_no_charset_is_read() {
    let mut door = Door::open().await;
    let line = format!("POST {PATH}");
    let form = "application/x-www-form-urlencoded";
    let text = format!("bk_app_code=ops_gateway;bk_app_secret={ESB_SECRET};bk_username=mallory");
    door.esb(&request(&line, &[("Content-Type", form)], text.as_bytes())).await;
    let identity = door.gate.standin.history().requests()[0].resolved().unwrap().identity.clone();
    assert_eq!(identity.unwrap().user, "mallory", "the ESB reads `;` as `&`");
    let text = format!("bk_app_code=team_app;bk_app_secret={KEY};bk_username=svc_deploy");
    for (kind, status, code) in [
        (form, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json; charset=utf-16", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json; charset=utf-7", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json", 400, "MALFORMED_BODY"),
    ] {
        door.refused(&request(&line, &[("Content-Type", kind)], text.as_bytes()), status, code)
            .await;
    }
}

#[tokio::test]
async fn risk_11_no_query_flips_how_the_application_is_checked() {
    let mut door = Door::open().await;
    let nobody = with_identity(json!({"bk_app_code": "ops_gateway", "bk_username": "mallory"}));
    let nobody = nobody.to_string();
    let line = format!("POST {PATH}?bk_signature=x&__esb_skip_signature__=1");
    let naked = request(&line, &[], nobody.as_bytes());
    assert_eq!(door.esb(&naked).await, ["BYPASSED for mallory"]);
    let header = mine().to_string();
    for query in ["bk_signature=x&__esb_skip_signature__=1", "a=b", "__esb_skip_comp_perm__=1"] {
        let line = format!("POST {PATH}?{query}");
        let asked = request(&line, &[(AUTHORIZATION, &header)], call().to_string().as_bytes());
        door.refused(&asked, 400, "QUERY_NOT_ALLOWED").await;
    }
}

#[tokio::test]
async fn risk_16_no_spelling_of_the_path_runs_but_two_and_one_constant_leaves() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("mallory").to_string(), mine().to_string());
    let body = call().to_string();
    let base = PATH.trim_end_matches('/');
    for target in [
        format!("{base}///"),
        base.replace("compapi/", "compapi//"),
        base.replace("fast_execute", "fast%5Fexecute"),
        base.replace("v2/", "v2%2F"),
        format!("{base}/%0a"),
        base.replace("/api", "/%61pi"),
    ] {
        let line = format!("POST {target}");
        let naked = request(&line, &[(AUTHORIZATION, &boss)], body.as_bytes());
        assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"], "{target}");
        let asked = request(&line, &[(AUTHORIZATION, &mine)], body.as_bytes());
        door.refused(&asked, 404, "API_NOT_FOUND").await;
    }
    for target in [base.to_owned(), PATH.to_owned(), format!("http://127.0.0.1{PATH}")] {
        let line = format!("POST {target}");
        let asked = request(&line, &[(AUTHORIZATION, &mine)], body.as_bytes());
        assert_eq!(door.gate(&asked).await.1, [MINE], "{target}");
        assert!(door.last().0.starts_with(&format!("post {PATH} http/1.1\r\n")));
    }
}

#[tokio::test]
async fn risk_17_framing_is_strict_on_the_way_in_and_a_length_on_the_way_out() {
    let mut door = Door::open().await;
    let chunked = |identity: Value, more: &str| {
        let body = with_identity(identity).to_string();
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{more}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    assert!(door.esb(chunked(boss("x"), "").as_bytes()).await.is_empty(), "no body to the ESB");
    assert_eq!(door.gate(chunked(mine(), "").as_bytes()).await.1, [MINE]);
    let (head, body) = door.last();
    assert!(head.contains("content-length: ") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, call());
    for more in ["Transfer-Encoding: identity\r\n", "Transfer-Encoding: gzip\r\n"] {
        door.refused(chunked(mine(), more).as_bytes(), 400, "BAD_FRAMING").await;
    }
    let body = with_identity(boss("mallory")).to_string();
    let line = format!("POST {PATH}");
    let length = body.len().to_string();
    let two = String::from_utf8(request(&line, &[("Content-Length", &length)], body.as_bytes()));
    let two = two.unwrap().replacen(&format!("Content-Length: {length}"), "Content-Length: 2", 1);
    assert_eq!(door.esb(two.as_bytes()).await, ["ops_gateway for mallory"], "the last one wins");
    assert!(door.gate.raw(two.as_bytes()).await.starts_with("HTTP/1.1 400 "));
    assert!(door.ran().is_empty());
}

#[tokio::test]
async fn risk_18_headers_that_steer_the_esb_are_not_the_callers() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("x").to_string(), mine().to_string());
    let steered = |identity: &str, name: &str, value: &str| {
        bytes(&[(AUTHORIZATION, identity), (name, value)], &call())
    };
    for name in ["X-Use-Test-Env", "X_Use_Test_Env"] {
        assert!(door.esb(&steered(&boss, name, "true")).await.is_empty(), "another environment");
    }
    door.refused(&steered(&mine, "X-Use-Test-Env", "true"), 400, "BAD_HEADER").await;
    for (name, value) in [
        ("X_Use_Test_Env", "true"),
        ("X-Request-Uri", "/elsewhere"),
        ("X-Forwarded-Host", "elsewhere"),
    ] {
        assert_eq!(door.gate(&steered(&mine, name, value)).await.1, [MINE], "{name}");
        let (head, _) = door.last();
        assert!(!head.contains(&name.to_ascii_lowercase()) && !head.contains(value), "{head}");
    }
    assert_eq!(door.gate(&steered(&mine, "X-Forwarded-For", "6.6.6.6")).await.1, [MINE]);
    let (head, _) = door.last();
    assert_eq!(head.matches("x-forwarded-for: ").count(), 1, "{head}");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
}

#[tokio::test]
async fn risk_20_no_unknown_key_reaches_job() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("svc_deploy").to_string(), mine().to_string());
    let unknown = json!({"password": "p", "bk_ticket": "t", "operator": "root", "jwt": "j"});
    let body = with_identity(unknown);
    let reached = |door: &Door| {
        let requests = door.gate.standin.history().requests();
        let sent = &requests.last().unwrap().resolved().unwrap().sent_to_job;
        ["password", "bk_ticket", "operator", "jwt"].iter().any(|name| sent.contains_key(*name))
    };
    assert_eq!(door.esb(&bytes(&[(AUTHORIZATION, &boss)], &body)).await, [MINE]);
    assert!(reached(&door));
    let asked = bytes(&[(AUTHORIZATION, &mine)], &body);
    door.refused(&asked, 400, "INVALID_ARGS").await;
    let policy = policy("    unknown_fields: drop\n", ALLOW);
    let mut door = Door::with(Files { policy, ..Files::default() }).await;
    assert_eq!(door.gate(&asked).await.1, [MINE]);
    assert!(!reached(&door));
}

#[tokio::test]
async fn risk_21_no_number_changes_on_its_way() {
    let mut door = Door::open().await;
    let (boss, mine) = (boss("svc_deploy").to_string(), mine().to_string());
    let with = |identity: &str, number: &str| {
        let text = call().to_string();
        let text = text.replacen('{', &format!("{{\"timeout\":{number},"), 1);
        post(&[(AUTHORIZATION, identity)], &text).into_bytes()
    };
    assert_eq!(door.esb(&with(&boss, "60.9")).await, [MINE], "JOB cuts the fraction off");
    for (number, code) in [
        ("60.9", "INVALID_ARGS"),
        ("6e1", "INVALID_ARGS"),
        ("1e400", "MALFORMED_BODY"),
        ("9223372036854775808", "INVALID_ARGS"),
        ("NaN", "MALFORMED_BODY"),
        ("Infinity", "MALFORMED_BODY"),
    ] {
        door.refused(&with(&mine, number), 400, code).await;
    }
    let big = r#"{"result":true,"code":0,"message":"","data":{"job_instance_id":9007199254740993,"step_instance_id":1}}"#;
    door.gate.standin.esb_faults().arm(Fault::json(200, big).once());
    let text = door.gate.raw(&with(&mine, "60")).await;
    assert!(text.contains("9007199254740993") && text.contains("\"executed\":\"yes\""), "{text}");
}

#[tokio::test]
async fn risk_22_a_failure_under_http_200_is_a_failure_and_a_wrong_secret_of_ours_is_counted() {
    let mut door = Door::open().await;
    door.gate.standin.change(|world| world.apps[0].secrets = vec!["rotated".into()]);
    let naked = bytes(&[(AUTHORIZATION, &boss("x").to_string())], &call());
    let said = exchange(door.gate.standin.esb_addr(), &naked).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains(r#""ok""#), "{said}");
    let asked = bytes(&[(AUTHORIZATION, &mine().to_string())], &call());
    let (answer, ran) = door.gate(&asked).await;
    assert_eq!((&answer.body["result"], &answer.body["executed"]), (&json!(false), &json!("no")));
    assert!(ran.is_empty());
    let outcome = &door.gate.records("outcome")[0];
    assert_eq!((&outcome["executed"], &outcome["outcome"]), (&json!("no"), &json!("failed")));
    let series = "esbgate_upstream_credential_refusals_total{credential=\"ops_gateway\"} 1";
    assert!(door.gate.metrics().await.contains(series));
}

#[tokio::test]
async fn risk_23_an_error_of_the_esb_gives_no_internals_away() {
    let door = Door::open().await;
    let asked = bytes(&[(AUTHORIZATION, &mine().to_string())], &call());
    let internal = "job-gateway.internal";
    let fault = || Fault::Refuse(EsbError::JobUserName).once();
    door.gate.standin.esb_faults().arm(fault());
    assert!(exchange(door.gate.standin.esb_addr(), &asked).await.contains(internal));
    door.gate.standin.esb_faults().arm(fault());
    let text = door.gate.raw(&asked).await;
    assert!(text.contains("1306201") && !text.contains(internal), "{text}");
}

#[tokio::test]
async fn risk_24_get_executes_nothing() {
    let mut door = Door::open().await;
    let query = format!("bk_app_code=ops_gateway&bk_app_secret={ESB_SECRET}&bk_username=mallory");
    exchange(door.gate.standin.esb_addr(), &request(&format!("GET {PATH}?{query}"), &[], b""))
        .await;
    let requests = door.gate.standin.history().requests();
    let identity = requests[0].resolved().unwrap().identity.clone().unwrap();
    assert_eq!(identity.user, "mallory", "the ESB takes a GET for a call");
    let header = mine().to_string();
    let body = call().to_string();
    for line in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let line = format!("{line} {PATH}");
        let asked = request(&line, &[(AUTHORIZATION, &header)], body.as_bytes());
        door.refused(&asked, 405, "METHOD_NOT_ALLOWED").await;
    }
    let queried = request(&format!("GET {PATH}?{query}"), &[(AUTHORIZATION, &header)], b"");
    door.refused(&queried, 405, "METHOD_NOT_ALLOWED").await;
}

#[tokio::test]
async fn risk_25_nothing_is_sent_twice_once_a_byte_may_have_left() {
    let mut door = Door::open().await;
    let asked = bytes(&[(AUTHORIZATION, &mine().to_string())], &call());
    for fault in [Fault::Close, Fault::Reset, Fault::Cut(40), Fault::ChunkedCut, Fault::html(503)] {
        door.gate.standin.esb_faults().arm(fault.once());
        let before = door.gate.standin.history().connection_count();
        let (answer, ran) = door.gate(&asked).await;
        answer.is(502, "BAD_GATEWAY", "unknown");
        assert_eq!(ran, [MINE], "once, although nobody could say so");
        assert_eq!(door.gate.standin.history().connection_count(), before + 1);
    }
}
