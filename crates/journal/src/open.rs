//! From a folder to a journal that runs: whose turn it is, what was before, the first records, the threads.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
        mpsc,
    },
};

use esbgate_core::{Clock, JournalMetrics, RecordKind, Rooms};
use esbgate_model::hex;
use jiff::Timestamp;

use crate::{
    append::{FileJournal, Shared},
    chain::{Chain, Entry, Link},
    closing::Closing,
    keeper::Keeper,
    keyed::Keys,
    line::{self, Predecessor, StartLine},
    loss::Share,
    options::{Durability, OpenError, Options},
    recovery::{Found, boot_time, cut, recover},
    seal::{FILE, Seal},
    segment::{self, OpenFile, Segment},
    shelf::{Guarded, Shelf, Space},
    turn::{Queue, Turn},
    unproved::Unproved,
    witness::{self, Witness},
    writer::{Shares, State, Writer},
};

/// Opens the journal, writes its first records and starts its threads.
pub(crate) fn open(
    options: Options,
    clock: Arc<dyn Clock>,
    metrics: JournalMetrics,
    open: OpenFile,
) -> Result<FileJournal, OpenError> {
    let folder = |error| OpenError::Folder(options.dir.clone(), error);
    segment::make_dir(&options.dir, true).map_err(folder)?;
    let lock = Arc::new(lock(&options.dir)?);
    let seal = Seal::open(&options.state)
        .map_err(|error| OpenError::Key(options.state.join(FILE), error))?;
    let seal = Arc::new(seal);
    let head = options.head();
    let found = recover(&options.dir, witness::read(&head));
    report(&found, &metrics);
    let boot = boot_name(&*clock, found.newest.as_deref()).ok_or(OpenError::Boot)?;
    let path = options.dir.join(&boot);
    segment::make_dir(&path, false).map_err(folder)?;
    let synced = options.durability == Durability::Synced;
    let segment = Segment::create(&path, synced, open)
        .map_err(|error| OpenError::Segment(path.clone(), error))?;
    let last = found.last.as_ref().map_or(Link::NONE, |(_, last)| *last);
    let chain = Chain::new(&options.node, &boot, last).map_err(|_| OpenError::Boot)?;
    let space = Arc::new(Space::new(options.retain.bytes));
    let (queue, waiting) = Queue::new();
    let (keeper, asked) = mpsc::channel();
    let (closing, closed) = mpsc::channel();
    let (ended, all_closed) = mpsc::sync_channel(1);
    let share = || {
        let (bytes, time) = (options.retain.bytes / 16, options.retain.time);
        Share::new(bytes, time, (options.rotation.bytes / 4).min(bytes))
    };
    let stand = Guarded::new(crate::keeper::Stand::of(&segment, last));
    let unproved = Arc::new(Unproved::default());
    let intents = Rooms::default();
    let mut writer = Writer {
        segment,
        chain,
        node: options.node.clone(),
        boot: boot.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        mode: options.mode,
        rotation: options.rotation,
        space: Arc::clone(&space),
        seal: Arc::clone(&seal),
        stand: Arc::new(stand),
        writable: Arc::new(AtomicBool::new(true)),
        full: Arc::default(),
        crowded: Arc::new(AtomicU64::new(0)),
        unproved: Arc::clone(&unproved),
        intents: intents.clone(),
        keeper: Some(keeper),
        closing: Some(closing),
        closed: Some(all_closed),
        _lock: Arc::clone(&lock),
        shares: Shares { refusals: share(), sums: share() },
        state: State::default(),
    };
    begin(&mut writer, &options, &found)?;
    // Once it is on record, so that whatever ends this start leaves no cut that nobody knows of.
    for (segment, kept) in &found.torn {
        if let Err(error) = cut(segment, *kept) {
            let segment = segment.display();
            tracing::error!(%error, %segment, kept, "the torn end of a segment of the journal cannot be cut");
        }
    }
    // Of segments as they are now.
    let shelf = Arc::new(Guarded::new(Shelf::new(&options.dir, &boot, Arc::clone(&space))));
    let mut keeper = Keeper {
        stand: Arc::clone(&writer.stand),
        witness: Witness { path: head, node: options.node, boot: boot.clone() },
        seal,
        shelf: Arc::clone(&shelf),
        space: Arc::clone(&space),
        dir: File::open(&options.dir).map_err(|error| OpenError::Folder(options.dir, error))?,
        queue: queue.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        written: (0, true),
        low: false,
    };
    let closing = Closing {
        own: boot,
        shelf,
        space,
        archive: options.archive,
        retain: options.retain,
        rotation: options.rotation,
        queue: queue.clone(),
        clock: Arc::clone(&clock),
        metrics: metrics.clone(),
        lock,
        ended,
    };
    let (writable, full) = (Arc::clone(&writer.writable), Arc::clone(&writer.full));
    let crowded = Arc::clone(&writer.crowded);
    let (turn, run) = Turn::new(writer, waiting, !synced);
    let shared = Shared {
        queue,
        turn,
        keys: Keys::new(&options.hmac_key, &options.previous_keys),
        clock,
        metrics,
        mode: options.mode,
        writable,
        full,
        intents,
        open_intents: options.open_intents,
        refusals: Rooms::default(),
        crowded,
        unproved,
        minutes: Rooms::default(),
        path,
    };
    // HEAD is there before anybody is told that the journal is open.
    keeper.head();
    spawn("journal", run)?;
    spawn("journal-keeper", move || keeper.run(asked))?;
    spawn("journal-closing", move || closing.run(closed))?;
    Ok(FileJournal::of(shared))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map(drop).map_err(OpenError::Thread)
}

