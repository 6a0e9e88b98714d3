//! The login service: who a token belongs to, in the three shapes that its paths answer with. HTTP 200 either way.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::esb::{split_target, written};
use crate::far_side::FarSide;
use crate::fault::Echo;
use crate::history::LoginQuestion;
use crate::http::{Answer, Request};
use crate::urlencoded;

/// The path of [`Standin::login_url`](crate::Standin::login_url).
pub(crate) const IS_LOGIN: &str = "/login/accounts/is_login/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Accounts,
    Second,
    Third,
}

/// Notes a question before it is answered.
pub(crate) fn arrive(far_side: &FarSide, request: &Arc<Request>) {
    far_side.history().login_arrived(|| LoginQuestion {
        request: Arc::clone(request),
        raw_query: split_target(request.target()).1.to_owned(),
        token: token(request),
    });
}

pub(crate) fn answer(far_side: &FarSide, request: &Request) -> Answer {
    let (path, _) = split_target(request.target());
    let Some(shape) = shape(path) else {
        return Answer::html(404, b"<h1>Not Found</h1>\n".to_vec());
    };
    if request.method() != "GET" {
        return Answer::html(405, Vec::new());
    }
    let token = token(request).filter(|token| !token.is_empty());
    let Some(token) = token else { return unknown(shape, "缺少参数bk_token") };
    match far_side.world().tokens.get(&token) {
        Some(user) => known(shape, user),
        None => unknown(shape, "用户登录态失效，请重新登录"),
    }
}

/// A failure whose message gives the token away.
pub(crate) fn answer_echo(request: &Request, how: Echo) -> Answer {
    let tokens: Vec<String> = token(request).into_iter().collect();
    let (path, _) = split_target(request.target());
    let shape = shape(path).unwrap_or(Shape::Accounts);
    let answer = unknown(shape, "MESSAGE");
    let body = String::from_utf8(answer.body).unwrap_or_default();
    Answer::json(200, body.replace("MESSAGE", &written(&tokens, how)).into_bytes())
}

fn shape(path: &str) -> Option<Shape> {
    // The old service answers without the prefix too.
    match path.strip_prefix("/login").unwrap_or(path) {
        "/accounts/is_login/" => Some(Shape::Accounts),
        "/api/v2/is_login/" => Some(Shape::Second),
        "/api/v3/is_login/" => Some(Shape::Third),
        _ => None,
    }
}

/// Decoded once, the last one of several.
fn token(request: &Request) -> Option<String> {
    let query = split_target(request.target()).1;
    let fields = urlencoded::fields(query.as_bytes()).unwrap_or_default();
    fields.into_iter().rev().find(|(name, _)| name == "bk_token").map(|(_, token)| token)
}

fn known(shape: Shape, user: &str) -> Answer {
    json_answer(&match shape {
        Shape::Accounts => {
            json!({"result": true, "code": "00", "message": "", "data": {"username": user}})
        }
        Shape::Second => json!({
            "result": true, "bk_error_code": 0, "bk_error_msg": "", "data": {"bk_username": user}
        }),
        Shape::Third => {
            json!({"result": true, "code": 0, "message": "", "data": {"bk_username": user}})
        }
    })
}

fn unknown(shape: Shape, message: &str) -> Answer {
    json_answer(&match shape {
        Shape::Accounts => json!({"result": false, "code": "1200", "message": message, "data": {}}),
        Shape::Second => json!({
            "result": false, "bk_error_code": 1_302_100, "bk_error_msg": message, "data": {}
        }),
        Shape::Third => {
            json!({"result": false, "code": 1_302_100, "message": message, "data": {}})
        }
    })
}

fn json_answer(value: &Value) -> Answer {
    Answer::json(200, serde_json::to_vec(value).unwrap_or_default())
}
