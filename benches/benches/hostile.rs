//! Calls built to cost: each kind at sizes n, 2n and 4n through the whole read path, so that anything
//! that grows faster than its body shows.
//!
//! Time is what the thread had of a CPU, so that a busy machine changes little. Memory is what the kernel saw at most in a process that read one body and
//! nothing else, less the body itself; the table of it comes first.

use std::{
    error::Error,
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use criterion::{
    BenchmarkId, Criterion, Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use esbgate_model::{FastExecuteScript, Switches, identity_in_body, json::Document};
use rustix::time::{ClockId, clock_gettime};

type Problem = Box<dyn Error>;

/// A kind of body and three sizes of it.
struct Kind {
    name: &'static str,
    sizes: [usize; 3],
    body: fn(usize) -> String,
}

const KINDS: [Kind; 12] = [
    Kind { name: "keys", sizes: [20_000, 40_000, 80_000], body: keys },
    Kind { name: "escaped keys", sizes: [20_000, 40_000, 80_000], body: escaped_keys },
    Kind { name: "keys in ip_list", sizes: [20_000, 40_000, 80_000], body: inner_keys },
    Kind { name: "ip_list", sizes: [25_000, 50_000, 100_000], body: ip_list },
    Kind { name: "ip_list, all wrong", sizes: [12_500, 25_000, 50_000], body: wrong_ips },
    Kind { name: "script MiB", sizes: [2, 5, 10], body: script },
    Kind { name: "script MiB, blanks inside", sizes: [2, 5, 10], body: blanks },
    Kind { name: "script MiB, escaped", sizes: [2, 5, 10], body: escaped },
    Kind { name: "zeros MiB", sizes: [2, 5, 10], body: zeros },
    Kind { name: "nesting", sizes: [10_000, 100_000, 1_000_000], body: nesting },
    Kind { name: "objects 32 deep", sizes: [1_000, 2_000, 4_000], body: deep },
    Kind { name: "callback_url MiB", sizes: [2, 5, 10], body: callback },
];

fn call(change: &str) -> String {
    format!(
        r#"{{"bk_biz_id":2,"account_alias":"root",{change},"target_server":{{"ip_list":[{{"bk_cloud_id":0,"ip":"10.0.0.1"}}]}}}}"#
    )
}

fn list(element: impl Fn(usize) -> String, count: usize) -> String {
    (0..count).map(element).collect::<Vec<_>>().join(",")
}

fn keys(count: usize) -> String {
    call(&list(|n| format!(r#""key_{n}":{n}"#), count))
}

fn escaped_keys(count: usize) -> String {
    call(&list(|n| format!(r#""\u006bey_{n}":{n}"#), count))
}

fn inner_keys(count: usize) -> String {
    let keys = list(|n| format!(r#""key_{n}":{n}"#), count);
    format!(r#"{{"target_server":{{"ip_list":[{{{keys}}}]}}}}"#)
}

fn targets(element: impl Fn(usize) -> String, count: usize) -> String {
    let list = list(element, count);
    format!(
        r#"{{"bk_biz_id":2,"account_alias":"root","script_id":"a","target_server":{{"ip_list":[{list}]}}}}"#
    )
}

fn ip_list(count: usize) -> String {
    let ip = |n: usize| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    targets(|n| format!(r#"{{"bk_cloud_id":0,"ip":"{}"}}"#, ip(n)), count)
}

fn wrong_ips(count: usize) -> String {
    targets(|n| format!(r#"{{"bk_cloud_id":-{n},"ip":"x{n}","extra_{n}":0}}"#), count)
}

fn content(text: &str) -> String {
    call(&format!(r#""script_language":1,"script_content":"{text}""#))
}

fn script(mebibytes: usize) -> String {
    content(&"ZWNobyBo".repeat(mebibytes << 17))
}

fn blanks(mebibytes: usize) -> String {
    content(&"Z W N o ".repeat(mebibytes << 17))
}

fn escaped(mebibytes: usize) -> String {
    content(&r"\u005aW".repeat(mebibytes << 17))
}

fn zeros(mebibytes: usize) -> String {
    format!(r#"{{"x":[0{}]}}"#, ",0".repeat(mebibytes << 19))
}

fn nesting(depth: usize) -> String {
    format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
}

fn deep(count: usize) -> String {
    // The body, the list and 30 more.
    let one = format!("{}1{}", r#"{"a":"#.repeat(30), "}".repeat(30));
    format!(r#"{{"x":[{}]}}"#, list(|_| one.clone(), count))
}

fn callback(mebibytes: usize) -> String {
    call(&format!(r#""callback_url":"http://a.example/{}""#, "../".repeat(mebibytes << 18)))
}

/// All that a body meets on its way in: how many bytes go out, or how many faults it has.
fn read(body: Vec<u8>) -> Result<usize, usize> {
    let read = Document::read(body).and_then(|document| {
        identity_in_body(&document, None)?;
        FastExecuteScript::read(&document, Switches::default())
    });
    match read {
        Ok(call) => Ok(serde_json::to_vec(&call).map_or(0, |written| written.len())),
        Err(faults) => Err(faults.list().len() + faults.more()),
    }
}

fn status(name: &str) -> Result<u64, Problem> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?.parse()?)
}

/// Reads the body on standard input; prints the KiB that it took at most, and what came of it.
fn in_a_process_of_its_own() -> Result<(), Problem> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    body.shrink_to_fit();
    // Takes the high-water mark back to what is resident now.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS:")?;
    let outcome = read(body);
    let peak = status("VmHWM:")?.saturating_sub(before);
    match outcome {
        Ok(bytes) => println!("{peak} {bytes} bytes go on"),
        Err(faults) => println!("{peak} {faults} faults"),
    }
    Ok(())
}

fn peak(body: &str) -> Result<(u64, String), Problem> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--peak")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let sent = child.stdin.take().ok_or("no input")?.write_all(body.as_bytes());
    let output = child.wait_with_output()?;
    sent?;
    let said = String::from_utf8(output.stdout)?;
    let (peak, outcome) = said.trim().split_once(' ').ok_or("it did not read the body")?;
    Ok((peak.parse()?, outcome.to_owned()))
}

fn peaks() -> Result<(), Problem> {
    println!("| kind | size | body KiB | most memory beside it, KiB | x body | outcome |");
    println!("|---|--:|--:|--:|--:|---|");
    for kind in &KINDS {
        for size in kind.sizes {
            let body = (kind.body)(size);
            let (length, (peak, outcome)) = (body.len() / 1024, peak(&body)?);
            let times = peak as f64 / length as f64;
            println!("| {} | {size} | {length} | {peak} | {times:.1} | {outcome} |", kind.name);
        }
    }
    Ok(())
}

/// CPU time of the thread.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        // The kernel never gives a time before the thread began.
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        const WALL: &WallTime = &WallTime;
        WALL.formatter()
    }
}

fn times(criterion: &mut Criterion<CpuTime>) {
    for kind in &KINDS {
        let mut group = criterion.benchmark_group(kind.name);
        for size in kind.sizes {
            let body = (kind.body)(size).into_bytes();
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(size), &body, |bencher, body| {
                bencher.iter_batched(|| body.clone(), read, criterion::BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

fn main() -> Result<(), Problem> {
    if std::env::args().any(|argument| argument == "--peak") {
        return in_a_process_of_its_own();
    }
    peaks()?;
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    times(&mut criterion);
    criterion.final_summary();
    Ok(())
}
