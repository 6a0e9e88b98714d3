//! Who is let in, and who is not: nobody without proof gets past, and an outage is never a verdict.

use esbgate_standin::Fault;
use serde_json::json;

use crate::support::*;

async fn as_caller(gate: &Gate, header: &serde_json::Value) -> Answer {
    gate.send(&[("X-Bkapi-Authorization", &header.to_string())], &call().to_string()).await
}

#[tokio::test]
async fn an_application_that_is_not_proved_is_refused_and_its_connection_closed() {
    let gate = Gate::start().await;
    for (header, code) in [
        (
            json!({"bk_app_code": "team_app", "bk_app_secret": "wrong", "bk_username": "svc_deploy"}),
            "APP_VERIFY_FAILED",
        ),
        (
            json!({"bk_app_code": "stranger", "bk_app_secret": KEY, "bk_username": "svc_deploy"}),
            "APP_VERIFY_FAILED",
        ),
        (json!({"bk_app_code": "team_app", "bk_username": "svc_deploy"}), "APP_VERIFY_FAILED"),
        (json!({"bk_username": "svc_deploy"}), "APP_VERIFY_FAILED"),
        (
            json!({"bk_app_code": "team_app", "bk_app_secret": sha256(KEY), "bk_username": "svc_deploy"}),
            "APP_VERIFY_FAILED",
        ),
        (
            json!({"bk_app_code": "team_app", "bk_app_secret": "an-expired-key-canary", "bk_username": "svc_deploy"}),
            "KEY_EXPIRED",
        ),
    ] {
        let answer = as_caller(&gate, &header).await;
        answer.is(401, code, "no");
        assert!(answer.head.contains("connection: close"));
        assert!(answer.head.contains("x-bkapi-error-code"));
    }
    assert_eq!(gate.counts(), (0, 0, 0));
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn failed_proofs_are_throttled_and_a_good_one_never_is() {
    let gate = Gate::start().await;
    let wrong = json!({"bk_app_code": "team_app", "bk_app_secret": "wrong", "bk_username": "x"});
    let mut throttled = 0;
    for _ in 0..20 {
        let answer = as_caller(&gate, &wrong).await;
        throttled += usize::from(answer.status == 429);
        if answer.status == 429 {
            answer.is(429, "PROOF_THROTTLED", "no");
            assert!(answer.head.contains("retry-after: "));
        }
    }
    assert!(throttled >= 5, "{throttled}");
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
}

#[tokio::test]
async fn a_name_needs_an_exemption_that_has_not_ended() {
    let gate = Gate::start().await;
    for (user, code) in [
        ("mallory", "USER_NOT_EXEMPT"),
        ("svc_old", "EXEMPTION_EXPIRED"),
        ("SVC_DEPLOY", "USER_NOT_EXEMPT"),
    ] {
        let header = json!({"bk_app_code": "team_app", "bk_app_secret": KEY, "bk_username": user});
        as_caller(&gate, &header).await.is(401, code, "no");
    }
    let nobody = json!({"bk_app_code": "team_app", "bk_app_secret": KEY});
    as_caller(&gate, &nobody).await.is(401, "USER_MISSING", "no");
    assert_eq!(gate.counts(), (0, 0, 0));
    assert_eq!(gate.refusals_after_stop().await, 4);
}

#[tokio::test]
async fn a_token_beside_a_name_decides_and_the_name_must_agree() {
    let gate = Gate::start().await;
    let mut header = json!({"bk_app_code": "team_app", "bk_app_secret": KEY, "bk_token": TOKEN, "bk_username": "alice"});
    assert_eq!(as_caller(&gate, &header).await.body["executed"], "yes");
    header["bk_username"] = json!("svc_deploy");
    as_caller(&gate, &header).await.is(401, "PROOFS_DISAGREE", "no");
    header["bk_username"] = json!("");
    assert_eq!(as_caller(&gate, &header).await.body["executed"], "yes");
}

#[tokio::test]
async fn a_login_service_that_is_down_is_no_verdict() {
    let gate = Gate::start().await;
    let header = json!({"bk_app_code": "team_app", "bk_app_secret": KEY, "bk_token": TOKEN});
    gate.standin.login_faults().refuse_connections().await;
    as_caller(&gate, &header).await.is(503, "LOGIN_UNAVAILABLE", "no");
    gate.standin.login_faults().accept_connections().await;
    gate.standin.login_faults().arm(Fault::html(502).once());
    as_caller(&gate, &header).await.is(503, "LOGIN_UNAVAILABLE", "no");
    assert_eq!(as_caller(&gate, &header).await.body["executed"], "yes");
    assert_eq!(gate.standin.history().run_count(), 1);
}

#[tokio::test]
async fn credentials_of_other_kinds_and_spellings_are_refused_by_name() {
    let gate = Gate::start().await;
    let header = authorization("bk_username", "svc_deploy");
    for (name, right) in [
        ("app_code", "bk_app_code"),
        ("username", "bk_username"),
        ("access_token", ""),
        ("bk_access_token", ""),
        ("bk_signature", ""),
    ] {
        let body = call_with(json!({name: "admin"})).to_string();
        let answer = gate.send(&[("X-Bkapi-Authorization", &header)], &body).await;
        answer.is(400, "CREDENTIAL_REFUSED", "no");
        assert_eq!(answer.body["faults"][0]["path"], name);
        assert!(answer.body["faults"][0]["hint"].as_str().unwrap().contains(right));
    }
    assert_eq!(gate.standin.history().request_count(), 0);
}
