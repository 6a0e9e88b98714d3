//! Work grows with the text and no faster, whatever the text is made of.

use super::*;

#[test]
fn texts_that_are_built_to_cost_are_read_once() {
    // Each would take hours if what follows were looked through again for each of its pieces.
    for piece in [
        "'\\",
        "\\'",
        "\"\\",
        "\\\"",
        "$'\\",
        "<<a\n",
        "<<<'",
        "eval ",
        "sh -c ",
        "`$(",
        "system('",
        "\\\n",
        "AAAAAAAAAAAAAAAAAAAAAAAA\n",
        "a-_b",
        "|",
        "echo '|sh\n",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let mut bytes = 0;
        unfold(text.as_bytes(), Languages::ALL, |view| bytes += view.text.len());
        assert!(bytes <= 4 * (text.len() + MOST_BYTES), "{piece:?}: {bytes}");
    }
}
