//! The whole gateway beside a bare hyper relay: CPU time of a call, latency at a fixed rate, memory of
//! an idle connection. All three proxies are up at once and take turns, so that whatever else the
//! machine does meets each of them alike.

mod child;
mod files;
mod load;
mod stub;
mod wire;

use std::{error::Error, fs, sync::Arc, time::Duration};

use crate::child::Child;

type Problem = Box<dyn Error + Send + Sync>;

const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";

/// The sample call of the component's document, with a key and a token as long as real ones: what a
/// secret costs grows with its length.
const SAMPLE: &str = r#"{"bk_app_code":"esb_test","bk_app_secret":"esbgate_Zq3vK9wX2mB7nR5tY8uL1pA4sD6fG0hJkCxVbNoMiE","bk_token":"bkcrypt%24gAAAAABmWq3vK9wX2mB7nR5tY8uL1pA4sD6fG0hJkCxVbNoMiE","bk_biz_id":1,"script_version_id":1,"script_content":"ZWNobyAkMQ==","script_param":"aGVsbG8=","timeout":1000,"account_id":1000,"is_param_sensitive":0,"script_language":1,"target_server":{"dynamic_group_list":[{"id":"blo8gojho0skft7pr5q0"},{"id":"blo8gojho0sof7pr5q1g"}],"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"},{"bk_cloud_id":0,"ip":"10.0.0.2"}],"topo_node_list":[{"id":1000,"node_type":"module"}]}}"#;

const ROUNDS: usize = 9;
const WARM: usize = 40;
/// Calls on each line in a round.
const EACH: usize = 60;
const PER_SECOND: u32 = 500;
const CALLS: usize = 3_000;
const IDLE: usize = 1_000;

/// One proxy and what was seen of it.
struct Peer {
    name: &'static str,
    child: Child,
    /// CPU time of a call, by round.
    cpu: Vec<Duration>,
    latency: Vec<Duration>,
    /// Bytes of a connection.
    idle: u64,
}

fn main() -> Result<(), Problem> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Result<(), Problem> {
    let folder = tempfile::tempdir()?;
    let (closing, keeping) =
        (stub::start(stub::RAN, true).await?, stub::start(stub::RAN, false).await?);
    let login = stub::start(stub::KNOWN, true).await?;
    files::write(folder.path(), closing, login)?;
    let config = folder.path().join("esbgate.yaml").display().to_string();
    let (esbgate, relay) = (env!("CARGO_BIN_EXE_bench-esbgate"), env!("CARGO_BIN_EXE_bench-relay"));
    let log = |name: &str| folder.path().join(name);
    let (closing, keeping) = (closing.to_string(), keeping.to_string());
    let mut peers = [
        Peer::new(
            "relay, a connection a call",
            Child::start(relay, &[&closing, "close"], log("close.log")).await?,
        ),
        Peer::new(
            "esbgate",
            Child::start(esbgate, &["serve", "--config", &config], log("esbgate.log")).await?,
        ),
        Peer::new(
            "relay, kept connections",
            Child::start(relay, &[&keeping, "keep"], log("keep.log")).await?,
        ),
    ];
    let before = load_average()?;
    for peer in &peers {
        load::closed_loop(load::open(peer.child.address).await?, &peer.request(), WARM).await?;
    }
    for round in 0..ROUNDS {
        for turn in 0..peers.len() {
            let turn = (turn + round) % peers.len();
            if let Some(peer) = peers.get_mut(turn) {
                peer.spend().await?;
            }
        }
    }
    for peer in &mut peers {
        let (lines, request) = (load::open(peer.child.address).await?, peer.request());
        peer.latency = load::open_loop(lines, &request, PER_SECOND, CALLS).await?;
    }
    for peer in &mut peers {
        let resident = peer.child.resident()?;
        let lines = load::idle(peer.child.address, &peer.request(), IDLE).await?;
        peer.idle = peer.child.resident()?.saturating_sub(resident) * 1024 / IDLE as u64;
        drop(lines);
    }
    report(&peers, &before)
}

impl Peer {
    fn new(name: &'static str, child: Child) -> Self {
        Self { name, child, cpu: Vec::new(), latency: Vec::new(), idle: 0 }
    }

    fn request(&self) -> Arc<[u8]> {
        let (address, length) = (self.child.address, SAMPLE.len());
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: python-requests/2.32\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        Arc::from([head.as_bytes(), SAMPLE.as_bytes()].concat())
    }

    /// One round.
    async fn spend(&mut self) -> Result<(), Problem> {
        let lines = load::open(self.child.address).await?;
        let before = self.child.cpu()?;
        load::closed_loop(lines, &self.request(), EACH).await?;
        let calls = u32::try_from(EACH * load::LINES)?;
        self.cpu.push((self.child.cpu()? - before) / calls);
        Ok(())
    }

    /// Median over the rounds of what this one needs for what the other needs in the same round.
    fn ratio(&self, floor: &Self) -> f64 {
        let both = self.cpu.iter().zip(&floor.cpu);
        let mut ratios: Vec<f64> =
            both.map(|(own, floor)| own.as_secs_f64() / floor.as_secs_f64()).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn micros(sorted: &[Duration], part: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1)) as f64 * part;
    sorted.get(place.round() as usize).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
}

fn load_average() -> Result<String, Problem> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

fn report(peers: &[Peer], before: &str) -> Result<(), Problem> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name\t: "));
    println!(
        "{} x {}; load average {before} before, {} after; {} calls in {ROUNDS} rounds; latency at {PER_SECOND} calls/s\n",
        std::thread::available_parallelism()?,
        model.unwrap_or("unknown CPU"),
        load_average()?,
        ROUNDS * EACH * load::LINES,
    );
    println!(
        "| proxy | CPU µs/call, median | least to most | x relay | p50 µs | p99 µs | p99.9 µs | KiB/idle connection |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let floor = peers.first().ok_or("nothing was measured")?;
    for peer in peers {
        let mut cpu = peer.cpu.clone();
        cpu.sort_unstable();
        println!(
            "| {} | {:.1} | {:.1} to {:.1} | {:.2} | {:.0} | {:.0} | {:.0} | {:.1} |",
            peer.name,
            micros(&cpu, 0.5),
            micros(&cpu, 0.0),
            micros(&cpu, 1.0),
            peer.ratio(floor),
            micros(&peer.latency, 0.5),
            micros(&peer.latency, 0.99),
            micros(&peer.latency, 0.999),
            peer.idle as f64 / 1024.0,
        );
    }
    Ok(())
}
