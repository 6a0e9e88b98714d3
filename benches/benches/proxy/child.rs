//! A proxy under test: a process of its own, whose time and memory the kernel counts apart.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::Problem;

/// How long a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ended, by its pid, when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
}

impl Child {
    /// Starts a program of this package and waits until its log says where it listens.
    pub(crate) async fn start(
        program: &str,
        arguments: &[&str],
        log: PathBuf,
    ) -> Result<Self, Problem> {
        let process = Command::new(program)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        // From here on it is ended, whatever fails.
        let mut child = Self { process, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = serving(&log)? {
                child.address = address;
                return Ok(child);
            }
            if child.process.try_wait()?.is_some() || Instant::now() > end {
                return Err(fs::read_to_string(&log)?.into());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// CPU time of all its threads. A thread that has ended is not counted; neither proxy ends any
    /// that works.
    pub(crate) fn cpu(&self) -> Result<Duration, Problem> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let run = text.split_whitespace().next().ok_or("schedstat is empty")?;
            nanoseconds += run.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> Result<u64, Problem> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?.parse()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn serving(log: &Path) -> Result<Option<SocketAddr>, Problem> {
    for line in fs::read_to_string(log)?.lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if line["fields"]["message"] == "serving"
            && let Some(list) = line["fields"]["addresses"].as_str()
        {
            return Ok(Some(list.trim_matches(['[', ']']).parse()?));
        }
    }
    Ok(None)
}
