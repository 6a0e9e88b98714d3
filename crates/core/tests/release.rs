//! What becomes of an intent when its call ends: walked through the real steps over ports that are always
//! ready.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use esbgate_core::{
    AccountGrant, Admit, AdmittedCall, Allow, App, AppKey, Authenticate, Authorize, BodyBudget,
    Bracket, BusinessGrant, Charge, Exemption, Freezes, Gather, Grant, HeadRules, Intent,
    Interpret, Introspect, Journal, JournalDown, JournaledCall, Ledger, Limits, Login, LoginDown,
    MatchRoute, Metrics, NotSent, Once, OutcomeRecord, Parse, Peer, Policy, PolicyHandle, Prepare,
    ProveApp, Quota, ReceivedAt, ReceivedRequest, RefusalRecord, Risks, Rooms, ScriptGrant, Stage,
    TargetGrant, Ticket, Trace, TraceSink, Users, Verdict, WriteAhead,
};
use esbgate_model::{
    Executed, Name, Secret, Switches,
    dialect::{AppSecrets, Credential, Dialect},
    sha256,
};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use jiff::Timestamp;

const BODY: &str = r#"{"bk_app_code":"team","bk_app_secret":"key","bk_username":"svc","bk_biz_id":2,
    "script_content":"ZWNobyAkMQo=","script_language":1,"account_alias":"root",
    "target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"}]}}"#;

#[derive(Debug)]
struct Unheard;

impl TraceSink for Unheard {
    fn ended(&self, _: &Trace) {}
}

struct NobodyAsks;

impl Login for NobodyAsks {
    async fn introspect(&self, _: &Secret, _: ReceivedAt) -> Result<Verdict, LoginDown> {
        Err(LoginDown)
    }

    fn known(&self, _: &Secret, _: ReceivedAt) -> Option<Verdict> {
        None
    }
}

/// Counts what it is told.
#[derive(Clone, Default)]
struct Told {
    released: Arc<AtomicU32>,
    settled: Arc<AtomicU32>,
    rooms: Rooms,
}

impl Journal for Told {
    async fn intend(&self, _: &Intent<'_>) -> Result<Ticket, JournalDown> {
        let released = Arc::clone(&self.released);
        let ticket = Ticket::new(1, self.rooms.take(1).ok_or(JournalDown)?);
        Ok(ticket.on_release(move |_| {
            released.fetch_add(1, Ordering::Relaxed);
        }))
    }

