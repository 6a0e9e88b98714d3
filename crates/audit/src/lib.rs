//! Reads the journal: segment by segment and line by line, plain and compressed, so that a journal of any size takes
//! the memory of one line and one frame.
//!
//! Nothing here writes into a journal.

mod follow;
mod journal;
mod lines;
mod record;
pub mod verify;

pub use self::{
    follow::{Cursor, Follow, Followed, Next},
    journal::{Form, Journal, Segment, SegmentId},
    lines::{Ending, LONGEST, Line, Lines},
    record::{Head, Sealed},
};

#[cfg(feature = "testing")]
pub mod testing;
