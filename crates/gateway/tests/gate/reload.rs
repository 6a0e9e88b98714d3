//! A policy that changes while the gateway runs: what is taken, what is not, and what a call goes by meanwhile.

mod bad;
mod live;
mod rollback;
mod served;

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use esbgate_core::ReloadCause;
use esbgate_gateway::{PolicyStatus, Reloaded, SystemClock};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::*;

/// A policy that allows one business.
fn allowing(business: u64) -> String {
    policy("", &ALLOW.replace("ids: [1, 2]", &format!("ids: [{business}]")))
}

async fn started(business: u64) -> Gate {
    Gate::with(Files { policy: allowing(business), ..Files::default() }).await
}

/// Puts a file in the place of another, as editors and tools do.
fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

impl Gate {
    fn policy_path(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    fn put_policy(&self, text: &str) {
        put(&self.policy_path(), text);
    }

    fn status(&self) -> PolicyStatus {
        self.running.policy().status().borrow().clone()
    }

    async fn until(&self, reached: impl FnMut(&PolicyStatus) -> bool) -> PolicyStatus {
        let mut status = self.running.policy().status();
        let reached = timeout(PATIENCE, status.wait_for(reached)).await;
        reached.unwrap_or_else(|_| panic!("{:?}", self.status())).unwrap().clone()
    }

    /// Calls in a business that only one of two policies allows.
    async fn allows(&self, business: u64) -> bool {
        let answer = self.call(&call_with(json!({"bk_biz_id": business}))).await;
        let said = (answer.status, answer.code().to_owned());
        assert!(answer.status == 200 || said == (403, "BUSINESS_NOT_ALLOWED".into()), "{said:?}");
        answer.status == 200
    }

    async fn reload(&self) -> Reloaded {
        self.running.policy().reload(ReloadCause::Admin).await.unwrap()
    }

    /// Takes a policy, whoever is first to find it.
    async fn take(&self, text: &str) {
        let before = self.status().generation;
        self.put_policy(text);
        assert!(matches!(self.reload().await, Reloaded::Taken(_) | Reloaded::Same(_)));
        assert_eq!(self.status().generation, before + 1);
    }

    /// Stops, and starts again on the same files.
    async fn again(self) -> Self {
        let (ended, standin, folder) = self.stop().await;
        assert!(ended);
        Self::in_folder(standin, folder, Arc::new(SystemClock::start())).await
    }
}

fn facts(records: &[Value], names: &[&str]) -> Vec<Vec<Value>> {
    let fact = |record: &Value| names.iter().map(|name| record[*name].clone()).collect();
    records.iter().map(fact).collect()
}

#[tokio::test]
async fn a_changed_file_is_taken_by_itself_and_is_on_record() {
    let gate = started(1).await;
    assert!(gate.allows(1).await && !gate.allows(2).await);
    gate.put_policy(&allowing(2));
    gate.until(|status| status.generation == 2).await;
    assert!(!gate.allows(1).await && gate.allows(2).await);
    // In place, too.
    std::fs::write(gate.policy_path(), allowing(1)).unwrap();
    let status = gate.until(|status| status.generation == 3).await;
    assert!(gate.allows(1).await && !gate.allows(2).await);
    let records = gate.records("reload");
    let names = ["cause", "result", "generation", "replaces", "apps", "restores", "overrides"];
    let of = |cause: &str, number: u64, replaces: Value| {
        let (taken, none) = (json!("taken"), Value::Null);
        vec![json!(cause), taken, json!(number), replaces, json!(1), none.clone(), none]
    };
    assert_eq!(
        facts(&records, &names),
        [of("start", 1, Value::Null), of("watch", 2, json!(1)), of("watch", 3, json!(2))]
    );
    assert_eq!(records[2]["files"], json!(["policy.yaml"]));
    assert_eq!(records[2]["sha256"], *status.sha256);
    assert_ne!(records[0]["sha256"], records[1]["sha256"]);
    assert!(records.iter().all(|record| record["warnings"].as_u64() > Some(0)), "a key is over");
    let generations: Vec<_> =
        gate.records("intent").iter().map(|intent| intent["generation"].clone()).collect();
    assert_eq!(generations, [1, 2, 3]);
    let metrics = gate.metrics().await;
    for line in [
        "esbgate_policy_generation 3",
        "esbgate_policy_reload_success 1",
        "esbgate_policy_rollback_held 0",
        "esbgate_policy_reloads_total{result=\"taken\"} 3",
        "esbgate_policy_reloads_total{result=\"refused\"} 0",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}");
    }
}

