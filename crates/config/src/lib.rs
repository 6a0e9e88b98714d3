//! Text to policy: specs, checks with places, and the one way into a compiled policy.
//!
//! No I/O: files and variables come through [`Lookup`], time is a value.

mod boot;
mod document;
mod grant_check;
mod issuer_check;
mod lookup;
mod policy_check;
mod policy_spec;
mod units;

pub use self::{
    boot::{
        Boot, BootDocument, Durability, JournalOptions, Limits, ListenTls, Listener, LoginOptions,
    },
    document::{Problem, Warning},
    lookup::Lookup,
    policy_check::{Plan, PolicyDocument},
};

#[cfg(test)]
mod tests;
