//! What must hold for hostile calls: each corpus runs whole against a gateway of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test a broken promise is a panic, in its helpers too"
)]
#![allow(unreachable_pub, missing_docs, reason = "the modules of one test binary")]

#[path = "../gate/secret_grep.rs"]
#[expect(dead_code, reason = "the gate's tests need more of it")]
mod secret_grep;
mod support;

use support::Corpus;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_raw_http_1_request_has_the_outcome_its_vector_allows() {
    Corpus::of("http1").holds().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_raw_http_2_connection_has_the_outcome_its_vector_allows() {
    Corpus::of("h2").holds().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_and_identity_is_judged_as_its_vector_says() {
    Corpus::of("json").holds().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_and_identity_is_judged_as_its_vector_says_where_unknown_fields_are_dropped() {
    Corpus::of("json").dropping_unknown_fields().holds().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_is_judged_as_its_vector_says() {
    Corpus::of("jwt").holds().await;
}
