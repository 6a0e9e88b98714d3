//! What was checked is what runs: for calls that a generator makes and spoils, what policy saw, what the
//! journal recorded, and what ESB and JOB make of the message that was sent are the same call.
//!
//! ESB and JOB are re-stated here from their contracts and share nothing with the gateway's own reader.
//! `CASES` and `SEED` choose the run; one case is the same in every run with its seed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, missing_docs, reason = "the modules of one test binary")]

mod chain;
mod compare;
mod esb;
mod generate;
mod jackson;
mod job;
mod json;
mod planted;
mod policy;
mod python;
mod recorded;
mod render;
mod run;
#[path = "../gate/secret_grep.rs"]
#[expect(dead_code, reason = "the gate's tests need more of it")]
mod secret_grep;
mod seen;
mod sent;
mod spoil;
