//! A policy that is replaced ten times a second, well and badly, under 300 calls a second: no call is dropped, each is
//! decided by a policy that was in force meanwhile, a broken file never takes effect and a good one always does.
//!
//! It takes a minute (`RELOAD_SECONDS`), so it is run by `make soak` and by nothing else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, missing_docs, reason = "the modules of one test binary")]

mod files;
mod judge;
mod load;
#[path = "../gate/support.rs"]
#[expect(dead_code, reason = "the gate's tests need more of it")]
mod support;

use std::{sync::Arc, time::Duration};

use esbgate_core::Clock as _;
use esbgate_gateway::{PolicyStatus, SystemClock};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    files::{Version, World, replace},
    support::*,
};

/// When a policy was seen in force.
#[derive(Debug)]
pub struct Seen {
    pub generation: u64,
    pub at: Timestamp,
}

pub fn now() -> Timestamp {
    SystemClock::start().now().wall
}

/// Notes each change of the policy in force.
async fn observe(mut status: watch::Receiver<PolicyStatus>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut last = 0;
    loop {
        let generation = status.borrow_and_update().generation;
        if generation != last {
            last = generation;
            seen.push(Seen { generation, at: now() });
        }
        if status.changed().await.is_err() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a minute; `make soak` runs it"]
async fn a_policy_that_is_replaced_all_the_time_under_load_decides_every_call() {
    let seconds = std::env::var("RELOAD_SECONDS").map_or(60, |text| text.parse().unwrap());
    let first = Version::new(0, 1);
    let files = Files { policy: first.text.clone(), ..Files::default() };
    let (standin, folder) = files.lay_out(world()).await;
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    let status = gate.running.policy().status();
    let seen = tokio::spawn(observe(status.clone()));
    let over = CancellationToken::new();
    let calls = tokio::spawn(load::calls(gate.running.addresses()[0], over.clone()));
    let mut world = World::new(gate.folder.path().join("policy.yaml"), first);
    let replaced = replace(&mut world, status, Duration::from_secs(seconds)).await;
    over.cancel();
    let calls = calls.await.unwrap();
    let (intents, outcomes) = (gate.records("intent"), gate.records("outcome"));
    let reloads = gate.records("reload");
    let journal = gate.running.journal_path();
    let (ended, standin, _folder) = gate.stop().await;
    assert!(ended, "the stop was in order");
    let refusals: Vec<_> =
        support::journal(&journal).into_iter().filter(|one| one["kind"] == "refusal").collect();
    let judged = judge::Judged {
        calls: &calls,
        seen: &seen.await.unwrap(),
        versions: &world.versions,
        reloads: &reloads,
        intents: &intents,
        outcomes: outcomes.len(),
        refusals: &refusals,
        ran: standin.history().run_count(),
    };
    let violations = judged.violations();
    println!("{}", judge::table(&calls, &replaced, &reloads));
    for violation in violations.iter().chain(&replaced.violations).take(50) {
        println!("violation: {violation}");
    }
    assert!(violations.is_empty() && replaced.violations.is_empty());
    assert!(calls.len() as u64 >= seconds * 290, "{} calls: the load was not applied", calls.len());
}
