//! Every kind of file that is no policy: none takes effect, and the next good one does.

use std::os::unix::fs::MetadataExt as _;

use super::*;

/// Aliases that would be ten thousand million elements.
fn bomb() -> String {
    let mut text = String::from("version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    text + "apps: *a9\n"
}

/// What is put where the policy was.
enum Bad {
    Text(String),
    Bytes(Vec<u8>),
    /// A command of the shell, with the path as `$1`.
    Made(&'static str),
}

fn kinds() -> Vec<(&'static str, Bad)> {
    let good = allowing(2);
    let half = good.split_at(good.len() / 2).0.to_owned();
    let to = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Bad::Text(good.replacen(from, to, 1))
    };
    let mut kinds = vec![
        ("empty", Bad::Text(String::new())),
        ("blank", Bad::Text("\n# nothing\n".into())),
        ("truncated", Bad::Text(half)),
        ("a tail", Bad::Text(good.split_at(good.len() - 40).0.to_owned())),
        ("an unknown key", to("    acts_as:", "    act_as: x\n    acts_as:")),
        ("a key twice", to("    owner:", "    owner: x\n    owner:")),
        ("an unknown credential", to("acts_as: ops_gateway", "acts_as: nobody")),
        ("a version of tomorrow", to("version: 1", "version: 2")),
        ("a value of the wrong kind", to("in_flight: 100", "in_flight: many")),
        ("an alias bomb", Bad::Text(bomb())),
        ("deep nesting", Bad::Text(format!("version: 1\napps: {}", "[".repeat(100_000)))),
        ("no text", Bad::Bytes(vec![0xff; 100])),
        ("too much", Bad::Bytes(vec![b'#'; 1 << 20])),
        ("more than is read", Bad::Made("truncate -s 100M \"$1\"")),
        ("nothing", Bad::Made("rm \"$1\"")),
        ("a folder", Bad::Made("rm \"$1\" && mkdir \"$1\"")),
        ("a pipe", Bad::Made("rm -r \"$1\" && mkfifo \"$1\"")),
        ("a device", Bad::Made("rm \"$1\" && ln -s /dev/zero \"$1\"")),
        ("a link to nowhere", Bad::Made("ln -sf nowhere \"$1\"")),
        ("a link to itself", Bad::Made("ln -sf policy.yaml \"$1\"")),
    ];
    // Nothing is unreadable for root.
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        kinds.push(("unreadable", Bad::Made("chmod 0 \"$1\"")));
    }
    kinds
}

fn spoil(path: &Path, bad: &Bad) {
    match bad {
        Bad::Text(text) => put(path, text),
        Bad::Bytes(bytes) => std::fs::write(path, bytes).unwrap(),
        Bad::Made(command) => {
            let mut shell = std::process::Command::new("sh");
            let made = shell.args(["-c", command, "sh"]).arg(path).status().unwrap();
            assert!(made.success(), "{command}");
        }
    }
}

/// Puts a good file where anything may be.
fn mend(path: &Path, text: &str) {
    if path.is_dir() {
        std::fs::remove_dir(path).unwrap();
    }
    put(path, text);
}

#[tokio::test]
async fn no_broken_file_takes_effect_and_the_next_good_one_always_does() {
    let gate = started(1).await;
    for (generation, (name, bad)) in (1..).zip(kinds()) {
        let allowed = if generation % 2 == 1 { 1 } else { 2 };
        spoil(&gate.policy_path(), &bad);
        let status = gate.until(|status| !status.problems.is_empty()).await;
        assert_eq!(status.generation, generation, "{name}: {:?}", status.problems);
        let told = gate.running.policy().reload(ReloadCause::Admin).await;
        assert!(told.is_err(), "{name}");
        assert!(gate.allows(allowed).await && !gate.allows(3 - allowed).await, "{name}");
        let metrics = gate.metrics().await;
        assert!(metrics.contains("\nesbgate_policy_reload_success 0\n"), "{name}");
        mend(&gate.policy_path(), &allowing(3 - allowed));
        let status = gate.until(|status| status.generation == generation + 1).await;
        assert!(status.problems.is_empty(), "{name}");
        assert!(gate.allows(3 - allowed).await && !gate.allows(allowed).await, "{name}");
    }
    let refused = gate.records("reload").into_iter().filter(|record| record["result"] == "refused");
    let refused: Vec<_> = refused.collect();
    assert!(
        refused.len() >= 2 * kinds().len(),
        "each is on record when it is found and when it is asked for"
    );
    assert!(refused.iter().all(|record| record["generation"].is_null() && record["problems"] != 0));
    let metrics = gate.metrics().await;
    assert!(metrics.contains("\nesbgate_policy_reload_success 1\n"));
}

#[tokio::test]
async fn a_file_that_stays_broken_is_told_once_and_again_to_who_asks() {
    let gate = started(1).await;
    gate.put_policy("version: 1\nunknown: 1\n");
    gate.until(|status| !status.problems.is_empty()).await;
    let before = gate.records("reload").len();
    // Something else in the folder, and the same once more.
    std::fs::write(gate.folder.path().join("notes"), "x").unwrap();
    gate.put_policy("version: 1\nunknown: 1\n");
    assert!(gate.running.policy().reload(ReloadCause::Admin).await.is_err());
    let records = gate.records("reload");
    let causes = facts(&records[before..], &["cause", "result"]);
    assert_eq!(causes, [[json!("admin"), json!("refused")]]);
    let ready = exchange(
        gate.running.monitor().unwrap(),
        b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(ready.await.contains("200 OK"), "calls are served under the policy in force");
    // What is in force needs not be taken again.
    gate.put_policy(&allowing(1));
    let status = gate.until(|status| status.problems.is_empty()).await;
    assert_eq!(status.generation, 1);
}
