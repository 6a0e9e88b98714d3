//! `docs/errors.md` lists every code and every rule, as the tables in this crate have them.
#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::{fmt::Write as _, path::Path};

use esbgate_model::Code;

const START: &str = "<!-- codes -->\n";

fn table() -> String {
    let mut text = String::from(
        "| code | code_name | HTTP | executed | mended by | what it means | what to do |\n|---|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        writeln!(
            text,
            "| {} | `{}` | {} | {} | {} | {}<br>{} | {}<br>{} |",
            code.number(),
            code.name(),
            code.status().as_u16(),
            code.executed().as_str(),
            code.origin().as_str(),
            code.message().en,
            code.message().zh,
            code.hint().en,
            code.hint().zh,
        )
        .unwrap();
    }
    text
}

#[test]
fn the_documentation_lists_every_code_as_the_table_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, _) = document.split_once(START).unwrap();
    let expected = format!("{before}{START}{}", table());
    if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(document == expected, "run the test with ESBGATE_WRITE_DOCS=1 to write the table anew");
}
