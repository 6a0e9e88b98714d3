//! Looking for known texts first finds what each pattern alone finds, and where.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use super::*;

const STARTER: &str = include_str!("../../../../../config/risks/starter.yaml");

/// Patterns that the starter rules have no like of.
const MORE: [&str; 12] = [
    r"\brm\s+-\w*r\w*\s+/(\s|$|\*)",
    r"\Arm |sudo\z",
    r"(?m)^at$",
    "x",
    "^",
    "(?R)^rm.*$",
    "(?i)skip|k",
    r"a\nb",
    r"(?s)curl.*sh",
    r"[^\n]*/etc/",
    r"\b(?:sh|su)\b|^ls",
    r"(^|[;&|])[ \t]*rm\b",
];

struct All {
    patterns: Vec<Regex>,
    matcher: Matcher,
}

static ALL: LazyLock<All> = LazyLock::new(|| {
    let lines = STARTER.lines().filter_map(|line| line.trim().strip_prefix("match: '"));
    let starter = lines.map(|line| line.trim_end_matches('\'').replace("''", "'"));
    let texts: Vec<_> = starter.chain(MORE.map(str::to_owned)).collect();
    assert!(texts.len() > 79, "each rule has its pattern on one line");
    let compile = |text: &String| RegexBuilder::new(text).multi_line(true).unicode(false).build();
    let parts: Vec<_> =
        texts.iter().enumerate().flat_map(|(rule, text)| parts(rule, text).unwrap()).collect();
    All {
        patterns: texts.iter().map(|text| compile(text).unwrap()).collect(),
        matcher: Matcher::new(parts.iter()).unwrap(),
    }
});

/// What stands in quotes in the examples of the starter rules, and what stands between.
static PIECES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let examples =
        STARTER.lines().filter(|line| line.contains("match: [") || line.contains("pass: ["));
    examples.flat_map(|line| line.split(['"', '\''])).collect()
});

/// Pieces of examples, whole or cut, after one another.
fn text() -> impl Strategy<Value = String> {
    let cut = prop_oneof![3 => Just(usize::MAX), 1 => 0_usize..30];
    let between = prop_oneof![
        4 => Just("\n"),
        1 => Just(""),
        1 => Just(" "),
        1 => Just("; "),
        1 => Just(" | "),
        1 => Just("\r\n"),
        1 => Just(" sh\n\n"),
    ];
    let piece = (any::<prop::sample::Index>(), cut, any::<bool>(), between);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| {
        let piece = |(index, cut, upper, between): (prop::sample::Index, usize, bool, &str)| {
            let text: String = index.get(&PIECES).chars().take(cut).collect();
            (if upper && cut % 4 == 0 { text.to_ascii_uppercase() } else { text }) + between
        };
        pieces.into_iter().map(piece).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_found_is_what_each_pattern_alone_finds(text in text()) {
        let text = text.as_bytes();
        let mut wanted = vec![true; ALL.patterns.len()];
        let mut found = ALL.matcher.look(text, Fresh::All, &mut Vec::new(), &mut wanted);
        found.sort_unstable();
        let alone = ALL.patterns.iter().enumerate().filter(|(_, pattern)| pattern.is_match(text));
        let rules: Vec<_> = alone.map(|(rule, _)| rule).collect();
        prop_assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), rules);
        for (rule, from) in found {
            let pattern = &ALL.patterns[rule];
            let start = |found: regex::bytes::Match<'_>| found.start();
            prop_assert_eq!(pattern.find_at(text, from).map(start), pattern.find(text).map(start));
        }
        prop_assert!(ALL.matcher.look(text, Fresh::All, &mut Vec::new(), &mut vec![false; ALL.patterns.len()]).is_empty());
    }
}
