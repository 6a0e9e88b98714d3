use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};

use super::*;

const ANN: &str = r#"{"result":true,"code":"00","message":"","data":{"username":"ann"}}"#;
const NOBODY: &str = r#"{"result":false,"code":"1200","message":"m","data":{}}"#;

/// A login service that answers by script, its last answer again and again; an empty answer hangs up.
struct Script {
    url: String,
    seen: Arc<AtomicUsize>,
    targets: mpsc::UnboundedReceiver<String>,
}

fn fine(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn script<const N: usize>(answers: [String; N]) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/login/accounts/is_login/", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let (sender, targets) = mpsc::unbounded_channel();
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut answers = VecDeque::from(answers);
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let head = String::from_utf8(head).unwrap();
            sender.send(head.lines().next().unwrap().to_owned()).unwrap();
            let next = answers.pop_front().unwrap();
            if answers.is_empty() {
                answers.push_back(next.clone());
            }
            stream.write_all(next.as_bytes()).await.unwrap();
        }
    });
    Script { url, seen, targets }
}

impl Script {
    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn login(&self) -> LoginService {
        LoginService::new(options(&self.url), LoginMetrics::default()).unwrap()
    }
}

fn options(url: &str) -> LoginOptions {
    LoginOptions {
        url: url.to_owned(),
        timeout: Duration::from_secs(20),
        valid: Duration::from_secs(60),
        invalid: Duration::from_secs(5),
        stale_if_error: Duration::from_secs(100),
        tls: None,
    }
}

fn at(seconds: u64) -> ReceivedAt {
    ReceivedAt { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(seconds) }
}

fn token(text: &str) -> Secret {
    Secret::new(text)
}

/// Whom the verdict names, and whether it is stale.
async fn ask(
    login: &LoginService,
    text: &str,
    seconds: u64,
) -> Result<(Option<String>, bool), LoginDown> {
    let verdict = login.introspect(&token(text), at(seconds)).await?;
    Ok((verdict.user.map(|user| user.as_str().to_owned()), verdict.stale))
}

fn ann() -> Result<(Option<String>, bool), LoginDown> {
    Ok((Some("ann".to_owned()), false))
}

const NO_ONE: Result<(Option<String>, bool), LoginDown> = Ok((None, false));

#[tokio::test]
async fn a_token_is_encoded_exactly_once() {
    let mut script = script([fine(ANN)]).await;
    assert_eq!(ask(&script.login(), "bkcrypt%24x=&+ é", 0).await, ann());
    assert_eq!(
        script.targets.recv().await.unwrap(),
        "GET /login/accounts/is_login/?bk_token=bkcrypt%2524x%3D%26%2B%20%C3%A9 HTTP/1.1"
    );
}

