//! The closed segments of all boots: what they take, and whether they are as they were left.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use esbgate_core::Tampered;

use crate::{
    recovery::{boots, number},
    segment::{Identity, segment_path},
};

#[expect(
    clippy::disallowed_types,
    reason = "between the journal's own threads; on the request path it is only tried"
)]
type Lock<T> = std::sync::Mutex<T>;

/// A value that the journal's own threads share.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Lock<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Lock::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(left)) => Some(left.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What the journal may take and takes.
#[derive(Debug)]
pub(crate) struct Space {
    /// The bound of all segments.
    pub(crate) bound: u64,
    closed: AtomicU64,
}

impl Space {
    pub(crate) fn new(bound: u64) -> Self {
        Self { bound, closed: AtomicU64::new(0) }
    }

    /// Bytes of closed segments.
    pub(crate) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    /// What only outcomes and deeds may take; twice of it refusals leave.
    pub(crate) fn reserve(&self) -> u64 {
        (self.bound / 16).min(64 << 20)
    }
}

/// The boot and the number of a segment.
pub(crate) type Key = (String, u64);

/// One closed segment.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) compressed: bool,
    /// Whether it is being changed by us.
    pub(crate) busy: bool,
    /// Bytes of its index.
    index: u64,
}

/// All closed segments.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    held: BTreeMap<Key, Held>,
    space: Arc<Space>,
}

impl Shelf {
    /// The segments of all boots but the one named `own`.
    pub(crate) fn new(dir: &Path, own: &str, space: Arc<Space>) -> Self {
        let mut shelf = Self { dir: dir.into(), held: BTreeMap::new(), space };
        for boot in boots(dir).into_iter().filter(|boot| boot != own) {
            let entries = std::fs::read_dir(dir.join(&boot)).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let numbers = names
                .filter_map(|name| number(&name, ".jsonl").or_else(|| number(&name, ".jsonl.zst")));
            numbers.for_each(|number| {
                shelf.put(&boot, number);
            });
        }
        shelf
    }

    /// Takes a segment as it is now: the plain form where there is one. False where there is none.
    pub(crate) fn put(&mut self, boot: &str, number: u64) -> bool {
        let plain = segment_path(&self.dir.join(boot), number);
        let compressed = plain.with_extension("jsonl.zst");
        let met = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        let form = [(plain.clone(), false), (compressed, true)]
            .into_iter()
            .find_map(|(path, compressed)| Some((met(&path)?, path, compressed)));
        let key = (boot.to_owned(), number);
        let there = form.is_some();
        match form {
            Some((met, path, compressed)) => {
                let index =
                    std::fs::metadata(plain.with_extension("idx")).map_or(0, |met| met.len());
                let identity = met.into();
                self.held.insert(key, Held { path, identity, compressed, busy: false, index });
            }
            None => drop(self.held.remove(&key)),
        }
        self.count();
        there
    }

    /// A segment, for a change of ours: until it is put again it is not looked at.
    pub(crate) fn busy(&mut self, key: &Key) -> Option<PathBuf> {
        let held = self.held.get_mut(key)?;
        held.busy = true;
        Some(held.path.clone())
    }

    /// The oldest first.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (&Key, &Held)> {
        self.held.iter()
    }

    fn count(&self) {
        let bytes = self.held.values().map(|held| held.identity.size + held.index).sum();
        self.space.closed.store(bytes, Ordering::Relaxed);
    }

    /// What somebody else did since the last look; a folder that is gone is told once and has no number.
    pub(crate) fn look(&mut self) -> Vec<(Tampered, String, Option<u64>)> {
        let mut seen: Vec<(Tampered, String, Option<u64>)> = Vec::new();
        let mut gone: Vec<(String, bool)> = Vec::new();
        for ((boot, number), held) in self.held.iter_mut().filter(|(_, held)| !held.busy) {
            let missing = match gone.iter().find(|(known, _)| known == boot) {
                Some((_, missing)) => *missing,
                None => {
                    let missing = !self.dir.join(boot).is_dir();
                    gone.push((boot.clone(), missing));
                    if missing {
                        seen.push((Tampered::Removed, boot.clone(), None));
                    }
                    missing
                }
            };
            if missing {
                continue;
            }
            let Some(now) = std::fs::metadata(&held.path).ok().map(Identity::from) else {
                seen.push((Tampered::Removed, boot.clone(), Some(*number)));
                continue;
            };
            if let Some(what) = changed(held.identity, now) {
                seen.push((what, boot.clone(), Some(*number)));
                held.identity = now;
            }
        }
        self.forget(&mut seen);
        seen
    }

    /// What is gone is told once; what is elsewhere in the journal was moved.
    fn forget(&mut self, seen: &mut [(Tampered, String, Option<u64>)]) {
        let mut files = None;
        for (what, boot, number) in seen.iter_mut() {
            match (*what, number) {
                (Tampered::Removed, Some(number)) => {
                    let Some(held) = self.held.remove(&(boot.clone(), *number)) else { continue };
                    let files = files.get_or_insert_with(|| all_files(&self.dir));
                    if files.contains(&held.identity.file) {
                        *what = Tampered::Moved;
                    }
                }
                (Tampered::Removed, None) => self.held.retain(|(of, _), _| of != boot),
                (
                    Tampered::Moved | Tampered::Truncated | Tampered::ReadOnly | Tampered::Changed,
                    _,
                ) => {}
            }
        }
        if !seen.is_empty() {
            self.count();
        }
    }
}

fn changed(known: Identity, now: Identity) -> Option<Tampered> {
    if now.file != known.file {
        Some(Tampered::Changed)
    } else if now.size < known.size {
        Some(Tampered::Truncated)
    } else if now.size > known.size || now.written != known.written {
        Some(Tampered::Changed)
    } else if known.writable && !now.writable {
        Some(Tampered::ReadOnly)
    } else {
        None
    }
}

/// The files in the journal's folders, by device and number.
fn all_files(dir: &Path) -> Vec<(u64, u64)> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries(dir).map(|entry| entry.path()).chain([dir.to_owned()]);
    let files = folders.flat_map(|folder| entries(&folder).collect::<Vec<_>>());
    files.filter_map(|entry| Some(Identity::from(entry.metadata().ok()?).file)).collect()
}
