//! The `file` sink: rotation by us and by others, torn lines, files that cannot be written.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf};

use esbgate_ship::{FileOptions, Pass, Rotation, SinkOptions, TargetOptions};

use crate::journal::{Log, file, lines, ship, sink};

fn rotated(path: PathBuf, bytes: u64, keep: u32) -> SinkOptions {
    let rotation = Some(Rotation { bytes, keep });
    sink(TargetOptions::File(FileOptions { path, rotation }))
}

#[tokio::test]
async fn a_file_is_put_aside_before_it_grows_beyond_its_size_and_so_many_are_kept() {
    let mut log = Log::new("n1");
    let out = log.folder.path().join("out.jsonl");
    let numbered = |n: u32| log.folder.path().join(format!("out.jsonl.{n}"));
    let numbered: Vec<_> = (1..=3).map(numbered).collect();
    let (mut shipper, _) = log.shipper(rotated(out.clone(), 10_000, 2));
    let mut batches = Vec::new();
    for _ in 0..4 {
        let before = log.lines.len();
        log.calls(4);
        ship(&mut shipper).await;
        batches.push(log.lines[before..].to_vec());
    }
    let sizes: Vec<u64> =
        [&out, &numbered[0], &numbered[1]].map(|path| path.metadata().unwrap().len()).to_vec();
    assert!(sizes.iter().all(|size| (1..=10_000).contains(size)), "{sizes:?}");
    assert_eq!(lines(&out), batches[3]);
    assert_eq!(lines(&numbered[0]), batches[2]);
    assert_eq!(lines(&numbered[1]), batches[1]);
    assert!(!numbered[2].exists());
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o137, 0);
}

#[tokio::test]
async fn a_file_that_somebody_moves_or_takes_away_is_made_anew() {
    let mut log = Log::new("n1");
    log.calls(1);
    let out = log.folder.path().join("out.jsonl");
    let aside = log.folder.path().join("aside");
    let (mut shipper, _) = log.shipper(file(&out));
    ship(&mut shipper).await;
    std::fs::rename(&out, &aside).unwrap();
    log.calls(1);
    ship(&mut shipper).await;
    assert_eq!([lines(&aside), lines(&out)].concat(), log.lines);
    std::fs::remove_file(&out).unwrap();
    log.calls(1);
    ship(&mut shipper).await;
    assert_eq!(lines(&out), log.lines[5..]);
    // As logrotate's copytruncate does.
    std::fs::File::options().write(true).open(&out).unwrap().set_len(0).unwrap();
    log.calls(1);
    ship(&mut shipper).await;
    assert_eq!(lines(&out), log.lines[7..]);
}

#[tokio::test]
async fn a_torn_line_is_cut_before_anything_is_appended() {
    let mut log = Log::new("n1");
    log.calls(1);
    let out = log.folder.path().join("out.jsonl");
    for torn in [String::new(), "x".into(), "y".repeat(200_000), "whole\n".into()] {
        std::fs::write(&out, format!("first\n{torn}")).unwrap();
        std::fs::remove_dir_all(log.cursors()).ok();
        ship(&mut log.shipper(file(&out)).0).await;
        let first = lines(&out);
        let kept = first.len() - log.lines.len();
        assert_eq!(first[kept..], log.lines);
        assert_eq!(kept, if torn.ends_with('\n') { 2 } else { 1 });
    }
    std::fs::write(&out, "no line end at all").unwrap();
    std::fs::remove_dir_all(log.cursors()).unwrap();
    ship(&mut log.shipper(file(&out)).0).await;
    assert_eq!(lines(&out), log.lines);
}

#[tokio::test]
async fn what_cannot_be_written_is_delivered_when_it_can_be() {
    let mut log = Log::new("n1");
    log.calls(2);
    let folder = log.folder.path().join("later");
    let out = folder.join("out.jsonl");
    let (mut shipper, counts) = log.shipper(file(&out));
    assert_eq!(shipper.pass().await, Pass::Failed);
    log.calls(1);
    assert_eq!(shipper.pass().await, Pass::Failed);
    assert_eq!(counts.of("failures_total"), 2.0);
    assert!(counts.of("lag_records") >= 5.0);
    assert!(!log.cursors().exists());
    std::fs::create_dir(&folder).unwrap();
    ship(&mut shipper).await;
    assert_eq!(lines(&out), log.lines);
    // No file at all, such as a pipe that nobody reads, is never waited for.
    let pipe = log.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::remove_dir_all(log.cursors()).unwrap();
    assert_eq!(log.shipper(file(&pipe)).0.pass().await, Pass::Failed);
    // Where the disk takes nothing more, no part of a line stays.
    assert_eq!(log.shipper(file("/dev/full".as_ref())).0.pass().await, Pass::Failed);
}
