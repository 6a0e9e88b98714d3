//! A PostgreSQL of a test's own, from the binaries of the machine's packages.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::JoinHandle,
};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Nobody, where the tests run as root: the server refuses to.
const UNPRIVILEGED: u32 = 65_534;

/// A server that ends with the test, even where the test is killed.
pub struct Database {
    folder: TempDir,
    /// The address on which it listens besides its socket file; a loopback address of its own, so that ports never
    /// meet.
    pub address: String,
    child: Child,
    /// Ends when the last process has closed the log.
    log: Option<JoinHandle<()>>,
}

impl Database {
    pub fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let folder = TempDir::new().unwrap();
        own(folder.path());
        let data = folder.path().join("data");
        let made = unprivileged(&binary("initdb"))
            .args([
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--username=owner",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (pid, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.{}.{}.{}", 1 + (pid >> 8) % 250, pid % 256, 1 + next % 250);
        let (child, log) = serve(&folder, &address, &[]);
        Self { folder, address, child, log: Some(log) }
    }

    /// The folder of the socket file.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Writes a file that the server reads, before it is started again.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        own(&path);
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.gone();
    }

    /// Waits until all processes of one that was killed are gone.
    pub fn gone(&mut self) {
        self.child.wait().unwrap();
        if let Some(log) = self.log.take() {
            log.join().unwrap();
        }
    }

    /// The process to kill from elsewhere.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    pub fn start_again(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it with further settings, each `name=value`; `FOLDER` in them is its folder.
    pub fn start_with(&mut self, settings: &[&str]) {
        self.gone();
        let (child, log) = serve(&self.folder, &self.address, settings);
        (self.child, self.log) = (child, Some(log));
    }

    /// A session of the owner's.
    pub async fn session(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user("owner").dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Both fail where it was killed before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts the server and reads its log until it takes sessions.
fn serve(folder: &TempDir, address: &str, more: &[&str]) -> (Child, JoinHandle<()>) {
    let mut command = unprivileged("setpriv".as_ref());
    // The kernel kills it when the thread of the test ends; its processes end with it.
    command.args(["--pdeathsig", "KILL"]).arg(binary("postgres"));
    command.arg("-D").arg(folder.path().join("data"));
    command.arg("-k").arg(folder.path());
    command.args(["-c", &format!("listen_addresses={address}"), "-c", "fsync=off"]);
    command.args(["-c", "restart_after_crash=off"]);
    let here = folder.path().display().to_string();
    for setting in more {
        command.args(["-c", &setting.replace("FOLDER", &here)]);
    }
    // What a killed one left behind names a process that may be somebody else's by now.
    std::fs::remove_file(folder.path().join("data/postmaster.pid")).ok();
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("ready to accept connections") {
        assert!(log.read_line(&mut said).unwrap() > 0, "it does not start: {said}");
    }
    // Read to its end, so that it never waits for its log.
    let log = std::thread::spawn(move || {
        std::io::copy(&mut log, &mut std::io::sink()).unwrap();
    });
    (child, log)
}

fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}

fn own(path: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
    }
}

/// A binary of the newest version that the machine has.
fn binary(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let binary = path.join("bin").join(name);
            binary.is_file().then_some((number, binary))
        })
        .collect();
    versions.sort();
    let (_, newest) = versions.pop().unwrap_or_else(|| panic!("no {name}: run make test-tools"));
    newest
}
