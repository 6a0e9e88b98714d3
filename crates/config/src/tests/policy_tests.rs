//! Tests of a policy: what is wrong with one is told at its place, and each says what the steps say.

use esbgate_core::Metrics;
use jiff::Timestamp;

use super::{EXAMPLE, Fake, broken, check};
use crate::{OfflinePlan, Problem, TestResult};

const BESIDE: &str = include_str!("../../../../config/tests/deploy_bot.yaml");

fn plan(beside: &str) -> Result<OfflinePlan, Vec<Problem>> {
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let mut document = super::read("policy.yaml", EXAMPLE)?;
    document.add_tests("tests/a.yaml", beside)?;
    document.check_alone(&Fake, now).map(|(plan, _)| plan)
}

fn run(plan: &OfflinePlan) -> Vec<TestResult<'_>> {
    let metrics = Metrics::register(&prometheus::Registry::new(), "0").unwrap();
    let walk = std::pin::pin!(plan.run_tests(&metrics));
    match walk.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(results) => results,
        std::task::Poll::Pending => panic!("a test waited"),
    }
}

/// The misses of one test: `key: expected, found`.
fn misses(call: &str, expect: &str) -> Vec<String> {
    let text = format!(
        "tests: [{{name: x, at: \"2027-01-04T10:00+08:00\", call: {{{call}}}, expect: {{{expect}}}}}]"
    );
    let plan = plan(&text).unwrap();
    let results = run(&plan);
    let last = results.last().unwrap();
    assert_eq!(last.passed(), last.misses.is_empty());
    let misses = last.misses.iter();
    misses.map(|miss| format!("{}: {}, {}", miss.what, miss.expected, miss.found)).collect()
}

const GOOD: &str = "app: deploy_bot, user: svc_deploy, script: uptime, body: {bk_biz_id: 2, account_alias: www, target_server: {ip_list: [{bk_cloud_id: 0, ip: 10.1.2.3}]}}";

#[test]
fn the_tests_of_the_examples_pass() {
    let plan = plan(BESIDE).unwrap();
    let results = run(&plan);
    assert_eq!((results.len(), plan.tests().len()), (6, 6));
    for result in results {
        assert!(result.passed(), "{}: {:?}", result.test.name, result.misses);
    }
    assert_eq!((&*plan.tests()[3].file, plan.tests()[3].line), ("tests/a.yaml", 4));
}

#[test]
fn a_test_fails_where_anything_it_expects_is_not_so() {
    let wipe = GOOD.replace("uptime", "rm -rf /");
    let far = GOOD.replace("10.1.2.3", "11.1.2.3");
    let none = Vec::<String>::new();
    for (call, expect, found) in [
        (GOOD, "allowed: true, host_runs: 1, risk: []", none.clone()),
        (GOOD, "allowed: restart the web tier", none.clone()),
        (
            GOOD,
            "refused: USER_NOT_EXEMPT",
            vec!["refused: USER_NOT_EXEMPT, allowed: restart the web tier".to_owned()],
        ),
        (GOOD, "allowed: true, host_runs: 2", vec!["host_runs: 2, 1".to_owned()]),
        (GOOD, "allowed: true, risk: [wipe-root]", vec!["risk: wipe-root, none".to_owned()]),
        (&wipe, "refused: SCRIPT_AT_RISK, risk: [wipe-root]", none.clone()),
        (&wipe, "allowed: true", vec!["allowed: true, refused: SCRIPT_AT_RISK".to_owned()]),
        (
            &wipe,
            "refused: SCRIPT_AT_RISK, risk: [wipe-root, shutdown]",
            vec!["risk: shutdown, wipe-root, wipe-root".to_owned()],
        ),
        (
            &far,
            "refused: TARGET_NOT_ALLOWED, faults: [\"target_server.ip_list[0].ip\"]",
            none.clone(),
        ),
        (
            &far,
            "refused: TARGET_NOT_ALLOWED, faults: []",
            vec!["faults: none, target_server.ip_list[0].ip".to_owned()],
        ),
        ("app: nobody, user: x", "refused: APP_VERIFY_FAILED", none.clone()),
        ("app: deploy_bot, user: x, proof: token", "refused: BUSINESS_NOT_ALLOWED", none.clone()),
        (
            "app: deploy_bot, user: x, proof: token, component: get_job_instance_list, body: '{\"bk_biz_id\": 2, \"create_time_start\": 1, \"create_time_end\": 2}'",
            "refused: APP_NO_PERMISSION",
            none,
        ),
    ] {
        assert_eq!(misses(call, expect), found, "{expect}");
    }
}

