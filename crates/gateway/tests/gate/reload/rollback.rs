//! Back to a generation that was in force, and held there.

use esbgate_gateway::ReloadError;

use super::*;

impl Gate {
    async fn roll_back(&self, to: Option<u64>) -> Result<Reloaded, ReloadError> {
        self.running.policy().rollback(to).await
    }

    /// Takes a policy for each of these businesses.
    async fn take_each(&self, businesses: &[u64]) {
        for business in businesses {
            self.take(&allowing(*business)).await;
        }
    }

    async fn kept(&self) -> Vec<u64> {
        let kept = self.running.policy().generations().await.unwrap();
        kept.iter().map(|kept| kept.number).collect()
    }
}

#[tokio::test]
async fn a_rollback_holds_over_restarts_until_the_file_changes() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    let overridden = gate.status().sha256;
    assert_eq!(gate.roll_back(None).await.unwrap(), Reloaded::Taken(3));
    assert!(gate.allows(1).await && !gate.allows(2).await);
    let record = gate.records("reload").pop().unwrap();
    let names = ["cause", "result", "generation", "replaces", "restores", "overrides"];
    let expected =
        [json!("rollback"), json!("taken"), json!(3), json!(2), json!(1), json!(&*overridden)];
    assert_eq!(facts(&[record], &names), [expected]);
    let held = "\nesbgate_policy_rollback_held 1\n";
    assert!(gate.metrics().await.contains(held));
    // The same text, put there again, is no change.
    gate.put_policy(&allowing(2));
    assert_eq!(gate.reload().await, Reloaded::Held(3));

    let gate = gate.again().await;
    let status = gate.status();
    assert_eq!((status.generation, status.hold.unwrap().restores), (3, 1));
    assert!(gate.allows(1).await && !gate.allows(2).await);
    assert!(gate.metrics().await.contains(held));
    let record = gate.records("reload").remove(0);
    assert_eq!(facts(&[record], &["cause", "restores"]), [[json!("start"), json!(1)]]);
    // A broken file is no policy, so it ends nothing.
    gate.put_policy("version: 1\napps: [");
    gate.until(|status| !status.problems.is_empty()).await;
    assert!(gate.status().hold.is_some() && gate.allows(1).await);
    gate.put_policy(&allowing(8_000_000));
    let status = gate.until(|status| status.generation == 4).await;
    assert!(status.hold.is_none() && !gate.allows(1).await);
    assert!(gate.metrics().await.contains("\nesbgate_policy_rollback_held 0\n"));
    let gate = gate.again().await;
    assert_eq!((gate.status().generation, gate.status().hold), (4, None));
}

#[tokio::test]
async fn a_file_that_changes_while_nobody_runs_ends_a_rollback() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    gate.roll_back(Some(1)).await.unwrap();
    let (_, standin, folder) = gate.stop().await;
    put(&folder.path().join("policy.yaml"), &allowing(1));
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    assert_eq!((gate.status().generation, gate.status().hold), (4, None));
    assert!(!gate.folder.path().join("state/rollback.json").exists());
}

#[tokio::test]
async fn one_can_go_back_step_by_step_to_a_number_and_to_the_files() {
    let gate = started(1).await;
    gate.take_each(&[2, 8_000_000]).await;
    assert_eq!(gate.roll_back(None).await.unwrap(), Reloaded::Taken(4));
    assert!(gate.allows(2).await);
    assert_eq!(gate.roll_back(None).await.unwrap(), Reloaded::Taken(5));
    assert!(gate.allows(1).await);
    assert!(matches!(gate.roll_back(None).await, Err(ReloadError::NoPrevious)));
    assert_eq!(gate.roll_back(Some(1)).await.unwrap(), Reloaded::Held(5));
    assert_eq!(gate.roll_back(Some(2)).await.unwrap(), Reloaded::Taken(6));
    let unknown = gate.roll_back(Some(77)).await.unwrap_err().to_string();
    assert_eq!(unknown, "generation 77 is not kept");
    // What the file says needs nobody to hold it.
    assert_eq!(gate.roll_back(Some(3)).await.unwrap(), Reloaded::Taken(7));
    assert_eq!(gate.status().hold, None);
    assert_eq!(gate.reload().await, Reloaded::Same(7));
    let records = gate.records("reload");
    let rollbacks: Vec<_> = records.iter().filter(|one| one["cause"] == "rollback").collect();
    assert_eq!(rollbacks.len(), 4, "what changes nothing is no record");
}

#[tokio::test]
async fn a_bad_file_can_be_answered_by_a_rollback_and_mended_later() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    gate.put_policy("version: 1\napps: [");
    gate.until(|status| !status.problems.is_empty()).await;
    gate.roll_back(None).await.unwrap();
    assert!(gate.allows(1).await && gate.status().problems.is_empty());
    gate.put_policy(&allowing(2));
    let status = gate.until(|status| status.generation == 4).await;
    assert!(status.hold.is_none() && gate.allows(2).await);
}

