//! Routing, parameters and envelopes of the ESB.

use serde_json::{Value, json};

use super::raw::{OPERATE, RUN, call, post, request, run, sample, sample_with, send, standin};

#[tokio::test]
async fn the_documents_sample_call_succeeds() {
    let standin = standin().await;
    let reply = run(&standin, &sample()).await;
    let answer = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!((&answer["result"], &answer["code"]), (&json!(true), &json!(0)), "{answer}");
    assert_eq!(answer["message"], "");
    assert_eq!(answer["data"]["job_instance_id"], 10000);
    assert!(answer["data"]["step_instance_id"].is_i64());
    assert!(answer["data"]["job_instance_name"].as_str().unwrap().starts_with("Script Execution_"));
    for id in ["request_id", "job_request_id"] {
        let id = answer[id].as_str().unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    let [job] = &standin.history().runs()[..] else { panic!() };
    assert_eq!((job.user.as_str(), job.app.as_str()), ("admin", "esb_test"));
    assert_eq!((job.script.as_str(), job.params.as_deref()), ("echo $1", Some("hello")));
}

#[tokio::test]
async fn answers_carry_the_headers_of_the_esb_and_close() {
    let standin = standin().await;
    let reply = run(&standin, &sample()).await;
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(reply.header("vary"), Some("Accept-Language, Cookie"));
    for name in ["server", "date", "x-frame-options", "content-language"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
    assert!(!reply.head.to_lowercase().contains("x-bkapi"));
    assert_eq!(reply.header("content-length").unwrap(), reply.body.len().to_string());
}

#[tokio::test]
async fn the_order_of_members_varies() {
    let standin = standin().await;
    let mut first = std::collections::HashSet::new();
    // Seven members in random order: the same one first sixty times does not happen.
    for _ in 0..60 {
        let reply = run(&standin, &sample()).await;
        first.insert(String::from_utf8(reply.body).unwrap().chars().take(7).collect::<String>());
    }
    assert!(first.len() > 1, "{first:?}");
}

#[tokio::test]
async fn text_beyond_ascii_is_raw_utf8() {
    let standin = standin().await;
    let bytes =
        request("POST", RUN, &["Blueking-Language: zh-hans"], sample().to_string().as_bytes());
    let reply = send(standin.esb_addr(), &bytes).await;
    assert!(String::from_utf8(reply.body).unwrap().contains("快速执行脚本_"));
}

#[tokio::test]
async fn get_runs_as_post_does_and_other_methods_find_nothing() {
    let standin = standin().await;
    run(&standin, &sample_with(json!({"start_task": false}))).await;
    let query = "bk_app_code=esb_test&bk_app_secret=xxx&bk_token=xxx&bk_biz_id=1&job_instance_id=10000&operation_code=2";
    let target = format!("{OPERATE}?{query}");
    let reply = send(standin.esb_addr(), &request("GET", &target, &[], b"")).await;
    assert_eq!(reply.code(), Some(0), "{reply:?}");
    assert_eq!(standin.history().run_count(), 1);
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        let reply = send(standin.esb_addr(), &request(method, RUN, &[], b"")).await;
        assert_eq!(reply.status, 404, "{method}");
        let expected =
            json!({"result": false, "data": null, "message": "The content does not exist"});
        assert_eq!(reply.json(), expected);
    }
    let reply = send(standin.esb_addr(), &request("HEAD", RUN, &[], b"")).await;
    assert_eq!((reply.status, reply.body.len()), (404, 0));
}

#[tokio::test]
async fn a_form_and_a_multipart_form_run_jobs_too() {
    let standin = standin().await;
    for id in [10000, 10001] {
        run(&standin, &sample_with(json!({"start_task": false}))).await;
        let fields = [("bk_app_code", "esb_test"), ("bk_app_secret", "xxx"), ("bk_token", "xxx")];
        let id = id.to_string();
        let fields = fields.into_iter().chain([
            ("bk_biz_id", "9"),
            ("bk_biz_id", "1"),
            ("operation_code", "2"),
            ("job_instance_id", id.as_str()),
        ]);
        let bytes = if id == "10000" {
            let body: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
            let line = "Content-Type: application/x-www-form-urlencoded";
            request("POST", OPERATE, &[line], body.join(";").as_bytes())
        } else {
            let part = |(name, value)| {
                format!(
                    "--mark\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                )
            };
            let body = fields.map(part).collect::<String>() + "--mark--\r\n";
            let line = "Content-Type: multipart/form-data; boundary=mark";
            request("POST", OPERATE, &[line], body.as_bytes())
        };
        assert_eq!(send(standin.esb_addr(), &bytes).await.code(), Some(0), "{id}");
    }
    assert_eq!(standin.history().run_count(), 2);
}

#[tokio::test]
async fn a_body_that_starts_with_a_brace_is_json_whatever_its_type() {
    let standin = standin().await;
    let body = format!(" \r\n{}", sample());
    for line in
        ["Content-Type: application/x-www-form-urlencoded", "Content-Type: text/plain", "X-None: 1"]
    {
        let bytes = request("POST", RUN, &[line], body.as_bytes());
        assert_eq!(send(standin.esb_addr(), &bytes).await.code(), Some(0), "{line}");
    }
    let utf16: Vec<u8> = body.trim().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reply = send(standin.esb_addr(), &request("POST", RUN, &[], &utf16)).await;
    assert_eq!(reply.code(), Some(0));
}

#[tokio::test]
async fn any_other_body_is_no_parameters() {
    let standin = standin().await;
    let object = sample().to_string();
    for body in [String::new(), format!("[{object}]"), format!("\u{feff}{object}"), "a=b".into()] {
        let bytes = request(
            "POST",
            &format!("{RUN}?bk_app_code=esb_test&bk_app_secret=xxx"),
            &[],
            body.as_bytes(),
        );
        let reply = send(standin.esb_addr(), &bytes).await;
        assert_eq!(reply.code(), Some(1_306_000));
        assert!(reply.message().starts_with("Signature [bk_signature] and APP Secret"), "{body}");
        assert!(reply.json()["request_id"].is_string());
    }
}

#[tokio::test]
async fn the_last_of_two_names_is_the_one_that_runs() {
    let standin = standin().await;
    let body = sample_with(json!({"script_version_id": null, "script_content": null})).to_string();
    let twins = r#","script_content":"Zmlyc3Q=","script_c\u006fntent":"bGFzdA=="}"#;
    let body = body.strip_suffix('}').unwrap().to_owned() + twins;
    let reply = send(standin.esb_addr(), &request("POST", RUN, &[], body.as_bytes())).await;
    assert_eq!(reply.code(), Some(0));
    assert_eq!(standin.history().runs()[0].script, "last");
}

#[tokio::test]
async fn broken_json_shows_no_request_id() {
    let standin = standin().await;
    for body in ["{", "{\"a\":1,}", "{\"a\":01}", "{} x"] {
        let reply = send(standin.esb_addr(), &request("POST", RUN, &[], body.as_bytes())).await;
        assert_eq!((reply.status, reply.code()), (200, Some(1_306_000)));
        assert!(reply.message().starts_with("Request JSON string is wrong in format"));
        assert_eq!(reply.json().get("request_id"), None);
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let reply = send(standin.esb_addr(), &request("POST", RUN, &[], deep.as_bytes())).await;
    assert!(reply.message().starts_with("Component error"));
}

#[tokio::test]
async fn job_refuses_the_infinities_that_the_esb_takes() {
    let standin = standin().await;
    for number in ["NaN", "-Infinity", "1e400"] {
        let body = sample().to_string();
        let body = format!("{},\"x\":{number}}}", body.strip_suffix('}').unwrap());
        let reply = send(standin.esb_addr(), &request("POST", RUN, &[], body.as_bytes())).await;
        assert_eq!((reply.code(), reply.message()), (Some(1_240_003), "Bad Request".into()));
    }
}

#[tokio::test]
async fn job_gets_everything_but_the_identity_keys() {
    let standin = standin().await;
    let extra = json!({"access_token": "a", "bk_ticket": "t", "operator": "o", "password": "p", "username": "u",
        "bk_supplier_account": "0", "app_code": "x"});
    assert_eq!(run(&standin, &sample_with(extra)).await.code(), Some(0));
    let requests = standin.history().requests();
    let resolved = requests[0].resolved().unwrap();
    let sent = &resolved.sent_to_job;
    for name in ["access_token", "bk_ticket", "operator", "password", "script_param"] {
        assert!(sent.contains_key(name), "{name}");
    }
    for name in ["bk_app_secret", "bk_token", "username", "app_code", "bk_supplier_account"] {
        assert!(!sent.contains_key(name), "{name}");
    }
    assert_eq!((&sent["bk_username"], &sent["bk_app_code"]), (&json!("admin"), &json!("esb_test")));
    assert_eq!(resolved.params["bk_token"], "xxx");
}

#[tokio::test]
async fn shut_doors_and_unknown_names_say_so() {
    let standin = standin().await;
    let buffet = RUN.replace("compapi", "self-service-api");
    let reply = call(&standin, &buffet, &sample()).await;
    assert_eq!((reply.status, reply.code()), (200, Some(1_306_405)));
    assert_eq!(reply.message(), "Not found, inactive buffet component");
    assert_eq!(reply.json().get("request_id"), None);
    for name in ["no_such_component", "Fast_execute_script"] {
        let target = RUN.replace("fast_execute_script", name);
        let reply = call(&standin, &target, &sample()).await;
        assert_eq!((reply.status, reply.code()), (404, None));
    }
    assert_eq!(standin.history().run_count(), 0);
}

#[tokio::test]
async fn other_components_answer_a_plain_success_after_the_same_checks() {
    let standin = standin().await;
    let target = RUN.replace("fast_execute_script", "get_account_list");
    let reply = call(&standin, &target, &sample()).await;
    assert_eq!((reply.code(), &reply.json()["data"]["data"]), (Some(0), &json!([])));
    let target = RUN.replace("fast_execute_script", "save_cron");
    assert_eq!(call(&standin, &target, &sample()).await.json()["data"]["name"], "nightly");
    let target = RUN.replace("fast_execute_script", "get_job_plan_detail");
    let plan = call(&standin, &target, &sample()).await.json();
    let step = &plan["data"]["step_list"][1]["script_info"];
    assert_eq!(step["is_param_sensitive"], 1);
    assert_eq!(step["script_param"], "c2Vuc2l0aXZlLXBhcmFtLWNhbmFyeQ==", "in clear, as JOB does");
    let target = RUN.replace("fast_execute_script", "delete_cron");
    let nowhere = sample_with(json!({"bk_biz_id": 404}));
    assert_eq!(call(&standin, &target, &nowhere).await.code(), Some(1_243_049));
    let target = RUN.replace("fast_execute_script", "callback_protocol");
    assert_eq!(call(&standin, &target, &sample()).await.json()["result"], false);
    assert_eq!(call(&standin, &target, &json!({})).await.code(), Some(1_306_000));
}

#[tokio::test]
async fn a_test_environment_has_no_host() {
    let standin = standin().await;
    for (value, code) in [("1", 1_306_206), ("true", 1_306_206), ("0", 0), ("", 0), ("False", 0)] {
        let line = format!("X-Use-Test-Env: {value}");
        let bytes = request("POST", RUN, &[&line], sample().to_string().as_bytes());
        assert_eq!(send(standin.esb_addr(), &bytes).await.code(), Some(code), "{value}");
    }
}

#[tokio::test]
async fn incoming_request_ids_are_ignored() {
    let standin = standin().await;
    let lines = ["X-Request-ID: mine", "X-Bkapi-Request-Id: mine"];
    let bytes = request("POST", RUN, &lines, sample().to_string().as_bytes());
    let answer: Value = send(standin.esb_addr(), &bytes).await.json();
    assert_ne!(answer["request_id"], "mine");
    assert_ne!(answer["request_id"], run(&standin, &sample()).await.json()["request_id"]);
}

#[tokio::test]
async fn a_path_variant_reaches_job() {
    let standin = standin().await;
    for target in
        [RUN.trim_end_matches('/'), "/api/c/compapi//v2%2Fjobv3/fast%5Fexecute_script//%0a"]
    {
        let reply = send(standin.esb_addr(), &post(target, &sample())).await;
        assert_eq!(reply.code(), Some(0), "{target}");
    }
    assert_eq!(standin.history().run_count(), 2);
}
