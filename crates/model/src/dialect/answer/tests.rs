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
fn what_is_no_answer_of_an_esb_is_unreadable_and_the_log_learns_why() {
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for (body, why) in [
        ("", "JSON"),
        ("<html>", "JSON"),
        ("[]", "JSON"),
        ("null", "JSON"),
        (r#"{"result":true"#, "JSON"),
        ("\u{feff}{\"result\":true,\"code\":0}", "JSON"),
        (r#"{"result":true,"code":0}{"result":false}"#, "JSON"),
        (r#"{"result":true,"code":0,"data":NaN}"#, "JSON"),
        (r#"{"result":true,"code":0,"data":{"n":Infinity}}"#, "JSON"),
        (r#"{"result":true,"result":false,"code":0}"#, "JSON"),
        (r#"{"result":true,"res\u0075lt":true,"code":0}"#, "JSON"),
        (&format!(r#"{{"result":true,"code":0,"data":{deep}}}"#), "nested"),
        ("{}", "result"),
        (r#"{"result":"true","code":0}"#, "result"),
        (r#"{"result":1,"code":0}"#, "result"),
        (r#"{"result":null,"code":0}"#, "result"),
        (r#"{"result":true,"code":0.0}"#, "code"),
        (r#"{"result":true,"code":-0}"#, "code"),
        (r#"{"result":true,"code":[0]}"#, "code"),
        (r#"{"result":true,"code":36893488147419103232}"#, "code"),
        (r#"{"result":true,"code":0,"message":{"a":1}}"#, "message"),
    ] {
        let meaning = answer(body).meaning;
        let seen = (meaning.outcome, meaning.executed);
        assert_eq!(seen, (Outcome::Unreadable, Executed::Unknown), "{body}");
        assert!(meaning.message.contains(why), "{body}: {}", meaning.message);
    }
    let utf16: Vec<u8> = "{\"result\":true}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [&b"\xff"[..], b"\xff\xfe{\0}\0", b"\x1f\x8b\x08\x00", &utf16] {
        let bad = read(Component::fast_execute_script(), StatusCode::OK, body, &Needles::new([]));
        assert_eq!(bad.meaning.outcome, Outcome::Unreadable);
        assert!(bad.body.is_empty());
    }
}

#[test]
fn a_status_that_no_esb_gives_is_unreadable_whatever_the_body_says() {
    for (status, readable) in [
        (200, true),
        (203, true),
        (204, false),
        (206, false),
        (302, false),
        (304, false),
        (400, true),
        (599, true),
        (600, false),
        (999, false),
    ] {
        let body = br#"{"result":true,"code":0,"message":""}"#;
        let answer = read(
            Component::fast_execute_script(),
            StatusCode::from_u16(status).unwrap(),
            body,
            &Needles::new([]),
        );
        assert_eq!(answer.meaning.outcome == Outcome::Success, readable, "{status}");
    }
}

#[test]
fn a_code_may_be_text_if_it_is_exactly_a_number() {
    assert_eq!(answer(r#"{"result":true,"code":"0"}"#).meaning.executed, Executed::Yes);
    let refused = answer(r#"{"result":false,"code":"1244001","message":"Host is empty"}"#);
    assert_eq!(refused.meaning.executed, Executed::No);
    for code in ["\"00\"", "\"+0\"", "\" 0\"", "\"OK\"", "null"] {
        let meaning = answer(&format!(r#"{{"result":true,"code":{code}}}"#)).meaning;
        assert_eq!((meaning.outcome, meaning.code), (Outcome::Unknown, None), "{code}");
    }
}

#[test]
fn what_is_beside_the_verdict_may_be_of_any_type_and_is_passed_on_to_the_digit() {
    let body = r#"{"result":true,"code":0,"message":null,"request_id":7,"job_request_id":[],"data":{"job_instance_id":1e400,"n":123456789012345678901234567890.10},"permission":[{"\ud800":1E-999}]}"#;
    let answer = answer(body);
    assert_eq!(answer.meaning.executed, Executed::Yes);
    assert_eq!((answer.meaning.job_instance_id, &answer.meaning.request_id), (None, &None));
    assert_eq!(
        text(&answer),
        body.strip_suffix('}').unwrap().to_owned() + ",\"executed\":\"yes\"}"
    );
}

#[test]
fn ids_that_an_answer_says_twice_or_does_not_name_are_nobodys() {
    for data in [r#"{"job_instance_id":1,"job_instance_id":2}"#, "[1,2]", "1", "\"1\""] {
        let meaning = answer(&format!(r#"{{"result":true,"code":0,"data":{data}}}"#)).meaning;
        assert_eq!((meaning.executed, meaning.job_instance_id), (Executed::Yes, None), "{data}");
    }
}

#[test]
fn the_longest_nesting_of_an_answer_passes() {
    // The object and `data` are a level each.
    let deep = format!("{}{}", "[".repeat(63), "]".repeat(63));
    let answer = answer(&format!(r#"{{"result":true,"code":0,"data":{deep}}}"#));
    assert_eq!(answer.meaning.outcome, Outcome::Success);
}

#[test]
fn an_echo_is_blanked_wherever_it_stands_and_however_the_rest_of_the_answer_looks() {
    let escaped: String = SECRET.bytes().map(|b| format!("\\u{b:04x}")).collect();
    for hostile in ["1e999", "123456789012345678901234567890", "[[[[[[[[[[]]]]]]]]]]"] {
        let body = format!(
            r#"{{"result":false,"code":1,"message":"{escaped}","request_id":"{SECRET}","x":{hostile},"{SECRET}":[{{"{escaped}":"a{SECRET}b"}}]}}"#
        );
        let answer = answer(&body);
        let shown = text(&answer);
        assert_eq!(shown.matches("***").count(), 5, "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains(&escaped), "{shown}");
        assert!(shown.contains(hostile), "{shown}");
        assert_eq!(answer.meaning.message.as_ref(), "***");
        assert_eq!(answer.meaning.request_id.as_deref(), Some("***"));
    }
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

#[test]
fn the_documentation_explains_every_reason() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/answers.md");
    let document = std::fs::read_to_string(path).unwrap();
    for why in [
        NoEnvelope::Status,
        NoEnvelope::Encoding,
        NoEnvelope::Object,
        NoEnvelope::Depth,
        NoEnvelope::Result,
        NoEnvelope::Code,
        NoEnvelope::Message,
        NoEnvelope::Mask,
    ] {
        assert!(document.contains(&format!("\n| {why} | ")), "{why}");
    }
}
