//! Disks that are full, closed or no disks: calls are refused at once, and nothing has to be restarted once they mend.
//!
//! A full disk is a small tmpfs in a mount namespace of the gateway's own. Root may write where modes forbid it, so there
//! the gateway runs without that capability. A limit on file sizes is in `journal_down`.

use std::{
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use esbgate_standin::Standin;
use serde_json::json;
use tokio::{process::Command, time::Instant};

use crate::{
    admin::{freeze, order},
    served::{Served, serve, serve_by},
    support::*,
};

/// The longest that a refusal may take.
const AT_ONCE: Duration = Duration::from_millis(100);
/// So many refusals are looked at; one that waits for anything of the disk makes all of them late.
const REFUSALS: usize = 20;

fn files(journal_extra: &str) -> Files {
    Files {
        journal_extra: journal_extra.into(),
        boot_extra: "admin: {socket: FOLDER/admin.sock}\n".into(),
        ..Files::default()
    }
}

/// Nothing is run, nobody waits, and an admin may still forbid.
async fn refuses(gate: &Served) {
    let dialled = gate.standin.history().connection_count();
    let mut fastest = Duration::MAX;
    for _ in 0..REFUSALS {
        let began = Instant::now();
        gate.call(&call()).await.is(503, "AUDIT_UNAVAILABLE", "no");
        fastest = fastest.min(began.elapsed());
    }
    // The fastest, because all of them would wait where one has to; a busy machine delays some.
    assert!(fastest < AT_ONCE, "{fastest:?}");
    assert_eq!(gate.standin.history().connection_count(), dialled, "the ESB was not even dialled");
    assert!(gate.monitor("/readyz").await.contains("journal takes no records"));
    assert!(gate.monitor("/livez").await.contains("200 OK"));
    let folder = gate.folder.path();
    let told = order(folder, json!("status")).await;
    assert!(told["done"]["status"].is_object(), "{told}");
    let frozen = order(folder, freeze(json!({"business": {"id": 1}}))).await;
    assert!(frozen["done"]["frozen"]["id"].is_string(), "{frozen}");
    let elsewhere = call_with(json!({"bk_biz_id": 1}));
    gate.call(&elsewhere).await.is(403, "FROZEN", "no");
    assert_eq!(gate.standin.history().connection_count(), dialled);
}

/// Calls are made again by the same process, and the journal that is left is whole.
async fn mended(mut gate: Served) {
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    assert!(gate.monitor("/readyz").await.contains("200 OK"));
    let (status, log) = gate.stop().await;
    assert!(status.success() && log.contains("\"journal takes records\""), "{log}");
}

/// Whether the journal of a gateway that runs is whole, but for records that HEAD does not know yet.
async fn whole(journal: &Path) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_esbgate"));
    let output = verify.args(["audit", "verify"]).arg(journal).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
}

/// Fills what a disk has left.
fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    for size in [64 << 10, 512, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// Calls until the journal needs what it does not get.
async fn until_refused(gate: &Served) {
    for _ in 0..50 {
        if gate.call(&call()).await.code() == "AUDIT_UNAVAILABLE" {
            return;
        }
    }
    panic!("the journal needs nothing");
}

async fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().await.unwrap().success());
}

#[tokio::test]
async fn on_a_full_disk_calls_are_refused_at_once_until_there_is_room() {
    let (standin, folder) = files("").lay_out(world()).await;
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let mut own = Command::new("unshare");
    own.args(["--user", "--map-root-user", "--mount", "sh", "-euc"]);
    own.args(["mount -t tmpfs -o size=512k tmpfs \"$1\"; shift; exec \"$@\"", "sh"]);
    own.arg(&journal);
    let gate = Served::by(serve_by(own, folder.path()), standin, folder).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    // What the process has mounted is seen through it alone.
    let inside = PathBuf::from(format!("/proc/{}/root{}", gate.id(), journal.display()));
    fill(&inside.join("filler"));
    // The page that is begun still takes some.
    until_refused(&gate).await;
    refuses(&gate).await;
    std::fs::remove_file(inside.join("filler")).unwrap();
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    whole(&inside).await;
    mended(gate).await;
}

#[tokio::test]
async fn under_a_limit_on_file_sizes_calls_are_refused_at_once_until_it_is_gone() {
    let gate = Served::with(files("")).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    gate.limit_files("0").await;
    refuses(&gate).await;
    gate.limit_files("unlimited").await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    whole(&gate.folder.path().join("journal")).await;
    mended(gate).await;
}

/// A gateway that obeys the modes of files, also where root runs the tests.
async fn obedient(standin: Standin, folder: Folder) -> Served {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let command = if root {
        let mut bare = Command::new("setpriv");
        bare.args(["--inh-caps=-all", "--bounding-set=-all"]);
        serve_by(bare, folder.path())
    } else {
        serve(folder.path())
    };
    Served::by(command, standin, folder).await
}

#[tokio::test]
async fn in_a_read_only_folder_calls_are_refused_at_once_until_it_is_writable() {
    let (standin, folder) = files(", segment: {bytes: 16KiB}").lay_out(world()).await;
    let gate = obedient(standin, folder).await;
    let mode = |mode| {
        std::fs::set_permissions(&gate.journal, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    mode(0o550);
    // The open segment may still be written; the next one cannot be made.
    until_refused(&gate).await;
    refuses(&gate).await;
    mode(0o750);
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    whole(&gate.folder.path().join("journal")).await;
    mended(gate).await;
}

#[tokio::test]
async fn pipes_in_the_place_of_segments_are_not_waited_for() {
    let gate = Served::with(files("")).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let segment = |number: u32| gate.journal.join(format!("{number:08}.jsonl"));
    let aside = gate.folder.path().join("aside");
    std::fs::rename(segment(1), &aside).unwrap();
    mkfifo(&segment(1)).await;
    mkfifo(&segment(2)).await;
    refuses(&gate).await;
    std::fs::remove_file(segment(2)).unwrap();
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    std::fs::rename(&aside, segment(1)).unwrap();
    whole(&gate.folder.path().join("journal")).await;
    mended(gate).await;
}

#[tokio::test]
async fn a_pipe_in_the_place_of_head_is_said_and_a_start_does_not_wait_for_it() {
    let (standin, folder) = files("").lay_out(world()).await;
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    mkfifo(&journal.join("HEAD")).await;
    let mut gate = Served::by(serve(folder.path()), standin, folder).await;
    assert_eq!(gate.call(&call()).await.body["executed"], "yes");
    let repair = &gate.records("repair")[0];
    assert!(repair["reason"].as_str().unwrap().contains("HEAD cannot be read"), "{repair}");
    assert!(gate.stop().await.0.success());
    whole(&journal).await;
}
