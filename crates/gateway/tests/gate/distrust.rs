//! The ESB misbehaves in every way that bytes can: each answer is read within bounds, has one class and one
//! honest `executed` in answer and journal, settles what the call held, and the ESB is asked once.

use serde_json::{Value, json};

use crate::{
    log::Log,
    raw_server::{Play, RawServer, SOME, chunk, end, head, is_whole, sized},
    support::*,
};

const RESULT: &str = r#"{"result":true,"code":0,"message":"","data":{"job_instance_id":7,"job_instance_name":"n","step_instance_id":8},"request_id":"e1"}"#;

/// One call at a time, and three hosts that do not come back within a test.
const TIGHT: &str = "    calls: {per_second: 1000, burst: 1000, in_flight: 1}\n    hosts: {per_call: 3, per_minute: 1, burst: 3}\n";

fn three_hosts() -> Value {
    let ip = |n: u8| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{n}")});
    call_with(json!({"target_server": {"ip_list": [ip(1), ip(2), ip(3)]}}))
}

/// How a call ends for its caller and on record.
struct End {
    answer: (u16, &'static str, &'static str),
    outcome: &'static str,
    upstream: &'static str,
}

const BROKEN: End =
    End { answer: (502, "BAD_GATEWAY", "unknown"), outcome: "unknown", upstream: "broken" };
const LATE: End = End {
    answer: (504, "REQUEST_BACKEND_TIMEOUT", "unknown"),
    outcome: "unknown",
    upstream: "timeout",
};
const RAN: End = End { answer: (200, "", "yes"), outcome: "success", upstream: "answered" };
const UNSAID: End = End { answer: (200, "", "unknown"), outcome: "unknown", upstream: "answered" };
const REFUSED: End = End { answer: (200, "", "no"), outcome: "failed", upstream: "answered" };

/// Sends a call through a gateway to an ESB that plays `play`, and holds everything to `end`. Returns the
/// caller's answer and how many bytes the ESB could write.
async fn through(name: &str, play: Play, end: &End) -> (Answer, u64) {
    let log = Log::start();
    let mut server = RawServer::start(play).await;
    let upstream_extra = match end.upstream {
        "timeout" => ", timeouts: {connect: 2s, answer: 300ms}",
        _ => "",
    };
    let gate = Gate::with(Files {
        policy: policy(TIGHT, ALLOW),
        esb: Some(server.url()),
        upstream_extra: upstream_extra.into(),
        ..Files::default()
    })
    .await;
    let header = authorization("bk_token", TOKEN);
    let headers = [("X-Bkapi-Authorization", header.as_str())];
    let answer = gate.send(&headers, &three_hosts().to_string()).await;
    let executed = answer.body["executed"].as_str().unwrap_or_default();
    assert_eq!((answer.status, answer.code(), executed), end.answer, "{name}: {}", answer.body);
    // The slot is back, the charge is not: one host more would be one too many.
    let again = gate.send(&headers, &call().to_string()).await;
    again.is(429, "HOST_BUDGET_SPENT", "no");
    let series = format!("esbgate_upstream_requests_total{{result=\"{}\"}} 1\n", end.upstream);
    let metrics = gate.metrics().await;
    assert!(metrics.contains(&series), "{name}: {metrics}");
    assert_eq!(server.connections(), 1, "{name}");
    assert!(is_whole(&server.ended().await), "{name}");
    let outcomes = gate.records("outcome");
    let recorded = (outcomes.len(), &outcomes[0]["executed"], &outcomes[0]["outcome"]);
    assert_eq!(recorded, (1, &json!(end.answer.2), &json!(end.outcome)), "{name}");
    for field in ["set-cookie", "location", "server:", "upgrade", "x-esb", "content-encoding"] {
        assert!(!answer.head.contains(field), "{name}: {}", answer.head);
    }
    let journal =
        gate.journal_files().into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    let journal: String = journal.collect();
    assert!(gate.stop().await.0);
    let log = log.text();
    assert!(log.contains("request ended") && log.contains(end.outcome), "{name}: {log}");
    for place in [&format!("{}{}", answer.head, answer.body), &journal, &log, &metrics] {
        for canary in [KEY, TOKEN, ESB_SECRET, "param-canary-1", "cGFyYW0tY2FuYXJ5LTE"] {
            assert!(!place.contains(canary), "{name}: {canary} in {place}");
        }
    }
    (answer, server.written())
}

async fn each(end: &End, modes: Vec<(&str, Play)>) {
    for (name, play) in modes {
        through(name, play, end).await;
    }
}