#[tokio::test]
async fn the_last_ten_generations_are_kept_and_numbers_go_on() {
    let gate = started(1).await;
    for _ in 0..6 {
        gate.take_each(&[2, 1]).await;
    }
    assert_eq!(gate.kept().await, (4..=13).collect::<Vec<_>>());
    let kept = gate.running.policy().generations().await.unwrap();
    assert_eq!((kept[9].apps, kept[9].files()), (1, vec!["policy.yaml"]));
    assert_eq!(kept[9].sha256, gate.status().sha256);
    let gate = gate.again().await;
    gate.take_each(&[2]).await;
    assert_eq!(gate.status().generation, 14);
    assert_eq!(gate.kept().await, (5..=14).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_kept_and_is_damaged_or_holds_no_more_is_not_gone_back_to() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    let first = gate.folder.path().join("state/generations/00000001.json");
    let whole = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, whole.replace("[1]", "any")).unwrap();
    let said = gate.roll_back(Some(1)).await.unwrap_err().to_string();
    assert_eq!(said, "generation 1 is damaged");
    assert!(matches!(gate.roll_back(None).await, Err(ReloadError::NoPrevious)));
    assert!(gate.status().hold.is_none() && gate.allows(2).await);

    std::fs::write(&first, &whole).unwrap();
    gate.roll_back(Some(1)).await.unwrap();
    let (_, standin, folder) = gate.stop().await;
    std::fs::write(&first, "{").unwrap();
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    assert!(gate.status().hold.is_none() && gate.allows(2).await, "the file is what is left");
    assert!(gate.metrics().await.contains("\nesbgate_policy_rollback_held 0\n"));
}

#[tokio::test]
async fn a_kept_generation_passes_the_checks_of_today_or_is_refused() {
    let text = allowing(1).replace("acts_as: ops_gateway", "acts_as: old_gateway");
    let (standin, folder) = Files { policy: text, ..Files::default() }.lay_out(world()).await;
    let boot = folder.path().join("esbgate.yaml");
    let today = std::fs::read_to_string(&boot).unwrap();
    let both = today.replace(
        "credentials:\n",
        "credentials:\n  old_gateway: {bk_app_code: ops_gateway, bk_app_secret: {current: {file: esb.secret}}}\n",
    );
    std::fs::write(&boot, both).unwrap();
    let gate = Gate::in_folder(standin, folder, Arc::new(SystemClock::start())).await;
    gate.take_each(&[2]).await;
    std::fs::write(&boot, today).unwrap();
    let gate = gate.again().await;
    let Err(ReloadError::Refused(problems)) = gate.roll_back(Some(1)).await else { panic!() };
    assert_eq!(&*problems[0].message, "unknown credential");
    assert!(gate.status().hold.is_none() && gate.allows(2).await);
    let record = gate.records("reload").pop().unwrap();
    let names = ["cause", "result", "problems"];
    assert_eq!(facts(&[record], &names), [[json!("rollback"), json!("refused"), json!(1)]]);
    // Nothing is wrong with the file.
    assert!(gate.metrics().await.contains("\nesbgate_policy_reload_success 1\n"));
}

#[tokio::test]
async fn what_is_kept_can_be_listed_beside_a_running_gateway() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    gate.roll_back(None).await.unwrap();
    std::fs::write(gate.folder.path().join("state/generations/00000009.json"), "{").unwrap();
    let config = gate.folder.path().join("esbgate.yaml");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let command = command.args(["policy", "rollback", "--list", "--config"]).arg(config);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].trim().starts_with("1  20") && lines[1].ends_with("1  held as 3"), "{text}");
    assert!(lines[2].trim().starts_with("2  20") && !lines[2].contains("held"), "{text}");
    assert_eq!(lines[3].trim(), "9  damaged");
}

#[tokio::test]
async fn what_cannot_be_kept_is_in_force_all_the_same_and_what_cannot_be_held_is_not() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    let state = gate.folder.path().join("state");
    // A folder stands where the file would be.
    std::fs::create_dir(state.join("generations/00000003.json")).unwrap();
    gate.take_each(&[1]).await;
    assert!(gate.allows(1).await);
    assert!(gate.metrics().await.contains("\nesbgate_policy_keep_errors_total 1\n"));
    assert_eq!(gate.kept().await, [1, 2]);
    std::fs::create_dir(state.join("rollback.json")).unwrap();
    assert!(matches!(gate.roll_back(Some(2)).await, Err(ReloadError::Shelf(_))));
    assert!(gate.allows(1).await && gate.status().hold.is_none());
    let records = gate.records("reload");
    assert!(records.iter().all(|record| record["cause"] != "rollback"), "nothing was done");
    std::fs::remove_dir(state.join("rollback.json")).unwrap();
    assert_eq!(gate.roll_back(Some(2)).await.unwrap(), Reloaded::Taken(4));
}

#[tokio::test]
async fn a_rollback_that_a_start_cannot_go_back_to_is_held_again_by_the_next_that_can() {
    let gate = started(1).await;
    gate.take_each(&[2]).await;
    gate.roll_back(Some(1)).await.unwrap();
    let first = gate.folder.path().join("state/generations/00000001.json");
    let whole = std::fs::read_to_string(&first).unwrap();
    std::fs::remove_file(&first).unwrap();
    let gate = gate.again().await;
    assert!(gate.status().hold.is_none() && gate.allows(2).await);
    std::fs::write(&first, &whole).unwrap();
    let gate = gate.again().await;
    assert!(gate.status().hold.is_some() && gate.allows(1).await);
    // Files that change end it for good, also where it was not in force.
    std::fs::remove_file(&first).unwrap();
    let gate = gate.again().await;
    gate.put_policy(&allowing(8_000_000));
    assert!(matches!(gate.reload().await, Reloaded::Taken(4) | Reloaded::Same(4)));
    assert!(!gate.folder.path().join("state/rollback.json").exists());
}
