//! A gateway that is killed at any moment, again and again: what the far side saw was on record, what a client was told
//! is on record, and the journal that is left proves itself.
//!
//! A run is eight clients, a SIGKILL after 0 to 40 ms, sometimes a torn end (a kill never tears a write, a loss of power
//! does) or another kill while the next start repairs, and a restart. `make audit-soak` makes 300 of them; a few belong to every run of the tests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, reason = "the modules of one test binary")]

mod clients;
mod judge;
#[path = "../gate/served.rs"]
#[expect(dead_code, reason = "the gate's tests need more of it")]
mod served;
#[path = "../gate/support.rs"]
#[expect(dead_code, reason = "the gate's tests need more of it")]
mod support;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

use self::{
    clients::Clients,
    judge::Judge,
    served::{Served, serve},
    support::*,
};

const LONGEST: u64 = 40_000;

fn numbers(name: &str, without: u64) -> u64 {
    std::env::var(name).map_or(without, |text| text.parse().unwrap())
}

/// Small segments, so that kills meet rotation and compression too; budgets that nothing uses up.
fn files(durability: &'static str) -> Files {
    let wide = "    calls: {per_second: 100000, burst: 100000, in_flight: 100}\n    hosts: {per_call: 40, per_minute: 6000000, burst: 6000000}\n";
    Files {
        policy: policy(wide, ALLOW),
        journal_extra: ", segment: {bytes: 16KiB}".into(),
        durability,
        ..Files::default()
    }
}

/// Starts a gateway and kills it before, while or after it looks at what is left.
async fn killed_at_its_start(folder: &Path, after: Duration) {
    let mut child = serve(folder).spawn().unwrap();
    // Its log is not read: what it says fits the pipe.
    sleep(after).await;
    child.kill().await.unwrap();
}

/// The segment of a boot that was written last.
fn newest(boot: &Path) -> PathBuf {
    journal_files(boot)
        .into_iter()
        .filter(|path| path.extension().unwrap() == "jsonl")
        .max()
        .unwrap()
}

/// Leaves a part of a record, the whole line but its end at most.
fn tear(segment: &Path, rng: &mut Rng) {
    let text = std::fs::read_to_string(segment).unwrap();
    // A segment that was just begun has none.
    let line = text.lines().rfind(|line| !line.is_empty()).unwrap_or("{\"v\":2,\"seq\":");
    let mut file = std::fs::OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(&line.as_bytes()[..rng.usize(1..=line.len())]).unwrap();
}

async fn verified(folder: &Path, key: &str) -> Result<(), String> {
    let journal = folder.join("journal");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    verify.args(["audit", "verify"]).arg(&journal).arg("--witness").arg(folder.join("kept.HEAD"));
    verify.args(["--public-key", key, "--format", "json"]).kill_on_drop(true);
    let output = timeout(PATIENCE, verify.output()).await.unwrap().unwrap();
    match output.status.code() {
        // Whole; 3 where records follow the one that the witness knows.
        Some(0 | 3) => Ok(()),
        status => Err(format!("verify {status:?}: {}", String::from_utf8_lossy(&output.stdout))),
    }
}

async fn soak(runs: u64, seed: u64) {
    println!("crash soak: {runs} runs, seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let (standin, folder) = files("written").lay_out(world()).await;
    let mut gate = Served::by(serve(folder.path()), standin, folder).await;
    let key = gate.records("start")[0]["public_key"].as_str().unwrap().to_owned();
    let (mut judge, mut torn) = (Judge::default(), 0);
    for run in 0..runs {
        let clients = Clients::start(gate.address, run);
        sleep(Duration::from_micros(rng.u64(..LONGEST))).await;
        gate.signal("-KILL").await;
        gate.ended().await;
        let Served { standin, folder, journal, .. } = gate;
        judge.told(clients.ended().await);
        // What a witness elsewhere would know at best.
        std::fs::copy(folder.path().join("journal/HEAD"), folder.path().join("kept.HEAD")).unwrap();
        files(if rng.bool() { "synced" } else { "written" }).write(&standin, &folder);
        if rng.u8(..4) == 0 {
            tear(&newest(&journal), &mut rng);
            torn += 1;
        }
        if rng.u8(..4) == 0 {
            let after = Duration::from_micros(rng.u64(..LONGEST));
            killed_at_its_start(folder.path(), after).await;
        }
        gate = Served::by(serve(folder.path()), standin, folder).await;
        let folder = gate.folder.path();
        let violations = judge.violations(&folder.join("journal"), gate.standin.history());
        let violations = violations.into_iter().chain(verified(folder, &key).await.err());
        let violations: Vec<String> = violations.collect();
        assert!(violations.is_empty(), "run {run} of seed {seed}: {violations:#?}");
    }
    let (status, log) = gate.stop().await;
    assert!(status.success(), "{log}");
    let violations = judge.violations(&gate.folder.path().join("journal"), gate.standin.history());
    assert!(violations.is_empty(), "{violations:#?}");
    println!("{judge}");
    judge.saw_something(runs, torn);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_kills_leave_no_call_without_its_record() {
    soak(6, numbers("AUDIT_SEED", 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; `make audit-soak` runs it"]
async fn hundreds_of_kills_leave_no_call_without_its_record() {
    soak(numbers("AUDIT_RUNS", 300), numbers("AUDIT_SEED", 1)).await;
}
