//! Risks of who a call is taken for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use esbgate_core::{Clock, ReceivedAt};
use esbgate_gateway::SystemClock;
use esbgate_standin::UserProof;
use serde_json::{Value, json};

use super::door::*;
use crate::support::*;

#[tokio::test]
async fn risk_01_a_header_that_beats_the_body_is_the_gateways_own() {
    let mut door = Door::open().await;
    let header = boss("mallory").to_string();
    let naked = bytes(&[(AUTHORIZATION, &header)], &with_identity(boss("svc_deploy")));
    assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"]);
    let header = mine().to_string();
    let two = bytes(&[(AUTHORIZATION, &header)], &with_identity(json!({"bk_username": "mallory"})));
    door.refused(&two, 400, "INVALID_ARGS").await;
    let (_, ran) = door.gate(&bytes(&[(AUTHORIZATION, &header)], &call())).await;
    assert_eq!(ran, [MINE]);
    assert_eq!(door.last().0.matches("authorization").count(), 1);
}

#[tokio::test]
async fn risk_02_twins_duplicates_and_folds_do_not_glue_one_header_together() {
    let mut door = Door::open().await;
    let boss = boss("mallory").to_string();
    let (one, two) = boss.split_at(boss.rfind(',').unwrap());
    let two = two.get(1..).unwrap();
    let mine = mine().to_string();
    for twin in [AUTHORIZATION, "X_Bkapi_Authorization"] {
        let glued = bytes(&[(AUTHORIZATION, one), (twin, two)], &call());
        assert_eq!(door.esb(&glued).await, ["ops_gateway for mallory"]);
    }
    let twice = bytes(&[(AUTHORIZATION, one), (AUTHORIZATION, two)], &call());
    door.refused(&twice, 400, "BAD_HEADER").await;
    let folded =
        bytes(&[(AUTHORIZATION, &boss.replace(", ", ",").replace(',', ",\r\n "))], &call());
    assert_eq!(door.esb(&folded).await, ["ops_gateway for mallory"]);
    let said = door.gate.raw(&folded).await;
    assert!(said.starts_with("HTTP/1.1 400 ") && door.ran().is_empty(), "{said}");
    let twin = bytes(&[(AUTHORIZATION, &mine), ("X_Bkapi_Authorization", &boss)], &call());
    assert_eq!(door.gate(&twin).await.1, [MINE]);
    assert!(!door.last().0.contains("x_bkapi"));
}

#[tokio::test]
async fn risk_03_a_null_header_does_not_fall_back_to_the_body() {
    let mut door = Door::open().await;
    let naked = bytes(&[(AUTHORIZATION, "null")], &with_identity(boss("mallory")));
    assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"]);
    let null = bytes(&[(AUTHORIZATION, "null")], &with_identity(mine()));
    door.refused(&null, 400, "INVALID_ARGS").await;
}

#[tokio::test]
async fn risk_04_a_gateway_jwt_of_the_caller_replaces_nobody() {
    let mut door = Door::open().await;
    let mine = mine().to_string();
    for name in ["X-Bkapi-JWT", "X_Bkapi_Jwt"] {
        let naked = bytes(&[(name, "a.b.c")], &call());
        assert_eq!(door.esb(&naked).await, ["BYPASSED for BYPASSED"]);
        let hidden = bytes(&[(AUTHORIZATION, &mine), (name, "a.b.c")], &call());
        assert_eq!(door.gate(&hidden).await.1, [MINE]);
        assert!(!door.last().0.contains("jwt"));
    }
}

#[tokio::test]
async fn risk_05_an_access_token_swaps_neither_application_nor_user() {
    let mut door = Door::open().await;
    let token = json!({"access_token": "t"});
    let naked = bytes(&[(AUTHORIZATION, &change(boss("x"), token.clone()).to_string())], &call());
    assert_eq!(door.esb(&naked).await, ["BYPASSED for BYPASSED"]);
    let header = change(mine(), token.clone()).to_string();
    door.refused(&bytes(&[(AUTHORIZATION, &header)], &call()), 400, "CREDENTIAL_REFUSED").await;
    let body = with_identity(change(mine(), token));
    door.refused(&bytes(&[], &body), 400, "CREDENTIAL_REFUSED").await;
}

#[tokio::test]
async fn risk_06_a_bk_access_token_in_the_body_outranks_nobody() {
    let mut door = Door::open().await;
    let body = with_identity(json!({"bk_access_token": "t"}));
    let naked = bytes(&[(AUTHORIZATION, &boss("svc_deploy").to_string())], &body);
    assert_eq!(door.esb(&naked).await, ["ops_gateway for BYPASSED"]);
    let header = mine().to_string();
    door.refused(&bytes(&[(AUTHORIZATION, &header)], &body), 400, "CREDENTIAL_REFUSED").await;
}

