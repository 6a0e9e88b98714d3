//! With `durability: synced` an intent is on the disk before a byte of its call leaves, as the kernel saw it.

use futures_util::future::join_all;
use serde_json::json;
use tokio::process::Command;

use crate::{
    served::{Served, serve_by},
    support::*,
};

const CALLS: usize = 100;
/// How many are under way together, so that intents share a write and a sync.
const TOGETHER: usize = 10;

/// A system call, and where in the trace it was asked for and had ended.
struct Seen<'t> {
    name: &'t str,
    descriptor: &'t str,
    arguments: &'t str,
    result: &'t str,
    begun: usize,
    ended: usize,
}

/// Reads what `strace -f` wrote: a call that another thread's cut in two has two lines.
fn read(trace: &str) -> Vec<Seen<'_>> {
    let lines: Vec<(&str, &str)> = trace
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(thread, text)| (thread, text.trim_start()))
        .collect();
    let mut all = Vec::new();
    for (begun, (thread, text)) in lines.iter().enumerate() {
        let Some((name, rest)) = text.split_once('(') else { continue };
        let cut = rest.strip_suffix(" <unfinished ...>");
        let (arguments, end) = match cut {
            None => (rest, Some((begun, rest))),
            Some(arguments) => {
                let mut later = lines.iter().enumerate().skip(begun + 1);
                let resumed = format!("<... {name} resumed>");
                let end = later.find(|(_, (of, text))| of == thread && text.starts_with(&resumed));
                (arguments, end.map(|(at, (_, text))| (at, *text)))
            }
        };
        let Some((ended, (_, result))) =
            end.and_then(|(at, text)| Some((at, text.rsplit_once(" = ")?)))
        else {
            continue;
        };
        let descriptor = arguments.split([',', ')']).next().unwrap();
        all.push(Seen { name, descriptor, arguments, result: result.trim(), begun, ended });
    }
    all
}

/// What of `name`'s call stands in the wrong order, if anything does.
fn wrong(all: &[Seen<'_>], name: &str, esb: u16) -> Option<String> {
    let quoted = format!("\\\"{name}\\\"");
    let names = |seen: &&Seen<'_>| seen.arguments.contains(&quoted);
    let intent = |seen: &&Seen<'_>| seen.arguments.contains("\\\"kind\\\":\\\"intent\\\"");
    let Some(written) = all.iter().find(|seen| names(seen) && intent(seen)) else {
        return Some(format!("{name}: its intent is never written"));
    };
    let sync = |seen: &&Seen<'_>| {
        seen.name == "fdatasync"
            && (seen.descriptor, seen.result) == (written.descriptor, "0")
            && seen.begun > written.ended
    };
    let Some(synced) = all.iter().find(sync) else {
        return Some(format!("{name}: its intent is never synced"));
    };
    let Some(sent) = all.iter().find(|seen| names(seen) && !intent(seen)) else {
        return Some(format!("{name}: nothing is sent"));
    };
    let dialled = all.iter().rfind(|seen| {
        seen.name == "connect"
            && seen.descriptor == sent.descriptor
            && seen.begun < sent.begun
            && seen.arguments.contains(&format!("htons({esb})"))
    });
    let Some(dialled) = dialled else { return Some(format!("{name}: it is not sent to the ESB")) };
    (dialled.begun < synced.ended).then(|| format!("{name}: the ESB is dialled before the sync"))
}

/// What is in the wrong order in the calls of a gateway under `strace`.
async fn wrongs(durability: &'static str) -> Vec<String> {
    let (standin, folder) = Files { durability, ..Files::default() }.lay_out(world()).await;
    let trace = folder.path().join("calls.trace");
    let mut traced = Command::new("strace");
    // The process is the gateway, and its tracer is in the background.
    traced.args(["-D", "-f", "-qq", "-s", "1000000", "-e", "signal=none", "-o"]).arg(&trace);
    traced.args(["-e", "trace=write,writev,sendto,sendmsg,fdatasync,connect"]);
    let traced = serve_by(traced, folder.path());
    let mut gate = Served::by(traced, standin, folder).await;
    let names: Vec<String> = (0..CALLS).map(|number| format!("call {number:03}")).collect();
    for names in names.chunks(TOGETHER) {
        let bodies = names.iter().map(|name| call_with(json!({"task_name": name})));
        let bodies: Vec<_> = bodies.collect();
        for answer in join_all(bodies.iter().map(|body| gate.call(body))).await {
            assert_eq!(answer.body["executed"], "yes", "{}", answer.body);
        }
    }
    // Its log ends with the last of both processes.
    let (status, log) = gate.stop().await;
    assert!(status.success(), "{log}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let all = read(&text);
    let esb = gate.standin.esb_addr().port();
    assert!(all.iter().any(|seen| seen.name == "connect"), "{text}");
    names.iter().filter_map(|name| wrong(&all, name, esb)).collect()
}

#[tokio::test]
async fn each_intent_is_synced_before_the_esb_is_dialled_and_what_is_not_synced_is_seen() {
    let (synced, written) = tokio::join!(wrongs("synced"), wrongs("written"));
    assert_eq!(synced, Vec::<String>::new());
    // HEAD's sync each second may come in time for a few of them.
    assert!(written.len() > CALLS / 2, "{written:?}");
}
