use super::*;

/// One of each rule, and its place among them: a new one does not compile before it stands here.
fn samples() -> Vec<Rule> {
    vec![
        Rule::Syntax { line: 1, column: 2 },
        Rule::Utf8,
        Rule::ObjectBody,
        Rule::Duplicate,
        Rule::Depth,
        Rule::NumberRange,
        Rule::Required,
        Rule::Unknown { suggestion: None },
        Rule::Type { expected: kind::STRING },
        Rule::Integer,
        Rule::Range { min: 1, max: 2 },
        Rule::Length { max: 1, unit: "bytes" },
        Rule::OneOf { values: "a, b" },
        Rule::Form { expected: Text { en: "a path", zh: "路径" } },
        Rule::Base64(Base64Fault::Empty),
        Rule::DecodedUtf8,
        Rule::InnerLineEnd,
        Rule::ControlCharacter,
        Rule::Ipv4,
        Rule::Callback(CallbackFault::Host),
        Rule::Conflict { with: "a" },
        Rule::NotNull,
        Rule::SwitchedOff,
        Rule::Alias { right: "a" },
        Rule::RefusedCredential,
        Rule::Name,
        Rule::Repeated,
        Rule::Header { expected: Text { en: "no Upgrade", zh: "不应带 Upgrade" } },
        Rule::NotGranted,
        Rule::OutsideHours { next: Some("2027-01-04 09:00 Asia/Shanghai".into()) },
        Rule::Limit,
        Rule::Frozen { reason: "an incident".into(), until: Some("2027-01-04T02:00:00Z".into()) },
        Rule::Risk { rule: "a-rule".into(), line: 1, column: 2, hint: "name it".into() },
    ]
}

fn place(rule: &Rule) -> usize {
    match rule {
        Rule::Syntax { .. } => 0,
        Rule::Utf8 => 1,
        Rule::ObjectBody => 2,
        Rule::Duplicate => 3,
        Rule::Depth => 4,
        Rule::NumberRange => 5,
        Rule::Required => 6,
        Rule::Unknown { .. } => 7,
        Rule::Type { .. } => 8,
        Rule::Integer => 9,
        Rule::Range { .. } => 10,
        Rule::Length { .. } => 11,
        Rule::OneOf { .. } => 12,
        Rule::Form { .. } => 13,
        Rule::Base64(_) => 14,
        Rule::DecodedUtf8 => 15,
        Rule::InnerLineEnd => 16,
        Rule::ControlCharacter => 17,
        Rule::Ipv4 => 18,
        Rule::Callback(_) => 19,
        Rule::Conflict { .. } => 20,
        Rule::NotNull => 21,
        Rule::SwitchedOff => 22,
        Rule::Alias { .. } => 23,
        Rule::RefusedCredential => 24,
        Rule::Name => 25,
        Rule::Repeated => 26,
        Rule::Header { .. } => 27,
        Rule::NotGranted => 28,
        Rule::OutsideHours { .. } => 29,
        Rule::Limit => 30,
        Rule::Frozen { .. } => 31,
        Rule::Risk { .. } => 32,
    }
}

#[test]
fn every_rule_has_its_name_and_a_hint_in_both_languages() {
    let samples = samples();
    assert_eq!(samples.iter().map(Rule::name).collect::<Vec<_>>(), Rule::NAMES);
    for (index, rule) in samples.iter().enumerate() {
        assert_eq!(place(rule), index, "{rule:?}");
        let (en, zh) = (rule.hint(Language::En), rule.hint(Language::Zh));
        assert!(en.is_ascii() && en.len() >= 10, "{rule:?}: {en}");
        assert!(!zh.is_ascii(), "{rule:?}: {zh}");
    }
}

#[test]
fn at_most_a_hundred_faults_are_written_out_and_the_rest_are_counted() {
    let mut faults = Faults::default();
    for index in 0..250 {
        faults.push(format!("x[{index}]"), Rule::Required);
    }
    assert_eq!(faults.list().len(), MOST);
    assert_eq!(faults.more(), 150);
    assert!(faults.to_string().ends_with("and 247 more"));
}

#[test]
fn a_path_is_bounded_and_stays_on_one_line() {
    let mut path = String::from("target_server");
    write_step(&mut path, Step::Name("ip_list"));
    write_step(&mut path, Step::Index(3));
    write_step(&mut path, Step::Name("ip"));
    assert_eq!(path, "target_server.ip_list[3].ip");
    let mut path = String::new();
    write_step(&mut path, Step::Name(&"a\nb\u{202e}".repeat(1000)));
    assert!(path.len() < 800 && !path.contains('\n') && !path.contains('\u{202e}'), "{path}");
}
