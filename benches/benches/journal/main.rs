//! What the journal costs: records a second, and what a call waits for it.
//!
//! A call's wait is taken of whole gateways that take turns, at a fixed rate: one whose intents are synced before a call
//! leaves, and one whose journal lies in memory and is waited for by nobody, which is as near as a gateway comes to none.
//! Ends with 1 where a promise does not hold.

#[path = "../proxy/child.rs"]
#[expect(dead_code, reason = "the bench of proxies needs more of it")]
mod child;
#[path = "../proxy/files.rs"]
mod files;
#[path = "../proxy/load.rs"]
#[expect(dead_code, reason = "the bench of proxies needs more of it")]
mod load;
#[path = "../proxy/stub.rs"]
mod stub;
#[path = "../proxy/wire.rs"]
mod wire;

use std::{error::Error, fs, path::Path, process::ExitCode, sync::Arc, time::Duration};

use esbgate_core::{
    AppProof, Clock as _, Intent, Journal as _, JournalMetrics, LimitSet, OutcomeRecord, UserProof,
};
use esbgate_gateway::SystemClock;
use esbgate_journal::{Durability, FileJournal, Options};
use esbgate_model::{Component, ComponentCall, Executed, Name, Secret, Switches, json::Document};

use crate::child::Child;
use tokio::time::Instant;

type Problem = Box<dyn Error + Send + Sync>;

/// Records of the throughput, and callers who wait for theirs at the same time.
const RECORDS: u64 = 400_000;
const CALLERS: u64 = 256;
/// Records a second that must be kept up.
const RATE: f64 = 20_000.0;

const ROUNDS: usize = 15;
const PER_SECOND: u32 = 1_000;
/// Calls of one round.
const CALLS: usize = 2_500;
/// The most milliseconds that `synced` may add to the 99th percentile, in the round that was disturbed least: others who
/// want the cores make each sync wait for a turn of the kernel's, which says nothing of the journal.
const ADDED: f64 = 5.0;

const SAMPLE: &str = r#"{"bk_app_code":"esb_test","bk_app_secret":"esbgate_Zq3vK9wX2mB7nR5tY8uL1pA4sD6fG0hJkCxVbNoMiE","bk_token":"bkcrypt%24gAAAAABmWq3vK9wX2mB7nR5tY8uL1pA4sD6fG0hJkCxVbNoMiE","bk_biz_id":1,"script_version_id":1,"script_content":"ZWNobyAkMQ==","script_param":"aGVsbG8=","timeout":1000,"account_id":1000,"is_param_sensitive":0,"script_language":1,"target_server":{"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"},{"bk_cloud_id":0,"ip":"10.0.0.2"}]}}"#;

fn main() -> Result<ExitCode, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let holds = runtime.block_on(async {
        let rate = throughput().await?;
        Ok::<_, Problem>(latency().await? && rate)
    })?;
    Ok(ExitCode::from(u8::from(!holds)))
}

fn call() -> Result<ComponentCall, Problem> {
    let document = Document::read(SAMPLE.into()).map_err(|faults| format!("{faults:?}"))?;
    let component = Component::fast_execute_script();
    let call = ComponentCall::read(component, &document, Switches::default());
    Ok(call.map_err(|faults| format!("{faults:?}"))?)
}

/// One caller: intents and their outcomes, one after another.
async fn caller(journal: FileJournal, call: Arc<ComponentCall>, each: u64) -> Result<(), Problem> {
    let clock = SystemClock::start();
    let (app, token) = (Name::new("esb_test")?, Secret::new("bkcrypt%24gAAAAABmWq3vK9wX2mB7nR5t"));
    for _ in 0..each {
        let intent = Intent {
            request_id: "0123456789abcdef0123456789abcdef",
            received_at: clock.now(),
            peer: None,
            app: &app,
            app_proofs: &[AppProof::Key],
            user: &app,
            user_proof: UserProof::Token,
            token: Some(&token),
            component: "fast_execute_script",
            call: &call,
            host_runs: 2,
            generation: 3,
            grant: "the document's sample call",
            acts_as: &app,
            risk: &[],
            shadowed: LimitSet::default(),
        };
        let ticket = journal.intend(&intent).await.map_err(|_| "an intent was refused")?;
        let outcome = OutcomeRecord {
            request_id: "0123456789abcdef0123456789abcdef",
            executed: Executed::Yes,
            outcome: "success",
            code_name: None,
            upstream_status: Some(200),
            upstream_code: Some(0),
            upstream_request_id: None,
            job_request_id: None,
            job_instance_id: Some(9),
            step_instance_id: Some(10),
        };
        journal.settle(ticket, &outcome).await.map_err(|_| "an outcome was refused")?;
    }
    Ok(())
}

