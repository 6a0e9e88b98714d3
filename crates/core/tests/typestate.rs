//! What must not compile: a call that skipped a step, an evidence that nobody gave, an answer that
//! nobody settled.

#[test]
fn a_call_cannot_skip_a_step_and_an_answer_cannot_skip_settling() {
    trybuild::TestCases::new().compile_fail("tests/typestate/*.rs");
}
