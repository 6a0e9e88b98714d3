//! What must hold when a call goes wrong, one row for each way: the answer, what ran, what is on record, and
//! whether slot and host-runs come back. Each row has a gateway of its own, in a process of its own.

use esbgate_standin::Fault;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{served::Served, support::*};

/// What is done before the call.
#[derive(Clone)]
enum Before {
    Nothing,
    LoginDown,
    LoginFault(Fault),
    EsbDown,
    EsbFault(Fault),
    BudgetSpent,
    JournalFull,
}

/// Who waits for the answer.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Waits,
    LeavesInTheBody,
    LeavesWhileItRuns,
}

/// What becomes of the three host-runs that the call asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum HostRuns {
    NotTaken,
    GivenBack,
    Kept,
}
use HostRuns::{GivenBack, Kept, NotTaken};

struct Row {
    name: &'static str,
    before: Before,
    caller: Caller,
    identity: Value,
    call: Value,
    /// Status, `code_name` or else `code`, `executed`. None for a caller who is gone.
    answer: Option<(u16, &'static str, &'static str)>,
    ran: usize,
    /// `executed` of the outcome; none if there is not even an intent.
    recorded: Option<&'static str>,
    host_runs: HostRuns,
}

/// One slot, and three host-runs that do not come back within a test: what a call keeps, the next one misses.
fn files(before: &Before) -> Files {
    let small = "    calls: {per_second: 1000, burst: 1000, in_flight: 1}\n    hosts: {per_call: 3, per_minute: 1, burst: 3}\n";
    let mut files = Files { policy: policy(small, ALLOW), ..Files::default() };
    if matches!(before, Before::EsbFault(Fault::Silence)) {
        files.upstream_extra = ", timeouts: {connect: 2s, answer: 300ms}".into();
    }
    files
}

fn three_hosts() -> Value {
    let list: Vec<_> =
        (1..=3).map(|i| json!({"bk_cloud_id": 0, "ip": format!("10.0.0.{i}")})).collect();
    call_with(json!({"target_server": {"ip_list": list}}))
}

fn identity(change: Value) -> Value {
    let mut identity =
        json!({"bk_app_code": "team_app", "bk_app_secret": KEY, "bk_username": "svc_deploy"});
    identity.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    identity
}

fn row(name: &'static str, answer: (u16, &'static str, &'static str)) -> Row {
    Row {
        name,
        before: Before::Nothing,
        caller: Caller::Waits,
        identity: identity(json!({})),
        call: three_hosts(),
        answer: Some(answer),
        ran: 0,
        recorded: None,
        host_runs: NotTaken,
    }
}

/// Refused before anything is taken.
fn unproved(name: &'static str, change: Value, status: u16, code: &'static str) -> Row {
    Row { identity: identity(change), ..row(name, (status, code, "no")) }
}

fn not_granted(name: &'static str, change: Value, code: &'static str) -> Row {
    let mut call = three_hosts();
    call.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    Row { call, ..row(name, (403, code, "no")) }
}

/// Sent, and answered badly.
fn esb(name: &'static str, fault: Fault, answer: (u16, &'static str, &'static str)) -> Row {
    let runs = answer.2 != "no";
    Row {
        before: Before::EsbFault(fault),
        ran: usize::from(runs),
        recorded: Some(answer.2),
        host_runs: Kept,
        ..row(name, answer)
    }
}