async fn throughput() -> Result<bool, Problem> {
    let mut holds = true;
    println!("| {RECORDS} records of {CALLERS} callers | records/s | MB/s |\n|---|--:|--:|");
    for durability in [Durability::Written, Durability::Synced] {
        let folder = tempfile::tempdir()?;
        let key = Secret::new("0123456789abcdef0123456789abcdef");
        let own = Options::new(folder.path().join("journal"), folder.path().join("state"), key);
        let options = Options { durability, node: "bench".into(), ..own };
        let clock = Arc::new(SystemClock::start());
        let journal = FileJournal::open(options, clock, JournalMetrics::default())?;
        let call = Arc::new(call()?);
        let began = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let each = RECORDS / 2 / CALLERS;
            callers.spawn(caller(journal.clone(), Arc::clone(&call), each));
        }
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        let took = began.elapsed().as_secs_f64();
        let bytes = written(journal.path())?;
        journal.close().map_err(|_| "the journal did not stop")?;
        let rate = RECORDS as f64 / took;
        println!("| `{}` | {rate:.0} | {:.0} |", durability.as_str(), bytes as f64 / took / 1e6);
        holds &= durability == Durability::Synced || rate >= RATE;
    }
    Ok(holds)
}

fn written(boot: &Path) -> Result<u64, Problem> {
    let mut bytes = 0;
    for entry in fs::read_dir(boot)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// A gateway and its latencies, a sorted list for each round.
struct Peer {
    name: &'static str,
    child: Child,
    rounds: Vec<Vec<Duration>>,
    _folder: tempfile::TempDir,
}

impl Peer {
    async fn start(name: &'static str, memory: bool, journal: &str) -> Result<Self, Problem> {
        let esb = stub::start(stub::RAN, true).await?;
        let login = stub::start(stub::KNOWN, true).await?;
        let folder = if memory { tempfile::tempdir_in("/dev/shm")? } else { tempfile::tempdir()? };
        files::write(folder.path(), esb, login)?;
        let config = folder.path().join("esbgate.yaml");
        let text = fs::read_to_string(&config)?.replace("durability: written", journal);
        fs::write(&config, text)?;
        let config = config.display().to_string();
        let log = folder.path().join("log");
        let program = env!("CARGO_BIN_EXE_bench-esbgate");
        let child = Child::start(program, &["serve", "--config", &config], log).await?;
        Ok(Self { name, child, rounds: Vec::new(), _folder: folder })
    }

    async fn round(&mut self, calls: usize) -> Result<Vec<Duration>, Problem> {
        let (address, length) = (self.child.address, SAMPLE.len());
        let head = format!(
            "POST /api/c/compapi/v2/jobv3/fast_execute_script/ HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let request = Arc::from([head.as_bytes(), SAMPLE.as_bytes()].concat());
        load::open_loop(load::open(address).await?, &request, PER_SECOND, calls).await
    }

    /// Milliseconds at this part of the calls, by round.
    fn at(&self, part: f64) -> Vec<f64> {
        let at = |took: &Vec<Duration>| {
            let place = (took.len().saturating_sub(1)) as f64 * part;
            took.get(place.round() as usize).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
        };
        self.rounds.iter().map(at).collect()
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn latency() -> Result<bool, Problem> {
    let mut peers = [
        Peer::start(
            "in memory, waited for by nobody",
            true,
            "mode: best_effort, durability: written",
        )
        .await?,
        Peer::start("strict, `written`", false, "durability: written").await?,
        Peer::start("strict, `synced`", false, "durability: synced").await?,
    ];
    for peer in &mut peers {
        peer.round(1_000).await?;
    }
    for round in 0..ROUNDS {
        for turn in 0..peers.len() {
            let turn = (turn + round) % peers.len();
            if let Some(peer) = peers.get_mut(turn) {
                let took = peer.round(CALLS).await?;
                peer.rounds.push(took);
            }
        }
    }
    println!(
        "\n{PER_SECOND} calls/s, {ROUNDS} rounds of {CALLS}, medians over rounds; load average {}\n",
        fs::read_to_string("/proc/loadavg")?.trim()
    );
    println!(
        "| journal | p50 ms | p99 ms | p99 added ms | p99 ratio | p99 added ms, least | p99 ratio, least |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    let [off, ..] = &peers;
    let floor = off.at(0.99);
    let mut holds = true;
    for peer in &peers {
        let own = peer.at(0.99);
        let both = || own.iter().zip(&floor);
        let added: Vec<f64> = both().map(|(own, floor)| own - floor).collect();
        let ratio: Vec<f64> = both().map(|(own, floor)| own / floor).collect();
        // Of the round in which this journal itself was disturbed least, not that in which the other was most.
        let calm = own.iter().enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
        let calm = calm.map_or(0, |(round, _)| round);
        let at = |all: &[f64]| all.get(calm).copied().unwrap_or(f64::NAN);
        let least = (at(&added), at(&ratio));
        let (half, most) = (median(peer.at(0.5)), median(peer.at(0.99)));
        println!(
            "| {} | {half:.2} | {most:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            peer.name,
            median(added),
            median(ratio),
            least.0,
            least.1
        );
        holds &= least.0 <= ADDED;
    }
    Ok(holds)
}
