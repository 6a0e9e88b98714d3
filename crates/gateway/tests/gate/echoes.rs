//! The ESB echoes what a call held in secret, in every spelling and place; nobody sees it.

use serde_json::{Value, json};

use crate::{
    log::Log,
    raw_server::{Play, RawServer, sized},
    support::*,
};

const SECRETS: [&str; 7] = [
    KEY,
    TOKEN,
    ESB_SECRET,
    NEXT_SECRET,
    "param-canary-1",
    "password-canary-1",
    "t=query-canary-1",
];

const NEXT_SECRET: &str = "esb-secret-canary-2";

fn base64(lead: &str, text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{lead}{text}yz"))
}

fn units(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

type Spell = fn(&str) -> String;

/// The spellings, as they stand in a message before that becomes JSON.
fn spellings() -> Vec<(&'static str, Spell)> {
    vec![
        ("plain", |text| text.into()),
        ("percent", |text| text.replace('-', "%2D").replace('=', "%3D")),
        ("percent, every byte", |text| text.bytes().map(|b| format!("%{b:02x}")).collect()),
        ("percent twice", |text| text.replace('-', "%252D").replace('=', "%253D")),
        ("escaped twice", units),
        ("escaped and percent", |text| text.replace('-', "\\u002d").replace("can", "%63an")),
        ("python's bytes", |text| text.bytes().map(|b| format!("\\x{b:02x}")).collect()),
        ("base64", |text| base64("", text)),
        ("base64, shifted by one", |text| base64("a", text)),
        ("base64, shifted by two", |text| base64("ab", text)),
        ("base64 for URLs", |text| base64("?>", text).replace('/', "_").replace('+', "-")),
        ("hexadecimal", |text| text.bytes().map(|b| format!("{b:02x}")).collect()),
        ("hexadecimal, upper case", |text| text.bytes().map(|b| format!("{b:02X}")).collect()),
    ]
}

fn secretive_call() -> Value {
    call_with(json!({
        "callback_url": "https://ci.example.com/job/?t=query-canary-1",
        "host_password_list": [
            {"bk_cloud_id": 0, "ip": "10.0.0.1", "encrypted_password": "password-canary-1"},
        ],
    }))
}

/// An answer that says `echo` wherever something can be said, and keeps three things that are none.
fn body(echo: &str) -> String {
    json!({
        "result": false, "code": 1, "message": format!("cannot take {echo}, sorry"),
        "request_id": echo, "job_request_id": format!("<{echo}>"),
        "data": {"kept": "kept", "list": [1, echo, null], echo: {"deep": [[echo]]}},
    })
    .to_string()
}

/// Sends a call to an ESB that plays `play`; whatever of `echoes` is left in any output fails.
async fn hushed(name: &str, play: Play, echoes: &[String]) -> Answer {
    let log = Log::start();
    let server = RawServer::start(play).await;
    let fields = "    fields: {host_password_list: true}\n";
    let gate = Gate::with(Files {
        policy: policy(fields, ALLOW),
        esb: Some(server.url()),
        secret_extra: ", next: {file: next.secret}",
        beside: vec![("next.secret", NEXT_SECRET.into())],
        ..Files::default()
    })
    .await;
    let header = authorization("bk_token", TOKEN);
    let headers = [("X-Bkapi-Authorization", header.as_str())];
    let answer = gate.send(&headers, &secretive_call().to_string()).await;
    assert_eq!(server.connections(), 1, "{name}: {}", answer.body);
    let metrics = gate.metrics().await;
    let paths = gate.journal_files();
    let (ended, _standin, _folder) = gate.stop().await;
    assert!(ended);
    let read = |path| std::fs::read_to_string(path).unwrap();
    let journal: String = paths.into_iter().map(read).collect();
    let log = log.text();
    assert!(journal.contains("\"outcome\"") && log.contains("request ended"), "{name}: {log}");
    for place in [&format!("{}{}", answer.head, answer.body), &journal, &log, &metrics] {
        for echo in echoes.iter().map(String::as_str).chain(SECRETS) {
            // Not even a part of it.
            for part in echo.as_bytes().windows(12) {
                let part = std::str::from_utf8(part).unwrap();
                assert!(!place.contains(part), "{name}: {part} of {echo} in {place}");
            }
        }
    }
    answer
}

fn is_blanked(name: &str, answer: &Answer) {
    let body = &answer.body;
    assert_eq!((answer.status, &body["executed"]), (200, &json!("unknown")), "{name}: {body}");
    assert_eq!((&body["data"]["kept"], &body["data"]["list"][0]), (&json!("kept"), &json!(1)));
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with("cannot take ") && message.ends_with(", sorry"),
        "{name}: {message}"
    );
    assert!(message.contains("***") && body["data"]["list"][1].as_str().unwrap().contains("***"));
}

#[tokio::test]
async fn an_echo_in_a_body_is_blanked_in_answer_journal_and_log() {
    for (name, spell) in spellings() {
        let echoes = SECRETS.map(spell);
        let body = body(&echoes.join(" and "));
        is_blanked(name, &hushed(name, Play::End(sized("", body.as_bytes())), &echoes).await);
    }
}

#[tokio::test]
async fn an_echo_behind_the_escapes_of_the_answer_itself_is_blanked() {
    let echo = "SECRETS";
    let echoes = SECRETS.map(units);
    let body = body(echo).replace(echo, &echoes.join(" "));
    is_blanked("escaped", &hushed("escaped", Play::End(sized("", body.as_bytes())), &echoes).await);
}

#[tokio::test]
async fn an_echo_that_is_split_over_chunks_is_blanked() {
    for (name, spell) in spellings() {
        let echoes = SECRETS.map(spell);
        let body = body(&echoes.join(" "));
        let chunks = body.as_bytes().chunks(3);
        let chunks =
            chunks.map(|part| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let parts = [head].into_iter().chain(chunks).chain([b"0\r\n\r\n".to_vec()]).collect();
        is_blanked(name, &hushed(name, Play::Parts(parts), &echoes).await);
    }
}

#[tokio::test]
async fn an_echo_in_a_head_or_in_what_is_no_answer_goes_nowhere() {
    for (name, spell) in spellings() {
        let echoes = SECRETS.map(spell);
        let all = echoes.join(" ");
        let fields =
            format!("X-Esb: {all}\r\nSet-Cookie: a={all}\r\nX-Bkapi-Error-Message: {all}\r\n");
        let refusal = r#"{"result":false,"code":1244001,"message":"Host is empty"}"#;
        let answer = hushed(name, Play::End(sized(&fields, refusal.as_bytes())), &echoes).await;
        assert_eq!(answer.body["executed"], "no");
        let html = format!("<html>{all}</html>");
        let answer = hushed(name, Play::End(sized("", html.as_bytes())), &echoes).await;
        answer.is(502, "BAD_GATEWAY", "unknown");
        let reason = format!("HTTP/1.1 200 {all}\r\nContent-Length: 0\r\n\r\n");
        let answer = hushed(name, Play::End(reason.into_bytes()), &echoes).await;
        answer.is(502, "BAD_GATEWAY", "unknown");
    }
}

#[tokio::test]
async fn the_name_of_a_job_that_holds_no_secret_comes_back_as_it_is() {
    let body = r#"{"result":true,"code":0,"message":"","data":{"job_instance_id":7,"job_instance_name":"param canary 1","step_instance_id":8}}"#;
    let answer = hushed("none", Play::End(sized("", body.as_bytes())), &[]).await;
    assert_eq!(answer.body["data"]["job_instance_name"], "param canary 1");
    assert_eq!(answer.body["executed"], "yes");
}
