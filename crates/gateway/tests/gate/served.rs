//! A gateway in a process of its own, as an operator runs it, so that the process can be told and held.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use esbgate_standin::Standin;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::support::*;

/// A served gateway; it is killed when it is dropped.
pub struct Served {
    child: Child,
    log: JoinHandle<String>,
    pub address: SocketAddr,
    pub monitor: SocketAddr,
    pub journal: PathBuf,
    pub standin: Standin,
    pub folder: Folder,
}

/// `esbgate serve` on the files of a folder.
pub fn serve(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    command.args(["serve", "--config"]).arg(folder.join("esbgate.yaml"));
    piped(command)
}

/// `esbgate serve` as the last of what a command runs in its place.
pub fn serve_by(mut command: Command, folder: &Path) -> Command {
    let served = serve(folder);
    command.arg(served.as_std().get_program()).args(served.as_std().get_args());
    piped(command)
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Served {
    pub async fn start() -> Self {
        Self::with(Files::default()).await
    }

    pub async fn with(files: Files) -> Self {
        let (standin, folder) = files.lay_out(world()).await;
        let command = serve(folder.path());
        Self::by(command, standin, folder).await
    }

    /// A gateway that a command of its own starts, on files that are laid out.
    pub async fn by(mut command: Command, standin: Standin, folder: Folder) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let fields = timeout(PATIENCE, serving(&mut lines)).await.unwrap();
        let text = |name: &str| fields[name].as_str().unwrap();
        let address = |name: &str| {
            let plain = |c: char| c.is_ascii_digit() || ".:".contains(c);
            text(name).chars().filter(|c| plain(*c)).collect::<String>().parse().unwrap()
        };
        Self {
            address: address("addresses"),
            monitor: address("monitor"),
            journal: text("journal").into(),
            // Read to its end, so that the gateway never waits for its log.
            log: tokio::spawn(async move {
                let mut all = String::new();
                while let Some(line) = lines.next_line().await.unwrap() {
                    clean("the log", line.as_bytes());
                    all += &line;
                }
                all
            }),
            child,
            standin,
            folder,
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Lets its files grow to so many bytes; `unlimited` takes the limit away.
    pub async fn limit_files(&self, bytes: &str) {
        let pid = self.id().to_string();
        let limit = format!("--fsize={bytes}:");
        let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await.unwrap();
        assert!(status.success());
    }

    pub async fn send(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer::read(&exchange(self.address, post(headers, body).as_bytes()).await)
    }

    /// Sends a call as the exempted user.
    pub async fn call(&self, call: &Value) -> Answer {
        let header = authorization("bk_username", "svc_deploy");
        self.send(&[("X-Bkapi-Authorization", &header)], &call.to_string()).await
    }

    /// What the monitor says.
    pub async fn monitor(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        exchange(self.monitor, request.as_bytes()).await
    }

    pub fn records(&self, kind: &str) -> Vec<Value> {
        journal(&self.journal).into_iter().filter(|record| record["kind"] == kind).collect()
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
    }

    /// Tells it to stop and waits until it has; gives its exit status and the rest of its log.
    pub async fn stop(&mut self) -> (ExitStatus, String) {
        self.signal("-TERM").await;
        self.ended().await
    }

    /// Waits for its end; gives its exit status and the rest of its log.
    pub async fn ended(&mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        (status, (&mut self.log).await.unwrap())
    }
}

/// The fields of the line that says that it serves.
async fn serving(lines: &mut Lines<BufReader<ChildStderr>>) -> Value {
    let mut all = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let mut record: Value = serde_json::from_str(&line).unwrap_or_default();
        if record["fields"]["message"] == "serving" {
            return record["fields"].take();
        }
        all += &line;
    }
    panic!("it does not serve: {all}");
}
