//! How an answer is told that has no place in a file.

use clap::ValueEnum;

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// In columns.
    Text,
    /// One object.
    Json,
}