fn rows() -> Vec<Row> {
    let with_token = json!({"bk_username": "", "bk_token": TOKEN});
    let login = |name, before| Row {
        before,
        ..unproved(name, with_token.clone(), 503, "LOGIN_UNAVAILABLE")
    };
    let elsewhere = json!({"ip_list": [{"bk_cloud_id": 0, "ip": "192.168.0.1"}]});
    let unknown = (502, "BAD_GATEWAY", "unknown");
    vec![
        Row {
            ran: 1,
            recorded: Some("yes"),
            host_runs: Kept,
            ..row("nothing goes wrong", (200, "0", "yes"))
        },
        unproved("wrong key", json!({"bk_app_secret": "wrong"}), 401, "APP_VERIFY_FAILED"),
        unproved("no key", json!({"bk_app_secret": ""}), 401, "APP_VERIFY_FAILED"),
        unproved("unknown application", json!({"bk_app_code": "x"}), 401, "APP_VERIFY_FAILED"),
        unproved(
            "bad token",
            json!({"bk_username": "", "bk_token": "nobody"}),
            401,
            "USER_VERIFY_FAILED",
        ),
        login("login refuses connections", Before::LoginDown),
        login("login answers HTML", Before::LoginFault(Fault::html(502))),
        login("login breaks off", Before::LoginFault(Fault::Close)),
        login("login is cut", Before::LoginFault(Fault::Cut(60))),
        unproved("no exemption", json!({"bk_username": "mallory"}), 401, "USER_NOT_EXEMPT"),
        unproved("expired exemption", json!({"bk_username": "svc_old"}), 401, "EXEMPTION_EXPIRED"),
        unproved("no user", json!({"bk_username": ""}), 401, "USER_MISSING"),
        not_granted("foreign business", json!({"bk_biz_id": 3}), "BUSINESS_NOT_ALLOWED"),
        not_granted("foreign account", json!({"account_alias": "oracle"}), "ACCOUNT_NOT_ALLOWED"),
        not_granted("foreign target", json!({"target_server": elsewhere}), "TARGET_NOT_ALLOWED"),
        not_granted("foreign language", json!({"script_language": 3}), "SCRIPT_NOT_ALLOWED"),
        Row {
            before: Before::BudgetSpent,
            host_runs: Kept,
            ..row("budget spent", (429, "HOST_BUDGET_SPENT", "no"))
        },
        Row {
            before: Before::JournalFull,
            host_runs: GivenBack,
            ..row("journal unwritable", (503, "AUDIT_UNAVAILABLE", "no"))
        },
        Row {
            before: Before::EsbDown,
            recorded: Some("no"),
            host_runs: GivenBack,
            ..row("ESB refuses connections", (502, "UPSTREAM_UNREACHABLE", "no"))
        },
        esb("JOB refuses", Fault::refusal(1_244_001, "Host is empty"), (200, "1244001", "no")),
        Row {
            ran: 0,
            ..esb("ESB refuses somehow", Fault::refusal(1, "no idea"), (200, "1", "unknown"))
        },
        esb("ESB lost JOB", Fault::job_timeout(), (200, "1306201", "unknown")),
        esb("ESB is silent", Fault::Silence, (504, "REQUEST_BACKEND_TIMEOUT", "unknown")),
        esb("ESB answers HTML", Fault::html(200), unknown),
        esb("ESB answers an error page", Fault::html(502), unknown),
        esb("ESB answers nothing", Fault::empty(), unknown),
        esb("answer cut in the head", Fault::Cut(20), unknown),
        esb("answer cut in the body", Fault::LengthOff(5), unknown),
        esb("answer reset in the middle", Fault::CutAndReset(120), unknown),
        esb("ESB closes", Fault::Close, unknown),
        Row {
            caller: Caller::LeavesInTheBody,
            answer: None,
            ..row("caller gone in the body", (0, "", ""))
        },
        Row {
            before: Before::EsbFault(Fault::HoldBeforeRun),
            caller: Caller::LeavesWhileItRuns,
            answer: None,
            ran: 1,
            recorded: Some("yes"),
            host_runs: Kept,
            ..row("caller gone while it runs", (0, "", ""))
        },
    ]
}

impl Row {
    async fn holds(self) {
        let mut gate = Served::with(files(&self.before)).await;
        if matches!(self.before, Before::BudgetSpent) {
            assert_eq!(gate.call(&three_hosts()).await.body["executed"], "yes");
        }
        let (ran, intents) = (gate.standin.history().run_count(), gate.records("intent").len());
        self.ask(&gate).await;
        assert_eq!(gate.standin.history().run_count() - ran, self.ran, "{}", self.name);
        self.next_call(&gate).await;
        let next = usize::from(self.host_runs != Kept);
        let (status, log) = gate.stop().await;
        assert!(status.success(), "{}: {log}", self.name);
        self.check_journal(&gate, intents, next);
    }

