//! libFuzzer's way into the body of the same name. Without `--cfg fuzzing` there is nothing to run.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| esbgate_fuzz::policy(data));

#[cfg(not(fuzzing))]
fn main() {}
