//! Whose request the ESB takes it for, and what it says when it takes it for nobody's.

use esbgate_standin::{AppProof, BYPASS, CredentialPlace, Identity, Standin, UserProof, World};
use serde_json::{Value, json};

use super::raw::{RUN, Reply, request, run, sample_with, send, standin, trusted};

async fn run_with(standin: &Standin, lines: &[&str], body: &Value) -> Reply {
    send(standin.esb_addr(), &request("POST", RUN, lines, body.to_string().as_bytes())).await
}

fn last_identity(standin: &Standin) -> Option<Identity> {
    standin.history().requests().last().unwrap().resolved().unwrap().identity.clone()
}

/// The sample without any identity of its own.
fn anonymous() -> Value {
    sample_with(json!({"bk_app_code": null, "bk_app_secret": null, "bk_token": null}))
}

const HEADER: &str = r#"X-Bkapi-Authorization: {"bk_app_code":"gateway_app","bk_app_secret":"gateway-secret","bk_username":"alice"}"#;

#[tokio::test]
async fn the_header_beats_the_body() {
    let standin = Standin::start(trusted()).await.unwrap();
    assert_eq!(run_with(&standin, &[HEADER], &sample_with(json!({}))).await.code(), Some(0));
    let expected = Identity {
        app: "gateway_app".into(),
        user: "alice".into(),
        app_proof: AppProof::Secret,
        user_proof: UserProof::Name,
        place: CredentialPlace::Header,
    };
    assert_eq!(last_identity(&standin), Some(expected));
    assert_eq!(standin.history().runs()[0].user, "alice");
}

#[tokio::test]
async fn an_empty_object_is_still_the_only_source_and_null_is_none() {
    let standin = standin().await;
    let reply = run_with(&standin, &["X-Bkapi-Authorization: {}"], &sample_with(json!({}))).await;
    assert!(reply.message().starts_with("Signature [bk_signature] and APP Secret"));
    let reply = run_with(&standin, &["X-Bkapi-Authorization: null"], &sample_with(json!({}))).await;
    assert_eq!(reply.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().place, CredentialPlace::Params);
}

#[tokio::test]
async fn a_header_that_is_no_json_object_is_an_error_of_its_kind() {
    let standin = standin().await;
    for value in ["", "{", "xxx", "{'a':1}"] {
        let line = format!("X-Bkapi-Authorization: {value}");
        let reply = run_with(&standin, &[&line], &sample_with(json!({}))).await;
        assert_eq!((reply.status, reply.code()), (200, Some(1_306_406)), "{value}");
        assert_eq!(reply.json().get("request_id"), None);
    }
    for value in ["[]", "\"a\"", "1"] {
        let line = format!("X-Bkapi-Authorization: {value}");
        let reply = run_with(&standin, &[&line], &sample_with(json!({}))).await;
        assert_eq!(reply.code(), Some(1_306_000), "{value}");
        assert!(reply.message().starts_with("Component error"));
        assert!(reply.json()["request_id"].is_string());
    }
}

#[tokio::test]
async fn two_headers_are_glued_by_a_comma_whatever_their_spelling() {
    let standin = Standin::start(trusted()).await.unwrap();
    let first = r#"X-Bkapi-Authorization: {"bk_app_code":"gateway_app""#;
    let second =
        r#"X_Bkapi_Authorization: "bk_app_secret":"gateway-secret","bk_username":"alice"}"#;
    assert_eq!(run_with(&standin, &[first, second], &anonymous()).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, "alice");
    assert_eq!(run_with(&standin, &[HEADER, HEADER], &anonymous()).await.code(), Some(1_306_406));
}

#[tokio::test]
async fn a_folded_header_is_one_value_and_the_last_twin_inside_wins() {
    let standin = Standin::start(trusted()).await.unwrap();
    let folded = "X-Bkapi-Authorization: {\"bk_app_code\":\"gateway_app\",\r\n \t\"bk_app_secret\":\"gateway-secret\",\r\n  \"bk_username\":\"eve\",\"bk_username\":\"alice\"}";
    assert_eq!(run_with(&standin, &[folded], &anonymous()).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, "alice");
}

#[tokio::test]
async fn aliases_count_when_the_first_name_is_empty() {
    let standin = Standin::start(trusted()).await.unwrap();
    let mut body = anonymous();
    for (name, value) in [
        ("bk_app_code", json!("")),
        ("app_code", json!("gateway_app")),
        ("bk_app_secret", json!({})),
        ("app_secret", json!("gateway-secret")),
        ("bk_token", json!("")),
        ("bk_username", json!([])),
        ("username", json!("bob")),
    ] {
        body[name] = value;
    }
    assert_eq!(run(&standin, &body).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, "bob");
}

