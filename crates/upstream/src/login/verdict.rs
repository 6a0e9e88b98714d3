//! The three answers of `is_login` (contract esb §5). Whatever is none of them is no verdict.

use esbgate_core::LoginDown;
use esbgate_model::Name;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Answer<'a> {
    result: bool,
    code: Option<Code>,
    bk_error_code: Option<i64>,
    /// Of any type beside a refusal.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A name that stands there twice fails: which of the two is meant?
#[derive(Deserialize)]
struct Data {
    username: Option<String>,
    bk_username: Option<String>,
}

/// The old login writes text, the new one a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Number(i64),
    Text(String),
}

/// Whose token it was, if anyone's.
pub(super) fn read(body: &[u8]) -> Result<Option<Name>, LoginDown> {
    let answer: Answer<'_> = object(std::str::from_utf8(body).map_err(|_| LoginDown)?)?;
    let (fine, named): (_, fn(Data) -> Option<String>) = match (&answer.code, answer.bk_error_code)
    {
        (Some(Code::Text(code)), None) => (code == "00", |data| data.username),
        (Some(Code::Number(code)), None) => (*code == 0, |data| data.bk_username),
        (None, Some(code)) => (code == 0, |data| data.bk_username),
        (Some(_), Some(_)) | (None, None) => return Err(LoginDown),
    };
    match (answer.result, fine) {
        (true, true) => {
            let data = object(answer.data.ok_or(LoginDown)?.get())?;
            let name = named(data).ok_or(LoginDown)?;
            // A name that policy could not have written is no one's: the service is not to be believed.
            Name::new(&name).map(Some).map_err(|_| LoginDown)
        }
        (false, false) => Ok(None),
        // It says yes and no at once.
        (true, false) | (false, true) => Err(LoginDown),
    }
}

/// Serde would take a list for the members in their order.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, LoginDown> {
    let json = json.trim_start_matches([' ', '\t', '\r', '\n']);
    if json.starts_with('{') {
        serde_json::from_str(json).map_err(|_| LoginDown)
    } else {
        Err(LoginDown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(body: &str) -> Result<Option<String>, LoginDown> {
        read(body.as_bytes()).map(|user| user.map(|name| name.as_str().to_owned()))
    }

    #[test]
    fn each_of_the_three_shapes_names_its_user() {
        for body in [
            r#"{"result":true,"code":"00","message":"","data":{"username":"ann"}}"#,
            r#"{"result":true,"bk_error_code":0,"bk_error_msg":"","data":{"bk_username":"ann"}}"#,
            r#"{"result":true,"code":0,"message":"","data":{"bk_username":"ann"}}"#,
        ] {
            assert_eq!(user(body), Ok(Some("ann".to_owned())), "{body}");
        }
    }

    #[test]
    fn each_of_the_three_shapes_says_nobody() {
        for body in [
            r#"{"result":false,"code":"1200","message":"m","data":{}}"#,
            r#"{"result":false,"bk_error_code":1302100,"bk_error_msg":"m","data":{}}"#,
            r#"{"result":false,"code":1302100,"message":"m","data":null}"#,
        ] {
            assert_eq!(user(body), Ok(None), "{body}");
        }
    }

    #[test]
    fn what_is_none_of_the_shapes_is_no_verdict() {
        for body in [
            "",
            "<html>502</html>",
            "null",
            "[]",
            "{}",
            r#"{"result":false}"#,
            r#"{"result":"true","code":"00","data":{"username":"ann"}}"#,
            r#"{"result":true,"code":"1200","data":{"username":"ann"}}"#,
            r#"{"result":false,"code":"00","data":{"username":"ann"}}"#,
            r#"{"result":true,"code":"00","data":{"bk_username":"ann"}}"#,
            r#"{"result":true,"code":0,"data":{"username":"ann"}}"#,
            r#"{"result":true,"code":"00","bk_error_code":0,"data":{"username":"ann"}}"#,
            r#"{"result":true,"code":"00","data":{"username":7}}"#,
            r#"{"result":true,"result":false,"code":"00","data":{"username":"ann"}}"#,
            r#"{"result":true,"code":"00","data":{"username":"bob","username":"ann"}}"#,
            r#"{"result":true,"code":"00","data":{"username":"bob","user\u006eame":"ann"}}"#,
            r#"{"result":true,"code":"00","data":["ann",null]}"#,
            r#"[true,"00",null,{"username":"ann"}]"#,
            r#"{"result":true,"code":"00"}"#,
            r#"{"result":true,"code":"00","data":{"username":"ann"}"#,
        ] {
            assert_eq!(user(body), Err(LoginDown), "{body}");
        }
    }

    #[test]
    fn a_name_outside_the_pattern_is_no_verdict() {
        for name in ["", " ann", "a\\nb", "\\u5f20"] {
            let body = format!(r#"{{"result":true,"code":0,"data":{{"bk_username":"{name}"}}}}"#);
            assert_eq!(user(&body), Err(LoginDown), "{body}");
        }
    }
}
