//! A risk rule that is wrong refuses the policy, where it is wrong.

use super::{EXAMPLE, broken, check};

#[test]
fn a_rule_that_does_not_do_what_it_says_refuses_the_policy_at_its_place() {
    for (from, to, words) in [
        ("id: format-disk", "id: wipe-root", "another risk rule has this id"),
        ("id: format-disk", "id: Format", "an id is 1 to 64"),
        ("id: format-disk", "id: unfoldable", "cannot be unfolded"),
        ("[python, perl]", "[python, pearl]", "unknown script language"),
        ("action: warn", "action: block", "unknown choice"),
        ("(shutdown|reboot", "(?=shutdown|reboot", "look-around"),
        ("(shutdown|reboot", "(shutdown|(reboot", "unclosed group"),
        ("\"sleep 1; reboot\"", "\"sleep 1\"", "does not match this example in shell"),
        (
            "pass: [\"dd if=a of=/tmp/b\"]",
            "pass: [\"dd if=a of=/dev/sda\"]",
            "matches this example",
        ),
        ("\"disks are formatted by the storage team\"", "\" \"", "the hint says"),
    ] {
        let (text, problems) = broken(from, to);
        let found = problems.iter().find(|problem| problem.message.contains(words));
        let found = found.unwrap_or_else(|| panic!("{to}: {problems:?}"));
        let at = text.rfind(to).unwrap();
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        assert_eq!(found.line, line as u64, "{found}");
        assert!(found.column > 0, "{found}");
    }
}

#[test]
fn a_policy_has_at_most_two_hundred_risk_rules() {
    let with = |count: usize| {
        let one = |n| {
            format!(
                "  - {{id: r{n}, languages: [shell], match: x{n}, action: observe, hint: no}}\n"
            )
        };
        let rules: String = (0..count).map(one).collect();
        let own = EXAMPLE.matches("\n  - id: ").count();
        (check(&EXAMPLE.replace("\nrisks:\n", &format!("\nrisks:\n{rules}"))), own)
    };
    let (_, own) = with(0);
    assert!(with(200 - own).0.is_ok());
    let problems = with(201 - own).0.unwrap_err();
    assert!(problems[0].message.contains("at most 200") && problems[0].line > 0, "{problems:?}");
}
