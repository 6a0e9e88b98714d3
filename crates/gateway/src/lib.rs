//! esbgate, put together: the stack, the boot, the commands and the demo.

pub mod admin;
mod archive;
mod boot;
mod clock;
pub mod command;
#[cfg(feature = "demo")]
mod demo;
pub mod explained;
pub mod layers;
mod minute;
mod monitor;
mod regular_file;
mod reload;
mod reread;
pub mod shadow;
mod sources;
pub mod stack;
pub mod state_folder;
mod test_files;

/// A call makes about a hundred small values on one thread and drops them there, which is what this one is fast at;
/// and it gives pages back after a storm (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use self::{
    boot::{Running, StartError, start},
    clock::SystemClock,
    reload::{
        Generation, Hold, PolicySettings, PolicyStatus, ReloadError, Reloaded, Reloader, Shelf,
        ShelfError,
    },
    reread::{Looked, Reread},
    sources::Sources,
};
