//! The login service misbehaves in every way that bytes can: an outage, never a verdict, read within bounds.

use esbgate_standin::Standin;

use crate::{
    log::Log,
    raw_server::{Play, RawServer, SOME, chunk, end, head, sized},
    support::*,
};

/// What the login service answers, and a call of its user.
async fn asked(name: &str, play: Play) -> u64 {
    let log = Log::start();
    let server = RawServer::start(play).await;
    let login = format!("url: \"{}/login/accounts/is_login/\", timeout: 300ms", server.url());
    let gate = Gate::with(Files { login: Some(login), ..Files::default() }).await;
    let header = authorization("bk_token", TOKEN);
    let answer = gate.send(&[("X-Bkapi-Authorization", &header)], &call().to_string()).await;
    let executed = answer.body["executed"].as_str().unwrap_or_default();
    let seen = (answer.status, answer.code(), executed);
    assert_eq!(seen, (503, "LOGIN_UNAVAILABLE", "no"), "{name}: {}", answer.body);
    assert_eq!(server.connections(), 1, "{name}");
    assert_eq!(gate.counts(), (0, 0, 0), "{name}");
    // Nothing is kept of it: the next call asks anew.
    gate.send(&[("X-Bkapi-Authorization", &header)], &call().to_string()).await;
    assert_eq!(server.connections(), 2, "{name}");
    let (ended, standin, _folder): (bool, Standin, _) = gate.stop().await;
    assert!(ended);
    assert_eq!(standin.history().request_count(), 0, "{name}");
    assert!(!log.text().contains(TOKEN), "{name}");
    server.written()
}

#[tokio::test]
async fn a_login_service_that_says_nothing_that_can_be_believed_is_an_outage() {
    const ALICE: &str = r#"{"result":true,"code":"00","message":"","data":{"username":"alice"}}"#;
    let json = |body: &str| Play::End(sized("", body.as_bytes()));
    let status = |line: &str| {
        let text = String::from_utf8(sized("Location: /login/\r\n", ALICE.as_bytes())).unwrap();
        end(text.replacen("200 OK", line, 1))
    };
    for (name, play) in [
        ("the end", end("")),
        ("a reset", Play::Reset(Vec::new())),
        ("silence", Play::Stay(Vec::new())),
        ("silence in the body", Play::Stay(head("Content-Length: 99\r\n").into_bytes())),
        ("a cut body", end(head("Content-Length: 99\r\n") + ALICE)),
        (
            "two lengths",
            end(head("Content-Length: 68\r\nTransfer-Encoding: chunked\r\n")
                + &chunk(ALICE)
                + "0\r\n\r\n"),
        ),
        (
            "two answers",
            Play::End([sized("", ALICE.as_bytes()), sized("", ALICE.as_bytes())].concat()),
        ),
        ("an offer", Play::End(sized("Upgrade: h2c\r\n", ALICE.as_bytes()))),
        ("a gzip label", Play::End(sized("Content-Encoding: gzip\r\n", ALICE.as_bytes()))),
        ("a redirect", status("302 Found")),
        ("a refusal by status", status("401 Unauthorized")),
        ("a fault by status", status("500 Internal Server Error")),
        ("no content", status("204 No Content")),
        ("HTML", json("<html>login</html>")),
        ("nothing", json("")),
        ("another shape", json(r#"{"data":{"username":"alice"}}"#)),
        ("result as text", json(r#"{"result":"true","code":"00","data":{"username":"alice"}}"#)),
        ("data as text", json(r#"{"result":true,"code":"00","data":"alice"}"#)),
        ("a name that is a number", json(r#"{"result":true,"code":"00","data":{"username":1}}"#)),
        (
            "two names",
            json(r#"{"result":true,"code":"00","data":{"username":"bob","username":"alice"}}"#),
        ),
        ("yes and no", json(r#"{"result":true,"code":"1200","data":{"username":"alice"}}"#)),
        ("a byte order mark", json(&format!("\u{feff}{ALICE}"))),
        (
            "a name that is a list",
            json(&format!(
                r#"{{"result":true,"code":"00","data":{{"username":{}{}}}}}"#,
                "[".repeat(30_000),
                "]".repeat(30_000)
            )),
        ),
    ] {
        asked(name, play).await;
    }
    let chunked = head("Transfer-Encoding: chunked\r\n").into_bytes();
    let filler = "x".repeat(16 * 1024);
    for (name, play) in [
        ("a body without end", Play::Endless(chunked, chunk(&filler).into())),
        ("a head without end", Play::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), filler.into())),
    ] {
        let written = asked(name, play).await;
        assert!(written < SOME, "{name}: {written}");
    }
}
