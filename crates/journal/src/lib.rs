//! Disk: the write-ahead record of what is about to happen and what came of it.
//!
//! Callers serialise, one thread writes: whatever is queued together becomes one write and, where the
//! journal promises that, one sync. Nobody is told yes before that.

mod append;
mod intents;
mod keyed;
mod line;
mod segment;
mod unmade;
mod unproved;
mod writer;

pub use self::{
    append::{Durability, FileJournal, OpenError, Options},
    intents::{RecordedCall, Scan, intents},
};

#[cfg(test)]
mod tests;
