//! `policy new-key`: a key of 256 random bits. The gateway keeps its SHA-256 alone.

use std::process::ExitCode;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use esbgate_model::sha256_hex;

pub(crate) fn run() -> ExitCode {
    let mut random = [0; 32];
    if SystemRandom::new().fill(&mut random).is_err() {
        return super::failed(&"the system gives no random numbers");
    }
    let key = format!("esbgate_{}", URL_SAFE_NO_PAD.encode(random));
    println!("key (shown once; hand it to the application's team): {key}");
    println!("line for `proofs` in the policy:");
    println!("  - key: {{sha256: \"{}\"}}", sha256_hex(key.as_bytes()));
    ExitCode::SUCCESS
}
