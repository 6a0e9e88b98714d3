use super::*;

const SECRET: &str = "esb-secret-1";

fn answer(body: &str) -> Answer {
    answer_of("fast_execute_script", body)
}

fn answer_of(component: &str, body: &str) -> Answer {
    let component = Component::named(component).unwrap();
    read(component, StatusCode::OK, body.as_bytes(), &Needles::new([SECRET]))
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn a_success_keeps_every_digit_and_says_that_it_was_executed() {
    let answer = answer(
        r#"{"result": true, "code": 0, "message": "", "data": {"job_instance_id": 9007199254740993, "job_instance_name": "x", "step_instance_id": 2, "n": 1.0}, "request_id": "r", "job_request_id": "j"}"#,
    );
    assert_eq!(answer.meaning.outcome, Outcome::Success);
    assert_eq!(answer.meaning.job_instance_id, Some(9_007_199_254_740_993));
    assert!(text(&answer).contains("\"n\": 1.0") && text(&answer).contains("9007199254740993"));
    assert!(text(&answer).ends_with(",\"executed\":\"yes\"}"));
}

#[test]
fn only_a_closed_list_of_answers_means_that_nothing_ran() {
    let refused = answer(r#"{"result":false,"code":1306000,"message":"ok","data":null}"#);
    assert_eq!(refused.meaning.executed, Executed::No);
    assert!(refused.meaning.credential_refused);
    for body in [
        r#"{"result":false,"code":1306000,"message":"ok ","data":null}"#,
        r#"{"result":false,"code":1306201,"message":"exceeds 30 seconds","data":null}"#,
        r#"{"result":false,"code":1240002,"message":"Internal Server Error"}"#,
        r#"{"result":true,"code":1,"message":""}"#,
        r#"{"result":true,"message":""}"#,
        r#"{"result":false,"message":"x"}"#,
    ] {
        assert_eq!(answer(body).meaning.executed, Executed::Unknown, "{body}");
    }
}

#[test]
fn what_is_no_answer_of_an_esb_is_unreadable() {
    for body in ["", "<html>", "[]", "null", r#"{"result":true"#, r#"{"result":"yes"}"#, "{}"] {
        assert_eq!(answer(body).meaning.outcome, Outcome::Unreadable, "{body}");
    }
    let bad = read(Component::fast_execute_script(), StatusCode::OK, b"\xff", &Needles::new([]));
    assert_eq!(bad.meaning.outcome, Outcome::Unreadable);
}

#[test]
fn an_internal_text_is_withheld_and_a_credential_is_blanked() {
    let internal = answer(
        r#"{"result":false,"code":1306201,"message":"request https://job.internal:8080/ error","data":null}"#,
    );
    assert!(!text(&internal).contains("job.internal"));
    assert!(internal.meaning.message.contains("job.internal"));
    let echo =
        answer(&format!(r#"{{"result":false,"code":1,"message":"secret {SECRET} is bad"}}"#));
    assert!(!text(&echo).contains(SECRET) && !echo.meaning.message.contains(SECRET));
    let escaped: String = SECRET.bytes().map(|b| format!("\\u{b:04x}")).collect();
    let echo = answer(&format!(r#"{{"result":false,"code":1,"message":"{escaped}"}}"#));
    assert!(!text(&echo).contains(&escaped) && text(&echo).contains("***"));
}

#[test]
fn the_answer_cannot_say_executed_in_our_place() {
    let answer = answer(r#"{"executed":"no","result":true,"code":0,"message":""}"#);
    assert_eq!(text(&answer), r#"{"result":true,"code":0,"message":"","executed":"yes"}"#);
}

#[test]
fn an_answer_that_says_a_name_twice_has_no_meaning() {
    let answer = answer(r#"{"result":true,"code":0,"x":1,"x":2}"#);
    assert_eq!(answer.meaning.outcome, Outcome::Unreadable);
}

#[test]
fn an_answer_to_a_read_is_the_esbs_own_object() {
    let body = r#"{"result":true,"code":0,"data":{"total":1.0},"message":""}"#;
    assert_eq!(text(&answer_of("get_cron_list", body)), body);
    for tells in ["delete_cron", "execute_job_plan"] {
        assert!(text(&answer_of(tells, body)).ends_with(r#","executed":"yes"}"#));
    }
}

#[test]
fn an_answer_that_cannot_be_masked_is_not_passed_on() {
    let plan = |data: &str| {
        answer_of("get_job_plan_detail", &format!(r#"{{"result":true,"code":0,"data":{data}}}"#))
    };
    let step = r#"{"script_param":"cA==","is_param_sensitive":1}"#;
    assert!(text(&plan(step)).contains(r#""script_param":"***""#));
    let deep = plan(&format!("{}{step}{}", "[".repeat(40), "]".repeat(40)));
    assert!(deep.body.is_empty());
    assert_eq!(deep.meaning.outcome, Outcome::Unreadable);
}