    /// Makes the call, under what was asked for; afterwards all is well again.
    async fn ask(&self, gate: &Served) {
        let (esb, login) = (gate.standin.esb_faults(), gate.standin.login_faults());
        match self.before.clone() {
            Before::Nothing | Before::BudgetSpent => {}
            Before::LoginDown => login.refuse_connections().await,
            Before::LoginFault(fault) => drop(login.arm(fault.once())),
            Before::EsbDown => esb.refuse_connections().await,
            Before::EsbFault(fault) => drop(esb.arm(fault.once())),
            Before::JournalFull => gate.limit_files("0").await,
        }
        let identity = self.identity.to_string();
        let request = post(&[("X-Bkapi-Authorization", &identity)], &self.call.to_string());
        match self.caller {
            Caller::Waits => {
                self.check(&Answer::read(&exchange(gate.address, request.as_bytes()).await))
            }
            Caller::LeavesInTheBody => {
                let mut stream = TcpStream::connect(gate.address).await.unwrap();
                stream.write_all(&request.as_bytes()[..request.len() - 10]).await.unwrap();
            }
            Caller::LeavesWhileItRuns => {
                let mut stream = TcpStream::connect(gate.address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                gate.standin.history().arrived(1, PATIENCE).await.unwrap();
                drop(stream);
                esb.clear();
                gate.standin.history().ran(1, PATIENCE).await.unwrap();
            }
        }
        login.accept_connections().await;
        esb.accept_connections().await;
        gate.limit_files("unlimited").await;
    }

    fn check(&self, answer: &Answer) {
        let body = &answer.body;
        let code =
            body["code_name"].as_str().map_or_else(|| body["code"].to_string(), str::to_owned);
        let executed = body["executed"].as_str().unwrap();
        let seen = (answer.status, code.as_str(), executed);
        assert_eq!(Some(seen), self.answer, "{}: {body}", self.name);
        assert!(body["message"].is_string() && body.get("data").is_some(), "{}: {body}", self.name);
    }

    /// The slot is there again; the host-runs are, unless they were kept.
    async fn next_call(&self, gate: &Served) {
        let call = three_hosts();
        let next = async {
            loop {
                let answer = gate.call(&call).await;
                // Nobody is told when a call ends whose caller has left.
                let taken = answer.code() == "CONCURRENCY_LIMIT_RESTRICTION";
                if !taken || self.caller == Caller::Waits {
                    return answer;
                }
            }
        };
        let answer = timeout(PATIENCE, next).await.unwrap();
        match self.host_runs {
            Kept => assert_eq!(answer.code(), "HOST_BUDGET_SPENT", "{}", self.name),
            NotTaken | GivenBack => {
                assert_eq!(answer.body["executed"], "yes", "{}: {}", self.name, answer.body);
            }
        }
    }

    fn check_journal(&self, gate: &Served, before: usize, next: usize) {
        let intents = gate.records("intent").len() - before - next;
        assert_eq!(intents, usize::from(self.recorded.is_some()), "{}", self.name);
        if let Some(executed) = self.recorded {
            assert_eq!(gate.records("outcome")[before]["executed"], executed, "{}", self.name);
        }
        let refused =
            |code: &str| gate.records("refusal").iter().any(|refusal| refusal["code_name"] == code);
        if let Some((_, code, "no")) = self.answer
            && self.recorded.is_none()
            // The refusal itself is lost while nothing can be written; a metric counts it.
            && !matches!(self.before, Before::JournalFull)
        {
            assert!(refused(code), "{}: no refusal on record", self.name);
        }
    }
}

#[tokio::test]
async fn whatever_goes_wrong_the_answer_the_journal_and_what_ran_agree_and_nothing_is_lost() {
    for row in rows() {
        row.holds().await;
    }
}