#[test]
fn a_test_that_names_what_nobody_has_is_a_problem_at_its_place() {
    for (from, to, words, hint) in [
        ("USER_NOT_EXEMPT}", "USER_NOT_EXEMP}", "unknown code", Some("`USER_NOT_EXEMPT`")),
        (
            "app: deploy_bot, user: mallory",
            "app: deploy_bt, user: mallory",
            "unknown application",
            Some("`deploy_bot`"),
        ),
        (
            "app: deploy_bot, user: mallory",
            "app: stranger_to_all, user: mallory",
            "unknown application",
            Some("APP_VERIFY_FAILED"),
        ),
        (
            "allowed: restart the web tier,",
            "allowed: restart the web teir,",
            "deploy_bot has no such rule",
            Some("`restart the web tier`"),
        ),
        ("risk: [wipe-root]}", "risk: [wipe-rot]}", "unknown risk rule", Some("`wipe-root`")),
        (
            "component: fast_execute_script",
            "component: fast_execute_scrip",
            "unknown component",
            Some("`fast_execute_script`"),
        ),
        (
            "component: fast_execute_script\n      script: systemctl",
            "component: get_job_plan_list\n      script: systemctl",
            "only fast_execute_script takes a script",
            None,
        ),
        (
            "user: mallory}",
            "user: mallory, component: get_job_plan_list}",
            "needs a body",
            Some("add body"),
        ),
        ("peer: 192.0.2.7", "peer: nowhere", "expected an address", None),
        (
            "at: \"2027-01-04T10:00+08:00\"",
            "at: \"2027-01-04T10:00\"",
            "no instant with a zone",
            Some("with zone"),
        ),
        ("at: \"2027-01-04T10:00+08:00\"", "at: now", "no instant with a zone", Some("with zone")),
        (
            "expect: {refused: USER_NOT_EXEMPT}",
            "expect: {}",
            "one of allowed and refused",
            Some("allowed: with"),
        ),
        (
            "{refused: USER_NOT_EXEMPT}",
            "{refused: USER_NOT_EXEMPT, allowed: true}",
            "one of allowed and refused",
            None,
        ),
        ("{refused: USER_NOT_EXEMPT}", "{allowed: false}", "write refused:", None),
        (
            "{refused: USER_NOT_EXEMPT}",
            "{refused: USER_NOT_EXEMPT, host_runs: 0}",
            "no host-runs",
            None,
        ),
        ("host_runs: 1, risk: []}", "faults: []}", "has no faults", None),
        (
            "name: nobody wipes a host",
            "name: a stranger cannot be named",
            "has this name already",
            None,
        ),
        ("name: nobody wipes a host", "name: \" \"", "it must say something", None),
        ("user: mallory}", "user: mallory, body: []}", "expected the parameters", None),
        ("user: mallory}", "user: mallory, body: 'x'}", "no JSON object", None),
        (
            "script: rm -rf /",
            "script: rm\n      body: '{}'\n      peer: 192.0.2.1 #",
            "duplicate key",
            None,
        ),
        (
            "expect: {refused: USER_NOT_EXEMPT}",
            "expects: {}",
            "unknown key `expects`",
            Some("`expect`"),
        ),
    ] {
        let (text, problems) = broken(from, to);
        let found = problems.iter().find(|problem| problem.message.contains(words));
        let found = found.unwrap_or_else(|| panic!("{to}: {problems:?}"));
        let line = text.lines().nth(usize::try_from(found.line).unwrap() - 1).unwrap();
        let near = to.lines().any(|one| line.contains(one));
        assert!(near || words == "duplicate key", "{to}: {found}");
        assert!(found.snippet.is_some() && found.column > 0, "{found}");
        let said = found.hint.as_deref().unwrap_or_default();
        assert!(hint.is_none_or(|hint| said.contains(hint)), "{to}: {said}");
    }
}

#[test]
fn a_file_of_tests_is_held_to_its_own_text() {
    let at = |text: &str| {
        let problems = plan(text).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let one = problems.into_iter().next().unwrap();
        (one.file.to_string(), one.line, one.message.to_string())
    };
    let file = "tests/a.yaml".to_owned();
    let twice = BESIDE.replace("the exemption of the nightly restart ends", "nobody wipes a host");
    let (named, line, words) = at(&twice);
    assert_eq!((named, line), (file.clone(), 4));
    assert!(words.starts_with("the test at policy.yaml:"), "{words}");
    let only = "only version 1 is known".to_owned();
    assert_eq!(at("version: 2\ntests: []"), (file.clone(), 1, only));
    assert_eq!(at("tests: []\napps: {}").1, 2);
    assert!(at("tests: {").2.contains("no valid YAML") || at("tests: {").1 > 0);
}

#[test]
fn a_policy_has_a_bounded_number_of_tests() {
    let one = |n: usize| {
        format!(
            "  - {{name: t{n}, at: 2027-01-01T00:00Z, call: {{app: deploy_bot, user: u}}, expect: {{allowed: true}}}}\n"
        )
    };
    let all = |count: usize| (0..count).map(one).collect::<String>();
    // Three stand in the policy, and a file holds fewer than what a policy may have.
    let now: Timestamp = "2027-01-01T00:00Z".parse().unwrap();
    let check = |counts: &[(usize, usize)]| {
        let mut document = super::read("policy.yaml", EXAMPLE).unwrap();
        for (from, to) in counts {
            let text = all(*to).split_off(all(*from).len());
            document.add_tests("tests/a.yaml", &format!("tests:\n{text}")).unwrap();
        }
        document.check_alone(&Fake, now).map(|(plan, _)| plan.tests().len())
    };
    let parts: Vec<_> = (0..4).map(|n| (n * 2_500, n * 2_500 + 2_500)).collect();
    let problems = check(&parts).unwrap_err();
    assert!(problems[0].message.contains("at most 10000 tests"), "{problems:?}");
    assert_eq!(check(&parts[..3]).unwrap(), 7_503);
}

#[test]
fn a_policy_without_tests_has_none() {
    let start = EXAMPLE.find("\ntests:").unwrap();
    let end = EXAMPLE.find("\napps:").unwrap();
    let text = format!("{}{}", EXAMPLE.get(..start).unwrap(), EXAMPLE.get(end..).unwrap());
    assert!(check(&text).unwrap().0.tests().is_empty());
}
