//! A rule with hours holds at those hours, by the clock that the call arrived by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use esbgate_core::{Clock, ReceivedAt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::*;

/// A clock that shows what it is set to.
#[derive(Debug)]
struct Wall(AtomicI64);

impl Wall {
    fn at(text: &str) -> Arc<Self> {
        let wall = Self(AtomicI64::new(0));
        wall.set(text);
        Arc::new(wall)
    }

    fn set(&self, text: &str) {
        let at: Timestamp = text.parse().unwrap();
        self.0.store(at.as_second(), Ordering::SeqCst);
    }
}

impl Clock for Wall {
    fn now(&self) -> ReceivedAt {
        let wall = Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap();
        ReceivedAt { wall, monotonic: Duration::ZERO }
    }
}

/// The usual rule with these hours.
fn files(hours: &str) -> Files {
    let allow = format!("{}        hours: {hours}\n", ALLOW.trim_end_matches(' '));
    let holidays = "holidays: {cn: {off: [\"2027-01-05\"], work: [\"2027-01-09\"]}}\napps:";
    Files { policy: policy("", &allow).replace("apps:", holidays), ..Files::default() }
}

/// Asks for a user whose proof knows no date.
async fn ask(gate: &Gate, call: &Value) -> Answer {
    let header = authorization("bk_token", TOKEN);
    gate.send(&[("X-Bkapi-Authorization", &header)], &call.to_string()).await
}

const WORK: &str = "{days: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"19:00\", zone: Asia/Shanghai, holidays: cn}";

#[tokio::test]
async fn outside_its_hours_a_rule_allows_nothing_and_says_when_it_does() {
    let clock = Wall::at("2027-01-04T09:00+08:00");
    let files = files(WORK);
    let gate = Gate::by_clock(files, world(), Arc::<Wall>::clone(&clock)).await;
    assert_eq!(ask(&gate, &call()).await.body["executed"], "yes");
    for (at, next) in [
        ("2027-01-04T08:59:59+08:00", Some("2027-01-04 09:00 Asia/Shanghai")),
        ("2027-01-04T18:59:59+08:00", None),
        // The next day is off.
        ("2027-01-04T19:00+08:00", Some("2027-01-06 09:00 Asia/Shanghai")),
        ("2027-01-05T10:00+08:00", Some("2027-01-06 09:00 Asia/Shanghai")),
        // Saturday is worked.
        ("2027-01-08T20:00+08:00", Some("2027-01-09 09:00 Asia/Shanghai")),
        ("2027-01-09T10:00+08:00", None),
        ("2027-01-10T10:00+08:00", Some("2027-01-11 09:00 Asia/Shanghai")),
    ] {
        clock.set(at);
        let answer = ask(&gate, &call()).await;
        let Some(next) = next else {
            assert_eq!(answer.body["executed"], "yes", "{at}: {}", answer.body);
            continue;
        };
        answer.is(403, "OUTSIDE_HOURS", "no");
        let hint = format!("granted again from {next}");
        let faults = json!([{"path": "hours", "rule": "outside_hours", "hint": hint}]);
        assert_eq!(answer.body["faults"], faults, "{at}");
    }
    // What else is wrong is told first.
    clock.set("2027-01-10T10:00+08:00");
    let other = call_with(json!({"callback_url": "https://elsewhere.example.com/"}));
    ask(&gate, &other).await.is(403, "CALLBACK_NOT_ALLOWED", "no");
    assert_eq!(gate.standin.history().run_count(), 3);
}

#[tokio::test]
async fn the_rule_that_holds_next_is_told_and_another_rule_still_allows() {
    let clock = Wall::at("2027-01-04T20:00+08:00");
    let night = "{days: any, from: \"22:00\", to: \"06:00\", zone: Asia/Shanghai}";
    let mut files = files(WORK);
    let second = ALLOW.replace("all that the tests do", "at night");
    files.policy.push_str(second.trim_start_matches('\n').trim_end_matches(' '));
    files.policy.push_str(&format!("        hours: {night}\n"));
    let gate = Gate::by_clock(files, world(), Arc::<Wall>::clone(&clock)).await;
    let answer = ask(&gate, &call()).await;
    answer.is(403, "OUTSIDE_HOURS", "no");
    let hint = "granted again from 2027-01-04 22:00 Asia/Shanghai";
    assert_eq!(answer.body["faults"][0]["hint"], hint);
    clock.set("2027-01-05T05:00+08:00");
    assert_eq!(ask(&gate, &call()).await.body["executed"], "yes");
    assert_eq!(gate.records("intent")[0]["grant"], "at night");
}

#[tokio::test]
async fn hours_are_promised_for_the_coming_month_and_no_further() {
    // Once a week, with a month of Mondays off.
    let clock = Wall::at("2027-01-05T10:00+08:00");
    let mondays =
        "{days: [mon], from: \"09:00\", to: \"19:00\", zone: Asia/Shanghai, holidays: cn}";
    let mut files = files(mondays);
    let off =
        ["2027-01-11", "2027-01-18", "2027-01-25", "2027-02-01"].map(|day| format!("{day:?}"));
    let (usual, month) = ("off: [\"2027-01-05\"], work: [\"2027-01-09\"]", off.join(", "));
    files.policy = files.policy.replace(usual, &format!("off: [{month}], work: []"));
    let gate = Gate::by_clock(files, world(), Arc::<Wall>::clone(&clock)).await;
    for (at, hint) in [
        (
            "2027-01-05T10:00+08:00",
            "no hour of the coming 31 days is granted; ask the platform's admins",
        ),
        ("2027-01-08T10:00+08:00", "granted again from 2027-02-08 09:00 Asia/Shanghai"),
    ] {
        clock.set(at);
        let answer = ask(&gate, &call()).await;
        answer.is(403, "OUTSIDE_HOURS", "no");
        assert_eq!(answer.body["faults"][0]["hint"], hint, "{at}");
    }
}
