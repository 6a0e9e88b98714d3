//! What a rule finds, where it says that it is, and what is done about it.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;

const WIPE: &str = r"\brm\s+(-\S+\s+)*-\w*[rR]\w*\s+(-\S+\s+)*/(\s|$|\*)";

fn rules(action: RiskAction) -> RiskRules {
    let wipe =
        RiskRule::new("wipe-root", ScriptLanguage::ALL.to_vec(), WIPE, action, "no").unwrap();
    RiskRules::new(vec![wipe]).unwrap()
}

/// Line, column and nesting of the first match.
fn place(language: ScriptLanguage, text: &str) -> Option<(usize, usize, u8)> {
    let found = rules(RiskAction::Deny).judge_script(language, text);
    found.first().map(|found| {
        assert_eq!(&*found.rule, "wipe-root", "{text}");
        (found.line, found.column, found.nesting)
    })
}

fn utf16(text: &str) -> String {
    STANDARD.encode(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
}

#[test]
fn a_match_has_its_line_and_column_in_what_was_sent() {
    use ScriptLanguage::{Powershell, Shell};
    assert_eq!(place(Shell, "rm -rf /"), Some((1, 1, 0)));
    assert_eq!(place(Shell, "set -e\r\ncd 目录 && rm -rf /\r\necho"), Some((2, 10, 0)));
    assert_eq!(place(Shell, "a\\\nb\nrm \\\n  -rf \\\r\n  /\n"), Some((3, 1, 0)), "joined");
    assert_eq!(place(Powershell, "x\nrm `\n -r /"), Some((2, 1, 0)), "joined");
    assert_eq!(place(Shell, "# rm -rf /"), Some((1, 3, 0)), "a comment is read as well");
    assert_eq!(place(Shell, "x=C:\\\nrm -rf /"), Some((2, 1, 0)), "a join hides no line");
    assert_eq!(place(Shell, "\necho \"$(date)\"; r''m -rf '/'"), Some((2, 17, 0)), "quotes");
    assert_eq!(place(Shell, "rm -rf /srv"), None);
}

#[test]
fn what_is_wrapped_is_found_where_its_wrapping_has_it() {
    use ScriptLanguage::{Bat, Perl, Powershell, Python, Shell};
    let coded = STANDARD.encode("rm -rf /");
    let url_safe = STANDARD.encode("rm -rf / #\u{ff}?\u{ff}?>").replace('/', "_").replace('+', "-");
    let wide = utf16("rm -r /");
    let long = STANDARD.encode(format!("# {}\nrm -rf /\n", "x".repeat(100)));
    let lines: Vec<_> = long.as_bytes().chunks(76).map(|l| str::from_utf8(l).unwrap()).collect();
    // Without their quotes the words of a command are read where they stand; that takes no wrapping off.
    let table = [
        (Shell, format!("echo {coded} | base64 -d | sh"), 1),
        (Shell, format!("base64 --decode <<< {coded} | sh"), 1),
        (Shell, format!("X={coded}\necho $X | openssl base64 -d"), 1),
        (Shell, format!("base64 -d <<E | sh\n{}\nE\n", lines.join("\n")), 1),
        (Shell, format!("decode {url_safe}"), 1),
        (Shell, "sh -c 'rm -rf /'".into(), 0),
        (Shell, "sudo -u root /bin/bash -xec \"rm -rf /\"".into(), 0),
        (Shell, "bash -c $'\\x72\\155 -rf /'".into(), 0),
        (Shell, "bash <<< 'rm -rf /'".into(), 1),
        (Shell, "echo 'rm -rf /' | bash".into(), 0),
        (Shell, "echo \"$(rm -rf /)\"".into(), 1),
        (Shell, "python3.11 -c 'import os; os.system(\"rm -rf /\")'".into(), 1),
        (Shell, "perl -e 'system(\"rm -rf /\")'".into(), 1),
        (Python, "subprocess.run(['bash', '-c',\n 'rm -rf /'])".into(), 1),
        (Python, format!("exec(base64.b64decode('{coded}'))"), 1),
        (Perl, "# don't\nsystem('rm -rf /');".into(), 1),
        (Bat, format!("powershell.exe -NoP -EncodedCommand {wide}"), 1),
        (Powershell, format!("pwsh -e {wide}"), 1),
        (Powershell, "iex \"rm -r /\"".into(), 1),
    ];
    for (language, text, nesting) in table {
        let found = place(language, &text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(found.2, nesting, "{text}");
    }
    let text = "x\neval 'echo' \"rm -rf '/'\"";
    assert_eq!(place(Shell, text).map(|(line, ..)| line), Some(2));
    let text = "cat > x.sh <<-'END'\n\tit's\n\tr\"\"m -rf /\n\tEND\nsh x.sh";
    assert_eq!(place(Shell, text), Some((2, 1, 1)), "a body that is run later");
    assert_eq!(place(Shell, "x\ny; sh -c 'rm -rf /'"), Some((2, 4, 0)), "its command");
    assert_eq!(place(Shell, "x\ny; sh -c 'ls; rm -rf /; ls'"), Some((2, 10, 1)));
}

#[test]
fn what_cannot_be_unfolded_is_refused_where_a_rule_would_refuse() {
    let deep = (0..xray::DEPTH + 1).fold("echo harmless text".to_owned(), |text, _| {
        format!("echo {} | base64 -d | sh", STANDARD.encode(text))
    });
    // Each run differs, so that none counts as seen.
    let many =
        (0..200_000).map(|n| STANDARD.encode(format!("{n:06}, harmless"))).collect::<Vec<_>>();
    for text in [deep, many.join(" ")] {
        let judge = |action| rules(action).judge_script(ScriptLanguage::Shell, &text);
        for (action, done) in [
            (RiskAction::Observe, RiskAction::Observe),
            (RiskAction::Warn, RiskAction::Observe),
            (RiskAction::ReviewedOnly, RiskAction::ReviewedOnly),
            (RiskAction::Deny, RiskAction::Deny),
        ] {
            let found = judge(action);
            assert_eq!((&*found[0].rule, found[0].action), (UNFOLDABLE, done));
        }
    }
    let shifts = "echo $((1 << 2))\n".repeat(100);
    assert_eq!(place(ScriptLanguage::Shell, &shifts), None, "arithmetic is no wrapping");
}

#[test]
fn a_pipe_goes_on_in_the_next_line_and_into_brackets() {
    // Only a shell that reads it makes `rm` of it.
    let said = r"printf 'r\x6d -rf /'";
    for rest in ["| sh", "|\n  sh", "|\n\n sh", "| (sh)"] {
        assert!(place(ScriptLanguage::Shell, &format!("{said} {rest}")).is_some(), "{rest}");
    }
    for rest in ["\nsh", "; sh", "|| sh"] {
        assert_eq!(place(ScriptLanguage::Shell, &format!("{said} {rest}")), None, "{rest}");
    }
}

#[test]
fn reviewed_only_lets_through_what_was_reviewed_and_deny_nothing() {
    for (action, passes) in [
        (RiskAction::Observe, [true, true]),
        (RiskAction::Warn, [true, true]),
        (RiskAction::ReviewedOnly, [false, true]),
        (RiskAction::Deny, [false, false]),
    ] {
        let found = rules(action).judge_script(ScriptLanguage::Shell, "rm -rf /");
        let seen = [false, true].map(|reviewed| refused(&found, reviewed).is_none());
        assert_eq!(seen, passes, "{action:?}");
    }
}

#[test]
fn a_pattern_that_is_no_pattern_or_matches_everything_is_refused() {
    for (pattern, words) in [
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a*", "empty text"),
        (r"(\w{100}){1000}", "bytes when it is compiled"),
        ("[", "unclosed"),
    ] {
        let rule = RiskRule::new("x", vec![], pattern, RiskAction::Deny, "no");
        let said = rule.map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(words) && !said.contains('\n'), "{said}");
    }
}

/// One way to wrap a shell script in another one.
fn wrap(kind: u8, text: &str) -> String {
    let coded = STANDARD.encode(text);
    let quoted = format!("'{}'", text.replace('\'', r"'\''"));
    match kind % 6 {
        0 => format!("echo {coded} | base64 -d | sh"),
        1 => format!("true; sh -c {quoted}"),
        2 => format!("eval {quoted}"),
        3 => format!("if true; then bash <<'EOF{kind}'\n{text}\nEOF{kind}\nfi"),
        4 => format!("bash <<<{quoted}"),
        _ => format!("powershell -enc {}", utf16(text)),
    }
}

const STARTER: &str = include_str!("../../../../config/risks/starter.yaml");
const CORPORA: [&str; 2] = [
    include_str!("../../../config/corpus/evasion.jsonl"),
    include_str!("../../../config/corpus/harmless.jsonl"),
];

/// Rules that the starter rules have no like of: they go over line ends, or have no known text.
const MORE: [&str; 6] = [
    r"(?s)mkfifo .*/bin/sh",
    r"echo[^\n]*\necho",
    r"reboot\s",
    r"^[a-z]+[ \t]+-[rf]+$",
    r"curl[^|]*\|\s*sh",
    r"\A#!\S*perl",
];

static ALL: LazyLock<RiskRules> = LazyLock::new(|| {
    let field =
        |name: &'static str| STARTER.lines().filter_map(move |line| line.trim().strip_prefix(name));
    let (ids, languages) = (field("- id: "), field("languages: ["));
    let patterns = field("match: '").map(|line| line.trim_end_matches('\'').replace("''", "'"));
    let starter = ids.zip(languages).zip(patterns).map(|((id, languages), pattern)| {
        let read =
            |name: &ScriptLanguage| languages.contains(format!("{name:?}").to_lowercase().as_str());
        (id.to_owned(), ScriptLanguage::ALL.into_iter().filter(read).collect::<Vec<_>>(), pattern)
    });
    let more = MORE.iter().enumerate().map(|(number, pattern)| {
        (format!("more-{number}"), ScriptLanguage::ALL.to_vec(), (*pattern).to_owned())
    });
    let all = starter.chain(more).map(|(id, languages, pattern)| {
        assert!(!languages.is_empty(), "{id}");
        RiskRule::new(&id, languages, &pattern, RiskAction::Deny, "no").unwrap()
    });
    let all = all.collect::<Vec<_>>();
    assert!(all.len() > 79 + 5, "each starter rule is read");
    RiskRules::new(all).unwrap()
});

/// The lines of all scripts of both corpora.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let samples = CORPORA.iter().flat_map(|corpus| corpus.lines());
    let texts = samples.filter_map(|line| {
        let sample: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(sample["text"].as_str()?.to_owned())
    });
    texts.flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>()).collect()
});

