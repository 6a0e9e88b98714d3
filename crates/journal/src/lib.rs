//! Disk: the write-ahead record of what is about to happen and what came of it.
//!
//! Callers serialise, one at a time writes: whatever is queued together becomes one write and, where the
//! journal promises that, one sync. Nobody is told yes before that. Each record has the hash of the one
//! before it, checkpoints are signed, and a witness says outside of the segments how far they go.

mod append;
mod chain;
mod closing;
mod keeper;
mod keyed;
mod line;
mod loss;
mod open;
mod options;
mod recovery;
mod seal;
mod segment;
mod shelf;
mod turn;
mod unmade;
mod unproved;
mod witness;
mod writer;

pub use self::{
    append::FileJournal,
    keyed::{Hashed, HashedField, Keys},
    options::{Archive, Durability, Mode, OpenError, Options, Retain, Rotation},
};

/// The JSON Schema of a record of any kind.
pub const RECORDS_SCHEMA: &str = include_str!("../../../config/journal.schema.json");

#[cfg(test)]
mod tests;
