//! Journals of any node, and sinks that read them.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use esbgate_audit::testing::{Sample, intent, outcome, seal};
use esbgate_core::{Clock, Metrics, ReceivedAt};
use esbgate_model::hex;
use esbgate_ship::{FileOptions, Pass, Shipper, SinkOptions, TargetOptions};
use jiff::Timestamp;
use prometheus::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes, and not for ever.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What a sink waits where a test wants it to give up.
pub const IMPATIENCE: Duration = Duration::from_millis(200);

/// A journal of one node as a gateway writes it.
pub struct Log {
    pub folder: TempDir,
    node: &'static str,
    boot: String,
    segment: u64,
    file: File,
    pub seq: u64,
    prev: [u8; 32],
    /// Every line that counts, in order.
    pub lines: Vec<String>,
}

impl Log {
    pub fn new(node: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut log = Self {
            folder,
            node,
            boot: String::new(),
            segment: 0,
            file: File::open("/dev/null").unwrap(),
            seq: 0,
            prev: [0; 32],
            lines: Vec::new(),
        };
        log.start(1);
        log
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    pub fn cursors(&self) -> PathBuf {
        self.folder.path().join("state/sinks")
    }

    pub fn start(&mut self, number: u64) {
        self.boot = format!("20270101T{number:06}Z-{number:04}");
        self.segment = 0;
        self.rotate();
        self.record("start", &json!({"version": "0.1.0"}));
    }

    /// Begins the next segment; gives the path of the one before.
    pub fn rotate(&mut self) -> PathBuf {
        let path = |segment| self.dir().join(&self.boot).join(format!("{segment:08}.jsonl"));
        let (before, next) = (path(self.segment), path(self.segment + 1));
        std::fs::create_dir_all(next.parent().unwrap()).unwrap();
        self.segment += 1;
        self.file = OpenOptions::new().append(true).create_new(true).open(next).unwrap();
        before
    }

    pub fn record(&mut self, kind: &str, members: &Value) -> u64 {
        self.seq += 1;
        let (seq, node, boot) = (self.seq, self.node, &self.boot);
        let time = Timestamp::from_millisecond(1_798_761_600_000 + i64::try_from(seq).unwrap());
        let time = time.unwrap();
        let mut line = format!(
            "{{\"v\":2,\"seq\":{seq},\"time\":\"{time}\",\"node\":\"{node}\",\"boot\":\"{boot}\",\"kind\":\"{kind}\""
        );
        let members = members.to_string();
        line.push(',');
        line.push_str(members.strip_prefix('{').unwrap().strip_suffix('}').unwrap());
        self.prev = seal(&mut line, &self.prev);
        self.file.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.lines.push(line);
        seq
    }

    /// Cuts the last records off again, as after a write that failed.
    pub fn take_back(&mut self, records: usize) {
        let gone = self.lines.split_off(self.lines.len() - records);
        let bytes: usize = gone.iter().map(|line| line.len() + 1).sum();
        let length = self.file.metadata().unwrap().len();
        self.file.set_len(length - bytes as u64).unwrap();
        self.seq -= records as u64;
        let last = self.lines.last().unwrap();
        self.prev = esbgate_audit::Sealed::read(last.as_bytes()).unwrap().hash;
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    /// Calls with their outcomes, two records each.
    pub fn calls(&mut self, count: u64) {
        for n in 0..count {
            let sample = Sample::of(n);
            let seq = self.record("intent", &intent(&sample));
            self.record("outcome", &outcome(seq, &sample));
        }
    }

    /// Writes HEAD about the last record.
    pub fn head(&self) {
        let head = json!({"v": 2, "node": self.node, "boot": self.boot, "segment": self.segment,
            "offset": self.file.metadata().unwrap().len(), "seq": self.seq, "hash": hex(&self.prev),
            "time": "2027-01-01T01:00:00Z", "public_key": "ab", "signature": "cd"});
        std::fs::write(self.dir().join("HEAD"), head.to_string()).unwrap();
    }

    pub fn shipper(&self, options: SinkOptions) -> (Shipper, Counts) {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry, "test").unwrap();
        let sink = metrics.sinks.sink(&options.name);
        let (dir, head) = (self.dir(), self.dir().join("HEAD"));
        let shipper = Shipper::new(options, &dir, &head, &self.cursors(), sink, Arc::new(Still));
        (shipper, Counts(metrics))
    }

    pub fn cursor(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.cursors().join(format!("{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// A clock that stands.
#[derive(Debug)]
pub struct Still;

impl Clock for Still {
    fn now(&self) -> ReceivedAt {
        let wall = "2027-01-01T02:00:00Z".parse().unwrap();
        ReceivedAt { wall, monotonic: Duration::ZERO }
    }
}

/// What a sink counted.
pub struct Counts(Metrics);

impl Counts {
    /// The value of `esbgate_sink_NAME`.
    pub fn of(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.0.encode().unwrap()).unwrap();
        let start = format!("esbgate_sink_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

pub fn sink(target: TargetOptions) -> SinkOptions {
    SinkOptions { name: "one".into(), kinds: None, timeout: PATIENCE, target }
}

pub fn file(path: &Path) -> SinkOptions {
    sink(TargetOptions::File(FileOptions { path: path.to_owned(), rotation: None }))
}

/// Passes until there is nothing to do; none of them may fail.
pub async fn ship(shipper: &mut Shipper) -> usize {
    let mut shipped = 0;
    loop {
        match shipper.pass().await {
            Pass::Shipped => shipped += 1,
            Pass::Idle => return shipped,
            Pass::Failed => panic!("a pass failed"),
        }
    }
}

pub fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
