//! A policy of ten thousand applications and fifty thousand rules: what it costs to read, check and bind, and what a call
//! costs under it compared with a policy of ten applications.
//!
//! Times are what the thread had of a CPU. A call's cost is a number of instructions, counted by valgrind in processes of
//! its own: runs with few and with many calls differ by the calls alone, so what is made before them does not count. Ends
//! with 1 where a promise does not hold.

use std::{
    collections::HashMap,
    error::Error,
    fmt::Write as _,
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use esbgate_config::{Grounds, Lookup, Plan, PolicyDocument, PolicyText};
use esbgate_core::{
    Admit, App, Authenticate, Authorize, Binding, BodyBudget, Bracket as _, CertificateName,
    Charge, Freezes, Gather as _, HeadRules, Interpret, Introspect, Ledger, Login, LoginDown,
    MatchRoute, Metrics, Once, Parse, Peer, Policy, PolicyHandle, ProveApp, ReceivedAt,
    ReceivedRequest, Risks, Stage as _, Trace, TraceSink, Verdict,
};
// Its allocator is what the binary runs with.
use esbgate_gateway as _;
use esbgate_model::{
    Name, Secret,
    dialect::{AppSecrets, Credential},
    sha256_hex,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use jiff::Timestamp;
use prometheus::Registry;
use rustix::time::{ClockId, clock_gettime};

type Fallible<T> = Result<T, Box<dyn Error>>;

const FEW: usize = 10;
const MANY: usize = 10_000;
const RULES: usize = 5;
const NOW: &str = "2027-01-04T10:00Z";
const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";
/// Calls of the two runs whose difference is taken.
const CALLS: [usize; 2] = [50, 1050];

/// A policy of `apps` applications, each with rules of its own.
fn policy(apps: usize) -> Fallible<String> {
    let mut text = String::from("version: 1\napps:\n");
    for app in 0..apps {
        let key = sha256_hex(key(app).as_bytes());
        write!(
            text,
            "  app_{app}:\n    owner: team{app}@example.com\n    proofs: [{{key: {{sha256: \"{key}\", expires: \"2027-06-30T00:00+08:00\"}}}}, {{certificate: {{uri: \"spiffe://example.com/app_{app}\"}}}}]\n    users:\n      token: true\n      exemptions:\n        - {{users: [svc_{app}], owner: ops, reason: nightly, ticket: OPS-{app}, expires: \"2027-02-01T00:00+08:00\"}}\n    acts_as: ops_gateway\n    allow:\n"
        )?;
        for rule in 0..RULES {
            let business = app * RULES + rule + 1;
            write!(
                text,
                "      - name: rule {rule} of app_{app}\n        components: [fast_execute_script, get_job_instance_status]\n        business: {{ids: [{business}]}}\n        accounts: {{aliases: [www, root], ids: [1000]}}\n        scripts: {{content: [shell, python], ids: any}}\n        targets: {{ips: [10.{}.0.0/16, 172.16.{}.0/24], except: [10.{}.9.0/24], clouds: [0], hosts: 50}}\n        callbacks: [\"https://ci.example.com/job/{business}/\"]\n",
                business % 256,
                business % 256,
                business % 256
            )?;
        }
    }
    Ok(text)
}

fn key(app: usize) -> String {
    format!("key-of-{app}")
}

struct Nothing;

impl Lookup for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("no file {path}"))
    }
}

fn checked(text: &str) -> Fallible<Plan> {
    let credential = Credential::new(Name::new("ops_gateway")?, AppSecrets::one("secret"));
    let credentials = HashMap::from([("ops_gateway".into(), Arc::new(credential))]);
    let told = |problems: Vec<_>| format!("{} problems: {:?}", problems.len(), problems.first());
    let file = PolicyText { name: "policy.yaml".into(), text: text.into() };
    let document = PolicyDocument::read(&[file]).map_err(told)?;
    let grounds = Grounds { credentials: &credentials, login: true };
    let (plan, _) = document.check(grounds, &Nothing, NOW.parse()?).map_err(told)?;
    Ok(plan)
}

fn bound(plan: Plan) -> Fallible<Policy> {
    let metrics = Metrics::register(&Registry::new(), "bench")?;
    let mut ledger = Ledger::default();
    Ok(plan.bind(Binding { generation: 1, ledger: &mut ledger, metrics: &metrics }))
}

/// A login service that is not asked.
struct NoLogin;

impl Login for NoLogin {
    async fn introspect(&self, _: &Secret, _: ReceivedAt) -> Result<Verdict, LoginDown> {
        Err(LoginDown)
    }

    fn known(&self, _: &Secret, _: ReceivedAt) -> Option<Verdict> {
        None
    }
}

#[derive(Debug)]
struct Unheard;

impl TraceSink for Unheard {
    fn ended(&self, _: &Trace) {}
}

/// The steps up to the journal.
struct Chain {
    parse: Parse,
    route: MatchRoute,
    prove: ProveApp,
}

impl Chain {
    fn new(policy: Policy) -> Self {
        let head = HeadRules { hosts: vec!["gate".into()], ..HeadRules::default() };
        Self {
            parse: Parse(Arc::new(head)),
            route: MatchRoute(PolicyHandle::new(policy)),
            prove: ProveApp::default(),
        }
    }