#[tokio::test]
async fn the_same_policy_is_no_new_generation() {
    let gate = started(1).await;
    gate.put_policy(&allowing(1));
    assert_eq!(gate.reload().await, Reloaded::Same(1));
    assert_eq!(gate.records("reload").len(), 1);
    let again = gate.again().await;
    assert_eq!((again.status().generation, again.records("reload").len()), (1, 1));
    again.put_policy(&allowing(2));
    assert_eq!(again.until(|status| status.generation == 2).await.problems.len(), 0);
    let third = again.again().await;
    assert_eq!(third.status().generation, 2);
}

#[tokio::test]
async fn a_file_that_the_policy_names_is_part_of_it() {
    let jwt = "issuers:\n  sso: {header: bearer, issuer: https://sso, audience: x, algorithm: HS256, key: {secret: {file: sso.key}}, claims: {app: app}}\n";
    let text = allowing(1).replace("apps:\n", &format!("{jwt}apps:\n"));
    let beside = vec![("sso.key", "0123456789abcdef0123456789abcdef".into())];
    let gate = Gate::with(Files { policy: text, beside, ..Files::default() }).await;
    let key = gate.folder.path().join("sso.key");
    put(&key, "fedcba9876543210fedcba9876543210");
    gate.until(|status| status.generation == 2).await;
    put(&key, "short");
    let status = gate.until(|status| !status.problems.is_empty()).await;
    assert_eq!(status.generation, 2);
    put(&key, "0123456789abcdef0123456789abcdef");
    gate.until(|status| status.generation == 3).await;
    let records = gate.records("reload");
    assert!(records.iter().all(|record| record["sha256"] == records[0]["sha256"]));
}

/// A folder as a ConfigMap is mounted: the file leads over `..data` to a folder with a name of its own.
fn mount(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir(folder.join(name)).unwrap();
    std::fs::write(folder.join(name).join("policy.yaml"), text).unwrap();
    symlink(name, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_config_map_that_is_exchanged_is_taken() {
    let (standin, folder) = Files::default().lay_out(world()).await;
    std::fs::remove_file(folder.path().join("policy.yaml")).unwrap();
    mount(folder.path(), "..2027_01", &allowing(1));
    symlink("..data/policy.yaml", folder.path().join("policy.yaml")).unwrap();
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    assert!(gate.allows(1).await);
    mount(gate.folder.path(), "..2027_02", &allowing(2));
    std::fs::remove_dir_all(gate.folder.path().join("..2027_01")).unwrap();
    gate.until(|status| status.generation == 2).await;
    assert!(gate.allows(2).await && !gate.allows(1).await);
    mount(gate.folder.path(), "..2027_03", "version: 1\napps: [");
    let status = gate.until(|status| !status.problems.is_empty()).await;
    assert_eq!(status.generation, 2);
    mount(gate.folder.path(), "..2027_04", &allowing(1));
    gate.until(|status| status.generation == 3).await;
    assert!(gate.allows(1).await);
}

#[tokio::test]
async fn a_folder_is_a_policy_of_all_its_yaml_files_and_of_no_other_file() {
    let (standin, folder) = Files::default().lay_out(world()).await;
    let boot = folder.path().join("esbgate.yaml");
    let text = std::fs::read_to_string(&boot).unwrap();
    std::fs::write(&boot, text.replace("policy: policy.yaml", "policy: policy.d")).unwrap();
    let inside = folder.path().join("policy.d");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("10-teams.yaml"), allowing(1)).unwrap();
    std::fs::write(inside.join("README.md"), "no policy").unwrap();
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    assert!(gate.allows(1).await);
    put(&inside.join("10-teams.yaml"), &allowing(2));
    gate.until(|status| status.generation == 2).await;
    // A second file is part of the same policy, with what the first one has not.
    put(&inside.join("20-freeze.yaml"), "version: 1\nfreeze: [{everything: true, reason: r}]\n");
    gate.until(|status| status.generation == 3).await;
    gate.call(&call_with(serde_json::json!({"bk_biz_id": 2}))).await.is(403, "FROZEN", "no");
    std::fs::remove_file(inside.join("20-freeze.yaml")).unwrap();
    gate.until(|status| status.generation == 4).await;
    std::fs::remove_file(inside.join("10-teams.yaml")).unwrap();
    let status = gate.until(|status| !status.problems.is_empty()).await;
    assert!(status.problems[0].message.contains("no *.yaml"), "{:?}", status.problems);
    assert!(gate.allows(2).await);
}
