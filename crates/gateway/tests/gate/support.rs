//! One gateway of its own for each test, between stand-ins of its own. All that it puts out goes through the secret grep.

#[path = "secret_grep.rs"]
mod secret_grep;

use std::{
    cell::Cell,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use esbgate_core::Clock;
use esbgate_gateway::{Running, SystemClock, command::settings, start};
use esbgate_standin::{App, Business, Options, Script, Standin, World};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub use self::secret_grep::{Folder, clean};

thread_local! {
    /// Whether a gateway's calls are to stay on this thread, which is logged.
    pub static ON_THIS_THREAD: Cell<bool> = const { Cell::new(false) };
}

pub const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";
pub const KEY: &str = "caller-key-canary-1";
pub const TOKEN: &str = "token-canary-alice";
pub const ESB_SECRET: &str = "esb-secret-canary-1";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a test changes of the two files.
pub struct Files {
    pub policy: String,
    pub boot_extra: String,
    pub durability: &'static str,
    /// Members of the journal besides.
    pub journal_extra: String,
    pub upstream_extra: String,
    pub kind: &'static str,
    /// Members of the listener besides its address.
    pub listen_extra: String,
    /// TLS of the ESB.
    pub esb_tls: Option<Arc<rustls::ServerConfig>>,
    /// Further files of the folder: name and text.
    pub beside: Vec<(&'static str, String)>,
    /// The ESB's endpoint, in the place of the stand-in's.
    pub esb: Option<String>,
    /// Members of the credential's `bk_app_secret` besides `current`.
    pub secret_extra: &'static str,
    /// The members of `login`, in the place of the stand-in's URL.
    pub login: Option<String>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            policy: policy("", ALLOW),
            boot_extra: String::new(),
            durability: "written",
            journal_extra: String::new(),
            upstream_extra: String::new(),
            kind: "esb",
            listen_extra: String::new(),
            esb_tls: None,
            beside: Vec::new(),
            esb: None,
            secret_extra: "",
            login: None,
        }
    }
}

impl Files {
    /// The stand-ins of a world, and a folder with the two files that name them.
    pub async fn lay_out(&self, world: World) -> (Standin, Folder) {
        let tls = self.esb_tls.clone();
        // A long run looks back to its first call.
        let options = Options { tls, history_limit: usize::MAX, ..Options::from(world) };
        let standin = Standin::start(options).await.unwrap();
        let folder = Folder::new();
        self.write(&standin, &folder);
        (standin, folder)
    }

    /// Writes the files into a folder.
    pub fn write(&self, standin: &Standin, folder: &Folder) {
        let boot = self.boot(standin, folder);
        let beside = self.beside.iter().map(|(name, text)| (*name, text.as_str()));
        let own = [
            ("esb.secret", ESB_SECRET),
            ("hmac.key", "hmac-key-canary-1-0123456789abcdef"),
            ("policy.yaml", &self.policy),
            ("esbgate.yaml", &boot),
        ];
        for (name, text) in own.into_iter().chain(beside) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }

    fn boot(&self, standin: &Standin, folder: &Folder) -> String {
        format!(
            r#"version: 1
listen: [{{address: "127.0.0.1:0"{}}}]
hosts: [127.0.0.1, localhost]
monitor: {{address: "127.0.0.1:0"}}
upstream: {{kind: {}, endpoints: ["{}"]{}}}
login: {{{}}}
credentials:
  ops_gateway: {{bk_app_code: ops_gateway, bk_app_secret: {{current: {{file: esb.secret}}{}}}}}
journal: {{dir: {}, durability: {}, hmac_key: {{file: hmac.key}}{}}}
policy: policy.yaml
{}"#,
            self.listen_extra,
            self.kind,
            self.esb.clone().unwrap_or_else(|| standin.esb_url()),
            self.upstream_extra,
            self.login.clone().unwrap_or_else(|| format!("url: \"{}\"", standin.login_url())),
            self.secret_extra,
            folder.path().join("journal").display(),
            self.durability,
            self.journal_extra,
            self.boot_extra.replace("FOLDER", &folder.path().display().to_string()),
        )
    }
}

pub const ALLOW: &str = r#"
      - name: all that the tests do
        components: [fast_execute_script]
        business: {ids: [1, 2], sets: [8000000]}
        accounts: {aliases: [root, www], ids: [1000]}
        scripts: {content: [shell, python], ids: any, versions: any}
        targets: {ips: [10.0.0.0/8], clouds: [0], hosts: 50}
        callbacks: ["https://ci.example.com/job/"]
"#;

pub fn sha256(text: &str) -> String {
    esbgate_model::sha256_hex(text.as_bytes())
}

pub fn policy(app_extra: &str, allow: &str) -> String {
    format!(
        r#"version: 1
defaults:
  calls: {{per_second: 1000, burst: 1000, in_flight: 100}}
  hosts: {{per_call: 40, per_minute: 6000, burst: 6000}}
apps:
  team_app:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{}"}}}}, {{key: {{sha256: "{}", expires: "2020-01-01T00:00Z"}}}}]
    users:
      token: true
      exemptions:
        - {{users: [svc_deploy], owner: ops, reason: nightly, ticket: OPS-1, expires: "{}"}}
        - {{users: [svc_old], owner: ops, reason: nightly, ticket: OPS-2, expires: "2020-01-01T00:00Z"}}
    acts_as: ops_gateway
{app_extra}    allow:{allow}"#,
        sha256(KEY),
        sha256("an-expired-key-canary"),
        in_thirty_days(),
    )
}