#[tokio::test]
async fn an_outage_is_not_a_verdict() {
    for answer in [
        String::new(),
        fine("<html>login</html>"),
        fine(r#"{"result":false}"#),
        fine(r#"{"result":true,"code":"00","data":{"username":"no such name"}}"#),
        fine(&format!("{ANN}{}", " ".repeat(64 * 1024))),
        "HTTP/1.1 302 Found\r\nLocation: /login/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 500 Oops\r\nContent-Length: 54\r\n\r\n".to_owned() + NOBODY,
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".to_owned() + ANN,
    ] {
        let script = script([answer.clone(), fine(ANN)]).await;
        let login = script.login();
        assert_eq!(ask(&login, "t", 0).await, Err(LoginDown), "{answer}");
        // Nor is it kept.
        assert_eq!(ask(&login, "t", 0).await, ann(), "{answer}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_an_outage() {
    // It holds its port and does not listen.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", held.local_addr().unwrap());
    let login = LoginService::new(options(&url), LoginMetrics::default()).unwrap();
    assert_eq!(ask(&login, "t", 0).await, Err(LoginDown));
}

#[tokio::test(start_paused = true)]
async fn a_silent_service_is_an_outage_for_all_who_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let login = LoginService::new(options(&url), LoginMetrics::default()).unwrap();
    let begin = Instant::now();
    let all = join_all((0..10).map(|_| ask(&login, "t", 0))).await;
    assert!(all.iter().all(Result::is_err));
    assert!(begin.elapsed() < Duration::from_secs(21));
}

#[tokio::test]
async fn answers_are_believed_for_their_time_by_the_callers_clock() {
    let script = script([fine(ANN), fine(NOBODY), fine(ANN)]).await;
    let login = script.login();
    assert_eq!(ask(&login, "t", 0).await, ann());
    assert_eq!(ask(&login, "t", 59).await, ann());
    assert_eq!(script.seen(), 1);
    assert_eq!(ask(&login, "t", 60).await, NO_ONE);
    assert_eq!(ask(&login, "t", 64).await, NO_ONE);
    assert_eq!(script.seen(), 2);
    assert_eq!(ask(&login, "t", 65).await, ann());
    assert_eq!(script.seen(), 3);
}

#[tokio::test]
async fn a_cache_of_no_time_asks_every_time() {
    let script = script([fine(ANN), fine(NOBODY)]).await;
    let options = LoginOptions { valid: Duration::ZERO, ..options(&script.url) };
    let login = LoginService::new(options, LoginMetrics::default()).unwrap();
    assert_eq!(ask(&login, "t", 0).await, ann());
    assert_eq!(ask(&login, "t", 0).await, NO_ONE);
    assert_eq!(ask(&login, "t", 0).await, NO_ONE);
    assert_eq!(script.seen(), 3);
}

#[tokio::test]
async fn an_old_answer_serves_for_a_bounded_time_while_the_service_is_down() {
    let script = script([fine(ANN), String::new()]).await;
    let login = script.login();
    assert_eq!(ask(&login, "t", 0).await, ann());
    assert_eq!(ask(&login, "t", 159).await, Ok((Some("ann".to_owned()), true)));
    assert_eq!(ask(&login, "t", 160).await, Err(LoginDown));
    assert_eq!(ask(&login, "never seen", 60).await, Err(LoginDown));
}

#[tokio::test]
async fn a_token_that_was_signed_out_never_comes_back_as_an_old_answer() {
    let script = script([fine(ANN), fine(NOBODY), String::new()]).await;
    let login = script.login();
    assert_eq!(ask(&login, "t", 0).await, ann());
    assert_eq!(ask(&login, "t", 60).await, NO_ONE);
    assert_eq!(ask(&login, "t", 66).await, Err(LoginDown));
}

#[tokio::test]
async fn callers_of_one_token_share_one_question() {
    let script = script([fine(ANN)]).await;
    let login = script.login();
    let all = join_all((0..50).map(|_| ask(&login, "t", 0))).await;
    assert!(all.iter().all(|verdict| *verdict == ann()));
    assert_eq!(script.seen(), 1);
}

#[tokio::test]
async fn a_question_goes_on_when_its_asker_leaves() {
    let mut script = script([fine(ANN)]).await;
    let login = script.login();
    {
        let held = token("t");
        let leaving = login.introspect(&held, at(0));
        tokio::pin!(leaving);
        tokio::select! {
            biased;
            early = &mut leaving => panic!("{early:?}"),
            () = std::future::ready(()) => {}
        }
    }
    script.targets.recv().await.unwrap();
    assert_eq!(ask(&login, "t", 1).await, ann());
    assert_eq!(script.seen(), 1);
}

#[tokio::test]
async fn a_purge_forgets_good_and_bad_answers() {
    let script = script([fine(ANN), fine(NOBODY), fine(NOBODY), fine(ANN)]).await;
    let login = script.login();
    assert_eq!(ask(&login, "a", 0).await, ann());
    assert_eq!(ask(&login, "b", 0).await, NO_ONE);
    login.purge();
    assert_eq!(ask(&login, "a", 0).await, NO_ONE);
    assert_eq!(ask(&login, "b", 0).await, ann());
}

#[tokio::test]
async fn an_answer_asked_for_before_a_purge_is_not_kept_after_it() {
    let mut script = script([fine(ANN), fine(NOBODY)]).await;
    let login = script.login();
    let (before, ()) = tokio::join!(ask(&login, "t", 0), async {
        script.targets.recv().await.unwrap();
        login.purge();
    });
    assert_eq!(before, ann());
    assert_eq!(ask(&login, "t", 0).await, NO_ONE);
}

#[test]
fn junk_does_not_evict_good_answers() {
    let second = Duration::from_secs(1);
    let verdicts = Verdicts::new(60 * second, 5 * second, second);
    let fingerprints = Fingerprints::new().unwrap();
    let good = fingerprints.of(&token("good"));
    verdicts.keep(good, Some(Name::new("ann").unwrap()), at(0), 0);
    for n in 0..30_000 {
        verdicts.keep(fingerprints.of(&token(&format!("junk{n}"))), None, at(0), 0);
    }
    assert!(matches!(verdicts.fresh(&good, at(1)), Some(Some(_))));
}
