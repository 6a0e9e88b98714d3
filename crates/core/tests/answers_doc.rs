//! `docs/answers.md` explains everything that the log says of what is no answer.

use esbgate_core::Anomaly;

#[test]
fn the_documentation_explains_every_anomaly() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/answers.md");
    let document = std::fs::read_to_string(path).unwrap();
    for anomaly in Anomaly::ALL {
        assert!(document.contains(&format!("\n| {anomaly} | ")), "{anomaly}");
    }
}
