//! Records and calls as cells: for a terminal and for a spreadsheet.

use clap::ValueEnum;
use esbgate_audit::Call;

/// How records are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::command) enum Table {
    /// In columns.
    Table,
    /// One object a line, as it is on record.
    Json,
}

/// The columns of a call.
pub(super) const COLUMNS: [&str; 10] = [
    "TIME",
    "SEQ",
    "APP",
    "USER",
    "COMPONENT",
    "BUSINESS",
    "OUTCOME",
    "JOB",
    "HOSTS",
    "REQUEST_ID",
];

pub(super) fn of_call(call: &Call) -> Vec<String> {
    let number = |value: Option<&serde_json::Value>| {
        value.and_then(serde_json::Value::as_i64).map(|n| n.to_string()).unwrap_or_default()
    };
    vec![
        call.text("time").to_owned(),
        call.seq().to_string(),
        call.text("app").to_owned(),
        call.text("user").to_owned(),
        call.text("component").to_owned(),
        number(call.intent.get("scope_id")),
        call.outcome().to_owned(),
        number(call.came("job_instance_id")),
        call.hosts(),
        call.text("request_id").to_owned(),
    ]
}

/// A text without what moves, hides or reorders text on a terminal.
pub(super) fn visible(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.replace(hides, "\u{fffd}")
}

/// A row of CSV (RFC 4180). A cell that a spreadsheet would compute begins with an apostrophe.
pub(super) fn csv(cells: &[String]) -> String {
    let cell = |cell: &String| {
        let text = visible(cell);
        let computed = text.trim_start().starts_with(['=', '+', '-', '@']);
        let mark = if computed { "'" } else { "" };
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_computed_ends_its_row_or_moves_a_cursor() {
        let cells = ["=1+1", " @x", "a\"b", "a\r\nb", "\u{202e}x", "\u{1b}[2J"].map(str::to_owned);
        let row = csv(&cells);
        assert_eq!(
            row,
            "\"'=1+1\",\"' @x\",\"a\"\"b\",\"a\u{fffd}\u{fffd}b\",\"\u{fffd}x\",\"\u{fffd}[2J\"\r\n"
        );
    }
}
