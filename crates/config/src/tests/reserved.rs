//! What this version has no meaning for is refused by name, with what to do.

use super::{BOOT, EXAMPLE, check};
use crate::{BootDocument, Problem, reserved};

fn start_up(text: &str) -> Vec<Problem> {
    BootDocument::read("esbgate.yaml", text).unwrap_err()
}

#[test]
fn every_reserved_name_is_refused_with_what_to_do() {
    let mut tried = Vec::new();
    let mut tell = |name: &'static str, problems: Vec<Problem>| {
        assert_eq!(problems.len(), 1, "{problems:?}");
        let message = format!("`{name}` is not available in this version");
        assert_eq!(*problems[0].message, *message, "{problems:?}");
        assert!(problems[0].hint.is_some() && problems[0].line > 0, "{problems:?}");
        tried.push(name);
    };
    for (name, from, to) in [
        ("fleet", "\npolicy:", "\nfleet: {fail: local}\npolicy:"),
        ("apigateway", "kind: esb ", "kind: apigateway "),
    ] {
        assert!(BOOT.contains(from), "{from}");
        tell(name, start_up(&BOOT.replacen(from, to, 1)));
    }
    let from = "    acts_as: ops_gateway ";
    assert!(EXAMPLE.contains(from), "{from}");
    let to = format!("    execution: two_phase\n{from}");
    tell("execution", check(&EXAMPLE.replacen(from, &to, 1)).unwrap_err());
    let mut table: Vec<_> = reserved::names().collect();
    table.sort_unstable();
    tried.sort_unstable();
    assert_eq!(tried, table);
}
