//! Tables for a terminal.

/// The rows under their heads, each column as wide as its widest cell.
pub(super) fn columns(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = [head].into_iter().chain(rows).map(plain).collect();
    let cells = |row: &Vec<String>| row.len();
    let count = rows.iter().map(cells).max().unwrap_or_default();
    let width = |column: usize| {
        let of = rows.iter().filter_map(|row| row.get(column));
        of.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

/// A row without what would break its line or move the cursor.
fn plain(row: Vec<String>) -> Vec<String> {
    let cell = |cell: String| cell.replace(char::is_control, " ");
    row.into_iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_one_another_and_stay_in_their_line() {
        let rows = vec![vec!["a\nb".into(), "x".into()], vec!["é".into(), "\u{1b}[2J".into()]];
        assert_eq!(columns(&["N", "LONGER"], rows), "N    LONGER\na b  x\né     [2J\n");
        assert_eq!(columns(&["N"], vec![]), "N\n");
    }
}
