//! Each kind of fault of meaning says where it is, shows the line, and says what to do.

use super::broken;

#[test]
fn every_kind_of_fault_of_meaning_has_its_place_a_picture_and_a_hint() {
    for (from, to, words, hint) in [
        ("acts_as: ops_gateway", "acts_as: ops_gatewy", "unknown credential", "`ops_gateway`"),
        ("acts_as: ops_gateway", "acts_as: nobody", "unknown credential", "start-up file"),
        ("jwt: {issuer: apigw}", "jwt: {issuer: apigv}", "unknown issuer", "`apigw`"),
        ("jwt: {issuer: apigw}", "jwt: {issuer: elsewhere}", "unknown issuer", "`issuers`"),
        ("env: SSO_SECRET", "env: UNSET", "not set", "gateway's process"),
        ("match: '(^|", "match: '((^|", "the pattern cannot be used", "regex"),
        (", expires: \"2027-02-01T00:00+08:00\"", "", "has no end", "180 days"),
        (
            "2027-02-01T00:00+08:00\"}\n    acts_as",
            "2027-12-01T00:00+08:00\"}\n    acts_as",
            "at most 180 days",
            "end it earlier",
        ),
        (
            "2027-06-30T00:00+08:00",
            "2027-06-30T00:00",
            "no instant with a zone",
            "2027-06-30T00:00+08:00",
        ),
        (
            "business: {ids: [2], sets: [], tenant_sets: [], scopes: [{type: biz_set, id: 9}]}",
            "business: {}",
            "can never match",
            "write any",
        ),
        ("host_ids: []", "host_ids: [7]", "can never match", "host_id_list: true"),
        ("hosts: 50    ", "hosts: 51    ", "can never match", "lower targets.hosts"),
        ("per_call: 50\n", "per_call: 999\n", "over hosts.burst", "raise hosts.burst"),
        (
            "[fast_execute_script]\n        business",
            "[fast_execute_scrip]\n        business",
            "unknown component",
            "`fast_execute_script`",
        ),
        (
            "content: [shell, python]",
            "content: [shell, pyton]",
            "unknown script language",
            "`python`",
        ),
        ("ips: [10.0.0.0/8]", "ips: [10.1.0.0/8]", "bits beyond its mask", "`10.0.0.0/8`"),
    ] {
        let (text, problems) = broken(from, to);
        let found = problems.iter().find(|problem| problem.message.contains(words));
        let found = found.unwrap_or_else(|| panic!("{to}: {problems:?}"));
        let lines = text.lines().count() as u64;
        assert!((1..=lines).contains(&found.line) && found.column > 0, "{found}");
        assert!(found.snippet.is_some(), "{found}");
        assert!(found.hint.as_deref().is_some_and(|said| said.contains(hint)), "{to}: {found}");
        let shown = found.to_string();
        assert!(
            shown.contains(&format!("policy.yaml:{}:{}: ", found.line, found.column)),
            "{shown}"
        );
        assert!(
            shown.contains("\n  | ") && shown.contains('^') && shown.contains("\n  hint: "),
            "{shown}"
        );
    }
}