#[tokio::test]
async fn risk_12_an_empty_identity_does_not_slip_to_another_one() {
    let mut door = Door::open().await;
    for slip in [
        change(boss("mallory"), json!({"bk_token": ""})),
        change(boss(""), json!({"username": "mallory"})),
        change(boss("mallory"), json!({"bk_app_code": "", "app_code": "ops_gateway"})),
    ] {
        let naked = bytes(&[(AUTHORIZATION, &slip.to_string())], &call());
        assert_eq!(door.esb(&naked).await, ["ops_gateway for mallory"]);
    }
    for (slip, status, code) in [
        (json!({"bk_token": "", "bk_username": "mallory"}), 401, "USER_NOT_EXEMPT"),
        (json!({"bk_username": "", "username": "svc_deploy"}), 400, "CREDENTIAL_REFUSED"),
        (json!({"bk_app_code": "", "app_code": "team_app"}), 400, "CREDENTIAL_REFUSED"),
    ] {
        let header = change(mine(), slip).to_string();
        door.refused(&bytes(&[(AUTHORIZATION, &header)], &call()), status, code).await;
    }
    let header = change(mine(), json!({"bk_token": ""})).to_string();
    assert_eq!(door.gate(&bytes(&[(AUTHORIZATION, &header)], &call())).await.1, [MINE]);
    assert!(!door.last().0.contains("bk_token"), "exactly one user key leaves");
}

#[tokio::test]
async fn risk_13_a_token_beside_another_name_is_refused_and_beside_its_own_leaves_alone() {
    let mut door = Door::open().await;
    let both = |identity: Value, name: &str| {
        change(identity, json!({"bk_token": TOKEN, "bk_username": name})).to_string()
    };
    let naked = bytes(&[(AUTHORIZATION, &both(boss(""), "mallory"))], &call());
    assert_eq!(door.esb(&naked).await, ["ops_gateway for alice"]);
    let other = bytes(&[(AUTHORIZATION, &both(mine(), "mallory"))], &call());
    door.refused(&other, 401, "PROOFS_DISAGREE").await;
    let own = bytes(&[(AUTHORIZATION, &both(mine(), "alice"))], &call());
    assert_eq!(door.gate(&own).await.1, ["ops_gateway for alice"]);
    let (head, _) = door.last();
    assert!(head.contains("bk_token") && !head.contains("bk_username"), "{head}");
}

#[tokio::test]
async fn risk_14_a_cookie_reaches_nobody_and_proves_nobody_unless_policy_says_so() {
    let cookie = format!("bk_token={TOKEN}; other=1");
    let app = json!({"bk_app_code": "team_app", "bk_app_secret": KEY}).to_string();
    let asked = bytes(&[(AUTHORIZATION, &app), ("Cookie", &cookie)], &call());
    let mut door = Door::open().await;
    door.refused(&asked, 401, "USER_MISSING").await;
    let mine = mine().to_string();
    let named = bytes(&[(AUTHORIZATION, &mine), ("Cookie", &cookie)], &call());
    assert_eq!(door.gate(&named).await.1, [MINE]);
    assert!(!door.last().0.contains("cookie") && !door.last().0.contains(TOKEN));
    let policy = policy("", ALLOW).replace("token: true", "token: true\n      cookie: true");
    let mut door = Door::with(Files { policy, ..Files::default() }).await;
    assert_eq!(door.gate(&asked).await.1, ["ops_gateway for alice"]);
    assert!(!door.last().0.contains("cookie"));
}

#[tokio::test]
async fn risk_15_an_identity_is_a_plain_name_or_nothing() {
    let mut door = Door::open().await;
    for odd in [json!(" svc_deploy"), json!("svc_deploy\r\nX: y"), json!("张三"), json!(5)] {
        let naked = bytes(&[], &with_identity(change(boss(""), json!({"bk_username": odd}))));
        exchange(door.gate.standin.esb_addr(), &naked).await;
        let code = door.gate.standin.history().requests().last().unwrap().resolved().unwrap().code;
        assert_eq!(code, Some(1_306_201), "the ESB lets {odd} in and fails at JOB");
        for name in ["bk_username", "bk_app_code"] {
            let body = with_identity(change(mine(), json!({name: odd})));
            door.refused(&bytes(&[], &body), 400, "INVALID_ARGS").await;
        }
    }
}

