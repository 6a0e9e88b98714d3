//! Every fault, as the bytes that a client gets.

use std::io::ErrorKind;

use esbgate_standin::{Echo, EsbError, Fault, Faults, Missing, Standin};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw::{
    OPERATE, PATIENCE, RUN, Reply, bounded, call, post, raw, read_to_end, request, run, sample,
    send, standin,
};

/// What comes back for the sample while this fault is armed once.
async fn bytes_under(standin: &Standin, fault: Fault) -> Vec<u8> {
    standin.esb_faults().arm(fault.once());
    raw(standin.esb_addr(), &post(RUN, &sample())).await
}

async fn connect_and_send(standin: &Standin) -> TcpStream {
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    stream.write_all(&post(RUN, &sample())).await.unwrap();
    stream
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_refused_connection_is_refused_until_it_is_not_on_the_same_port() {
    let standin = standin().await;
    for _ in 0..3 {
        standin.esb_faults().refuse_connections().await;
        let refused = TcpStream::connect(standin.esb_addr()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        standin.esb_faults().accept_connections().await;
        assert_eq!(run(&standin, &sample()).await.code(), Some(0));
    }
    standin.login_faults().refuse_connections().await;
    assert!(TcpStream::connect(standin.login_addr()).await.is_err());
    assert_eq!(run(&standin, &sample()).await.code(), Some(0));
}

#[tokio::test]
async fn a_connection_can_end_before_a_byte_is_read() {
    let standin = standin().await;
    let closed = standin.esb_faults().arm(Fault::CloseOnAccept.once());
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    assert_eq!(bounded(stream.read(&mut [0; 8])).await.unwrap(), 0);
    standin.esb_faults().arm(Fault::ResetOnAccept.once());
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    let reset = bounded(stream.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!((closed.hits(), standin.history().request_count()), (1, 0));
    assert_eq!(run(&standin, &sample()).await.code(), Some(0));
}

#[tokio::test]
async fn a_connection_can_be_held_before_a_byte_is_read() {
    let standin = standin().await;
    let held = standin.esb_faults().arm(Fault::HoldOnAccept.once());
    let mut stream = connect_and_send(&standin).await;
    held.hit(1, PATIENCE).await.unwrap();
    assert_eq!(standin.history().request_count(), 0);
    held.release();
    assert_eq!(Reply::of(&read_to_end(&mut stream).await).code(), Some(0));
}

#[tokio::test]
async fn an_answer_can_come_before_the_request_is_read() {
    let standin = standin().await;
    standin.esb_faults().arm(Fault::AnswerBeforeRead.once());
    let mut stream = TcpStream::connect(standin.esb_addr()).await.unwrap();
    let mut first = [0; 15];
    bounded(stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream.write_all(&post(RUN, &sample())).await.unwrap();
    standin.history().arrived(1, PATIENCE).await.unwrap();
    assert_eq!(standin.history().run_count(), 0);
}

#[tokio::test]
async fn a_gate_holds_what_has_come_until_it_is_released() {
    let standin = standin().await;
    let gate = standin.esb_faults().arm(Fault::HoldBeforeRun);
    let mut streams = [connect_and_send(&standin).await, connect_and_send(&standin).await];
    gate.hit(2, PATIENCE).await.unwrap();
    standin.history().arrived(2, PATIENCE).await.unwrap();
    assert_eq!((standin.history().request_count(), standin.history().run_count()), (2, 0));
    assert!(standin.history().requests()[0].resolved().is_none());
    gate.release();
    for stream in &mut streams {
        assert_eq!(Reply::of(&read_to_end(stream).await).code(), Some(0));
    }
    assert_eq!(standin.history().run_count(), 2);
}

#[tokio::test]
async fn a_held_request_runs_even_if_its_peer_has_left() {
    let standin = standin().await;
    let gate = standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    let stream = connect_and_send(&standin).await;
    gate.hit(1, PATIENCE).await.unwrap();
    drop(stream);
    // Clearing lets go what a used-up rule still holds.
    standin.esb_faults().clear();
    standin.history().ran(1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_held_request_meets_the_next_fault_when_it_is_released() {
    let standin = standin().await;
    let gate = standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    standin.esb_faults().arm(Fault::Close.once().without_running());
    let mut stream = connect_and_send(&standin).await;
    gate.hit(1, PATIENCE).await.unwrap();
    gate.release();
    assert_eq!(read_to_end(&mut stream).await, b"");
    assert_eq!(standin.history().run_count(), 0);
}

#[tokio::test]
async fn silence_lasts_until_it_is_released_or_the_peer_leaves() {
    let standin = standin().await;
    let silence = standin.esb_faults().arm(Fault::Silence);
    let mut first = connect_and_send(&standin).await;
    let second = connect_and_send(&standin).await;
    silence.hit(2, PATIENCE).await.unwrap();
    assert_eq!(standin.history().run_count(), 2);
    drop(second);
    silence.release();
    assert_eq!(Reply::of(&read_to_end(&mut first).await).code(), Some(0));
}

#[tokio::test]
async fn a_run_can_go_unanswered_by_fin_or_by_reset() {
    let standin = standin().await;
    assert_eq!(bytes_under(&standin, Fault::Close).await, b"");
    assert_eq!(standin.history().run_count(), 1);
    standin.esb_faults().arm(Fault::Reset.once());
    let mut stream = connect_and_send(&standin).await;
    let reset = bounded(stream.read_to_end(&mut Vec::new())).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    standin.history().ran(2, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn whether_the_job_runs_is_the_rules_choice() {
    let standin = standin().await;
    standin.esb_faults().arm(Fault::html(502).once().without_running());
    assert_eq!(run(&standin, &sample()).await.status, 502);
    assert_eq!((standin.history().run_count(), standin.history().jobs().len()), (0, 0));
    assert!(standin.history().requests()[0].resolved().unwrap().identity.is_some());
    assert_eq!(Reply::of(&bytes_under(&standin, Fault::html(502)).await).status, 502);
    assert_eq!(standin.history().run_count(), 1);
    standin.esb_faults().arm(Fault::refusal(1_244_025, "Task abandoned").once());
    assert_eq!(run(&standin, &sample()).await.message(), "Task abandoned");
    assert_eq!(standin.history().run_count(), 1);
    standin.esb_faults().arm(Fault::refusal(1_244_025, "Task abandoned").once().running());
    assert_eq!(run(&standin, &sample()).await.code(), Some(1_244_025));
    assert_eq!(standin.history().run_count(), 2);
    standin.esb_faults().arm(Fault::Cut(30).once().without_running());
    assert_eq!(raw(standin.esb_addr(), &post(RUN, &sample())).await.len(), 30);
    assert_eq!(standin.history().run_count(), 2);
}

#[tokio::test]
async fn other_answers_can_stand_in_for_the_real_one() {
    let standin = standin().await;
    let page = Reply::of(&bytes_under(&standin, Fault::html(200)).await);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert!(page.body.starts_with(b"<html>"));
    let empty = Reply::of(&bytes_under(&standin, Fault::empty()).await);
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    let list = Reply::of(&bytes_under(&standin, Fault::json(200, "[1")).await);
    assert_eq!(list.body, b"[1");
    assert_eq!(bytes_under(&standin, Fault::Raw(b"\x15\x03\x01".to_vec())).await, b"\x15\x03\x01");
}

#[tokio::test]
async fn an_answer_can_be_cut_anywhere() {
    let standin = standin().await;
    let whole = raw(standin.esb_addr(), &post(RUN, &sample())).await;
    for after in [0, 1, 40, whole.len() - 1] {
        assert_eq!(bytes_under(&standin, Fault::Cut(after)).await.len(), after);
    }
    standin.esb_faults().arm(Fault::CutAndReset(25).once());
    let mut stream = connect_and_send(&standin).await;
    let mut seen = Vec::new();
    let reset = bounded(stream.read_to_end(&mut seen)).await.unwrap_err();
    assert_eq!((reset.kind(), seen.len()), (ErrorKind::ConnectionReset, 25));
}

#[tokio::test]
async fn an_answer_can_stop_in_the_middle_until_released() {
    let standin = standin().await;
    let stall = standin.esb_faults().arm(Fault::Stall(20).once());
    let mut stream = connect_and_send(&standin).await;
    let mut first = [0; 20];
    bounded(stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    stall.release();
    let whole = [first.to_vec(), read_to_end(&mut stream).await].concat();
    assert_eq!(Reply::of(&whole).code(), Some(0));
}

#[tokio::test]
async fn lengths_lie_both_ways_or_come_twice() {
    let standin = standin().await;
    for off in [7, -7] {
        let reply = Reply::of(&bytes_under(&standin, Fault::LengthOff(off)).await);
        let told: i64 = reply.header("content-length").unwrap().parse().unwrap();
        assert_eq!(told - i64::try_from(reply.body.len()).unwrap(), off);
    }
    let both = Reply::of(&bytes_under(&standin, Fault::LengthAndChunked).await);
    assert!(both.header("content-length").is_some() && both.header("transfer-encoding").is_some());
    let header = Fault::Header(b"Content-Length: 1\r\nSet-Cookie: a=b\r\n".to_vec());
    let twice = text(&bytes_under(&standin, header).await);
    assert_eq!(twice.matches("Content-Length: ").count(), 2);
}

#[tokio::test]
async fn chunked_answers_end_or_do_not() {
    let standin = standin().await;
    let whole = bytes_under(&standin, Fault::Chunked).await;
    assert!(
        text(&whole).contains("Transfer-Encoding: chunked\r\n")
            && whole.ends_with(b"}\r\n0\r\n\r\n")
    );
    let cut = bytes_under(&standin, Fault::ChunkedCut).await;
    assert!(cut.ends_with(b"}\r\n") && !text(&cut).contains("\r\n0\r\n"));
}

#[tokio::test]
async fn interim_answers_and_switches_precede_the_real_one() {
    let standin = standin().await;
    let flood = bytes_under(&standin, Fault::Interim { status: 103, count: 1000 }).await;
    assert_eq!(text(&flood).matches("HTTP/1.1 103 ").count(), 1000);
    assert!(text(&flood).contains("HTTP/1.1 200 OK\r\n"));
    let switched = text(&bytes_under(&standin, Fault::SwitchProtocols).await);
    assert!(switched.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    let odd = text(&bytes_under(&standin, Fault::StatusLine("HTTP/1.1 99999 x".into())).await);
    assert!(odd.starts_with("HTTP/1.1 99999 x\r\nServer: "));
    let twice = text(&bytes_under(&standin, Fault::Twice).await);
    assert_eq!(twice.matches("HTTP/1.1 200 OK\r\n").count(), 2);
}

#[tokio::test]
async fn heads_and_bodies_can_be_too_big() {
    let standin = standin().await;
    let huge = Reply::of(&bytes_under(&standin, Fault::HugeBody(3_000_000)).await);
    assert_eq!((huge.body.len(), huge.header("content-length")), (3_000_000, Some("3000000")));
    assert_eq!(huge.json()["result"], true);
    let bomb = bytes_under(&standin, Fault::HeaderBomb { fields: 500, size: 1000 }).await;
    assert_eq!(text(&bomb).matches("X-Bomb-").count(), 500);
    let gzip = text(&bytes_under(&standin, Fault::GzipLabel).await);
    assert!(gzip.contains("Content-Encoding: gzip\r\n") && gzip.ends_with('}'));
}

#[tokio::test]
async fn an_endless_body_ends_when_the_peer_leaves() {
    let standin = standin().await;
    standin.esb_faults().arm(Fault::EndlessBody.once());
    let mut stream = connect_and_send(&standin).await;
    let mut block = vec![0; 1 << 20];
    for _ in 0..8 {
        bounded(stream.read_exact(&mut block)).await.unwrap();
    }
    drop(stream);
    bounded(standin.stop()).await;
}

#[tokio::test]
async fn every_row_of_the_error_table_can_be_asked_for() {
    let standin = standin().await;
    let at_once = [
        (EsbError::BkauthDown, 1_306_000, "request bkauth api error", true),
        (EsbError::NoPermission, 1_306_403, "APP permission is insufficient", true),
        (EsbError::InactiveChannel, 1_306_405, "Not found, inactive channel", false),
        (EsbError::ClassMissing, 1_306_404, "Not found, component class not found", false),
        (EsbError::LoginDown, 1_306_201, "Component request third-party system [BK_LOGIN]", true),
        (EsbError::JobRefused, 1_306_201, "Component request third-party system [JOBV3]", true),
        (EsbError::HostMissing, 1_306_206, "Error, the component does not", true),
        (EsbError::Component, 1_306_000, "Component error", true),
    ];
    for (error, code, start, shows_id) in at_once {
        assert!(!error.may_have_run());
        let reply = Reply::of(&bytes_under(&standin, Fault::Refuse(error)).await);
        assert_eq!((reply.status, reply.code()), (200, Some(code)));
        assert!(reply.message().starts_with(start), "{}", reply.message());
        assert_eq!(reply.json().get("request_id").is_some(), shows_id, "{start}");
    }
    assert_eq!(standin.history().run_count(), 0);
    for (error, code, part) in [
        (EsbError::JobTimeout, 1_306_201, "exceeds 30 seconds"),
        (EsbError::JobUnreadable, 1_306_201, "interface [fast_execute_script] error"),
        (EsbError::JobTls, 1_306_203, "SSL error"),
    ] {
        let reply = Reply::of(&bytes_under(&standin, Fault::Refuse(error)).await);
        assert_eq!(reply.code(), Some(code));
        assert!(reply.message().contains(part), "{}", reply.message());
    }
    assert_eq!(standin.history().run_count(), 3);
    let crash = Reply::of(&bytes_under(&standin, Fault::Refuse(EsbError::Crash)).await);
    assert_eq!((crash.status, crash.code()), (500, None));
    assert!(crash.message().starts_with("Request is abnormal"));
}

#[tokio::test]
async fn a_refusal_shows_the_id_under_which_the_request_is_recorded() {
    let standin = standin().await;
    let reply = Reply::of(&bytes_under(&standin, Fault::job_timeout()).await).json();
    let requests = standin.history().requests();
    assert_eq!(reply["request_id"], requests[0].resolved().unwrap().request_id.as_str());
    assert_eq!(standin.history().runs()[0].request_id, reply["request_id"].as_str().unwrap());
}

#[tokio::test]
async fn credentials_are_echoed_in_every_writing() {
    let standin = standin().await;
    let header = r#"X-Bkapi-Authorization: {"bk_app_code":"esb_test","bk_app_secret":"s3cr3t/+","bk_token":"t0k3n="}"#;
    let bytes = request("POST", RUN, &[header], b"{}");
    for (how, secret, token) in [
        (Echo::Plain, "s3cr3t/+", "t0k3n="),
        (Echo::Percent, "s3cr3t%2F%2B", "t0k3n%3D"),
        (Echo::Base64, "czNjcjN0Lys=", "dDBrM249"),
        (
            Echo::Escaped,
            r"\u0073\u0033\u0063\u0072\u0033\u0074\u002f\u002b",
            r"\u0074\u0030\u006b\u0033\u006e\u003d",
        ),
    ] {
        standin.esb_faults().arm(Fault::Echo(how).once());
        let reply = send(standin.esb_addr(), &bytes).await;
        let body = text(&reply.body);
        assert!(body.contains(secret) && body.contains(token), "{how:?}: {body}");
        assert_eq!(reply.code(), Some(1_306_000));
    }
    standin.esb_faults().arm(Fault::Echo(Echo::Split).once());
    let split = raw(standin.esb_addr(), &bytes).await;
    assert!(!text(&split).contains("s3cr3t"));
    assert!(text(&split).contains("Transfer-Encoding: chunked\r\n"));
    assert_eq!(standin.history().run_count(), 0);
    standin.login_faults().arm(Fault::Echo(Echo::Plain).once());
    let ask = request("GET", "/login/api/v3/is_login/?bk_token=a%22b", &[], b"");
    let reply = send(standin.login_addr(), &ask).await;
    assert_eq!(reply.json()["message"], "request was: a\"b");
}

#[tokio::test]
async fn rules_are_met_in_order_and_used_up() {
    let standin = standin().await;
    let faults: &Faults = standin.esb_faults();
    faults.arm(Fault::Pass.times(2));
    let third = faults.arm(Fault::html(502).once());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(run(&standin, &sample()).await.status);
    }
    assert_eq!(statuses, [200, 200, 502, 200]);
    assert_eq!(third.hits(), 1);
    faults.arm(Fault::html(503));
    assert_eq!(run(&standin, &sample()).await.status, 503);
    assert_eq!(run(&standin, &sample()).await.status, 503);
    faults.clear();
    assert_eq!(run(&standin, &sample()).await.status, 200);
}

#[tokio::test]
async fn a_rule_can_wait_for_one_component() {
    let standin = standin().await;
    standin.esb_faults().arm(Fault::html(502).once().on("operate_job_instance"));
    let mut body = sample();
    body["start_task"] = json!(false);
    assert_eq!(run(&standin, &body).await.code(), Some(0));
    let start: Value = json!({"bk_app_code": "esb_test", "bk_app_secret": "xxx", "bk_token": "xxx",
        "bk_biz_id": 1, "job_instance_id": 10000, "operation_code": 2});
    assert_eq!(call(&standin, OPERATE, &start).await.status, 502);
    assert_eq!(standin.history().run_count(), 1);
    assert_eq!(call(&standin, OPERATE, &start).await.code(), Some(1_241_015));
}

#[tokio::test]
async fn login_faults_leave_the_esb_alone() {
    let standin = standin().await;
    let silence = standin.login_faults().arm(Fault::Silence);
    let ask = request("GET", "/login/accounts/is_login/?bk_token=xxx", &[], b"");
    let mut stream = TcpStream::connect(standin.login_addr()).await.unwrap();
    stream.write_all(&ask).await.unwrap();
    silence.hit(1, PATIENCE).await.unwrap();
    assert_eq!(run(&standin, &sample()).await.code(), Some(0));
    standin.login_faults().clear();
    assert_eq!(Reply::of(&read_to_end(&mut stream).await).json()["code"], "00");
    standin.login_faults().arm(Fault::Cut(5).once());
    assert_eq!(raw(standin.login_addr(), &ask).await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_missing_with_its_numbers() {
    let standin = standin().await;
    let wait = standin.history().arrived(3, PATIENCE).await;
    assert_eq!(wait, Err(Missing { wanted: 3, seen: 0 }));
    let armed = standin.esb_faults().arm(Fault::Pass);
    assert_eq!(armed.hit(1, PATIENCE).await, Err(Missing { wanted: 1, seen: 0 }));
}
