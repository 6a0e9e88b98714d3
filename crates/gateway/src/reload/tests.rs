//! The task alone, where the kernel tells nothing, and on a clock that jumps.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use esbgate_core::{Clock, FreezeHandle, HeadRules, Metrics, ReceivedAt, ReloadCause};
use esbgate_journal::{Durability, FileJournal, Options};
use esbgate_model::{
    Name, Secret,
    dialect::{AppSecrets, Credential},
};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Checked, PolicyGrounds, PolicySettings, PolicySource, Ports, ReloadError, Reloaded, Reloader,
    Tests, begin, check, watch::nothing,
};
use crate::shadow::Shadow;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> ReceivedAt {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        ReceivedAt { wall, monotonic: Duration::from_secs(1) }
    }
}

fn policy(owner: &str) -> String {
    format!(
        "version: 1\napps:\n  a: {{owner: {owner}, acts_as: c, proofs: [{{certificate: {{dns: d}}}}]}}\n"
    )
}

struct Alone {
    folder: TempDir,
    reloader: Reloader,
    task: JoinHandle<()>,
    drain: CancellationToken,
}

fn grounds() -> PolicyGrounds {
    let credential = Credential::new(Name::new("c").unwrap(), AppSecrets::one("s"));
    let credentials = HashMap::from([("c".into(), Arc::new(credential))]);
    PolicyGrounds { credentials, login: false }
}

fn settings(folder: &Path) -> PolicySettings {
    let source = PolicySource::new(folder.join("policy.yaml"));
    let texts = source.read().unwrap();
    let Checked { found, seen } = check(&source, &texts, &grounds(), Still.now().wall, Tests::All);
    let (plan, warnings) = found.unwrap();
    let (state, warnings) = (folder.join("state"), warnings.len());
    PolicySettings { source, grounds: grounds(), state, texts, plan, warnings, seen }
}

fn journal(folder: &Path) -> FileJournal {
    let key = Secret::new("0123456789abcdef0123456789abcdef");
    let own = Options::new(folder.join("journal"), folder.join("state"), key);
    let options = Options { durability: Durability::Written, open_intents: 1, ..own };
    FileJournal::open(options, Arc::new(Still), Default::default()).unwrap()
}

/// The task over a file that nobody watches.
async fn alone() -> Alone {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), policy("first")).unwrap();
    let settings = settings(folder.path());
    let ports = Ports {
        journal: journal(folder.path()),
        metrics: Metrics::register(&Registry::new(), "0").unwrap(),
        clock: Arc::new(Still),
    };
    let folders = nothing(settings.source.path());
    let (_, reloader, asked, worker) = begin(settings, ports).await.unwrap();
    let drain = CancellationToken::new();
    let head = Arc::new(HeadRules::default());
    let shadow = Shadow::new(
        head,
        FreezeHandle::default(),
        Metrics::register(&Registry::new(), "0").unwrap().next_policy,
    );
    let task = tokio::spawn(worker.run(asked, folders, shadow, drain.clone()));
    Alone { folder, reloader, task, drain }
}

impl Alone {
    fn put(&self, text: &str) {
        std::fs::write(self.folder.path().join("policy.yaml"), text).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_being_told_a_change_is_found_within_seconds() {
    let alone = alone().await;
    let mut status = alone.reloader.status();
    let began = Instant::now();
    alone.put(&policy("second"));
    status.wait_for(|status| status.generation == 2).await.unwrap();
    alone.put("no policy");
    status.wait_for(|status| !status.problems.is_empty()).await.unwrap();
    alone.put(&policy("third"));
    let now = status.wait_for(|status| status.generation == 3).await.unwrap().clone();
    assert!(now.problems.is_empty());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    alone.drain.cancel();
    alone.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_asks_waits_for_files_that_are_still_written() {
    let alone = alone().await;
    let (first, second) = (policy("second"), policy("third"));
    alone.put(&first.replace("acts_as", "acts_"));
    let writes = async {
        // Faster than what counts as a pause: the half-written file is never taken for a whole one.
        for text in [&first, &second] {
            tokio::time::sleep(Duration::from_millis(10)).await;
            alone.put(text);
        }
    };
    let (reloaded, ()) = tokio::join!(alone.reloader.reload(ReloadCause::Admin), writes);
    // The look that a tick began may be the one that took it.
    assert!(matches!(reloaded.unwrap(), Reloaded::Taken(2) | Reloaded::Same(2)));
    let kept = alone.reloader.generations().await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept[1].texts.files()[0].text.contains("third"));
}

#[tokio::test]
async fn a_gateway_that_stops_takes_no_policy_any_more() {
    let alone = alone().await;
    alone.drain.cancel();
    alone.task.await.unwrap();
    let said = alone.reloader.reload(ReloadCause::Admin).await.unwrap_err().to_string();
    assert_eq!(said, "the gateway stops");
}

const FAILING: &str = "tests:\n  - {name: nobody may, at: \"2027-01-04T10:00Z\", call: {app: a, user: u}, expect: {allowed: true}}\n";

#[tokio::test(start_paused = true)]
async fn a_policy_that_fails_its_own_tests_is_not_taken_and_the_way_back_asks_none() {
    let alone = alone().await;
    alone.put(&(policy("second") + FAILING));
    let said = alone.reloader.reload(ReloadCause::Admin).await.unwrap_err();
    let ReloadError::Refused(problems) = said else { panic!("{said}") };
    let said = problems[0].to_string();
    assert!(said.contains("the test \"nobody may\" fails: allowed: expected true"), "{said}");
    assert!(said.contains("policy.yaml:5:5"), "{said}");
    assert_eq!(alone.reloader.status().borrow().generation, 1);
    alone.put(&policy("third"));
    alone.reloader.reload(ReloadCause::Admin).await.unwrap();
    let beside = alone.folder.path().join("tests");
    std::fs::create_dir(&beside).unwrap();
    std::fs::write(beside.join("a.yaml"), FAILING).unwrap();
    let back = alone.reloader.rollback(Some(1)).await.unwrap();
    assert!(matches!(back, Reloaded::Taken(3)), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn tests_that_stand_beside_a_policy_hold_it_back_until_they_are_mended() {
    let alone = alone().await;
    let tests = alone.folder.path().join("tests");
    std::fs::create_dir(&tests).unwrap();
    std::fs::write(tests.join("a.yaml"), FAILING).unwrap();
    alone.put(&policy("second"));
    let said = alone.reloader.reload(ReloadCause::Admin).await.unwrap_err();
    assert!(matches!(said, ReloadError::Refused(_)), "{said}");
    let mut status = alone.reloader.status();
    std::fs::write(tests.join("a.yaml"), "tests: []\n").unwrap();
    status.wait_for(|status| status.generation == 2).await.unwrap();
}
