//! Hours against tables of what clocks did, and against jiff's arithmetic of civil time.

use jiff::{civil::date, tz::TimeZoneDatabase};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn hours(days: &[Weekday], from: u16, to: u16, name: &str) -> Hours {
    Hours::new(days, (from, to), zone(name), None)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const WORKDAYS: &[Weekday] =
    &[Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

fn holds(hours: &Hours, table: &[(&str, bool)]) {
    for (text, expected) in table {
        assert_eq!(hours.hold(at(text)), *expected, "{text}");
    }
}

#[test]
fn the_first_minute_is_inside_and_the_last_is_not() {
    holds(
        &hours(WORKDAYS, 9 * 60, 19 * 60, "Asia/Shanghai"),
        &[
            ("2027-01-04T08:59:59.999999999+08:00", false),
            ("2027-01-04T09:00+08:00", true),
            ("2027-01-04T18:59:59.999999999+08:00", true),
            ("2027-01-04T19:00+08:00", false),
            ("2027-01-03T10:00+08:00", false),
            // Monday in Shanghai, Sunday in London.
            ("2027-01-04T00:30Z", false),
            ("2027-01-04T01:00Z", true),
        ],
    );
}

#[test]
fn a_whole_day_is_from_midnight_to_midnight() {
    holds(
        &hours(&[Weekday::Sunday], 0, DAY, "Asia/Shanghai"),
        &[
            ("2027-01-02T23:59:59+08:00", false),
            ("2027-01-03T00:00+08:00", true),
            ("2027-01-03T23:59:59+08:00", true),
            ("2027-01-04T00:00+08:00", false),
        ],
    );
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    holds(
        &hours(&[Weekday::Friday], 22 * 60, 6 * 60, "Asia/Shanghai"),
        &[
            ("2027-01-08T05:00+08:00", false),
            ("2027-01-08T22:00+08:00", true),
            ("2027-01-09T05:59:59+08:00", true),
            ("2027-01-09T06:00+08:00", false),
            ("2027-01-09T22:00+08:00", false),
        ],
    );
}

#[test]
fn a_day_off_is_off_and_a_make_up_day_is_on_whatever_the_weekday() {
    let (off, work) = (vec![date(2027, 2, 8), date(2027, 2, 5)], vec![date(2027, 1, 30)]);
    let holidays = Some(Arc::new(Holidays::new(off, work)));
    let day = Hours::new(WORKDAYS, (540, 1140), zone("Asia/Shanghai"), holidays.clone());
    holds(
        &day,
        &[
            ("2027-01-30T09:00+08:00", true),
            ("2027-01-31T09:00+08:00", false),
            ("2027-02-04T09:00+08:00", true),
            ("2027-02-05T09:00+08:00", false),
            ("2027-02-08T09:00+08:00", false),
        ],
    );
    // A night that begins on the day before a day off goes on into it, and one that would begin on it does not.
    let night = Hours::new(WORKDAYS, (22 * 60, 360), zone("Asia/Shanghai"), holidays);
    holds(
        &night,
        &[
            ("2027-02-05T05:59+08:00", true),
            ("2027-02-05T22:00+08:00", false),
            ("2027-02-06T01:00+08:00", false),
        ],
    );
    assert_eq!(day.next(at("2027-02-04T20:00+08:00")), Some(at("2027-02-09T09:00+08:00")));
}

#[test]
fn an_hour_that_the_clock_skips_does_not_come() {
    // 2027-03-14 in New York: 02:00 is 03:00.
    let every = hours(&WEEK, 150, 210, "America/New_York");
    holds(
        &every,
        &[
            ("2027-03-14T01:59:59-05:00", false),
            ("2027-03-14T03:00-04:00", true),
            ("2027-03-14T03:29:59-04:00", true),
            ("2027-03-14T03:30-04:00", false),
        ],
    );
    assert_eq!(every.next(at("2027-03-14T00:00-05:00")), Some(at("2027-03-14T03:00-04:00")));
    let skipped = hours(&WEEK, 130, 170, "America/New_York");
    assert!(!skipped.hold(at("2027-03-14T03:00-04:00")));
    assert_eq!(skipped.next(at("2027-03-14T00:00-05:00")), Some(at("2027-03-15T02:10-04:00")));
    // Samoa had no 2011-12-30.
    let friday = hours(&[Weekday::Friday], 0, DAY, "Pacific/Apia");
    assert_eq!(friday.next(at("2011-12-29T12:00-10:00")), Some(at("2012-01-06T00:00+14:00")));
}

#[test]
fn an_hour_that_the_clock_shows_twice_counts_both_times() {
    // 2027-11-07 in New York: 02:00 is 01:00 again.
    let twice = hours(&WEEK, 75, 105, "America/New_York");
    holds(
        &twice,
        &[
            ("2027-11-07T01:14:59-04:00", false),
            ("2027-11-07T01:15-04:00", true),
            ("2027-11-07T01:45-04:00", false),
            ("2027-11-07T01:15-05:00", true),
            ("2027-11-07T01:45-05:00", false),
        ],
    );
    assert_eq!(twice.next(at("2027-11-07T01:50-04:00")), Some(at("2027-11-07T01:15-05:00")));
    // The clock jumps back into the span.
    let before = hours(&WEEK, 30, 90, "America/New_York");
    assert_eq!(before.next(at("2027-11-07T01:40-04:00")), Some(at("2027-11-07T01:00-05:00")));
}

#[test]
fn hours_that_do_not_come_within_a_year_are_not_promised() {
    let off = (0..400).map(|n| date(2027, 1, 1).checked_add(n.days()).unwrap()).collect();
    let holidays = Some(Arc::new(Holidays::new(off, vec![])));
    let never = Hours::new(&WEEK, (0, DAY), zone("UTC"), holidays);
    assert_eq!(never.next(at("2027-01-01T00:00Z")), None);
}

#[test]
fn hours_are_looked_for_until_the_end_that_is_given_and_not_beyond() {
    let day = hours(&WEEK, 60, 120, "UTC");
    let (now, begin) = (at("2027-01-01T03:00Z"), at("2027-01-02T01:00Z"));
    assert_eq!(day.next_until(now, begin), Some(begin));
    assert_eq!(day.next_until(now, begin - 1.nanosecond()), None);
    // The clock jumps into the span at 03:00.
    let jumped = hours(&WEEK, 150, 210, "America/New_York");
    let (now, jump) = (at("2027-03-14T00:00-05:00"), at("2027-03-14T03:00-04:00"));
    assert_eq!(jumped.next_until(now, jump), Some(jump));
    assert_eq!(jumped.next_until(now, jump - 1.nanosecond()), None);
}

#[test]
fn an_instant_is_shown_as_the_rules_own_clock_shows_it() {
    let shanghai = hours(&WEEK, 0, DAY, "Asia/Shanghai");
    assert_eq!(shanghai.shown(at("2027-01-04T01:00Z")), "2027-01-04 09:00 Asia/Shanghai");
}

#[test]
fn hours_are_written_as_the_policy_says_them() {
    let holidays = Some(Arc::new(Holidays::default()));
    let night = Hours::new(WORKDAYS, (22 * 60 + 5, 6 * 60), zone("asia/shanghai"), holidays);
    assert_eq!(night.to_string(), "mon,tue,wed,thu,fri 22:05-06:00 Asia/Shanghai with holidays");
    let whole = hours(&[Weekday::Sunday], 0, DAY, "UTC");
    assert_eq!(whole.to_string(), "sun 00:00-24:00 UTC");
    assert!(whole == hours(&[Weekday::Sunday], 0, DAY, "UTC") && whole != night);
}

/// The spans of three days around, each from its first to its last civil instant.
fn by_civil_arithmetic(hours: &Hours, at: Timestamp) -> bool {
    let shown = hours.zone.to_datetime(at);
    [-1, 0, 1].into_iter().any(|ahead| {
        let day = shown.date().checked_add(ahead.days()).unwrap();
        let begin = day.to_datetime(Time::midnight()).checked_add(i64::from(hours.from).minutes());
        let length = hours.until - hours.from;
        let begin = begin.unwrap();
        let end = begin.checked_add(i64::from(length).minutes()).unwrap();
        hours.days[usize::try_from(day.weekday().to_monday_zero_offset()).unwrap()]
            && begin <= shown
            && shown < end
    })
}

fn any_hours() -> impl Strategy<Value = Hours> {
    let names: Vec<String> =
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let days = prop::collection::vec(any::<bool>(), 7);
    (prop::sample::select(names), days, 0..DAY, 1..=DAY).prop_map(|(name, days, from, to)| {
        let days: Vec<_> =
            WEEK.iter().zip(days).filter_map(|(day, on)| on.then_some(*day)).collect();
        hours(&days, from, to, &name)
    })
}

/// Half of them near a change of the clock.
fn any_instant(hours: &Hours, second: i64, near: bool, off: i64) -> Timestamp {
    let at = Timestamp::from_second(second).unwrap();
    let jump = hours.zone.following(at).next().filter(|_| near);
    jump.map_or(at, |jump| jump.timestamp() + off.seconds())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn hours_hold_as_civil_arithmetic_says_in_every_zone(
        hours in any_hours(), second in 0i64..4_000_000_000, near: bool, off in -90_000i64..90_000
    ) {
        let at = any_instant(&hours, second, near, off);
        prop_assert_eq!(hours.hold(at), by_civil_arithmetic(&hours, at));
    }

    #[test]
    fn the_next_hour_is_the_first_that_holds(
        hours in any_hours(), second in 0i64..4_000_000_000, near: bool, off in -90_000i64..90_000
    ) {
        let at = any_instant(&hours, second, near, off);
        prop_assume!(!hours.hold(at));
        match hours.next(at) {
            Some(next) => {
                prop_assert!(next > at && hours.hold(next));
                prop_assert!(!hours.hold(next - 1.nanosecond()), "it held before {next}");
                // Spans have whole minutes, and no clock has changed at others than whole seconds.
                let minutes = (next.as_second() - at.as_second()) / 60;
                let early = (1..minutes.min(3000)).map(|minute| at + minute.minutes());
                prop_assert!(early.filter(|at| *at < next).all(|at| !hours.hold(at)));
            }
            None => prop_assert!(hours.days.iter().all(|on| !on)),
        }
    }
}
