//! The login service.

use esbgate_standin::{Standin, World};
use serde_json::{Value, json};

use super::raw::{PATIENCE, Reply, request, send, standin};

async fn ask(standin: &Standin, target: &str) -> Reply {
    send(standin.login_addr(), &request("GET", target, &[], b"")).await
}

#[tokio::test]
async fn three_paths_answer_in_three_shapes() {
    let standin = standin().await;
    for (path, good, failed) in [
        (
            "/login/accounts/is_login/",
            json!({"result": true, "code": "00", "message": "", "data": {"username": "admin"}}),
            json!({"result": false, "code": "1200", "data": {}}),
        ),
        (
            "/login/api/v2/is_login/",
            json!({"result": true, "bk_error_code": 0, "bk_error_msg": "", "data": {"bk_username": "admin"}}),
            json!({"result": false, "bk_error_code": 1_302_100, "data": {}}),
        ),
        (
            "/login/api/v3/is_login/",
            json!({"result": true, "code": 0, "message": "", "data": {"bk_username": "admin"}}),
            json!({"result": false, "code": 1_302_100, "data": {}}),
        ),
    ] {
        for path in [path, path.trim_start_matches("/login")] {
            assert_eq!(ask(&standin, &format!("{path}?bk_token=xxx")).await.json(), good);
        }
        for query in ["?bk_token=stale", "?bk_token=", ""] {
            let reply = ask(&standin, &format!("{path}{query}")).await;
            let mut answer: Value = reply.json();
            let members = answer.as_object_mut().unwrap();
            let message = members.remove("message").or_else(|| members.remove("bk_error_msg"));
            assert!(message.unwrap().is_string());
            assert_eq!((reply.status, answer), (200, failed.clone()));
        }
    }
}

#[tokio::test]
async fn a_token_is_decoded_exactly_once() {
    let world = World::default().token("bkcrypt%24a+b=", "carol");
    let standin = Standin::start(world).await.unwrap();
    let path = "/login/accounts/is_login/";
    let encoded = format!("{path}?bk_token=bkcrypt%2524a%2Bb%3D");
    assert_eq!(ask(&standin, &encoded).await.json()["data"]["username"], "carol");
    let as_it_is = format!("{path}?bk_token=bkcrypt%24a+b=");
    assert_eq!(ask(&standin, &as_it_is).await.json()["result"], false);
    let questions = standin.history().logins();
    assert_eq!(questions[0].raw_query, "bk_token=bkcrypt%2524a%2Bb%3D");
    assert_eq!(questions[0].token.as_deref(), Some("bkcrypt%24a+b="));
    assert_eq!(questions[1].token.as_deref(), Some("bkcrypt$a b="));
}

#[tokio::test]
async fn questions_are_counted_apart_from_the_esbs_own() {
    let standin = standin().await;
    super::raw::run(&standin, &super::raw::sample()).await;
    assert_eq!(standin.history().login_count(), 0);
    ask(&standin, "/login/accounts/is_login/?bk_token=xxx").await;
    standin.history().logins_arrived(1, PATIENCE).await.unwrap();
    assert_eq!((standin.history().login_count(), standin.history().request_count()), (1, 1));
    let url = standin.login_url();
    assert_eq!(url, format!("http://{}/login/accounts/is_login/", standin.login_addr()));
}

#[tokio::test]
async fn other_paths_and_methods_are_not_served() {
    let standin = standin().await;
    for target in ["/login/", "/login/accounts/is_login", "/login/api/v4/is_login/"] {
        assert_eq!(ask(&standin, target).await.status, 404, "{target}");
    }
    let bytes = request("POST", "/login/accounts/is_login/?bk_token=xxx", &[], b"");
    assert_eq!(send(standin.login_addr(), &bytes).await.status, 405);
}
