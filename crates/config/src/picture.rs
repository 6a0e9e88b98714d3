//! The line of a fault as it may be shown: whatever in it could be a secret is masked.

use crate::node::Place;

/// Words after which a line may hold a secret; a secret that was pasted in place of its name is one too.
const GUARDED: [&str; 9] = [
    "sha256",
    "secret",
    "current",
    "hmac_key",
    "password",
    "env",
    // What a test sends: its parameters may be real ones.
    "body:",
    "bk_token",
    "script_param",
];

/// Longer lines are not shown.
const LONGEST: usize = 500;

/// What a line does not show besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hide {
    /// Nothing: the value at the place was understood.
    Nothing,
    /// Every value, and what stands at the place, because it was not understood.
    Values,
    /// The value of the key at the place, because nobody knows what the key means.
    Value,
}

/// Where each line begins and ends. YAML ends a line at a carriage return alone too; a picture of another line would
/// be masked wrongly.
pub(crate) fn lines(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut lines, mut start) = (Vec::new(), 0);
    for (at, byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        match byte {
            // The carriage return before it has ended the line.
            b'\n' if before == Some(&b'\r') => start = at + 1,
            b'\n' | b'\r' => {
                lines.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    lines.push((start, bytes.len()));
    lines
}

/// A line with a place in it, masked.
pub(crate) fn masked(line: &str, at: Place, hide: Hide) -> Option<Box<str>> {
    if line.len() > LONGEST {
        return None;
    }
    let colon = |from: usize| line.get(from..).and_then(|rest| rest.find(':')).map(|at| from + at);
    let before = usize::try_from(at.column.saturating_sub(1)).unwrap_or_default();
    let start = line.char_indices().nth(before).map_or(line.len(), |(byte, _)| byte);
    let hidden = match hide {
        Hide::Nothing => None,
        Hide::Values => Some(colon(0).map_or(start, |colon| colon.min(start))),
        Hide::Value => colon(start),
    };
    let guarded = GUARDED.iter().filter_map(|word| line.find(word).map(|at| at + word.len()));
    let from = guarded.chain(userinfo(line)).chain(hidden).min().unwrap_or(line.len());
    Some(mask(line, from).into())
}

/// Where a name and a password of a URL begin.
fn userinfo(line: &str) -> Option<usize> {
    let start = line.find("://")? + 3;
    line.get(start..)?.contains('@').then_some(start)
}

fn mask(line: &str, from: usize) -> String {
    let (shown, hidden) = line.split_at_checked(from).unwrap_or(("", line));
    let mut out = String::with_capacity(line.len());
    for run in shown.split_inclusive(|c: char| !c.is_alphanumeric() && !"+/=_-".contains(c)) {
        // A long run of such letters is the shape of keys and hashes.
        if run.len() > 32 { out.extend(run.chars().map(star)) } else { out.push_str(run) }
    }
    out.extend(hidden.chars().map(star));
    out
}

fn star(c: char) -> char {
    if c.is_whitespace() || "{}[],:".contains(c) { c } else { '*' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Texts;

    fn place(line: u64, column: u64) -> Place {
        Place { file: 0, line, column }
    }

    fn picture(text: &str, at: Place, hide: Hide) -> Option<Box<str>> {
        Texts::one("f", text).picture(at, hide)
    }

    fn shown(line: &str, column: u64, hide: Hide) -> String {
        picture(line, place(1, column), hide).unwrap().into()
    }

    #[test]
    fn what_could_be_a_secret_is_masked() {
        for (line, column, hide, expected) in [
            ("a: {b: c, d: e}", 1, Hide::Nothing, "a: {b: c, d: e}"),
            ("a: {b: c, d: e}", 5, Hide::Values, "a: {*: *, *: *}"),
            ("a: {b: c, d: e}", 11, Hide::Value, "a: {b: c, d: *}"),
            ("é: {é: c, d: e}", 5, Hide::Value, "é: {é: *, *: *}"),
            ("- hunter2: x", 3, Hide::Values, "- *******: *"),
            ("hunter2", 1, Hide::Values, "*******"),
            ("key: {secret: hunter2}", 1, Hide::Nothing, "key: {secret: *******}"),
            (
                "call: {app: a, body: {x: hunter2}}",
                1,
                Hide::Nothing,
                "call: {app: a, body: {*: *******}}",
            ),
            ("  script_param: hunter2", 3, Hide::Nothing, "  script_param: *******"),
            ("  env: hunter2", 8, Hide::Nothing, "  env: *******"),
            ("url: https://me:pw@esb/", 1, Hide::Nothing, "url: https://**:*******"),
            ("url: https://esb/", 1, Hide::Nothing, "url: https://esb/"),
        ] {
            assert_eq!(shown(line, column, hide), expected);
        }
        let long = format!("owner: {}", "k".repeat(33));
        assert_eq!(shown(&long, 8, Hide::Nothing), format!("owner: {}", "*".repeat(33)));
        assert_eq!(picture(&"x".repeat(501), place(1, 1), Hide::Nothing), None);
        assert_eq!(picture("x", place(2, 1), Hide::Nothing), None);
        assert_eq!(picture("x", Place::default(), Hide::Nothing), None);
        let third = picture("a\rb\r\nc\n", place(3, 1), Hide::Nothing);
        assert_eq!(third.as_deref(), Some("c"));
    }
}