    async fn settle(&self, ticket: Ticket, outcome: &OutcomeRecord<'_>) -> Result<(), JournalDown> {
        assert_eq!(outcome.executed, Executed::No);
        ticket.close();
        self.settled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn refuse(&self, _: &RefusalRecord<'_>) {}
}

impl Told {
    /// How often a call was released, and how often one was settled; whether no room is left taken.
    fn counts(&self) -> (u32, u32, bool) {
        let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
        (count(&self.released), count(&self.settled), self.rooms.taken() == 0)
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a port that is always ready waits"),
    }
}

fn app() -> App {
    let code = Name::new("team").unwrap();
    let quota = Quota { period: Duration::from_secs(1), burst: 10.try_into().unwrap() };
    let limits = Limits {
        calls: quota,
        in_flight: 10,
        host_runs: quota,
        hosts_per_day: None,
        hosts_per_call: 10,
        shadow: Default::default(),
    };
    let exemption = Exemption {
        users: [Name::new("svc").unwrap()].into(),
        patterns: vec![],
        expires: Timestamp::MAX,
    };
    let grant = Grant {
        name: "all".into(),
        components: Allow::Any,
        business: BusinessGrant { ids: Allow::Any, ..BusinessGrant::default() },
        accounts: AccountGrant { aliases: Allow::Any, ids: Allow::Any },
        scripts: ScriptGrant { content: Allow::Any, ..ScriptGrant::default() },
        targets: TargetGrant { ips: Allow::Any, clouds: Allow::Any, ..TargetGrant::default() },
        callbacks: vec![],
        hours: None,
        limits: Default::default(),
    };
    let metrics = Metrics::register(&prometheus::Registry::new(), "test").unwrap();
    let allow = vec![grant];
    App {
        keys: vec![AppKey { sha256: sha256(b"key"), expires: None }],
        issuers: vec![],
        certificates: vec![],
        users: Users { exemptions: vec![exemption], ..Users::default() },
        acts_as: Arc::new(Credential::new(code.clone(), AppSecrets::one("s"))),
        switches: Switches::default(),
        http_status: Default::default(),
        limits,
        weights: Default::default(),
        state: Ledger::default().state(&code, limits, &allow),
        metrics: metrics.app("team", "team", &[]),
        allow,
        code,
    }
}

/// A call there is room for.
fn admitted() -> AdmittedCall {
    let app = app();
    let policy = Policy::new(1, [Arc::new(app)], vec![], Risks::default(), Freezes::default());
    let head = HeadRules { hosts: vec!["gate".into()], ..HeadRules::default() };
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("gate"));
    let received_at = ReceivedAt { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(1) };
    let peer = Peer::new(None, Arc::default());
    let received = ReceivedRequest {
        method: Method::POST,
        uri: Uri::from_static("/api/c/compapi/v2/jobv3/fast_execute_script/"),
        version: Version::HTTP_11,
        headers,
        body: BODY.into(),
        permit: BodyBudget::new(4096).take(4096).unwrap(),
        peer: peer.clone(),
        received_at,
        trace: Trace::new("0".into(), peer, received_at, Arc::new(Unheard)),
    };
    let parsed = Parse(Arc::new(head)).run(received).unwrap();
    let routed = MatchRoute(PolicyHandle::new(policy)).run(parsed).unwrap();
    ready(Admit.enter(ProveApp::default().run(routed).unwrap())).unwrap()
}

/// A call that is on record.
fn journaled(journal: &Told) -> JournaledCall {
    let admitted = admitted();
    let call = ready(Introspect(NobodyAsks).run(Interpret.run(admitted).unwrap())).unwrap();
    let fresh = ready(Once.enter(Authenticate.run(call).unwrap())).unwrap();
    let charged = ready(Charge.enter(Authorize.run(fresh).unwrap())).unwrap();
    ready(WriteAhead(journal.clone()).enter(charged)).unwrap()
}

#[test]
fn a_call_that_ends_before_it_departs_releases_its_intent() {
    let journal = Told::default();
    drop(journaled(&journal));
    assert_eq!(journal.counts(), (1, 0, true), "before it was prepared");
    drop(Prepare(Dialect::Esb).run(journaled(&journal)).unwrap());
    assert_eq!(journal.counts(), (2, 0, true), "before a connection was there");
}

#[test]
fn a_call_that_departed_is_not_said_to_be_unmade() {
    let journal = Told::default();
    let (_, pending) = Prepare(Dialect::Esb).run(journaled(&journal)).unwrap().into_parts();
    drop(pending.depart());
    assert_eq!(journal.counts(), (0, 0, true), "nobody knows, so the intent stays open");
}

#[test]
fn a_call_that_was_not_sent_is_settled_once() {
    let journal = Told::default();
    let (_, pending) = Prepare(Dialect::Esb).run(journaled(&journal)).unwrap().into_parts();
    let answer = ready(WriteAhead(journal.clone()).leave(pending.not_sent(NotSent::Refused)));
    drop(answer);
    assert_eq!(journal.counts(), (0, 1, true));
}

/// A document takes up to forty times its body, which nothing counts.
#[test]
fn no_call_that_waits_for_others_keeps_the_document_it_was_read_from() {
    let held = |call: &dyn std::fmt::Debug| format!("{call:?}").contains("document: Some(Document");
    let admitted = admitted();
    assert!(held(&admitted));
    assert!(!held(&Interpret.run(admitted).unwrap()));
}
