//! What several gateways share: the names and the seals of shared state.
//!
//! Shared state lies in a store that others can read and write, so its keys are keyed hashes (nobody
//! learns an application or a user from them) and its values carry an HMAC (nobody can plant one).

mod seal;

pub use self::seal::{Broken, Seal};
