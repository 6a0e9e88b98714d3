//! The run: many cases, each through the whole chain in both dialects, and what became of them.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use esbgate_core::Rejection;
use esbgate_model::dialect::Dialect;

use crate::{
    chain::Chain,
    compare::{View, compare, table},
    esb::Esb,
    generate::{self, Request},
    python::loads,
    recorded, sent,
};

/// Cases that share a journal.
const BATCH: u64 = 2500;

/// The run of `make test`; it is the same every time.
const CASES: u64 = 50_000;
const SEED: u64 = 1;

const DIALECTS: [(Dialect, Esb); 2] =
    [(Dialect::Esb, Esb::Current), (Dialect::EsbLegacy, Esb::Legacy)];

/// Rules that a generator worth its name runs into.
const RULES: [&str; 24] = [
    "ACCOUNT_NOT_ALLOWED",
    "BUSINESS_NOT_ALLOWED",
    "CALLBACK_NOT_ALLOWED",
    "TARGET_NOT_ALLOWED",
    "SCRIPT_NOT_ALLOWED",
    "alias",
    "base64",
    "conflict",
    "control_character",
    "decoded_utf8",
    "duplicate_name",
    "inner_line_end",
    "integer",
    "ipv4",
    "json_syntax",
    "name",
    "nesting_depth",
    "not_null",
    "number_range",
    "range",
    "refused_credential",
    "required",
    "type",
    "unknown_field",
];

/// What became of the cases.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    rules: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn refuse(&mut self, rejection: &Rejection) {
        self.refused += 1;
        let mut count = |name| *self.rules.entry(name).or_default() += 1;
        if let Rejection::Malformed { faults, .. } | Rejection::Faulty(faults) = rejection {
            faults.list().iter().for_each(|fault| count(fault.rule.name()));
        } else {
            count(rejection.code().name());
        }
    }

    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        for (rule, count) in other.rules {
            *self.rules.entry(rule).or_default() += count;
        }
    }
}

/// The readings of one message that wait for the journal's.
struct Waiting {
    id: String,
    seen: View,
    sent: View,
    asked: View,
}

struct Run {
    seed: u64,
    cases: u64,
    next: AtomicU64,
    failed: AtomicBool,
}

impl Run {
    fn story(&self, id: &str, request: &Request, what: &str) -> String {
        let headers: Vec<_> = request.headers.iter().collect();
        let body = String::from_utf8_lossy(&request.body);
        format!("seed {} case {id}: {what}\nheaders: {headers:?}\nbody: {body}", self.seed)
    }

    /// Runs batches until there are none left.
    fn work(&self) -> Result<Tally, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let chain = Chain::new();
        let mut tally = Tally::default();
        while !self.failed.load(Ordering::Relaxed) {
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= self.cases {
                break;
            }
            let to = (from + BATCH).min(self.cases);
            match runtime.block_on(self.batch(&chain, from..to)) {
                Ok(batch) => tally.add(batch),
                Err(story) => {
                    self.failed.store(true, Ordering::Relaxed);
                    return Err(story);
                }
            }
            if self.cases > CASES
                && to.is_multiple_of(self.cases.div_ceil(20).next_multiple_of(BATCH))
            {
                eprintln!("{to} of {} cases", self.cases);
            }
        }
        Ok(tally)
    }

    async fn batch(&self, chain: &Chain, cases: Range<u64>) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let mut waiting = Vec::new();
        let records = chain.records();
        for case in cases {
            let request = generate::request(self.seed, case);
            for (dialect, esb) in DIALECTS {
                let id = format!("{case}-{dialect:?}");
                let story = |what: &str| self.story(&id, &request, what);
                let passed = match chain.run((&id, case), &request, dialect, &records).await {
                    Ok(passed) => passed,
                    Err(rejection) if dialect == Dialect::Esb => {
                        tally.refuse(&rejection);
                        break;
                    }
                    Err(rejection) => return Err(story(&format!("one dialect: {rejection}"))),
                };
                let header = passed.message.authorization.as_ref().map(|value| value.as_bytes());
                let sent = sent::view(esb, header, &passed.message.body);
                let sent = sent.map_err(|why| story(&format!("unreadable upstream: {why}")))?;
                let asked = asked(&request).map_err(|why| story(&format!("unreadable: {why}")))?;
                waiting.push(Waiting { id, seen: passed.seen, sent, asked });
            }
        }
        tally.accepted = waiting.len() as u64 / DIALECTS.len() as u64;
        let mut intents = records.lines();
        for Waiting { id, seen, sent, asked } in waiting {
            let (case, _) = id.split_once('-').unwrap();
            let request = generate::request(self.seed, case.parse().unwrap());
            let Some(line) = intents.remove(&id) else {
                return Err(self.story(&id, &request, "no intent on record"));
            };
            let line = loads(line.as_bytes()).map_err(|why| self.story(&id, &request, &why))?;
            let recorded = recorded::view(&line);
            let views =
                [("asked", &asked), ("seen", &seen), ("recorded", &recorded), ("sent", &sent)];
            let found = compare(&views);
            if !found.is_empty() {
                let what = format!("{found:?} differ\n{}", table(&views));
                return Err(self.story(&id, &request, &what));
            }
        }
        match intents.keys().next() {
            Some(id) => Err(format!("seed {}: {id} was refused and is on record", self.seed)),
            None => Ok(tally),
        }
    }
}

/// What the caller asked for.
fn asked(request: &Request) -> Result<View, String> {
    let cookie = request.header("cookie").and_then(|value| value.strip_prefix(b"bk_token="));
    let cookie = cookie.map(String::from_utf8_lossy);
    sent::asked(request.header("x-bkapi-authorization"), cookie.as_deref(), &request.body)
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")),
        Err(_) => default,
    }
}

#[test]
fn what_policy_saw_what_was_recorded_and_what_is_sent_are_one_call() {
    let cases = setting("DIFFERENTIAL_CASES", CASES);
    let seed = setting("DIFFERENTIAL_SEED", SEED);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    eprintln!("seed {seed}, {cases} cases in both dialects, {threads} threads");
    let run = Run { seed, cases, next: AtomicU64::new(0), failed: AtomicBool::new(false) };
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| run.work())).collect();
        for worker in workers {
            match worker.join().unwrap() {
                Ok(part) => tally.add(part),
                Err(story) => panic!("{story}"),
            }
        }
    });
    let percent = tally.accepted * 100 / cases.max(1);
    eprintln!("accepted {} ({percent} %), refused {}", tally.accepted, tally.refused);
    for (rule, count) in &tally.rules {
        eprintln!("{count:>9} {rule}");
    }
    assert_eq!(tally.accepted + tally.refused, cases);
    // Too few accepted calls would compare nothing.
    assert!(percent >= 30 || cases < BATCH, "only {percent} % of the calls are accepted");
    let unmet: Vec<_> = RULES.iter().filter(|rule| !tally.rules.contains_key(*rule)).collect();
    assert!(unmet.is_empty() || cases < CASES, "no call runs into {unmet:?}");
}