#[tokio::test]
async fn a_token_beats_a_name_and_a_bad_token_does_not_fall_through() {
    let standin = Standin::start(trusted()).await.unwrap();
    let mut body =
        sample_with(json!({"bk_app_code": "gateway_app", "bk_app_secret": "gateway-secret"}));
    body["bk_username"] = json!("mallory");
    body["bk_token"] = json!("  xxx ");
    assert_eq!(run(&standin, &body).await.code(), Some(0));
    let identity = last_identity(&standin).unwrap();
    assert_eq!((identity.user.as_str(), identity.user_proof), ("admin", UserProof::Token));
    body["bk_token"] = json!("stale");
    let reply = run(&standin, &body).await;
    assert!(reply.message().ends_with("please check if the bk_token is valid"));
    body["bk_token"] = json!(["xxx"]);
    assert!(run(&standin, &body).await.message().starts_with("Component error"));
}

#[tokio::test]
async fn a_number_is_asked_as_its_text() {
    let standin = Standin::start(World::default().token("5", "five")).await.unwrap();
    assert_eq!(run(&standin, &sample_with(json!({"bk_token": 5}))).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, "five");
}

#[tokio::test]
async fn only_a_listed_app_may_name_a_user() {
    let standin = Standin::start(trusted()).await.unwrap();
    let named = json!({"bk_token": null, "bk_username": "alice"});
    let reply = run(&standin, &sample_with(named)).await;
    assert_eq!(reply.code(), Some(1_306_000));
    assert!(reply.message().contains("please provide a valid user identity"));
    let listed = json!({"bk_token": null, "bk_username": "alice", "bk_app_code": "gateway_app",
        "bk_app_secret": "gateway-secret"});
    assert_eq!(run(&standin, &sample_with(listed)).await.code(), Some(0));
}

#[tokio::test]
async fn a_name_that_no_header_takes_fails_at_job() {
    let standin = Standin::start(trusted()).await.unwrap();
    for name in [json!("élan"), json!(" alice"), json!("a\r\nb"), json!(7), json!(["a"])] {
        let mut body = anonymous();
        body["bk_app_code"] = json!("gateway_app");
        body["bk_app_secret"] = json!("gateway-secret");
        body["bk_username"] = name.clone();
        let reply = run(&standin, &body).await;
        assert_eq!(reply.code(), Some(1_306_201), "{name}");
    }
    // Raw UTF-8 in the header is read as Latin-1 and ends likewise.
    let line = HEADER.replace("alice", "é");
    assert_eq!(run_with(&standin, &[&line], &anonymous()).await.code(), Some(1_306_201));
}

#[tokio::test]
async fn applications_are_refused_with_the_texts_of_the_esb() {
    let standin = standin().await;
    let refused = async |changes: Value| {
        let reply = run(&standin, &sample_with(changes)).await;
        assert_eq!((reply.status, reply.code()), (200, Some(1_306_000)));
        assert!(reply.json()["request_id"].is_string() && reply.json()["data"].is_null());
        assert!(last_identity(&standin).is_none());
        reply.message()
    };
    assert_eq!(refused(json!({"bk_app_secret": "wrong"})).await, "ok");
    assert_eq!(refused(json!({"bk_app_code": "stranger"})).await, "bkauth: App not found");
    assert_eq!(
        refused(json!({"bk_app_code": null})).await,
        "APP Code [bk_app_code] cannot be empty"
    );
    let no_secret = refused(json!({"bk_app_secret": null})).await;
    assert!(no_secret.starts_with("Signature [bk_signature] and APP Secret [bk_app_secret]"));
    assert_eq!(standin.history().run_count(), 0);
}

