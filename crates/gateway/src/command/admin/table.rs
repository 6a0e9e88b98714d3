//! Answers for people.

use crate::{
    admin::protocol::{Done, HashedValue, SetFreeze, Shadowed, Status},
    command::columns::columns,
};

/// An answer as text, with its line end.
pub(super) fn text(done: &Done) -> String {
    match done {
        Done::Frozen { id, kept, recorded } => {
            let lost =
                "warning: it is not kept: it ends with the process; look at the state folder\n";
            format!("frozen: {id}\n{}{}", if *kept { "" } else { lost }, unrecorded(*recorded))
        }
        Done::Unfrozen { id } => format!("unfrozen: {id}\n"),
        Done::Freezes(list) => freezes(list),
        Done::Purged { recorded } => format!("purged\n{}", unrecorded(*recorded)),
        Done::Draining { recorded } => {
            format!(
                "draining: the process ends when its calls have ended\n{}",
                unrecorded(*recorded)
            )
        }
        Done::Status(said) => status(said),
        Done::InForce { generation, taken, held } => {
            let what = if *taken { "is in force now" } else { "was in force already" };
            let held =
                if *held { "; a rollback holds it until the policy's files change" } else { "" };
            format!("generation {generation} {what}{held}\n")
        }
        Done::Shadow(None) => "there is no policy.next.yaml that could be evaluated\n".into(),
        Done::Shadow(Some(report)) => shadow(report),
        Done::Hashed(hashes) => {
            let row = |one: &HashedValue| vec![one.key_id.clone(), one.hmac.clone()];
            columns(&["KEY", "HMAC"], hashes.iter().map(row).collect())
        }
        Done::Explained(explained) => explained.table(),
    }
}

fn shadow(report: &Shadowed) -> String {
    let mut out = format!(
        "next policy {}, since {}\nsame {}, would refuse {}, would allow {}, other reason {}, not judged {}\n",
        report.sha256.get(..12).unwrap_or_default(),
        report.since,
        report.same,
        report.would_refuse,
        report.would_allow,
        report.other_reason,
        report.unjudged
    );
    let rows = report.differences.iter().map(|one| {
        let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.into());
        vec![
            one.count.to_string(),
            one.result.clone(),
            or(&one.app, "-"),
            or(&one.component, "-"),
            or(&one.now, "allowed"),
            or(&one.next, "allowed"),
            one.last_at.to_string(),
            one.last_request_id.clone(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let head = ["CALLS", "RESULT", "APP", "COMPONENT", "NOW", "NEXT", "LAST", "LAST REQUEST"];
        out += &columns(&head, rows);
    }
    if report.untold > 0 {
        out += &format!("and {} differing calls of further kinds\n", report.untold);
    }
    out
}

fn unrecorded(recorded: bool) -> &'static str {
    if recorded { "" } else { "warning: the journal takes no records, so this is not on record\n" }
}

fn freezes(list: &[SetFreeze]) -> String {
    if list.is_empty() {
        return "no freezes are set; those of the policy are in its file\n".into();
    }
    let head = ["ID", "SUBJECT", "FROM", "UNTIL", "SET", "UID", "REASON"].map(String::from);
    let instant = |at: Option<jiff::Timestamp>| at.map_or("-".into(), |at| at.to_string());
    let rows = list.iter().map(|one| {
        let order = &one.order;
        [
            one.id.clone(),
            visible(&order.subject.to_string()),
            instant(order.from),
            instant(order.until),
            one.set_at.to_string(),
            one.set_by_uid.to_string(),
            visible(&order.reason),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(rows).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Without what moves or hides text on a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || hides(c) { '?' } else { c }).collect()
}

fn hides(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn status(said: &Status) -> String {
    let word = |yes: bool| if yes { "yes" } else { "no" };
    [
        ("version", said.version.clone()),
        ("generation", said.generation.to_string()),
        ("applications", said.apps.to_string()),
        ("held by a rollback", said.held.map_or("no".into(), |held| format!("generation {held}"))),
        ("problems of the files", said.problems.to_string()),
        ("requests inside", said.in_flight.to_string()),
        ("connections", said.connections.to_string()),
        ("journal writable", word(said.journal_writable).into()),
        ("stopping", word(said.stopping).into()),
        ("freezes of the policy", said.policy_freezes.to_string()),
        ("freezes of an admin", said.admin_freezes.to_string()),
    ]
    .iter()
    .map(|(name, value)| format!("{name:<22} {value}\n"))
    .collect()
}
