//! Notices that the policy's files may have changed: the kernel tells of folders on this machine.
//!
//! It is a hint, never the truth: what is elsewhere (NFS, a link whose folder is exchanged) is found by looking again
//! and again, and a hint about something else costs one look.

use std::{
    collections::BTreeSet,
    future::pending,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use tokio::io::unix::AsyncFd;

/// All that can put another file where the policy is, or end a write to it.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// The folders that are watched.
#[derive(Debug)]
pub(crate) struct Folders {
    path: PathBuf,
    events: Option<Arc<OwnedFd>>,
    watches: BTreeSet<i32>,
}

/// Waits for a change in them.
#[derive(Debug)]
pub(crate) struct Changes(Option<AsyncFd<Arc<OwnedFd>>>);

/// Watches what is at `path`. Where the kernel cannot, nothing is ever told.
pub(crate) fn watch(path: &Path) -> (Folders, Changes) {
    let opened = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(io::Error::from);
    let opened =
        opened.map(Arc::new).and_then(|events| Ok((Arc::clone(&events), wait_on(events)?)));
    let (events, changes) = match opened {
        Ok((events, changes)) => (Some(events), Some(changes)),
        Err(error) => {
            tracing::warn!(%error, "changes of the policy's files are found by looking alone");
            (None, None)
        }
    };
    let folders = Folders { path: path.to_owned(), events, watches: BTreeSet::new() };
    (folders, Changes(changes))
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, which is forbidden; what that asks for holds, for the descriptor is owned and stays the same"
)]
fn wait_on(events: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::new(events)
}

/// Watches nothing, as where the kernel does not tell.
#[cfg(test)]
pub(crate) fn nothing(path: &Path) -> (Folders, Changes) {
    (Folders { path: path.to_owned(), events: None, watches: BTreeSet::new() }, Changes(None))
}

impl Folders {
    /// Watches the folders that lead to the files now. Blocks on the disk.
    pub(crate) fn renew(&mut self) {
        let Some(events) = &self.events else { return };
        let above = |path: &Path| match path.parent() {
            Some(above) if above.as_os_str().is_empty() => Some(PathBuf::from(".")),
            above => above.map(Path::to_owned),
        };
        // Where a link leads, too: a ConfigMap's file is one, and so may a checkout's be.
        let led_to = std::fs::canonicalize(&self.path).ok();
        let folders =
            [above(&self.path), Some(self.path.clone()), led_to.as_deref().and_then(above)];
        let flags = CHANGES | WatchFlags::ONLYDIR;
        let watched = folders.into_iter().flatten();
        let now = watched.filter_map(|folder| add_watch(events, &folder, flags).ok()).collect();
        for gone in self.watches.difference(&now) {
            // The kernel has dropped it already if the folder is gone.
            remove_watch(events, *gone).ok();
        }
        self.watches = now;
    }
}

impl Changes {
    /// Returns when something has changed since it returned last.
    pub(crate) async fn next(&mut self) {
        let Some(events) = &self.0 else { return pending().await };
        match events.readable().await {
            Ok(mut ready) => {
                empty(events.get_ref());
                ready.clear_ready();
            }
            Err(error) => {
                tracing::warn!(%error, "changes of the policy's files are found by looking alone");
                self.0 = None;
            }
        }
    }
}

/// Takes all events, whatever they say.
fn empty(events: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(events, &mut buffer);
    while reader.next().is_ok() {}
}