#[tokio::test]
async fn risk_19_the_esb_believes_every_name_so_the_gateway_believes_listed_ones_alone() {
    let mut door = Door::open().await;
    let naked = bytes(&[(AUTHORIZATION, &boss("anybody").to_string())], &call());
    assert_eq!(door.esb(&naked).await, ["ops_gateway for anybody"]);
    for (name, code) in [
        ("anybody", "USER_NOT_EXEMPT"),
        ("SVC_DEPLOY", "USER_NOT_EXEMPT"),
        ("svc_deploy2", "USER_NOT_EXEMPT"),
        ("svc_old", "EXEMPTION_EXPIRED"),
    ] {
        let header = authorization("bk_username", name);
        door.refused(&bytes(&[(AUTHORIZATION, &header)], &call()), 401, code).await;
    }
    let header = authorization("bk_token", TOKEN);
    assert_eq!(
        door.gate(&bytes(&[(AUTHORIZATION, &header)], &call())).await.1,
        ["ops_gateway for alice"]
    );
    let requests = door.gate.standin.history().requests();
    let identity = requests.last().unwrap().resolved().unwrap().identity.clone().unwrap();
    assert_eq!(identity.user_proof, UserProof::Token, "JOB sees a verified user");
}

/// The system's clock, some minutes later.
#[derive(Debug)]
struct Later(SystemClock, AtomicU64);

impl Clock for Later {
    fn now(&self) -> ReceivedAt {
        let ReceivedAt { wall, monotonic } = self.0.now();
        let later = Duration::from_secs(self.1.load(Ordering::Relaxed));
        ReceivedAt { wall: wall + later, monotonic: monotonic + later }
    }
}

#[tokio::test]
async fn risk_26_a_revoked_token_is_believed_for_a_minute_at_most() {
    let clock = Arc::new(Later(SystemClock::start(), AtomicU64::new(0)));
    let gate = Gate::by_clock(Files::default(), world(), Arc::<Later>::clone(&clock)).await;
    let mut door = Door { gate, looked: 0 };
    let asked = bytes(&[(AUTHORIZATION, &authorization("bk_token", TOKEN))], &call());
    assert_eq!(door.gate(&asked).await.1, ["ops_gateway for alice"]);
    door.gate.standin.change(|world| drop(world.tokens.remove(TOKEN)));
    let (answer, ran) = door.gate(&asked).await;
    assert_eq!((&answer.body["code"], &answer.body["executed"]), (&json!(1_306_000), &json!("no")));
    assert!(ran.is_empty(), "believed here, and the ESB that is given the token asks again");
    clock.1.store(61, Ordering::Relaxed);
    door.refused(&asked, 401, "USER_VERIFY_FAILED").await;
}

#[tokio::test]
async fn risk_27_a_token_is_passed_on_and_remembered_by_its_bytes() {
    let spellings = ["bkcrypt%24abc%3D", "bkcrypt$abc="];
    let world = world().token(spellings[0], "alice");
    let mut door = Door { gate: Gate::in_world(Files::default(), world).await, looked: 0 };
    let [given, decoded] = spellings
        .map(|token| bytes(&[(AUTHORIZATION, &authorization("bk_token", token))], &call()));
    assert_eq!(door.gate(&given).await.1, ["ops_gateway for alice"]);
    let requests = door.gate.standin.history().requests();
    let head = String::from_utf8(requests[0].head().to_vec()).unwrap();
    assert!(head.contains(spellings[0]), "{head}");
    door.refused(&decoded, 401, "USER_VERIFY_FAILED").await;
    let asked: Vec<_> =
        door.gate.standin.history().logins().into_iter().map(|login| login.token).collect();
    assert_eq!(asked, spellings.map(|token| Some(token.to_owned())));
}

#[tokio::test]
async fn risk_28_a_code_with_dots_is_no_name() {
    let mut door = Door::open().await;
    let dotted = json!({"bk_app_code": "x/../ops_gateway"});
    let naked = change(boss("mallory"), dotted).to_string();
    let ran = door.esb(&bytes(&[(AUTHORIZATION, &naked)], &call())).await;
    assert_eq!(ran, ["x/../ops_gateway for mallory"], "verified as another one");
    for code in ["x/../team_app", "team_app/.", "../team_app", "team_app?", "team_app%2F"] {
        let header = change(mine(), json!({"bk_app_code": code})).to_string();
        door.refused(&bytes(&[(AUTHORIZATION, &header)], &call()), 400, "INVALID_ARGS").await;
    }
}