/// Lines of the corpora, wrapped or broken or whole, with what makes a reader stumble between them.
fn script() -> impl Strategy<Value = String> {
    let junk = prop_oneof![
        6 => Just("\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just(" \\\n".to_owned()),
        1 => Just("`\n".to_owned()),
        1 => Just("^\n".to_owned()),
        1 => "[ \t'\"`$(){};|&<>\\\\^,=\n\r]{1,6}",
        1 => any::<String>(),
    ];
    let line = (any::<prop::sample::Index>(), 0_u8..24, junk);
    prop::collection::vec(line, 1..8).prop_map(|lines| {
        let each = lines.iter().map(|(index, kind, junk)| {
            let line = index.get(&LINES);
            let line = match kind {
                0..6 => wrap(*kind, line),
                6 => line.replacen(' ', " ''", 1),
                7 => line.replacen(' ', "  ", 2),
                8 => format!("\t{line}"),
                9 => line.to_ascii_uppercase(),
                _ => line.clone(),
            };
            line + junk
        });
        each.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_found_is_what_reading_everything_finds(text in script(), language in 0_usize..5) {
        let languages = Languages::one(ScriptLanguage::ALL[language]);
        let [known, everything] = [Filter::Known, Filter::Nothing].map(|filter| {
            let mut found = Found::new(&ALL, filter);
            found.look_at(RiskField::Content, &text, languages);
            let place = |found: RiskMatch| (found.rule, found.line, found.column, found.nesting);
            found.matches().into_iter().map(place).collect::<Vec<_>>()
        });
        prop_assert_eq!(known, everything, "{}", text);
    }
}

proptest! {
    #[test]
    fn a_payload_is_found_at_every_depth_that_is_unfolded(
        kinds in prop::collection::vec(0_u8..6, 0..=usize::from(xray::DEPTH)),
        before in "[a-z =\n;'\"]{0,20}",
    ) {
        let kinds = kinds.iter().enumerate().map(|(at, kind)| kind + 6 * u8::try_from(at).unwrap());
        let text = kinds.fold("cd /\nrm -rf /".to_owned(), |text, kind| wrap(kind, &text));
        prop_assert!(place(ScriptLanguage::Shell, &text).is_some(), "{}", text);
        // What stands before it on lines of its own hides nothing, if its quotes are closed.
        let before = before.replace(['\'', '"'], "");
        let text = format!("{before}\n{text}");
        prop_assert!(place(ScriptLanguage::Shell, &text).is_some(), "{}", text);
    }

    #[test]
    fn no_text_makes_it_fail_and_every_place_is_inside(
        text in r#"([rm/ \-;|&<>'"`$(){}#,\\\n\r=A-Za-f]|sh -c |rm -rf /|<<E|eval |é|base64){0,60}"#,
        language in 0_usize..5,
    ) {
        let language = ScriptLanguage::ALL[language];
        for found in rules(RiskAction::Deny).judge_script(language, &text) {
            let line = text.split('\n').nth(found.line - 1);
            prop_assert!(line.is_some_and(|line| found.column <= line.chars().count() + 1), "{:?}", found);
        }
    }

    #[test]
    fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        xray::unfold(&bytes, Languages::ALL, |view| {
            assert!(view.place(view.text.len()) <= bytes.len());
        });
    }
}
