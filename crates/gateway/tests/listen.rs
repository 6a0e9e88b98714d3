//! `listen.address`: a socket file, and a socket that systemd opened, both as a served gateway has them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, missing_docs, reason = "a module of several test binaries")]

#[path = "gate/secret_grep.rs"]
#[expect(dead_code, reason = "other suites need more of it")]
mod secret_grep;

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use self::secret_grep::Folder;
use serde_json::Value;

fn folder(address: &str) -> Folder {
    let folder = Folder::new();
    let boot = format!(
        r#"version: 1
listen: [{{address: "{}", insecure: "a test"}}]
hosts: [localhost]
monitor: {{address: "127.0.0.1:0"}}
upstream: {{kind: esb, endpoints: ["http://127.0.0.1:1"]}}
journal: {{dir: journal, durability: written, hmac_key: {{file: hmac.key}}}}
policy: policy.yaml
"#,
        address.replace("FOLDER", &folder.path().display().to_string())
    );
    for (name, text) in [
        ("esbgate.yaml", boot.as_str()),
        ("policy.yaml", "version: 1\n"),
        ("hmac.key", "hmac-key-canary-0123456789abcdef-0123456789"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A gateway that serves, ended at the latest when the test is.
struct Gateway {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Gateway {
    fn serve(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
        command.args(["serve", "--config", "esbgate.yaml"]).current_dir(folder);
        Self::start(command)
    }

    /// Passes `socket` as systemd does: as descriptor 3, with its name and this very process in variables.
    fn activate(folder: &Path, socket: impl Into<OwnedFd>, name: &str) -> Self {
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=$1 \
                      exec \"$0\" serve --config esbgate.yaml 3<&0 0</dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_esbgate"), name]);
        command.stdin(Stdio::from(socket.into())).current_dir(folder);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// The rest of the log after it serves.
    fn serving(mut self) -> Self {
        let mut all = String::new();
        loop {
            let before = all.len();
            assert!(self.log.read_line(&mut all).unwrap() > 0, "{all}");
            let record: Value =
                serde_json::from_str(all.get(before..).unwrap()).unwrap_or_default();
            if record["fields"]["message"] == "serving" {
                return self;
            }
        }
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
    }

    /// What it said when it did not start.
    fn refused(mut self) -> String {
        let mut log = String::new();
        while self.log.read_line(&mut log).unwrap() > 0 {
            assert!(!log.contains("\"serving\""), "{log}");
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(1), "{log}");
        log
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// The status line of a path that is none.
fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";

#[test]
fn a_gateway_listens_on_a_socket_file_and_removes_it_at_the_end() {
    let folder = folder("unix:FOLDER/gate.sock");
    let path = folder.path().join("gate.sock");
    // A process that was killed leaves its file behind.
    drop(UnixListener::bind(&path).unwrap());
    let gateway = Gateway::serve(folder.path()).serving();
    assert_eq!(ask(UnixStream::connect(&path).unwrap()), NOT_FOUND);
    gateway.stop();
    assert!(!path.exists());
}

#[test]
fn a_tcp_socket_that_systemd_opened_is_served_and_stays_open_over_a_restart() {
    let folder = folder("systemd:gate");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    for _ in 0..2 {
        // Nobody is there yet, and still nobody is refused.
        let early = TcpStream::connect(address).unwrap();
        let gateway = Gateway::activate(folder.path(), socket.try_clone().unwrap(), "gate");
        let gateway = gateway.serving();
        assert_eq!(ask(early), NOT_FOUND);
        gateway.stop();
    }
}

#[test]
fn a_unix_socket_that_systemd_opened_keeps_its_file() {
    let folder = folder("systemd:gate");
    let path = folder.path().join("gate.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let gateway = Gateway::activate(folder.path(), socket, "gate").serving();
    assert_eq!(ask(UnixStream::connect(&path).unwrap()), NOT_FOUND);
    gateway.stop();
    assert!(path.exists());
}

#[test]
fn a_socket_of_another_name_or_one_that_does_not_listen_is_refused() {
    let folder = folder("systemd:gate");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let said = Gateway::activate(folder.path(), socket, "other").refused();
    assert!(said.contains("no socket named \"gate\" was passed"), "{said}");
    let said = Gateway::activate(folder.path(), connected, "gate").refused();
    assert!(said.contains("cannot listen on systemd:gate: the socket does not listen"), "{said}");
    let said = Gateway::serve(folder.path()).refused();
    assert!(said.contains("no socket named \"gate\" was passed"), "{said}");
}