/// The folder, for one process alone; given back with the file.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let folder = |error| OpenError::Folder(dir.into(), error);
    let file = File::open(dir).map_err(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Taken(dir.into())),
        Err(TryLockError::Error(error)) => Err(folder(error)),
    }
}

fn report(found: &Found, metrics: &JournalMetrics) {
    metrics.predecessor_unread(found.unread);
    for line in &found.repairs {
        let boot = line.of_boot.as_deref().unwrap_or_default();
        let segment = line.segment.unwrap_or_default();
        match &line.reason {
            Some(reason) => tracing::error!(
                boot,
                segment,
                at = line.at,
                reason,
                "journal before this start is not whole"
            ),
            None => tracing::warn!(
                boot,
                segment,
                at = line.at,
                bytes = line.bytes,
                "a torn end was cut"
            ),
        }
    }
    if !found.open.is_empty() {
        tracing::warn!(
            intents = found.open.len(),
            "intents of the last boot have no outcome: they are unknown"
        );
    }
}

/// The first records, in one write: the start, what was found, the open intents' outcomes and a checkpoint.
fn begin(writer: &mut Writer, options: &Options, found: &Found) -> Result<(), OpenError> {
    let seal = Arc::clone(&writer.seal);
    tracing::info!(public_key = seal.public(), "checkpoints of the journal are signed");
    writer.say(
        RecordKind::Start,
        &StartLine {
            version: options.version,
            predecessor: found.last.as_ref().map(|(boot, last)| Predecessor {
                boot: boot.clone(),
                seq: last.seq,
                hash: last.text(),
            }),
            public_key: seal.public(),
            durability: options.durability.as_str(),
            mode: options.mode.as_str(),
        },
    );
    found.repairs.iter().for_each(|repair| writer.say(RecordKind::Repair, repair));
    for (intent, request_id) in &found.open {
        let members = line::closed(*intent, request_id.as_deref()).map_err(|_| OpenError::Boot)?;
        let time = writer.clock.now().wall;
        writer.add(&Entry { kind: RecordKind::Outcome, time, members });
    }
    writer.checkpoint();
    writer.commit()?;
    writer.checkpointed();
    Ok(())
}

/// A name that sorts after that of the newest boot and is not met twice.
fn boot_name(clock: &dyn Clock, newest: Option<&str>) -> Option<String> {
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let after = newest.and_then(boot_time).map(|time| time + jiff::SignedDuration::from_micros(1));
    let time = after.map_or(Timestamp::MIN, |after| after).max(clock.now().wall);
    Some(format!("{}-{}", time.strftime("%Y%m%dT%H%M%S.%6fZ"), hex(&random)))
}
