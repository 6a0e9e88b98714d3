//! The steps of a call, in the order of the stack and without sockets.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use esbgate_core::{
    Admit, Authenticate, Authorize, BodyBudget, Bracket as _, Charge, Clock, Gather as _,
    HeadRules, Interpret, Introspect, MatchRoute, Metrics, Once, OutgoingMessage, Parse, Peer,
    Prepare, ProveApp, ReceivedAt, ReceivedRequest, Rejection, Stage as _, Trace, TraceSink,
    WriteAhead,
};
use esbgate_journal::{Durability, FileJournal, Options};
use esbgate_model::{Secret, dialect::Dialect};
use http::{HeaderMap, Method, Version};
use prometheus::Registry;

use crate::{
    compare::View,
    generate::Request,
    policy::{self, Tokens},
    python::loads,
    render::HMAC_KEY,
    secret_grep::Folder,
    seen,
};

const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";

/// A call that went all the way.
pub struct Passed {
    pub seen: View,
    pub message: OutgoingMessage,
}

#[derive(Debug)]
struct Silent;

impl TraceSink for Silent {
    fn ended(&self, _: &Trace) {}
}

/// A clock that stands still; the cases carry their own times.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> ReceivedAt {
        policy::at(0)
    }
}

pub struct Chain {
    parse: Parse,
    route: MatchRoute,
    prove: ProveApp,
    bodies: Arc<BodyBudget>,
    sink: Arc<dyn TraceSink>,
    metrics: Metrics,
}

/// A journal of its own for some calls.
pub struct Records {
    journal: FileJournal,
    _folder: Folder,
}

impl Chain {
    pub fn new() -> Self {
        let metrics = Metrics::register(&Registry::new(), "0").unwrap();
        let hosts = vec!["gate.example.com".into()];
        Self {
            parse: Parse(Arc::new(HeadRules { hosts, ..HeadRules::default() })),
            route: MatchRoute(policy::policy(&metrics)),
            prove: ProveApp::default(),
            bodies: BodyBudget::new(1 << 30),
            sink: Arc::new(Silent),
            metrics,
        }
    }

    pub fn records(&self) -> Records {
        let folder = Folder::new();
        let (dir, state) = (folder.path().join("journal"), folder.path().join("state"));
        let own = Options::new(dir, state, Secret::new(HMAC_KEY));
        let (durability, node) = (Durability::Written, "differential".into());
        let options = Options { durability, node, open_intents: 1000, ..own };
        let journal = FileJournal::open(options, Arc::new(Still), self.metrics.journal.clone());
        Records { journal: journal.unwrap(), _folder: folder }
    }

    fn received(&self, id: &str, case: u64, request: &Request) -> ReceivedRequest {
        let (peer, at) = (Some(Ipv4Addr::from(case as u32).into()), policy::at(case));
        let peer = Peer::new(peer, [].into());
        let mut headers = HeaderMap::new();
        headers.insert("host", "gate.example.com".parse().unwrap());
        for (name, value) in &request.headers {
            headers.append(*name, value.clone());
        }
        ReceivedRequest {
            method: Method::POST,
            uri: PATH.parse().unwrap(),
            version: Version::HTTP_11,
            headers,
            permit: self.bodies.take(request.body.len() as u64).unwrap(),
            body: request.body.clone(),
            peer: peer.clone(),
            received_at: at,
            trace: Trace::new(id.into(), peer, at, Arc::clone(&self.sink)),
        }
    }

    /// Runs a request through every step up to the message that would be sent.
    pub async fn run(
        &self,
        (id, case): (&str, u64),
        request: &Request,
        dialect: Dialect,
        records: &Records,
    ) -> Result<Passed, Rejection> {
        let parsed = self.parse.run(self.received(id, case, request))?;
        let proved = self.prove.run(self.route.run(parsed)?)?;
        let call = Interpret.run(Admit.enter(proved).await?)?;
        let introspected = Introspect(Tokens).run(call).await?;
        let fresh = Once.enter(Authenticate.run(introspected)?).await?;
        let granted = Authorize.run(fresh)?;
        let seen = seen::view(&granted);
        let charged = Charge.enter(granted).await?;
        let journaled = WriteAhead(records.journal.clone()).enter(charged).await?;
        let (message, _) = Prepare(dialect).run(journaled)?.into_parts();
        Ok(Passed { seen, message })
    }
}

impl Records {
    /// The lines of the intents on disk, by request id.
    pub fn lines(self) -> HashMap<String, String> {
        self.journal.close().unwrap();
        let mut intents = HashMap::new();
        for file in std::fs::read_dir(self.journal.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let Some(id) = id_of_intent(line) else { continue };
                assert!(intents.insert(id, line.to_owned()).is_none(), "two intents of one call");
            }
        }
        intents
    }
}

fn id_of_intent(line: &str) -> Option<String> {
    let line = loads(line.as_bytes()).ok()?;
    line.text("kind").filter(|kind| *kind == "intent")?;
    line.text("request_id").map(str::to_owned)
}
