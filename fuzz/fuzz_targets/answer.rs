//! libFuzzer's way into the body of the same name. Without `--cfg fuzzing` there is nothing to run.
#![cfg_attr(fuzzing, no_main)]
#![cfg_attr(
    fuzzing,
    expect(unsafe_code, reason = "the macro exports the symbol that libFuzzer calls")
)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| esbgate_fuzz::answer(data));

#[cfg(not(fuzzing))]
fn main() {}
