//! The files that are put where the policy is, each good one with a name and a hash of its own.

use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use esbgate_gateway::PolicyStatus;
use esbgate_model::sha256_hex;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::support::{ALLOW, policy};

/// How long a file stays.
const EACH: Duration = Duration::from_millis(100);
/// How long a good file may take to be in force: a machine that is busy with other things must not look like a fault.
const PATIENCE: Duration = Duration::from_secs(10);

/// A good policy: it allows calls in one business alone.
#[derive(Clone)]
pub struct Version {
    pub number: u64,
    pub business: u64,
    pub text: String,
    pub sha256: String,
}

impl Version {
    /// `version:` stands last, so that no part of the file is a policy.
    pub fn new(number: u64, business: u64) -> Self {
        let wide = "    calls: {per_second: 100000, burst: 100000, in_flight: 1000}\n    hosts: {per_call: 40, per_minute: 6000000, burst: 6000000}\n";
        let allow = ALLOW
            .replace("ids: [1, 2]", &format!("ids: [{business}]"))
            .replace("all that the tests do", &format!("version {number}"));
        let text = policy(wide, &allow).replacen("version: 1\n", "", 1) + "version: 1\n";
        let sha256 = hash("policy.yaml", &text);
        Self { number, business, text, sha256 }
    }
}

/// The hash of a policy in one file, as the documents say it: over names and texts, each with its length.
fn hash(name: &str, text: &str) -> String {
    let mut all = Vec::new();
    for part in [name, text] {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part.as_bytes());
    }
    sha256_hex(&all)
}

/// The place of the policy, and all good ones that were there.
pub struct World {
    path: PathBuf,
    pub versions: BTreeMap<u64, Version>,
}

/// What was put there, and how long good ones took.
#[derive(Default)]
pub struct Replaced {
    pub kinds: BTreeMap<&'static str, u64>,
    pub took: Vec<Duration>,
    pub violations: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Renamed,
    InPlace,
    HalfWritten,
    SwappedLink,
    Fleeting,
    Truncated,
    TruncatedInPlace,
    Empty,
    Wrong,
    AliasBomb,
    LinkToNowhere,
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Renamed, "good, renamed into place"),
    (Kind::InPlace, "good, written in place"),
    (Kind::HalfWritten, "good, written in two halves"),
    (Kind::SwappedLink, "good, behind a link that is exchanged"),
    (Kind::Fleeting, "good for 5 ms, then empty"),
    (Kind::Truncated, "truncated"),
    (Kind::TruncatedInPlace, "truncated, written in place"),
    (Kind::Empty, "empty"),
    (Kind::Wrong, "wrong"),
    (Kind::AliasBomb, "alias bomb"),
    (Kind::LinkToNowhere, "link to nowhere"),
];

impl World {
    pub fn new(path: PathBuf, first: Version) -> Self {
        Self { path, versions: BTreeMap::from([(0, first)]) }
    }

    fn next(&mut self) -> Version {
        let number = self.versions.len() as u64;
        let version = Version::new(number, 1 + number % 2);
        self.versions.insert(number, version.clone());
        version
    }

    /// Puts the next file there. Gives the good version that is there from then on.
    async fn put(&mut self, kind: Kind) -> Option<Version> {
        let path = self.path.clone();
        match kind {
            Kind::Renamed => {
                let version = self.next();
                rename(&path, &version.text);
                return Some(version);
            }
            Kind::InPlace => {
                let version = self.next();
                std::fs::write(&path, &version.text).unwrap();
                return Some(version);
            }
            Kind::HalfWritten => {
                let version = self.next();
                halves(&path, &version.text).await;
                return Some(version);
            }
            Kind::SwappedLink => {
                let version = self.next();
                swap(&path, &version);
                return Some(version);
            }
            Kind::Fleeting => {
                let version = self.next();
                rename(&path, &version.text);
                sleep(Duration::from_millis(5)).await;
                rename(&path, "");
            }
            Kind::Truncated => rename(&path, &self.part()),
            Kind::TruncatedInPlace => std::fs::write(&path, self.part()).unwrap(),
            Kind::Empty => rename(&path, ""),
            Kind::Wrong => rename(&path, &self.good().replace("acts_as:", "act_as:")),
            Kind::AliasBomb => rename(&path, &bomb()),
            // Of a name of its own, because a write in place makes what it leads to.
            Kind::LinkToNowhere => {
                link(&path, Path::new(&format!("nowhere-{}", fastrand::u64(..))))
            }
        }
        None
    }

    /// A text that would be good, and is the policy of nobody.
    fn good(&self) -> String {
        Version::new(u64::MAX, 3).text
    }

    fn part(&self) -> String {
        let text = self.good();
        let end = fastrand::usize(1..text.len() - "version: 1\n".len());
        text.chars().take(end).collect()
    }
}

/// Replaces the file each 100 ms for so long; a good one stays until it is in force.
pub async fn replace(
    world: &mut World,
    mut status: watch::Receiver<PolicyStatus>,
    long: Duration,
) -> Replaced {
    let mut replaced = Replaced::default();
    let began = Instant::now();
    while began.elapsed() < long {
        // Good and bad in turns of no pattern: what is bad may follow what is bad.
        let (kind, name) = KINDS[fastrand::usize(..KINDS.len())];
        *replaced.kinds.entry(name).or_default() += 1;
        let put = Instant::now();
        if let Some(version) = world.put(kind).await {
            let whole = Instant::now();
            let taken = status.wait_for(|status| *status.sha256 == version.sha256);
            match timeout(PATIENCE, taken).await {
                Ok(taken) => drop(taken.unwrap()),
                Err(_) => replaced
                    .violations
                    .push(format!("version {} ({name}) never took effect", version.number)),
            }
            replaced.took.push(whole.elapsed());
        }
        sleep_until(put + EACH).await;
    }
    replaced.took.sort();
    replaced
}

fn rename(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

fn link(path: &Path, to: &Path) {
    let beside = path.with_extension("link");
    symlink(to, &beside).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// A file of its own in a folder of its own, as a ConfigMap is exchanged.
fn swap(path: &Path, version: &Version) {
    let folder = path.with_file_name(format!("..{}", version.number));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("policy.yaml"), &version.text).unwrap();
    link(path, &folder.join("policy.yaml"));
}

/// As a writer that is slow, but not slower than what counts as a pause.
async fn halves(path: &Path, text: &str) {
    // A new file, because a link may lead to nowhere.
    rename(path, "");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let half = text.chars().count() / 2;
    let (first, second): (String, String) =
        (text.chars().take(half).collect(), text.chars().skip(half).collect());
    file.write_all(first.as_bytes()).unwrap();
    sleep(Duration::from_millis(5)).await;
    file.write_all(second.as_bytes()).unwrap();
}

fn bomb() -> String {
    let mut text = String::from("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    text + "apps: *a9\n"
}
