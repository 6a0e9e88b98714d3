//! What reading the journal costs: proving it, finding calls in it, holding it against another policy.
//!
//! `AUDIT_RECORDS` is how many records it has, a million where nothing is said; a day of a busy gateway is ten. Ends with
//! 1 where a promise does not hold.

use std::{
    error::Error,
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use esbgate_audit::{
    Journal, archive,
    query::{Host, Query, query},
    testing::{Sample, Writer},
    verify::{Asked, Verdict, verify},
};
use serde_json::{Value, json};
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;

const SEGMENT: u64 = 64 << 20;
/// Calls that are replayed, and the longest that it may take.
const REPLAYED: u64 = 100_000;
const REPLAY: Duration = Duration::from_secs(10);
/// The longest that a query may take.
const QUERY: Duration = Duration::from_secs(10);

fn main() -> Fallible<ExitCode> {
    let text = std::env::var("AUDIT_RECORDS").unwrap_or_else(|_| "1000000".into());
    let folder = tempfile::tempdir()?;
    let mut holds = reading(folder.path(), text.parse()?)?;
    holds &= replay()?;
    Ok(ExitCode::from(u8::from(!holds)))
}

/// A journal of so many calls, its closed segments plain.
fn written(dir: &Path, calls: u64, sample: impl Fn(u64) -> Sample) -> Fallible<()> {
    let mut writer = Writer::new(dir, SEGMENT)?;
    for n in 0..calls {
        writer.call(&sample(n))?;
        if n % 10_000 == 0 {
            writer.checkpoint()?;
        }
    }
    writer.stop()?;
    Ok(())
}

fn plain_bytes(journal: &Journal) -> Fallible<u64> {
    let sizes = journal.segments()?.into_iter().map(|one| fs::metadata(one.plain()));
    Ok(sizes.map(|met| met.map(|met| met.len())).sum::<Result<u64, _>>()?)
}

fn timed<T>(run: impl FnOnce() -> Fallible<T>) -> Fallible<(T, Duration)> {
    let began = Instant::now();
    Ok((run()?, began.elapsed()))
}

/// Verifies it and gives how many MB a second that is of the plain text.
fn verified(journal: &Journal, bytes: u64) -> Fallible<f64> {
    let asked = Asked::default();
    let (report, took) = timed(|| Ok(verify(journal, &asked, &mut |_| {})?))?;
    if report.verdict != Verdict::Whole {
        return Err(format!("{:?}", report.finding).into());
    }
    Ok(bytes as f64 / took.as_secs_f64() / 1e6)
}

fn reading(dir: &Path, records: u64) -> Fallible<bool> {
    let calls = records / 2;
    let ((), writing) = timed(|| written(dir, calls, Sample::of))?;
    let journal = Journal::open(dir)?;
    let bytes = plain_bytes(&journal)?;
    println!("{records} records, {} MB, made in {:.0} s", bytes / 1_000_000, writing.as_secs_f64());
    println!("| what | figure |\n|---|--:|");
    println!("| verify, plain segments | {:.0} MB/s |", verified(&journal, bytes)?);
    let segments = journal.segments()?;
    let (closed, took) = timed(|| {
        let all = segments.iter().take(segments.len().saturating_sub(1));
        Ok(all.map(|one| archive::close(&one.plain())).collect::<Result<Vec<_>, _>>()?)
    })?;
    let closed = closed.iter().map(|one| one.plain_bytes).sum::<u64>() as f64;
    println!("| compress and index | {:.0} MB/s |", closed / took.as_secs_f64() / 1e6);
    println!("| verify, compressed segments | {:.0} MB/s of text |", verified(&journal, bytes)?);
    let known = Sample::of(calls / 3);
    let host = known.hosts.first().and_then(|host| host.split(':').nth(1)).ok_or("no host")?;
    let questions = [
        ("calls that touched a host", Query { host: Some(host.parse()?), ..all() }),
        ("the newest 100 that touched a /24 network", {
            Query { host: Some(network(host)?), limit: Some(100), ..all() }
        }),
        ("the newest 100 of an application in a business", {
            let (app, business) = (Some(known.app.clone()), Some(known.business));
            Query { app, business, limit: Some(100), ..all() }
        }),
        ("a job", Query { job: known.job, ..all() }),
        ("a request", Query { request_id: Some(known.request_id.clone()), ..all() }),
        (
            "the newest 100 of a user",
            Query { user: Some(known.user.clone()), limit: Some(100), ..all() },
        ),
    ];
    let mut holds = true;
    for (what, asked) in questions {
        let mut seen = false;
        let (tally, took) = timed(|| {
            let id = &known.request_id;
            let mut see = |call: &esbgate_audit::Call| {
                seen |= call.intent.get("request_id").and_then(Value::as_str) == Some(id);
                Ok(())
            };
            Ok(query(&journal, &asked, &mut |_, _| {}, &mut see)?)
        })?;
        holds &= took < QUERY && (seen || asked.limit == Some(100));
        let (calls, seconds) = (tally.calls, took.as_secs_f64());
        println!("| query: {what} | {seconds:.2} s, {calls} calls |");
    }
    Ok(holds)
}

fn all() -> Query {
    Query { limit: None, ..Query::default() }
}

fn network(host: &str) -> Fallible<Host> {
    let (net, _) = host.rsplit_once('.').ok_or("no address")?;
    Ok(format!("{net}.0/24").parse()?)
}

/// The policy that allowed all that is replayed, but for what was planted.
fn policy(planted: bool) -> String {
    let mut text = String::from("version: 1\napps:\n");
    for app in (0..40).filter(|app| !planted || *app != 11) {
        let business = if planted && app == 7 { "[1, 2, 3]".to_owned() } else { "any".to_owned() };
        let except = if planted && app == 9 { "except: [10.3.0.0/16], " } else { "" };
        text += &format!(
            "  app{app}:\n    owner: o\n    proofs: [{{key: {{sha256: \"{app:064x}\"}}}}]\n    users: {{token: true}}\n    acts_as: x\n    hosts: {{per_call: 50, per_minute: 6000, burst: 6000}}\n    allow:\n"
        );
        // Rules that are passed over, as a real policy has them.
        for other in 0..10 {
            text += &format!(
                "      - name: other {other}\n        components: [fast_execute_script]\n        business: {{ids: [{}]}}\n        accounts: {{aliases: [www]}}\n        scripts: {{content: [python]}}\n        targets: {{ips: [172.16.0.0/12], clouds: [0], hosts: 5}}\n",
                1000 + other
            );
        }
        text += &format!(
            "      - name: restart the web tier\n        components: [fast_execute_script]\n        business: {{ids: {business}}}\n        accounts: {{aliases: [root]}}\n        scripts: {{content: [shell]}}\n        targets: {{ips: [10.0.0.0/8], {except}clouds: [0], hosts: 50}}\n"
        );
    }
    text
}

/// How many of the calls differ, by application and change.
fn planted() -> Vec<(String, &'static str, u64)> {
    let (mut business, mut target, mut app) = (0, 0, 0);
    for sample in (0..REPLAYED).map(Sample::of) {
        match &*sample.app {
            "app7" => business += u64::from(sample.business > 3),
            "app9" => {
                target += u64::from(sample.hosts.iter().any(|host| host.starts_with("0:10.3.")));
            }
            "app11" => app += 1,
            _ => {}
        }
    }
    vec![
        ("app11".into(), "refused: APP_VERIFY_FAILED", app),
        ("app7".into(), "refused: BUSINESS_NOT_ALLOWED", business),
        ("app9".into(), "refused: TARGET_NOT_ALLOWED", target),
    ]
}

fn replay() -> Fallible<bool> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("journal");
    fs::create_dir(&dir)?;
    written(&dir, REPLAYED, Sample::of)?;
    let mut holds = true;
    for (name, planted) in [("same.yaml", vec![]), ("planted.yaml", planted())] {
        let file = folder.path().join(name);
        fs::write(&file, policy(!planted.is_empty()))?;
        let mut replay = Command::new(env!("CARGO_BIN_EXE_bench-esbgate"));
        replay.args(["policy", "replay", "--since", "2027-01-01T00:00Z", "--format", "json"]);
        replay.arg("--policy").arg(file).arg("--journal").arg(&dir);
        let (output, took) = timed(|| Ok(replay.output()?))?;
        let told: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let found: Vec<_> = told["differences"].as_array().into_iter().flatten().collect();
        let expected =
            planted.iter().map(|(app, change, count)| (json!(app), json!(change), json!(count)));
        let found = found
            .iter()
            .map(|one| (one["app"].clone(), one["change"].clone(), one["count"].clone()));
        let exact = found.eq(expected);
        let differ: u64 = planted.iter().map(|(_, _, count)| count).sum();
        let exact = exact && told["same"] == REPLAYED - differ;
        if !exact {
            println!("not what was planted: {planted:?} {told}");
        }
        holds &= exact && took < REPLAY;
        let seconds = took.as_secs_f64();
        println!(
            "| replay of {REPLAYED} calls, {differ} of them decided otherwise | {seconds:.2} s |"
        );
    }
    Ok(holds)
}
