//! A head has one reading or it is refused, wherever on its connection it stands.

use crate::support::*;

/// A whole call, with these lines between its other fields.
fn request(lines: &str) -> String {
    let authorization = authorization("bk_username", "svc_deploy");
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    format!("{head}X-Bkapi-Authorization: {authorization}\r\n{lines}\r\n\r\n")
}

fn whole(lines: &str) -> String {
    let body = call().to_string();
    format!("{}{body}", request(&format!("Content-Length: {}{lines}", body.len())))
}

fn chunked(lines: &str) -> String {
    let body = call().to_string();
    let head = request(&format!("Transfer-Encoding: chunked{lines}"));
    format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// The answers that a connection gave before it was closed.
async fn answers(gate: &Gate, sent: &[&str]) -> Vec<Answer> {
    let text = gate.raw(sent.concat().as_bytes()).await;
    let each = text.split("HTTP/1.1 ").skip(1);
    each.map(|answer| Answer::read(&format!("HTTP/1.1 {answer}"))).collect()
}

#[tokio::test]
async fn a_head_of_two_readings_is_refused_and_nothing_behind_it_is_read() {
    let gate = Gate::start().await;
    let length = call().to_string().len();
    let same = format!("\r\nContent-Length: {length}");
    let beside = format!("\r\nContent-Length: {length}");
    let fragment = whole("").replace(" HTTP/1.1", "#x HTTP/1.1");
    for (head, code, path) in [
        (whole(&same), "BAD_FRAMING", "content-length"),
        (chunked(&beside), "BAD_FRAMING", "content-length"),
        (chunked("\r\nTransfer-Encoding: chunked"), "BAD_FRAMING", "transfer-encoding"),
        (chunked("").replace(": chunked", ": gzip, chunked"), "BAD_FRAMING", "transfer-encoding"),
        (whole("\nX-Split: 1"), "BAD_HEADER", "head"),
        (whole("").replace("\r\n", "\n"), "BAD_HEADER", "head"),
        (fragment, "BAD_HEADER", "target"),
    ] {
        let answers = answers(&gate, &[&head, &whole("")]).await;
        assert_eq!(answers.len(), 1, "{head:?}");
        answers[0].is(400, code, "no");
        assert_eq!(answers[0].body["faults"][0]["path"], path, "{head:?}");
        assert!(answers[0].head.contains("\r\nconnection: close"), "{}", answers[0].head);
    }
    assert_eq!(gate.standin.history().request_count(), 0);
}

#[tokio::test]
async fn a_later_head_of_a_connection_is_read_as_strictly_as_its_first() {
    let gate = Gate::start().await;
    let twice = whole(&format!("\r\nContent-Length: {}", call().to_string().len()));
    let answers = answers(&gate, &[&whole(""), "\r\n", &whole(""), &twice, &whole("")]).await;
    assert_eq!(answers.len(), 3);
    answers[2].is(400, "BAD_FRAMING", "no");
    assert!(answers[..2].iter().all(|answer| answer.body["executed"] == "yes"));
    assert_eq!(gate.standin.history().run_count(), 2);
}

#[tokio::test]
async fn a_chunked_call_is_served_and_is_the_last_of_its_connection() {
    let gate = Gate::start().await;
    let answers = answers(&gate, &[&whole(""), &chunked(""), &whole("")]).await;
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.body["executed"] == "yes"));
    assert!(answers[1].head.contains("\r\nconnection: close"), "{}", answers[1].head);
    assert_eq!(gate.standin.history().run_count(), 2);
}
