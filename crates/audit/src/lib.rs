//! Reads the journal: segment by segment and line by line, plain and compressed, so that a journal of any size takes
//! the memory of one line and one frame.
//!
//! Nothing here writes into a journal but [`archive::close`] and [`index::rebuild`], and those only beside closed segments.

pub mod archive;
mod call;
mod event;
pub mod export;
mod follow;
pub mod index;
mod intents;
mod journal;
mod lines;
pub mod query;
mod record;
pub mod verify;

pub use self::{
    call::{Call, Members},
    event::call_event,
    follow::{Cursor, Follow, Followed, Next},
    intents::{RecordedCall, Scan, intents},
    journal::{Form, Journal, Segment, SegmentId},
    lines::{Ending, LONGEST, Line, Lines},
    record::{Head, Sealed},
};

#[cfg(feature = "testing")]
pub mod testing;