#[tokio::test]
async fn a_bypass_is_believed_and_marked() {
    let standin = standin().await;
    let header_token = r#"X-Bkapi-Authorization: {"access_token":"a"}"#;
    for (lines, body, app, proofs) in [
        (vec!["X-Bkapi-JWT: a.b.c"], anonymous(), BYPASS, (AppProof::Jwt, UserProof::Jwt)),
        (
            vec!["x_bkapi_jwt: a.b.c"],
            sample_with(json!({})),
            BYPASS,
            (AppProof::Jwt, UserProof::Jwt),
        ),
        (vec![header_token], anonymous(), BYPASS, (AppProof::AccessToken, UserProof::AccessToken)),
        (
            vec![],
            sample_with(json!({"bk_access_token": "a"})),
            "esb_test",
            (AppProof::Secret, UserProof::BkAccessToken),
        ),
    ] {
        assert_eq!(run_with(&standin, &lines, &body).await.code(), Some(0), "{lines:?}");
        let identity = last_identity(&standin).unwrap();
        assert_eq!((identity.app.as_str(), identity.user.as_str()), (app, BYPASS), "{lines:?}");
        assert_eq!((identity.app_proof, identity.user_proof), proofs);
        assert_eq!(standin.history().runs().last().unwrap().user, BYPASS);
    }
}

#[tokio::test]
async fn an_access_token_in_the_body_beats_the_auth_header_and_one_called_access_token_does_not() {
    let standin = Standin::start(trusted()).await.unwrap();
    let mut body = anonymous();
    body["access_token"] = json!("a");
    assert_eq!(run_with(&standin, &[HEADER], &body).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, "alice");
    body["bk_access_token"] = json!("a");
    assert_eq!(run_with(&standin, &[HEADER], &body).await.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().user, BYPASS);
}

#[tokio::test]
async fn a_suspicious_esb_refuses_every_bypass() {
    let world = World { believes_tokens: false, ..World::default() };
    let standin = Standin::start(world).await.unwrap();
    let reply = run_with(&standin, &["X-Bkapi-JWT: a.b.c"], &anonymous()).await;
    assert_eq!((reply.code(), reply.json().get("request_id")), (Some(1_306_408), None));
    let header_token = r#"X-Bkapi-Authorization: {"access_token":"a"}"#;
    let reply = run_with(&standin, &[header_token], &anonymous()).await;
    assert!(reply.message().starts_with("verify access_token failed"));
    let reply = run(&standin, &sample_with(json!({"bk_access_token": "a"}))).await;
    assert!(reply.message().starts_with("The specified user TOKEN [bk_access_token]"));
}

#[tokio::test]
async fn a_signature_in_the_query_turns_the_app_check_over() {
    let standin = standin().await;
    let body = sample_with(json!({})).to_string();
    let target = format!("{RUN}?bk_signature=x&bk_nonce=1&bk_timestamp=1");
    let reply = send(standin.esb_addr(), &request("POST", &target, &[], body.as_bytes())).await;
    assert!(reply.message().starts_with("Signature [bk_signature]"), "{}", reply.message());
    let target = format!("{RUN}?bk_signature=x&__esb_skip_signature__=1");
    let reply = send(standin.esb_addr(), &request("POST", &target, &[], body.as_bytes())).await;
    assert_eq!(reply.code(), Some(0));
    assert_eq!(last_identity(&standin).unwrap().app, BYPASS);
}

#[tokio::test]
async fn a_secret_can_be_rotated_and_a_token_revoked_while_it_runs() {
    let standin = standin().await;
    standin.change(|world| world.apps[0].secrets = vec!["next".into()]);
    assert_eq!(run(&standin, &sample_with(json!({}))).await.message(), "ok");
    assert_eq!(run(&standin, &sample_with(json!({"bk_app_secret": "next"}))).await.code(), Some(0));
    standin.change(|world| world.tokens.clear());
    let reply = run(&standin, &sample_with(json!({"bk_app_secret": "next"}))).await;
    assert!(reply.message().contains("bk_token"));
}

#[tokio::test]
async fn a_cookie_and_other_headers_name_nobody() {
    let standin = standin().await;
    let lines = ["Cookie: bk_token=xxx", "Bk-Username: admin", "X-Bk-Username: admin"];
    let mut body = sample_with(json!({"bk_token": null}));
    body["operator"] = json!("admin");
    let reply = run_with(&standin, &lines, &body).await;
    assert!(reply.message().contains("please provide a valid user identity"));
}

#[tokio::test]
async fn a_code_with_dot_segments_is_verified_as_another_application_and_keeps_its_spelling() {
    let standin = Standin::start(trusted()).await.unwrap();
    for (code, code_of_answer) in [("x/../gateway_app", 0), ("gateway_app/x", 1_306_000)] {
        let header = HEADER.replace("gateway_app", code);
        let reply = run_with(&standin, &[&header], &anonymous()).await;
        assert_eq!(reply.code(), Some(code_of_answer), "{code}");
    }
    assert_eq!(standin.history().runs()[0].app, "x/../gateway_app");
}