    /// Takes one call of `app` all the way, which the last of its rules covers.
    async fn call(&self, app: usize, second: u64) -> Fallible<()> {
        let asked = self.parse.run(received(app, second)?)?;
        let admitted = Admit.enter(self.prove.run(self.route.run(asked)?)?).await?;
        let asked = Introspect(NoLogin).run(Interpret.run(admitted)?).await?;
        let fresh = Once.enter(Authenticate.run(asked)?).await?;
        Charge.enter(Authorize.run(fresh)?).await?.depart();
        Ok(())
    }
}

fn received(app: usize, second: u64) -> Fallible<ReceivedRequest> {
    let business = app * RULES + RULES;
    let body = format!(
        r#"{{"bk_biz_id":{business},"script_content":"ZWNobyBob2xh","script_language":1,"account_alias":"root","target_server":{{"ip_list":[{{"bk_cloud_id":0,"ip":"10.{}.0.1"}}]}}}}"#,
        business % 256
    );
    let identity = format!(
        r#"{{"bk_app_code":"app_{app}","bk_app_secret":"{}","bk_username":"svc_{app}"}}"#,
        key(app)
    );
    let wall: Timestamp = NOW.parse()?;
    let received_at = ReceivedAt { wall, monotonic: Duration::from_secs(second) };
    let peer = Peer::new(None, Arc::default());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("gate"));
    headers.insert("x-bkapi-authorization", HeaderValue::try_from(identity)?);
    Ok(ReceivedRequest {
        method: Method::POST,
        uri: Uri::from_static(PATH),
        version: Version::HTTP_11,
        headers,
        body: body.into_bytes(),
        permit: BodyBudget::new(1 << 20).take(0).ok_or("no room")?,
        peer: peer.clone(),
        received_at,
        trace: Trace::new("0".into(), peer, received_at, Arc::new(Unheard)),
    })
}

/// A policy of `apps` applications, those beyond the first few like them but for their names. Reading them all would
/// take minutes where instructions are counted.
fn grown(apps: usize) -> Fallible<Policy> {
    let few = bound(checked(&policy(FEW)?)?)?;
    let mut all: Vec<Arc<App>> = few.apps.values().cloned().collect();
    let like = all.first().cloned().ok_or("no application")?;
    for app in FEW..apps {
        all.push(Arc::new(App {
            code: Name::new(&format!("app_{app}"))?,
            keys: like.keys.clone(),
            issuers: like.issuers.clone(),
            certificates: vec![CertificateName::Uri(format!("spiffe://{app}").into())],
            users: like.users.clone(),
            acts_as: Arc::clone(&like.acts_as),
            allow: like.allow.clone(),
            switches: like.switches,
            http_status: like.http_status,
            limits: like.limits,
            weights: like.weights.clone(),
            state: like.state.clone(),
            metrics: like.metrics.clone(),
        }));
    }
    Ok(Policy::new(1, all, Vec::new(), Risks::default(), Freezes::default()))
}

/// What runs under valgrind: `calls` calls under a policy of `apps` applications.
fn run(apps: usize, calls: usize) -> Fallible<()> {
    let chain = Chain::new(grown(apps)?);
    for call in 0..calls {
        // Applications of one length of code, so that the calls have one size.
        let app = call % FEW;
        let second = u64::try_from(call)? + 1;
        chain.call(app, second).now_or_never().ok_or("a step waits")??;
    }
    Ok(())
}

/// Instructions of a process that makes `calls` calls.
fn instructions(apps: usize, calls: usize) -> Fallible<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args(["--run", &apps.to_string(), &calls.to_string()]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(said.into());
    }
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    Ok(collected.ok_or("valgrind counted nothing")?.trim().parse()?)
}

fn of_a_call(apps: usize) -> Fallible<f64> {
    let [few, many] = CALLS;
    let calls = f64::from(u32::try_from(many - few)?);
    Ok((instructions(apps, many)? - instructions(apps, few)?) / calls)
}

fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn timed<T>(work: impl FnOnce() -> Fallible<T>) -> Fallible<(f64, T)> {
    let begin = cpu();
    let made = work()?;
    Ok((cpu() - begin, made))
}

fn promise(what: &str, measured: f64, most: f64, unit: &str) -> bool {
    let holds = measured <= most;
    let word = if holds { "holds" } else { "DOES NOT HOLD" };
    println!("{what:<44} {measured:>10.3} {unit:<13} at most {most:<6} {word}");
    holds
}

fn measure() -> Fallible<bool> {
    let text = policy(MANY)?;
    println!(
        "{MANY} applications, {} rules, {:.1} MiB",
        MANY * RULES,
        text.len() as f64 / 1048576.0
    );
    let (check, plan) = timed(|| checked(&text))?;
    let (bind, _policy) = timed(|| bound(plan))?;
    let mut held = promise("read and check", check, 5.0, "s of CPU");
    held &= promise("bind", bind, 1.0, "s of CPU");
    let (few, many) = (of_a_call(FEW)?, of_a_call(MANY)?);
    println!("a call under {FEW} applications: {few:.0} instructions; under {MANY}: {many:.0}");
    held &= promise("a call, many over few", many / few, 1.05, "");
    Ok(held)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(0);
    let done = match arguments.first().map(String::as_str) {
        Some("--run") => run(number(1), number(2)).map(|()| true),
        Some(_) | None => measure(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
