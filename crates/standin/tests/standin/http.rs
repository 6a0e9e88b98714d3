//! Framing and limits of the server before the ESB.

use serde_json::json;

use super::raw::{RUN, raw, request, run, sample, send, standin};

#[tokio::test]
async fn a_chunked_body_is_an_empty_body() {
    let standin = standin().await;
    let body = sample().to_string();
    let bytes = format!(
        "POST {RUN} HTTP/1.1\r\nHost: esb\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let reply = send(standin.esb_addr(), bytes.as_bytes()).await;
    assert!(reply.message().starts_with("Signature [bk_signature] and APP Secret"));
    let requests = standin.history().requests();
    assert!(requests[0].body().is_empty());
    assert_eq!(standin.history().run_count(), 0);
}

#[tokio::test]
async fn the_last_length_counts_beside_any_other_framing() {
    let standin = standin().await;
    let body = sample().to_string();
    let length = body.len();
    let bytes = format!(
        "POST {RUN} HTTP/1.1\r\nHost: esb\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    assert_eq!(send(standin.esb_addr(), bytes.as_bytes()).await.code(), Some(0));
}

#[tokio::test]
async fn a_body_may_be_ten_mebibytes_and_no_more() {
    let standin = standin().await;
    let start = sample().to_string();
    let start = start.strip_suffix('}').unwrap().to_owned() + ",\"x\":\"";
    let padding = 10_485_760 - start.len() - 2;
    let whole = format!("{start}{}\"}}", "x".repeat(padding));
    let bytes = request("POST", RUN, &[], whole.as_bytes());
    assert_eq!(send(standin.esb_addr(), &bytes).await.code(), Some(0));
    let head = format!("POST {RUN} HTTP/1.1\r\nHost: esb\r\nContent-Length: 10485761\r\n\r\n");
    let reply = send(standin.esb_addr(), head.as_bytes()).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (400, Some("text/html; charset=utf-8"))
    );
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_with_a_page() {
    let standin = standin().await;
    let good = |lines: &[&str], target: &str| request("POST", target, lines, b"");
    let long = format!("X-Long: {}", "x".repeat(8181));
    let longest = format!("X-Long: {}", "x".repeat(8190));
    let many: Vec<String> = (0..99).map(|nth| format!("X-{nth}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let target = format!("{RUN}?{}", "x".repeat(4094));
    for (bytes, status) in [
        (good(&[&long], RUN), 200),
        (good(&[&longest], RUN), 400),
        (good(&many[..98], RUN), 200),
        (good(&many, RUN), 400),
        (good(&[], &target), 400),
        (b"post / HTTP/1.1\r\nHost: esb\r\n\r\n".to_vec(), 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_vec(), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        (b"garbage\r\n\r\n".to_vec(), 400),
    ] {
        let reply = send(standin.esb_addr(), &bytes).await;
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(reply.status, status, "{start}");
        if status == 400 {
            assert!(reply.body.starts_with(b"<html>"), "{start}");
        }
    }
    assert_eq!(standin.history().broken_count(), 7);
}

#[tokio::test]
async fn a_form_of_too_many_fields_is_refused_with_a_page() {
    let standin = standin().await;
    let line = "Content-Type: application/x-www-form-urlencoded";
    let bytes = request("POST", RUN, &[line], "a=1&".repeat(1001).as_bytes());
    assert_eq!(send(standin.esb_addr(), &bytes).await.status, 400);
}

#[tokio::test]
async fn a_client_that_expects_a_continue_gets_one() {
    let standin = standin().await;
    let body = sample().to_string();
    let bytes = request("POST", RUN, &["Expect: 100-continue"], body.as_bytes());
    let answer = String::from_utf8(raw(standin.esb_addr(), &bytes).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn the_history_has_every_byte() {
    let standin = standin().await;
    let body = sample().to_string();
    let folded = "X-Folded: a\r\n b";
    let bytes = request(
        "POST",
        &format!("{RUN}?q=%41"),
        &["X-Mixed-Case: Value ", folded],
        body.as_bytes(),
    );
    send(standin.esb_addr(), &bytes).await;
    let requests = standin.history().requests();
    let seen = &requests[0];
    assert_eq!([seen.head(), seen.body()].concat(), bytes);
    assert_eq!((seen.method(), seen.target()), ("POST", format!("{RUN}?q=%41").as_str()));
    let names: Vec<&str> = seen.headers().map(|(name, _)| name).collect();
    assert_eq!(names, ["Host", "Content-Length", "X-Mixed-Case", "X-Folded"]);
    assert_eq!(seen.header("x-mixed-case").next(), Some(b"Value".as_slice()));
    assert_eq!(seen.resolved().unwrap().component.as_deref(), Some("fast_execute_script"));
    assert_eq!(seen.resolved().unwrap().code, Some(0));
    assert!(!format!("{seen:?}").contains("xxx"));
}

#[tokio::test]
async fn a_request_that_breaks_off_is_counted_and_not_run() {
    let standin = standin().await;
    let bytes = request("POST", RUN, &[], sample().to_string().as_bytes());
    for cut in [10, bytes.len() - 1] {
        let mut stream = tokio::net::TcpStream::connect(standin.esb_addr()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes[..cut]).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        assert_eq!(super::raw::read_to_end(&mut stream).await, b"");
    }
    assert_eq!(standin.history().broken_count(), 2);
    assert_eq!((standin.history().request_count(), standin.history().connection_count()), (0, 2));
    assert_eq!(run(&standin, &sample()).await.json()["data"]["job_instance_id"], json!(10000));
}