#[tokio::test]
async fn an_answer_of_two_lengths_or_none_leaves_it_unknown() {
    let length = RESULT.len();
    let with = |fields: &str| end(head(fields) + RESULT);
    let chunked = |fields: &str| end(head(fields) + &chunk(RESULT) + "0\r\n\r\n");
    each(
        &BROKEN,
        vec![
            ("a length too long", with(&format!("Content-Length: {}\r\n", length + 1))),
            ("a length too short", with(&format!("Content-Length: {}\r\n", length - 1))),
            (
                "two lengths",
                with(&format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length + 1)),
            ),
            ("a length that is no number", with(&format!("Content-Length: +{length}\r\n"))),
            (
                "a length and chunks",
                chunked(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n")),
            ),
            ("chunks of gzip", chunked("Transfer-Encoding: gzip, chunked\r\n")),
            (
                "chunks twice",
                chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            ),
            ("a coding that is none", with("Transfer-Encoding: identity\r\n")),
            ("a chunk cut", end(head("Transfer-Encoding: chunked\r\n") + "ff\r\n{\"result\"")),
            ("no last chunk", end(head("Transfer-Encoding: chunked\r\n") + &chunk(RESULT))),
            ("a chunk of no size", end(head("Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n")),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_it_unknown() {
    let whole = sized("", RESULT.as_bytes());
    let (in_head, in_body) = (whole[..30].to_vec(), whole[..whole.len() - 20].to_vec());
    let after_head = head("Content-Length: 100\r\n").into_bytes();
    each(
        &BROKEN,
        vec![
            ("the end in place of an answer", end("")),
            ("the end in the head", Play::End(in_head.clone())),
            ("the end in the body", Play::End(in_body.clone())),
            ("a reset in place of an answer", Play::Reset(Vec::new())),
            ("a reset in the head", Play::Reset(in_head)),
            ("a reset after the head", Play::Reset(after_head)),
            ("a reset in the body", Play::Reset(in_body)),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_http_leaves_it_unknown() {
    let status = |line: &str| {
        let text = String::from_utf8(sized("", RESULT.as_bytes())).unwrap();
        end(text.replacen("HTTP/1.1 200 OK", line, 1))
    };
    let field = |bytes: &[u8]| Play::End(sized(&String::from_utf8_lossy(bytes), RESULT.as_bytes()));
    each(
        &BROKEN,
        vec![
            ("status 000", status("HTTP/1.1 000 Zero")),
            ("status 99999", status("HTTP/1.1 99999 Many")),
            ("status 20", status("HTTP/1.1 20 Few")),
            ("HTTP/2 over HTTP/1", status("HTTP/2.0 200 OK")),
            ("another protocol", end("SSH-2.0-OpenSSH_9.0\r\n\r\n")),
            ("no head at all", end(RESULT)),
            ("a field with a CR", field(b"X-Esb: a\rSet-Cookie: b=c\r\n")),
            ("a field with a NUL", field(b"X-Esb: a\0b\r\n")),
            ("a field of two lines", field(b"X-Esb: a\r\n b\r\n")),
            ("a field without a name", field(b": a\r\n")),
        ],
    )
    .await;
}

#[tokio::test]
async fn another_protocol_or_coding_leaves_it_unknown() {
    let zipped =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x2a\x4a\x2d\x2e\xcd\x29\x01\x00";
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let twice = [sized("", RESULT.as_bytes()), sized("", RESULT.as_bytes())].concat();
    each(
        &BROKEN,
        vec![
            ("101", end(switched)),
            ("101, then an answer", Play::End([switched.as_bytes(), &twice].concat())),
            (
                "200 that offers another protocol",
                Play::End(sized("Connection: upgrade\r\nUpgrade: h2c\r\n", RESULT.as_bytes())),
            ),
            ("a gzip label", Play::End(sized("Content-Encoding: gzip\r\n", RESULT.as_bytes()))),
            ("gzip", Play::End(sized("Content-Encoding: gzip\r\n", zipped))),
            ("gzip without a label", Play::End(sized("", zipped))),
            ("two answers to one request", Play::End(twice)),
            (
                "a byte after the answer",
                Play::End([&sized("", RESULT.as_bytes())[..], b"x"].concat()),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_an_esb_does_not_say_leaves_it_unknown() {
    let json = |body: &str| Play::End(sized("", body.as_bytes()));
    let status = |line: &str, fields: &str| {
        let text = String::from_utf8(sized(fields, RESULT.as_bytes())).unwrap();
        end(text.replacen("200 OK", line, 1))
    };
    let utf16: Vec<u8> = RESULT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    each(
        &BROKEN,
        vec![
            ("nothing", json("")),
            ("HTML", json("<html><h1>200</h1></html>")),
            (
                "HTML from a proxy",
                end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"),
            ),
            ("204 with a body", status("204 No Content", "")),
            ("304 with a body", status("304 Not Modified", "")),
            ("a redirect", status("302 Found", "Location: http://elsewhere.example/\r\n")),
            ("status 999", status("999 Beyond", "")),
            ("a cut object", json(RESULT.strip_suffix('}').unwrap())),
            ("an array", json("[true]")),
            ("two objects", json(&format!("{RESULT}{RESULT}"))),
            ("a byte order mark", json(&format!("\u{feff}{RESULT}"))),
            ("UTF-16", Play::End(sized("", &utf16))),
            (
                "no UTF-8",
                Play::End(sized("", b"{\"result\":true,\"code\":0,\"message\":\"\xff\"}")),
            ),
            ("NaN", json(r#"{"result":true,"code":0,"data":NaN}"#)),
            ("result twice", json(r#"{"result":true,"code":0,"result":false}"#)),
            ("result as a text", json(r#"{"result":"true","code":0,"message":""}"#)),
            ("a code that no number holds", json(r#"{"result":true,"code":1e400}"#)),
            (
                "nesting without end",
                json(&format!(
                    r#"{{"result":true,"code":0,"data":{}{}}}"#,
                    "[".repeat(100_000),
                    "]".repeat(100_000)
                )),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_answer_without_end_is_read_to_its_limit_and_no_further() {
    let filler = "x".repeat(64 * 1024);
    let fields: String = (0..1_000).map(|n| format!("X-Esb-{n}: v\r\n")).collect();
    let chunked = head("Transfer-Encoding: chunked\r\n").into_bytes();
    let endless = |first: &[u8], again: &str| Play::Endless(first.to_vec(), again.into());
    let huge = head("Content-Length: 10737418240\r\n");
    let extension = format!("1;{}\r\n{{\r\n", "e".repeat(10_000));
    for (name, play) in [
        ("10 GiB by length", endless(huge.as_bytes(), &filler)),
        ("a body in chunks", endless(&chunked, &chunk(&filler))),
        ("a body in chunks of one byte", endless(&chunked, &"1\r\n \r\n".repeat(1_000))),
        ("a body without a length", endless(head("").as_bytes(), &filler)),
        ("chunk extensions", endless(&chunked, &extension)),
        ("trailers", endless(&[&chunked[..], b"0\r\n"].concat(), &fields)),
        ("a field", endless(b"HTTP/1.1 200 OK\r\nX-Esb: ", &filler)),
        ("fields", endless(b"HTTP/1.1 200 OK\r\n", &fields)),
        ("interim answers", endless(b"", &"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000))),
        ("blank lines", endless(b"", &"\r\n".repeat(1_000))),
    ] {
        let (_, written) = through(name, play, &BROKEN).await;
        assert!(written < SOME, "{name}: {written}");
    }
}

#[tokio::test]
async fn an_answer_over_a_limit_leaves_it_unknown() {
    let body = RESULT.as_bytes();
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(10_000).into_bytes();
    let many: String = (0..10_000).map(|n| format!("X-Esb-{n}: v\r\n")).collect();
    let long = format!("X-Esb: {}\r\n", "v".repeat(1024 * 1024));
    let padded = format!("{RESULT}{}", " ".repeat(4 * 1024 * 1024));
    each(
        &BROKEN,
        vec![
            ("10,000 interim answers", Play::End([&interim[..], &sized("", body)].concat())),
            ("a field of 1 MiB", Play::End(sized(&long, body))),
            ("10,000 fields", Play::End(sized(&many, body))),
            ("a body of 4 MiB and more", Play::End(sized("", padded.as_bytes()))),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_silence_ends_at_the_one_deadline_wherever_it_begins() {
    let whole = sized("", RESULT.as_bytes());
    let stay = |bytes: &[u8]| Play::Stay(bytes.to_vec());
    let chunked = head("Transfer-Encoding: chunked\r\n") + &chunk(RESULT);
    each(
        &LATE,
        vec![
            ("before the answer", stay(b"")),
            ("after an interim answer", stay(b"HTTP/1.1 100 Continue\r\n\r\n")),
            ("in the head", stay(&whole[..20])),
            ("after the head", stay(head("Content-Length: 100\r\n").as_bytes())),
            ("in the body", stay(&whole[..whole.len() - 1])),
            ("before the last chunk", stay(chunked.as_bytes())),
            ("at the end of a body without a length", stay((head("") + RESULT).as_bytes())),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_odd_and_has_one_meaning_is_an_answer_and_no_field_of_it_is_passed_on() {
    let fields = "Set-Cookie: bk_token=theirs\r\nLocation: http://elsewhere.example/\r\nServer: nginx/1.22.1\r\nX-Esb: a\nX-Esb-2: b\r\n";
    let length = RESULT.len();
    let twice = format!("Content-Length: {length}\r\nContent-Length: {length}\r\n");
    let parts = RESULT.as_bytes().chunks(7).map(|part| chunk(std::str::from_utf8(part).unwrap()));
    let parts = [head("Transfer-Encoding: chunked\r\n")].into_iter().chain(parts);
    let parts: Vec<_> = parts.chain(["0\r\nX-Esb: t\r\n\r\n".to_owned()]).map(Into::into).collect();
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(20).into_bytes();
    let kept = head(&format!("Content-Length: {length}\r\nConnection: keep-alive\r\n")) + RESULT;
    each(
        &RAN,
        vec![
            ("fields that are not ours to pass on", Play::End(sized(fields, RESULT.as_bytes()))),
            ("one length said twice", end(head(&twice) + RESULT)),
            ("a body without a length", end(head("") + RESULT)),
            ("chunks with a trailer", Play::Parts(parts)),
            (
                "a few interim answers",
                Play::End([&interim[..], &sized("", RESULT.as_bytes())].concat()),
            ),
            ("an upstream that keeps the connection", Play::Stay(kept.into_bytes())),
            ("a code as text", end(sized("", RESULT.replace(":0,", ":\"0\",").as_bytes()))),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_by_the_closed_list_ran_nothing_and_any_other_leaves_it_unknown() {
    let refusal = |code: &str, message: &str| {
        let body =
            json!({"result": false, "code": 0, "message": message, "data": null}).to_string();
        Play::End(sized("", body.replace(":0,", &format!(":{code},")).as_bytes()))
    };
    each(&REFUSED, vec![("listed", refusal("1244001", "Host is empty"))]).await;
    each(
        &UNSAID,
        vec![
            ("the code with another message", refusal("1244001", "Host is empty!")),
            ("the message with another code", refusal("1244002", "Host is empty")),
            ("the code with zeros before it", refusal("\"01244001\"", "Host is empty")),
            ("true and a code", end(sized("", RESULT.replace(":0,", ":1,").as_bytes()))),
            ("true and no code", end(sized("", br#"{"result":true}"#))),
        ],
    )
    .await;
}

#[tokio::test]
async fn numbers_keep_every_digit_and_the_record_has_the_job() {
    let numbers = r#""n":[123456789012345678901234567890,1.50,-0.0,1E+400]"#;
    let body = RESULT.replace(
        r#""job_instance_id":7"#,
        &format!(r#""job_instance_id":9007199254740993,{numbers}"#),
    );
    let server = RawServer::start(Play::End(sized("", body.as_bytes()))).await;
    let gate = Gate::with(Files { esb: Some(server.url()), ..Files::default() }).await;
    let header = authorization("bk_username", "svc_deploy");
    let sent = call().to_string();
    let answer = gate
        .raw(
            format!(
                "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Bkapi-Authorization: {header}\r\nContent-Length: {}\r\n\r\n{sent}",
                sent.len()
            )
            .as_bytes(),
        )
        .await;
    assert!(answer.contains(numbers) && answer.contains("9007199254740993"), "{answer}");
    assert_eq!(gate.records("outcome")[0]["job_instance_id"], 9_007_199_254_740_993_i64);
}

#[tokio::test]
async fn an_answer_before_the_call_is_believed_only_if_the_call_had_left() {
    let mut server = RawServer::start(Play::Early(sized("", RESULT.as_bytes()))).await;
    let gate = Gate::with(Files { esb: Some(server.url()), ..Files::default() }).await;
    let answer = gate.call(&call()).await;
    let seen = server.ended().await;
    let expected = if seen.is_empty() { "no" } else { "yes" };
    assert_eq!(answer.body["executed"], expected, "{}", answer.body);
    assert_eq!(gate.records("outcome")[0]["executed"], expected);
    assert_eq!(seen.is_empty(), !is_whole(&seen));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn no_connection_carries_a_second_call() {
    // Answers as if the connection were kept, and an answer to nobody's question waits on it.
    let kept = head(&format!("Content-Length: {}\r\n", RESULT.len())) + RESULT;
    let mut server = RawServer::start(Play::Stay(kept.into_bytes())).await;
    let gate = Gate::with(Files { esb: Some(server.url()), ..Files::default() }).await;
    for nth in 1..=3 {
        assert_eq!(gate.call(&call()).await.body["executed"], "yes");
        let seen = String::from_utf8(server.ended().await).unwrap();
        assert_eq!(seen.matches("POST ").count(), 1, "{seen}");
        assert!(seen.contains("\r\nconnection: close\r\n"), "{seen}");
        assert_eq!(server.connections(), nth);
    }
}