/// To the day, so that a policy is the same whenever it is written.
fn in_thirty_days() -> String {
    let now = SystemClock::start().now().wall;
    (now + jiff::SignedDuration::from_hours(30 * 24)).strftime("%Y-%m-%dT00:00Z").to_string()
}

/// A gateway that runs.
pub struct Gate {
    pub running: Running,
    pub standin: Standin,
    pub folder: Folder,
}

pub fn world() -> World {
    World::empty()
        .app(App::new("ops_gateway", ESB_SECRET).skipping_user_auth())
        .token(TOKEN, "alice")
        .business(Business::new(1).account(1000, "root"))
        .business(Business::new(2).account(1000, "root").account(1001, "www"))
        .script(Script::new("script-1", 2).version(7, "echo reviewed"))
}

impl Gate {
    pub async fn start() -> Self {
        Self::with(Files::default()).await
    }

    pub async fn with(files: Files) -> Self {
        Self::in_world(files, world()).await
    }

    pub async fn in_world(files: Files, world: World) -> Self {
        Self::by_clock(files, world, Arc::new(SystemClock::start())).await
    }

    pub async fn by_clock(files: Files, world: World, clock: Arc<dyn Clock>) -> Self {
        let (standin, folder) = files.lay_out(world).await;
        Self::in_folder(standin, folder, clock).await
    }

    /// A gateway on files that are laid out.
    pub async fn in_folder(standin: Standin, folder: Folder, clock: Arc<dyn Clock>) -> Self {
        let settings = settings(&folder.path().join("esbgate.yaml"));
        let mut settings = settings.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
        settings.cores = settings.cores.filter(|_| !ON_THIS_THREAD.get());
        let running = start(settings, clock).await.unwrap();
        Self { running, standin, folder }
    }

    /// Sends bytes and reads until the peer closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        exchange(self.running.addresses()[0], bytes).await
    }

    pub async fn send(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer::read(&self.raw(post(headers, body).as_bytes()).await)
    }

    /// Sends a call as the exempted user.
    pub async fn call(&self, call: &Value) -> Answer {
        self.send(
            &[("X-Bkapi-Authorization", &authorization("bk_username", "svc_deploy"))],
            &call.to_string(),
        )
        .await
    }

    pub async fn metrics(&self) -> String {
        let address = self.running.monitor().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        clean("the metrics", text.as_bytes());
        text
    }

    pub fn journal_files(&self) -> Vec<PathBuf> {
        journal_files(&self.running.journal_path())
    }

    pub fn journal(&self) -> Vec<Value> {
        journal(&self.running.journal_path())
    }

    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.journal().into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// What the stand-in ran and how many intents and outcomes are on record.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.standin.history().run_count(),
            self.records("intent").len(),
            self.records("outcome").len(),
        )
    }

    /// Stops, so that everything that was queued is on disk, and counts the refusals on record.
    pub async fn refusals_after_stop(self) -> usize {
        let path = self.running.journal_path().join("00000001.jsonl");
        let (ended, _standin, _folder) = self.stop().await;
        assert!(ended);
        std::fs::read_to_string(path).unwrap().matches("\"kind\":\"refusal\"").count()
    }

    /// Stops and gives the journal that is left.
    pub async fn stop(self) -> (bool, Standin, Folder) {
        (self.running.stop(PATIENCE).await, self.standin, self.folder)
    }
}

pub fn journal_files(boot: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(boot).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A record, which a reader that takes no name twice can read too.
pub fn record(line: &str) -> Value {
    assert!(esbgate_model::json::Document::read(line.into()).is_ok(), "{line}");
    serde_json::from_str(line).unwrap()
}

/// The records of a boot.
pub fn journal(boot: &Path) -> Vec<Value> {
    let texts = journal_files(boot).into_iter().map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| {
            let lines = text.lines().filter(|line| !line.is_empty());
            lines.map(record).collect::<Vec<_>>()
        })
        .collect()
}

/// Sends bytes and reads until the peer closes.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    clean("an answer", &answer);
    String::from_utf8(answer).unwrap()
}

/// A request that asks for the connection to be closed.
pub fn post(headers: &[(&str, &str)], body: &str) -> String {
    let mut head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}")
}

pub fn authorization(user_key: &str, user: &str) -> String {
    json!({"bk_app_code": "team_app", "bk_app_secret": KEY, user_key: user}).to_string()
}

pub fn call() -> Value {
    json!({
        "bk_biz_id": 2, "script_content": "ZWNobyAkMQo=", "script_language": 1, "account_alias": "root",
        "script_param": "cGFyYW0tY2FuYXJ5LTE=",
        "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]}
    })
}

/// A call in which some members differ; `null` takes one out.
pub fn call_with(change: Value) -> Value {
    let mut call = call();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            call.as_object_mut().unwrap().remove(name);
        } else {
            call[name] = value.clone();
        }
    }
    call
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

impl Answer {
    pub fn read(text: &str) -> Self {
        clean("an answer", text.as_bytes());
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.get(9..12).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text:?}"));
        Self { status, head: head.to_ascii_lowercase(), body }
    }

    pub fn code(&self) -> &str {
        self.body["code_name"].as_str().unwrap_or_default()
    }

    pub fn is(&self, status: u16, code: &str, executed: &str) {
        let seen = (self.status, self.code(), self.body["executed"].as_str().unwrap_or_default());
        assert_eq!(seen, (status, code, executed), "{}", self.body);
    }
}
