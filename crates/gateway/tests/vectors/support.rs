//! A gateway between the mocks of a runner: what README.md of this folder says a run needs.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use esbgate_core::Clock as _;
use esbgate_gateway::{Running, SystemClock, command::settings, start};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::secret_grep::Folder;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
/// Ends a run that would hang; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(900);

/// A corpus, and how the gateway is set up for it.
pub(crate) struct Corpus {
    name: &'static str,
    unknown: &'static str,
}

impl Corpus {
    pub(crate) fn of(name: &'static str) -> Self {
        Self { name, unknown: "refuse" }
    }

    pub(crate) fn dropping_unknown_fields(self) -> Self {
        Self { unknown: "drop", ..self }
    }

    /// Runs it, and panics with the lines of the vectors that failed. A vector that did not run fails.
    pub(crate) async fn holds(self) {
        tokio::time::timeout(PATIENCE, self.run()).await.expect("the run hangs");
    }

    async fn run(self) {
        let folder = Folder::marked(&["-do-not-log", "an-upstream-secret", "a-key-of-the-journal"]);
        let corpus = format!("{FOLDER}/{}.jsonl", self.name);
        let vectors = std::fs::read_to_string(&corpus).unwrap().lines().count();
        let mut runner = Runner::start(&[
            self.name,
            "--corpus",
            &corpus,
            "--unknown",
            self.unknown,
            "--pid",
            &std::process::id().to_string(),
            "--keys",
            folder.path().to_str().unwrap(),
        ]);
        let mocks = runner.line().await.expect("the runner ended before it began");
        let gateway = self.gateway(folder.path(), &serde_json::from_str(&mocks).unwrap()).await;
        runner.tell(&gateway.addresses()[0].port().to_string()).await;
        let mut said = Vec::new();
        while let Some(line) = runner.line().await {
            said.push(line);
        }
        let last = said.pop().unwrap_or_default();
        let tally: Value = serde_json::from_str(&last).unwrap_or_else(|_| panic!("{last}"));
        assert!(said.is_empty(), "{} failed:\n{}", said.len(), said.join("\n"));
        assert_eq!(tally["passed"], vectors, "not every vector of {} ran", self.name);
        assert!(runner.child.wait().await.unwrap().success());
        assert!(gateway.stop(Duration::from_secs(20)).await, "calls were left");
    }

    async fn gateway(&self, folder: &Path, mocks: &Value) -> Running {
        let tokens = self.name == "jwt";
        for (name, text) in [
            ("esb.secret", "an-upstream-secret"),
            ("hmac.key", "a-key-of-the-journal-of-32-bytes-or-more"),
            ("policy.yaml", &policy(self.unknown, tokens)),
            ("esbgate.yaml", &boot(folder, mocks, tokens)),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let settings = settings(&folder.join("esbgate.yaml"));
        let settings = settings.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
        start(settings, Arc::new(SystemClock::start())).await.unwrap()
    }
}

fn boot(folder: &Path, mocks: &Value, tokens: bool) -> String {
    let trusted = if tokens { "127.77.0.0/16" } else { "" };
    format!(
        r#"version: 1
listen: [{{address: "127.0.0.1:0"}}]
hosts: [127.0.0.1]
monitor: {{address: "127.0.0.1:0"}}
limits: {{body: 1MiB, headers: 32KiB, header_time: 5s, body_time: 6s}}
trusted_peers: [{trusted}]
upstream: {{kind: esb, endpoints: ["http://127.0.0.1:{}"]}}
login: {{url: "http://127.0.0.1:{}/login/accounts/is_login/"}}
credentials:
  corpus: {{bk_app_code: corpus, bk_app_secret: {{current: {{file: esb.secret}}}}}}
journal: {{dir: {}, durability: written, hmac_key: {{file: hmac.key}}}}
policy: policy.yaml
"#,
        mocks["upstream"],
        mocks["login"],
        folder.join("journal").display(),
    )
}

fn policy(unknown: &str, tokens: bool) -> String {
    let (issuers, proofs) = if tokens {
        (
            ISSUERS,
            "{jwt: {issuer: rs}}, {jwt: {issuer: es}}, {jwt: {issuer: ed}}, {jwt: {issuer: gw}}",
        )
    } else {
        ("", "")
    };
    let in_thirty_days =
        SystemClock::start().now().wall + jiff::SignedDuration::from_hours(30 * 24);
    format!(
        r#"version: 1
defaults:
  calls: {{per_second: 1000, burst: 1000, in_flight: 1000}}
  hosts: {{per_call: 50000, per_minute: 1000000000, burst: 1000000000}}
{issuers}
apps:
  corpus:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{}"}}}}, {proofs}]
    users:
      token: true
      exemptions:
        - {{users: [corpus_user], owner: ops, reason: corpora, ticket: OPS-1, expires: "{in_thirty_days}"}}
    acts_as: corpus
    unknown_fields: {unknown}
    allow:
      - name: everything
        components: [fast_execute_script]
        business: {{ids: any, sets: any, tenant_sets: any}}
        accounts: {{aliases: any, ids: any}}
        scripts: {{content: any, ids: any, versions: any}}
        targets: {{ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 50000}}
        callbacks: ["https://cb.example.com/", "http://cb.example.com/"]
  other:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{}"}}}}]
    acts_as: corpus
"#,
        sha256("corpus-secret-do-not-log"),
        sha256("other-secret-do-not-log"),
    )
}

/// The issuers of jwt.jsonl; the runner writes their public keys.
const ISSUERS: &str = r#"
issuers:
  rs:
    header: bearer
    issuer: https://rs.issuer.example
    audience: esbgate
    algorithm: RS256
    key: {jwks: {file: rs.jwks.json}}
    claims: {app: app_code, user: username}
  es:
    header: bearer
    issuer: https://es.issuer.example
    audience: esbgate
    algorithm: ES256
    key: {pem: {file: es-1.pem}}
    claims: {app: app_code, user: username}
  ed:
    header: bearer
    issuer: https://ed.issuer.example
    audience: esbgate
    algorithm: EdDSA
    key: {pem: {file: ed-1.pem}}
    claims: {app: app_code, user: username}
  gw:
    header: x-bkapi-jwt
    issuer: APIGW
    audience: esbgate
    algorithm: RS512
    key: {pem: {file: gw-1.pem}}
    kid: corpus-gw
    claims: {app: app.app_code, app_verified: app.verified, user: user.username, user_verified: user.verified}
"#;

fn sha256(text: &str) -> String {
    esbgate_model::sha256_hex(text.as_bytes())
}

/// The Python process that sends the vectors and stands behind the gateway.
struct Runner {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Runner {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(python())
            // The source tree stays as it is.
            .args(["-B", &format!("{FOLDER}/runner")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output }
    }

    /// Its next line; none when it has ended.
    async fn line(&mut self) -> Option<String> {
        self.output.next_line().await.unwrap()
    }

    async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}

fn python() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/venv");
    let venv = std::env::var("ESBGATE_TEST_VENV").unwrap_or_else(|_| default.into());
    let python = PathBuf::from(venv).join("bin/python");
    assert!(python.exists(), "{} is missing: `make test` installs it", python.display());
    python
}
